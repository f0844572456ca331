//! The verification of a signature with the key of a certificate.

use credlink_core::c2pa::signature::Algorithm;
use p521::ecdsa::signature::Verifier as _;
use p521::ecdsa::{Signature, VerifyingKey};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

/// The identifiers of elliptic-curve keys (RFC 5480, section 2.1.1) and of their curves.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
/// The identifiers of RSA keys: for any use, and for RSASSA-PSS alone (RFC 4055, section 1.2).
const RSA: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10"),
];
/// The identifier of Ed25519 keys (RFC 8410, section 3).
const ED25519_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Returns `true` if `signature` is a signature of `message` with `key`, by an algorithm for keys of its kind.
pub(super) fn verifies(
    algorithm: Algorithm,
    key: &SubjectPublicKeyInfoOwned,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Some(bits) = key.subject_public_key.as_bytes() else { return false };
    let curve =
        key.algorithm.parameters.as_ref().and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
    let is_on = |wanted| key.algorithm.oid == EC && curve == Some(wanted);
    let is_rsa = || RSA.contains(&key.algorithm.oid);
    let by = |verification: &'static dyn VerificationAlgorithm| {
        UnparsedPublicKey::new(verification, bits).verify(message, signature).is_ok()
    };
    match algorithm {
        Algorithm::Es256 => is_on(P256) && by(&ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => is_on(P384) && by(&ECDSA_P384_SHA384_FIXED),
        // ring has no P-521.
        Algorithm::Es512 => {
            let key = VerifyingKey::from_sec1_bytes(bits);
            let signature = Signature::from_slice(signature);
            is_on(P521)
                && key
                    .ok()
                    .zip(signature.ok())
                    .is_some_and(|(key, signature)| key.verify(message, &signature).is_ok())
        }
        Algorithm::Ps256 => is_rsa() && by(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => is_rsa() && by(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => is_rsa() && by(&RSA_PSS_2048_8192_SHA512),
        Algorithm::Ed25519 => key.algorithm.oid == ED25519_KEY && by(&ED25519),
    }
}
