//! Problems of a configuration, in words, and the health of a provider.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use credlink_aws::{Error, ErrorKind};

use super::S3Objects;
use crate::settings::BucketKind;

/// The health of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The time until the provider answered, or until the call failed.
    pub latency: Duration,
    /// The reason why the provider does not work now, or `None` if it does.
    pub error: Option<Error>,
    /// The last error of any call of this client that was not a regular answer such as "not found".
    pub last_error: Option<Error>,
}

impl S3Objects {
    /// Makes the cheapest call, to find out whether the provider would answer a request now.
    pub async fn health(&self) -> Health {
        let began = Instant::now();
        let error = self.look().await.err().map(|(error, _)| error);
        let latency = began.elapsed();
        let last_error = self.0.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Health { latency, error, last_error }
    }

    /// Checks bucket, access key, region and endpoint. For the start of a program.
    ///
    /// # Errors
    /// The problem, and how to fix it, in words for an operator.
    pub async fn check(&self) -> Result<(), Error> {
        let (error, region) = match self.look().await {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        let message = self.in_words(&error, region.as_deref());
        Err(Error { message, ..error })
    }

    /// Lists one key, which needs the same permissions as reading, and whose answer has a body, unlike that of
    /// `HeadBucket`. An error comes with the region of the bucket, if the answer names it.
    async fn look(&self) -> Result<(), (Error, Option<String>)> {
        let list = self.client().list_objects_v2().bucket(self.bucket()).max_keys(1);
        match Box::pin(list.customize().config_override(self.config()).send()).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let region = region(&error);
                Err((self.error(&error), region))
            }
        }
    }

    fn in_words(&self, error: &Error, bucket_region: Option<&str>) -> String {
        let settings = self.settings();
        let (bucket, region) = (&settings.bucket, &settings.region);
        let place = match (&settings.endpoint, settings.kind) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, _) => format!("S3 in {region}"),
        };
        let names = Names::of(settings.kind);
        let said = &error.message;
        let elsewhere = bucket_region.filter(|there| there != region && settings.kind == BucketKind::S3);
        match (error.code.as_deref(), error.kind) {
            (_, _) if elsewhere.is_some() => {
                let there = elsewhere.unwrap_or_default();
                format!(
                    "the bucket `{bucket}` is in {there}, and requests are signed for {region}: set {}={there}",
                    names.region
                )
            }
            (
                Some(
                    "PermanentRedirect"
                    | "AuthorizationHeaderMalformed"
                    | "IllegalLocationConstraintException",
                ),
                _,
            ) => {
                format!(
                    "the bucket `{bucket}` is not in {region} ({said}): set {} to the bucket's own region",
                    names.region
                )
            }
            (Some("NoSuchBucket"), _) => {
                format!("there is no bucket `{bucket}` at {place}: create it, or correct {}", names.bucket)
            }
            (Some("InvalidAccessKeyId" | "Unauthorized"), _) => {
                format!("the access key is not known at {place}: correct {}", names.key)
            }
            (Some("SignatureDoesNotMatch"), _) => {
                format!("the secret does not belong to the access key: correct {}", names.secret)
            }
            (Some("ExpiredToken" | "ExpiredTokenException"), _) => {
                "the credentials have expired: get new ones".to_owned()
            }
            (Some("RequestTimeTooSkewed"), _) => {
                "the clock of this machine is off by more than 15 minutes: set it".to_owned()
            }
            (None, ErrorKind::AccessDenied) if error.status.is_none() => {
                format!("no credentials were found ({said}): set {}", names.key)
            }
            (_, ErrorKind::AccessDenied) => format!(
                "the credentials may not list the bucket `{bucket}` ({said}): allow s3:ListBucket, s3:GetObject, \
                 s3:PutObject and s3:DeleteObject on it"
            ),
            (_, ErrorKind::TimedOut) => {
                format!("{place} did not answer in time: check the network, and {}", names.endpoint)
            }
            (_, ErrorKind::Unavailable) if error.status.is_none() => {
                format!("{place} is out of reach ({said}): check the network, and {}", names.endpoint)
            }
            _ => format!("{place} says: {said}"),
        }
    }
}

/// The environment variables that may have the wrong value.
struct Names {
    bucket: &'static str,
    region: &'static str,
    endpoint: &'static str,
    key: &'static str,
    secret: &'static str,
}

impl Names {
    const fn of(kind: BucketKind) -> Self {
        match kind {
            BucketKind::S3 => Self {
                bucket: "STORAGE_BUCKET",
                region: "STORAGE_REGION",
                endpoint: "STORAGE_ENDPOINT",
                key: "AWS_ACCESS_KEY_ID, or the profile or role that is used",
                secret: "AWS_SECRET_ACCESS_KEY",
            },
            BucketKind::R2 => Self {
                bucket: "R2_BUCKET",
                region: "R2_ENDPOINT",
                endpoint: "R2_ACCOUNT_ID or R2_ENDPOINT",
                key: "R2_ACCESS_KEY_ID",
                secret: "R2_SECRET_ACCESS_KEY",
            },
        }
    }
}

/// Returns the region of the bucket that an answer names.
fn region<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    error.raw_response()?.headers().get("x-amz-bucket-region").map(str::to_owned)
}
