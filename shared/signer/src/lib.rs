//! The signer of renditions that a program opens: the operator's certificate and its key, and a process of its own for each picture.
//!
//! **In scope:** the certificate and the key that the configuration names, in PEM or in AWS KMS (feature `kms`), and the process in
//! which an original is read and manifests are written, which is the program itself with another command ([`process`]). **Out of
//! scope:** the manifests, which `credlink-signing` writes.

pub mod process;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use credlink_aws::Limits;
use credlink_deployment::configuration::{SIGN_CERTIFICATE, SIGN_KEY, SigningConfiguration, SigningKey};
use credlink_ports::{Failure, FailureKind, NotSigned, RenditionSigner, Signing, SigningOrder};
use credlink_runtime::deadline::remaining;
use credlink_signing::{CertificateError, ClaimSigner, PemSigner};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::task::{JoinError, spawn_blocking};

/// The reason why nothing can be signed with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The certificate or its key cannot be used.
    #[error("{variable}: {file}{error}")]
    Certificate {
        /// The variable at fault.
        variable: &'static str,
        /// The file that it names, with a colon, or nothing.
        file: String,
        /// The error.
        error: CertificateError,
    },
    /// The certificate is of another kind of key than the one in AWS KMS.
    #[error(
        "{SIGN_CERTIFICATE}: a key in AWS KMS signs with a certificate of P-256; that of {0} has another key"
    )]
    OtherCurve(String),
    /// The program has no client of AWS KMS.
    #[error(
        "{SIGN_KEY} names a key in AWS KMS: build this program with its client of AWS KMS (`--features sign-kms`)"
    )]
    NoClient,
    /// The trial of the key was cut off.
    #[error("{SIGN_KEY}: it cannot be tried: {0}")]
    NotTried(JoinError),
}

impl SignerError {
    /// Returns the error of a certificate or a key, with the variable at fault and the file that it names.
    fn of(configuration: &SigningConfiguration, error: CertificateError) -> Self {
        let (variable, file) = match error {
            CertificateError::Key(_)
            | CertificateError::KeyForm(_)
            | CertificateError::Away(_)
            | CertificateError::OtherKey { .. } => (SIGN_KEY, &configuration.key_file),
            _ => (SIGN_CERTIFICATE, &configuration.certificate_file),
        };
        let file = file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
        Self::Certificate { variable, file, error }
    }

    /// Returns `true` if nothing can be signed until there is another certificate, because this one has expired.
    fn is_for_good(&self) -> bool {
        matches!(self, Self::Certificate { error: CertificateError::NotNow { has_expired: true, .. }, .. })
    }
}

/// A signer of renditions whose work is done in processes of their own.
#[derive(Clone, Debug)]
pub struct IsolatedSigner {
    signer: Arc<dyn ClaimSigner>,
    /// The most memory that a process may take, in bytes of address space.
    memory: u64,
}

impl IsolatedSigner {
    /// Reads the certificate, and tries it with its key. `limits` are those of calls to AWS. A process may take `memory`, in bytes
    /// of address space, and takes less for a short original.
    ///
    /// # Errors
    /// Fails if the certificate or the key cannot be used.
    pub async fn open(
        configuration: &SigningConfiguration,
        limits: Limits,
        memory: u64,
    ) -> Result<Self, SignerError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let signer: Arc<dyn ClaimSigner> = match &configuration.key {
            SigningKey::Pem(key) => {
                let signer = PemSigner::read(&configuration.certificate, key.reveal(), now);
                Arc::new(signer.map_err(|error| SignerError::of(configuration, error))?)
            }
            SigningKey::Kms { arn, region } => kms::open(configuration, now, arn, region, limits).await?,
        };
        tracing::info!(
            subject = signer.certificates().subject,
            "the certificate and its key can be used: collections with the provenance `sign` are signed"
        );
        Ok(Self { signer, memory })
    }
}

/// A signer that is opened when something is to be signed, and again the next time if it could not be opened. What needs no
/// signature does not depend on it.
#[derive(Debug)]
pub struct LazySigner {
    configuration: SigningConfiguration,
    limits: Limits,
    memory: u64,
    opened: OnceCell<IsolatedSigner>,
}

impl LazySigner {
    /// Returns the signer of a configuration, with the limits and the memory of [`IsolatedSigner::open`].
    #[must_use]
    pub fn new(configuration: SigningConfiguration, limits: Limits, memory: u64) -> Self {
        Self { configuration, limits, memory, opened: OnceCell::new() }
    }
}

impl RenditionSigner for LazySigner {
    fn sign(&self, original: Bytes, order: SigningOrder) -> Signing<'_> {
        Box::pin(async move {
            let open = || IsolatedSigner::open(&self.configuration, self.limits, self.memory);
            match self.opened.get_or_try_init(open).await {
                Ok(signer) => signer.sign(original, order).await,
                Err(error) if error.is_for_good() => Err(NotSigned::Unable(error.to_string())),
                Err(error) => Err(unavailable(&error).into()),
            }
        })
    }
}

/// Returns the failure to sign for a reason that may pass.
fn unavailable(why: &dyn std::fmt::Display) -> Failure {
    let message = format!("renditions are not signed: {why}");
    Failure { provider: "rendition signer", kind: FailureKind::Unavailable, message }
}

#[cfg(feature = "kms")]
mod kms {
    use credlink_aws::{http_client, sdk_config};
    use credlink_kms::KmsSigner;
    use credlink_signing::{Certificates, SigningAlg, check};

    use super::*;

    /// Opens a key in AWS KMS, and has it sign something.
    pub(super) async fn open(
        configuration: &SigningConfiguration,
        now: Duration,
        arn: &str,
        region: &str,
        limits: Limits,
    ) -> Result<Arc<dyn ClaimSigner>, SignerError> {
        let of = |error: CertificateError| SignerError::of(configuration, error);
        let certificates = Certificates::read(&configuration.certificate, now).map_err(of)?;
        if certificates.algorithm != SigningAlg::Es256 {
            return Err(SignerError::OtherCurve(certificates.subject));
        }
        let config = sdk_config(http_client(), Some(region), &limits).await;
        let signer = Arc::new(KmsSigner::new(&config, arn.to_owned(), certificates, limits));
        let (tried, runtime) = (Arc::clone(&signer), Handle::current());
        let trial = spawn_blocking(move || check(&*tried, |signature| runtime.block_on(signature))).await;
        trial.map_err(SignerError::NotTried)?.map_err(of)?;
        Ok(signer)
    }
}

#[cfg(not(feature = "kms"))]
mod kms {
    use super::*;

    /// Refuses a key in AWS KMS, because this program has no client of it.
    pub(super) async fn open(
        _: &SigningConfiguration,
        _: Duration,
        _: &str,
        _: &str,
        _: Limits,
    ) -> Result<Arc<dyn ClaimSigner>, SignerError> {
        Err(SignerError::NoClient)
    }
}

impl RenditionSigner for IsolatedSigner {
    fn sign(&self, original: Bytes, order: SigningOrder) -> Signing<'_> {
        let (signer, memory) = (Arc::clone(&self.signer), self.memory);
        Box::pin(async move {
            // The other thread does not know of the deadline.
            let (runtime, deadline) = (Handle::current(), remaining());
            let signed = spawn_blocking(move || {
                process::sign(&original, &order, &*signer, &runtime, &process::Bounds { memory, deadline })
            });
            signed.await.unwrap_or_else(|error| Err(unavailable(&error).into()))
        })
    }
}
