//! The check that a signing certificate was issued under a trust anchor (RFC 5280, section 6).

use std::borrow::Cow;
use std::time::Duration;

use p521::ecdsa::signature::Verifier as _;
use p521::ecdsa::{DerSignature, VerifyingKey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, TrustAnchor,
    UnixTime, alg_id,
};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert};
use x509_cert::TbsCertificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::ExtendedKeyUsage;

/// The key purposes of which a certificate that signs claims must have one (C2PA 2.x, section 14.5.1): email
/// protection, document signing (RFC 9336), and C2PA's own claim signing.
const PURPOSES: [ObjectIdentifier; 3] = [
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.62558.2.1"),
];

/// Reads the certificates of a PEM text as trust anchors.
pub(super) fn anchors(pem: &str) -> Result<Vec<TrustAnchor<'static>>, String> {
    let mut anchors = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("this is no PEM: {error}"))?;
        let anchor = anchor_from_trusted_cert(&certificate);
        anchors.push(anchor.map_err(|error| format!("this is no certificate: {error}"))?.to_owned());
    }
    if anchors.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(anchors) }
}

/// Returns `true` if the certificate says that its key is for signing claims.
pub(super) fn may_sign_claims(certificate: &TbsCertificate) -> bool {
    let usage = certificate.get::<ExtendedKeyUsage>().ok().flatten();
    usage.is_some_and(|(_, ExtendedKeyUsage(purposes))| {
        purposes.iter().any(|purpose| PURPOSES.contains(purpose))
    })
}

/// Returns `true` if, at time `at` since 1970, a chain of valid certificates leads from `signer` over some of the
/// certificates in `between` to one of `anchors`.
pub(super) fn leads(
    signer: &[u8],
    between: &[Cow<'_, [u8]>],
    anchors: &[TrustAnchor<'_>],
    at: Duration,
) -> bool {
    let signer = CertificateDer::from(signer);
    let between: Vec<CertificateDer<'_>> = between.iter().map(|der| CertificateDer::from(&**der)).collect();
    let algorithms = [webpki::ALL_VERIFICATION_ALGS, &[&EcdsaP521Sha512]].concat();
    let time = UnixTime::since_unix_epoch(at);
    EndEntityCert::try_from(&signer).is_ok_and(|signer| {
        signer.verify_for_usage(&algorithms, anchors, &between, time, ClaimSigning, None, None).is_ok()
    })
}

/// The purposes of the certificates in a chain. [`may_sign_claims`] checks the signer's own; a certificate above it
/// that is limited to other purposes cannot be a part of its chain.
struct ClaimSigning;

impl ExtendedKeyUsageValidator for ClaimSigning {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let mut is_limited = false;
        for purpose in purposes {
            is_limited = true;
            let purpose = purpose?.to_decoded_oid();
            if PURPOSES
                .iter()
                .any(|allowed| allowed.arcs().map(|arc| arc as usize).eq(purpose.iter().copied()))
            {
                return Ok(());
            }
        }
        if is_limited { Err(webpki::Error::UnknownIssuer) } else { Ok(()) }
    }
}

/// ECDSA with P-521 and SHA-512, which ring does not have.
#[derive(Debug)]
struct EcdsaP521Sha512;

impl SignatureVerificationAlgorithm for EcdsaP521Sha512 {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA512
    }

    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(key).map_err(|_| InvalidSignature)?;
        let signature = DerSignature::try_from(signature).map_err(|_| InvalidSignature)?;
        let signature = signature.try_into().map_err(|_| InvalidSignature)?;
        key.verify(message, &signature).map_err(|_| InvalidSignature)
    }
}
