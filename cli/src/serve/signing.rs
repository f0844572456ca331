//! The signer of renditions, with the operator's certificate.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use credlink_aws::Limits;
use credlink_deployment::configuration::{SIGN_CERTIFICATE, SIGN_KEY, SigningConfiguration, SigningKey};
use credlink_ports::{Failure, FailureKind, RenditionSigner, Signing, SigningOrder};
use credlink_signing::{CertificateError, ClaimSigner, PemSigner};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::isolation::signing;

/// A signer of renditions whose work is done in processes of their own.
#[derive(Clone, Debug)]
pub struct IsolatedSigner(Arc<dyn ClaimSigner>);

impl IsolatedSigner {
    /// Reads the certificate, and tries it with its key. `limits` are those of calls to AWS.
    ///
    /// # Errors
    /// Fails with an explanation that names the variable which is at fault.
    pub async fn open(configuration: &SigningConfiguration, limits: Limits) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let signer: Arc<dyn ClaimSigner> = match &configuration.key {
            SigningKey::Pem(key) => {
                let signer = PemSigner::read(&configuration.certificate, key.reveal(), now);
                Arc::new(signer.map_err(|error| explained(configuration, &error))?)
            }
            SigningKey::Kms { arn, region } => kms::open(configuration, now, arn, region, limits).await?,
        };
        tracing::info!(subject = signer.certificates().subject, "renditions are signed");
        Ok(Self(signer))
    }
}

/// Returns an explanation of an error, which names the variable at fault and the file that it names.
fn explained(configuration: &SigningConfiguration, error: &CertificateError) -> String {
    let (variable, file) = match error {
        CertificateError::Key(_)
        | CertificateError::KeyForm(_)
        | CertificateError::Away(_)
        | CertificateError::OtherKey { .. } => (SIGN_KEY, &configuration.key_file),
        _ => (SIGN_CERTIFICATE, &configuration.certificate_file),
    };
    let file = file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
    format!("{variable}: {file}{error}")
}

#[cfg(feature = "sign-kms")]
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
    ) -> Result<Arc<dyn ClaimSigner>, String> {
        let explained = |error: CertificateError| explained(configuration, &error);
        let certificates = Certificates::read(&configuration.certificate, now).map_err(explained)?;
        if certificates.algorithm != SigningAlg::Es256 {
            return Err(format!(
                "{SIGN_CERTIFICATE}: a key in AWS KMS signs with a certificate of P-256; that of {} has another key",
                certificates.subject
            ));
        }
        let config = sdk_config(http_client(), Some(region), &limits).await;
        let signer = Arc::new(KmsSigner::new(&config, arn.to_owned(), certificates, limits));
        let (tried, runtime) = (Arc::clone(&signer), Handle::current());
        let trial = spawn_blocking(move || check(&*tried, |signature| runtime.block_on(signature))).await;
        let checked = trial.map_err(|error| format!("{SIGN_KEY}: it cannot be tried: {error}"))?;
        checked.map_err(explained)?;
        Ok(signer)
    }
}

#[cfg(not(feature = "sign-kms"))]
mod kms {
    use super::*;

    /// Refuses a key in AWS KMS, because this program has no client of it.
    pub(super) async fn open(
        _: &SigningConfiguration,
        _: Duration,
        _: &str,
        _: &str,
        _: Limits,
    ) -> Result<Arc<dyn ClaimSigner>, String> {
        Err(format!("{SIGN_KEY} names a key in AWS KMS: build this program with `--features sign-kms`"))
    }
}

impl RenditionSigner for IsolatedSigner {
    fn sign(&self, original: Bytes, order: SigningOrder) -> Signing<'_> {
        let signer = Arc::clone(&self.0);
        Box::pin(async move {
            let runtime = Handle::current();
            let signed = spawn_blocking(move || signing::sign(&original, &order, &*signer, &runtime)).await;
            signed.unwrap_or_else(|error| {
                let message = format!("renditions are not signed: {error}");
                Err(Failure { provider: "rendition signer", kind: FailureKind::Unavailable, message }.into())
            })
        })
    }
}
