//! The keys that sign claims.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::time::Duration;

use c2pa::{BoxedSigner, Signer, SigningAlg, create_signer};
use credlink_ports::{Failure, FailureKind};

use crate::certificates::{CertificateError, Certificates};
use crate::manifests::{Trial, try_out};

/// The future of a signature.
pub type SigningClaim<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, Failure>> + Send + 'a>>;

/// A key that signs claims, wherever it is kept: in this process, or at a service that never hands it out.
pub trait ClaimSigner: fmt::Debug + Send + Sync {
    /// Returns the certificates.
    fn certificates(&self) -> &Certificates;

    /// Signs the bytes of a claim, by the algorithm of the certificates. ECDSA signatures are the two numbers without DER
    /// (RFC 9053, section 2.1).
    fn sign<'a>(&'a self, claim: &'a [u8]) -> SigningClaim<'a>;
}

/// A key in this process.
pub struct PemSigner {
    certificates: Certificates,
    key: BoxedSigner,
}

impl fmt::Debug for PemSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemSigner").field("subject", &self.certificates.subject).finish_non_exhaustive()
    }
}

impl PemSigner {
    /// Reads certificates and a key in PEM, and signs something with them, so that what is wrong is known at once. `now` is
    /// the time since 1970.
    ///
    /// # Errors
    /// Fails with the [`CertificateError`] that says what is wrong.
    pub fn read(certificates: &str, key: &str, now: Duration) -> Result<Self, CertificateError> {
        let found = Certificates::read(certificates, now)?;
        let failed = |error: c2pa::Error| match other_form(key) {
            Some(form) => CertificateError::KeyForm(form),
            None => CertificateError::Key(error.to_string()),
        };
        let read = create_signer::from_keys(certificates.as_bytes(), key.as_bytes(), found.algorithm, None);
        let signer = Self { key: read.map_err(failed)?, certificates: found };
        judge(try_out(&signer), &signer.certificates)?;
        Ok(signer)
    }
}

/// Returns the form of a key that could not be read, if it is one that OpenSSL converts.
fn other_form(key: &str) -> Option<&'static str> {
    let is_labelled = |label: &str| key.contains(&format!("-----BEGIN {label} PRIVATE KEY-----"));
    if is_labelled("ENCRYPTED") || key.contains("Proc-Type: 4,ENCRYPTED") {
        Some("encrypted, and a server has nobody to ask for the passphrase")
    } else if is_labelled("EC") {
        Some("in the form of SEC1 (`-----BEGIN EC PRIVATE KEY-----`)")
    } else if is_labelled("RSA") {
        Some("in the form of PKCS#1 (`-----BEGIN RSA PRIVATE KEY-----`)")
    } else {
        None
    }
}

/// Has a key that is kept elsewhere sign something, so that what is wrong is known at once. `wait` waits for a signature.
///
/// # Errors
/// Fails with the [`CertificateError`] that says what is wrong with the key, or with the certificate.
pub fn check(
    signer: &dyn ClaimSigner,
    wait: impl Fn(SigningClaim<'_>) -> Result<Vec<u8>, Failure>,
) -> Result<(), CertificateError> {
    // With a certificate that readers refuse, the trial alone would not tell that the key is away.
    wait(signer.sign(b"a claim")).map_err(|failure| CertificateError::Away(failure.to_string()))?;
    judge(try_out(&Waiting { signer, wait }), signer.certificates())
}

fn judge(trial: Trial, certificates: &Certificates) -> Result<(), CertificateError> {
    let subject = certificates.subject.clone();
    match trial {
        Trial::Good => Ok(()),
        Trial::OtherKey => Err(CertificateError::OtherKey { subject }),
        Trial::Refused(why) => Err(CertificateError::Profile { subject, why }),
    }
}

/// A signer that waits for each signature.
struct Waiting<'a, W> {
    signer: &'a dyn ClaimSigner,
    wait: W,
}

impl<W: Fn(SigningClaim<'_>) -> Result<Vec<u8>, Failure>> Signer for Waiting<'_, W> {
    fn sign(&self, claim: &[u8]) -> c2pa::Result<Vec<u8>> {
        let signature = (self.wait)(self.signer.sign(claim));
        signature.map_err(|failure| c2pa::Error::BadParam(failure.to_string()))
    }

    fn alg(&self) -> SigningAlg {
        self.signer.certificates().algorithm
    }

    fn certs(&self) -> c2pa::Result<Vec<Vec<u8>>> {
        Ok(self.signer.certificates().chain.clone())
    }

    fn reserve_size(&self) -> usize {
        reserved(self.signer.certificates())
    }
}

impl ClaimSigner for PemSigner {
    fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    fn sign<'a>(&'a self, claim: &'a [u8]) -> SigningClaim<'a> {
        let failed = |error: c2pa::Error| Failure {
            provider: "signing key",
            kind: FailureKind::Unavailable,
            message: error.to_string(),
        };
        Box::pin(ready(self.key.sign(claim).map_err(failed)))
    }
}

/// The bytes that a signature may take besides the certificates: the largest, of RSA with 4096 bits, has 512.
const RESERVED: usize = 1_024;

/// Returns the bytes that are reserved for a signature with these certificates. The library's own estimate is 10 KB, which
/// would be two thirds of a manifest.
pub(crate) fn reserved(certificates: &Certificates) -> usize {
    certificates.length() + RESERVED
}

impl Signer for PemSigner {
    fn sign(&self, claim: &[u8]) -> c2pa::Result<Vec<u8>> {
        self.key.sign(claim)
    }

    fn alg(&self) -> SigningAlg {
        self.certificates.algorithm
    }

    fn certs(&self) -> c2pa::Result<Vec<Vec<u8>>> {
        Ok(self.certificates.chain.clone())
    }

    fn reserve_size(&self) -> usize {
        reserved(&self.certificates)
    }
}
