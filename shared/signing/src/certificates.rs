//! The certificate of a signer, with those that lead to its authority.

use std::time::Duration;

use c2pa::SigningAlg;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

/// The key purposes of which a certificate that signs claims must have one (C2PA 2.x, section 14.5.1): email
/// protection, document signing (RFC 9336), and C2PA's own claim signing.
const PURPOSES: [ObjectIdentifier; 3] = [
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.62558.2.1"),
];

/// The identifiers of elliptic-curve keys (RFC 5480, section 2.1.1) and of their curves.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const CURVES: [(ObjectIdentifier, SigningAlg); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), SigningAlg::Es256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), SigningAlg::Es384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), SigningAlg::Es512),
];
/// The identifiers of RSA keys: for any use, and for RSASSA-PSS alone (RFC 4055, section 1.2).
const RSA: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10"),
];
/// The identifier of Ed25519 keys (RFC 8410, section 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A reason why a certificate, or a key with it, cannot sign manifests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is no certificate.
    #[error(
        "it has no certificate: it is PEM, with the signing certificate first and then those that lead to its authority"
    )]
    None,
    /// A certificate cannot be read.
    #[error("certificate {place} cannot be read: {why}")]
    Unreadable {
        /// The place in the file, from 1.
        place: usize,
        /// The fault.
        why: String,
    },
    /// The certificate has expired, or is not valid yet.
    #[error("the certificate of {subject} is valid from {from} to {until}, and not now")]
    NotNow {
        /// The subject.
        subject: String,
        /// The beginning.
        from: String,
        /// The end.
        until: String,
        /// `true` if it has expired.
        has_expired: bool,
    },
    /// The certificate is not for signing claims.
    #[error(
        "the certificate of {subject} is not for signing: its extended key usage has to have email protection, document signing \
         or C2PA claim signing (1.3.6.1.4.1.62558.2.1)"
    )]
    Purpose {
        /// The subject.
        subject: String,
    },
    /// The certificate is one of an authority.
    #[error(
        "the first certificate, of {subject}, is one of an authority: the signing certificate has to come before it"
    )]
    Authority {
        /// The subject.
        subject: String,
    },
    /// The certificate was issued by nobody else.
    #[error(
        "the certificate of {subject} is signed with its own key, and readers refuse what is signed with such a certificate: an \
         authority has to issue it. docs/files.md (\"Signed renditions\") has the commands that make an authority and a \
         certificate for a trial"
    )]
    SelfSigned {
        /// The subject.
        subject: String,
    },
    /// The certificate forbids signatures.
    #[error("the certificate of {subject} has a key usage without digital signatures")]
    Usage {
        /// The subject.
        subject: String,
    },
    /// The key of the certificate is of another kind.
    #[error(
        "the certificate of {subject} has a key of another kind: P-256, P-384 and P-521, RSA and Ed25519 sign manifests"
    )]
    Algorithm {
        /// The subject.
        subject: String,
    },
    /// The private key cannot be read.
    #[error("the key cannot be used: {0}. It has to be PEM in PKCS#8, `-----BEGIN PRIVATE KEY-----`")]
    Key(String),
    /// The private key has a form that is not read.
    #[error(
        "the key is {0}; `openssl pkey -in OLD.key -out NEW.key` makes of it what is read: PKCS#8 without a passphrase, \
         `-----BEGIN PRIVATE KEY-----`"
    )]
    KeyForm(&'static str),
    /// The key does not sign.
    #[error("the key does not sign: {0}")]
    Away(String),
    /// The private key belongs to another certificate.
    #[error(
        "the key does not fit the certificate of {subject}: what it signs, the certificate does not verify"
    )]
    OtherKey {
        /// The subject.
        subject: String,
    },
    /// A reader would refuse the certificate for another reason.
    #[error("readers would refuse what is signed with the certificate of {subject}: {why}")]
    Profile {
        /// The subject.
        subject: String,
        /// The reason.
        why: String,
    },
}

/// The certificates of a signer: the signing one, and those that lead to its authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The certificates in DER, the signing one first.
    pub chain: Vec<Vec<u8>>,
    /// The algorithm of the signing key.
    pub algorithm: SigningAlg,
    /// The subject of the signing certificate.
    pub subject: String,
}

impl Certificates {
    /// Reads PEM, and checks that the first certificate may sign claims at `now`, in time since 1970.
    ///
    /// # Errors
    /// Fails with the [`CertificateError`] that says what is wrong.
    pub fn read(pem: &str, now: Duration) -> Result<Self, CertificateError> {
        let mut chain = Vec::new();
        for (index, certificate) in CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate() {
            let failed = |why: String| CertificateError::Unreadable { place: index + 1, why };
            let der = certificate.map_err(|error| failed(error.to_string()))?.to_vec();
            Certificate::from_der(&der).map_err(|error| failed(error.to_string()))?;
            chain.push(der);
        }
        let first = chain.first().ok_or(CertificateError::None)?;
        let unreadable =
            |error: x509_cert::der::Error| CertificateError::Unreadable { place: 1, why: error.to_string() };
        let certificate = Certificate::from_der(first).map_err(unreadable)?.tbs_certificate;
        let subject = certificate.subject.to_string();
        let validity = certificate.validity;
        // Validity is given in seconds, and includes the last one (RFC 5280, section 4.1.2.5).
        let seconds = Duration::from_secs(now.as_secs());
        if !(validity.not_before.to_unix_duration()..=validity.not_after.to_unix_duration())
            .contains(&seconds)
        {
            let (from, until) = (validity.not_before.to_string(), validity.not_after.to_string());
            let has_expired = validity.not_after.to_unix_duration() < seconds;
            return Err(CertificateError::NotNow { subject, from, until, has_expired });
        }
        let constraints = certificate.get::<BasicConstraints>().map_err(unreadable)?;
        let is_authority = constraints.is_some_and(|(_, constraints)| constraints.ca);
        if is_authority {
            return Err(CertificateError::Authority { subject });
        }
        if certificate.issuer == certificate.subject {
            return Err(CertificateError::SelfSigned { subject });
        }
        let purposes = certificate.get::<ExtendedKeyUsage>().map_err(unreadable)?;
        if !purposes.is_some_and(|(_, purposes)| purposes.0.iter().any(|purpose| PURPOSES.contains(purpose)))
        {
            return Err(CertificateError::Purpose { subject });
        }
        let usage = certificate.get::<KeyUsage>().map_err(unreadable)?;
        if !usage.is_some_and(|(_, usage)| usage.digital_signature()) {
            return Err(CertificateError::Usage { subject });
        }
        let algorithm = algorithm(&certificate.subject_public_key_info);
        let algorithm = algorithm.ok_or_else(|| CertificateError::Algorithm { subject: subject.clone() })?;
        Ok(Self { chain, algorithm, subject })
    }

    /// The length of all certificates together, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.chain.iter().map(Vec::len).sum()
    }
}

fn algorithm(key: &SubjectPublicKeyInfoOwned) -> Option<SigningAlg> {
    let curve = || key.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok();
    match key.algorithm.oid {
        EC => {
            let curve = curve()?;
            CURVES.iter().find(|(known, _)| *known == curve).map(|(_, algorithm)| *algorithm)
        }
        ED25519 => Some(SigningAlg::Ed25519),
        other => RSA.contains(&other).then_some(SigningAlg::Ps256),
    }
}
