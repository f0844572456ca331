//! Objects in S3 and in R2, over one protocol.
//!
//! * **Conditional writes** are the service's own: `If-None-Match: *` and `If-Match` (see `conditional` for what
//!   happens when an answer gets lost).
//! * **Tags** of the port are `ETag`s. They are MD5 of the content for plain writes, so different bytes have different
//!   tags unless somebody crafts a collision; a compare-and-swap that such a collision deceives swaps two contents of one
//!   writer.
//! * **Absence** is `NoSuchKey`. A bucket that is missing is a failure. `HEAD` cannot tell them apart (its answer has no
//!   body), so a `HEAD` that says 404 is followed by a `GET` of one byte, which can.
//! * **Every call ends**: it is bounded by [`Limits`] and by the [deadline](credlink_runtime::deadline) of the request at hand, and
//!   bodies under way by stalled-stream protection. Limits grow with what is sent: one second for 256 KB.
//! * Reading needs `s3:ListBucket` beside `s3:GetObject`: without it, S3 answers 403 for what is not there.
//!
//! Beyond the port, `S3Objects` has what operators and the flows of copies need, with keys of any text:
//!
//! | to find | look in |
//! |---|---|
//! | streams in and out, ranges, multipart | `transfer` |
//! | listings, sums, batch deletion | `keys` |
//! | copies and moves on the server's side | `copies` |
//! | signed URLs | `links` |
//! | uploads that were never completed | `uploads` |
//! | checksums that a `HEAD` tells | `checksum` |
//! | what is wrong with a configuration | `check` |

mod as_stored;
mod attributes;
mod bucket;
mod check;
mod checksum;
mod conditional;
mod copies;
mod keys;
mod links;
mod settings;
mod transfer;
mod uploads;

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;
use credlink_core::object::{Attributes, Head, Object, ObjectKey};
use credlink_ports::{
    Checksum, Checksummed, Condition, Failure, FailureKind, Listed, Medium, Objects, Page, Put,
    SingleProvider,
};

use as_stored::AsStored;
use credlink_runtime::in_flight::InFlight;

use crate::{Error, ErrorKind, Limits};

pub use aws_sdk_s3::config::Credentials;
pub use check::Health;
pub use keys::{Deletion, Entry, Sum};
pub use links::SignedUrl;
pub use settings::{Checksums, Encryption, Kind, Settings};
pub use transfer::{Body, Download, Range, Uploaded};

/// Bytes a second that an upload is given time for.
const SLOWEST_UPLOAD: u64 = 256 * 1_024;

/// A bucket of S3 or R2. Clones are one client with one pool of connections.
#[derive(Debug, Clone)]
pub struct S3Objects(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    settings: Settings,
    /// The last error that was no answer, for operators.
    last_error: Mutex<Option<Error>>,
    /// Room for objects that are not short.
    in_flight: InFlight,
}

impl S3Objects {
    /// A client of the bucket. Nothing is sent, and credentials are looked up with the first call.
    ///
    /// `shared` brings the pool of connections and, where the settings name no key, the chain of credentials: see
    /// [`aws::sdk_config`](crate::sdk_config) and [`aws::plain_config`](crate::plain_config).
    #[must_use]
    pub fn new(settings: Settings, shared: &SdkConfig) -> Self {
        let limits = settings.limits;
        let (request, response) = match settings.checksums {
            Checksums::WhenSupported => {
                (RequestChecksumCalculation::WhenSupported, ResponseChecksumValidation::WhenSupported)
            }
            Checksums::WhenRequired => {
                (RequestChecksumCalculation::WhenRequired, ResponseChecksumValidation::WhenRequired)
            }
        };
        let mut config = Builder::from(shared)
            .region(Region::new(settings.region.clone()))
            .force_path_style(settings.path_style)
            .request_checksum_calculation(request)
            .response_checksum_validation(response)
            .retry_config(limits.retry())
            .timeout_config(limits.timeouts())
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(limits.attempt).build(),
            );
        if let Some(endpoint) = &settings.endpoint {
            // The SDK appends the bucket to the path as it is: `…/s3` and `bucket` would become `…/s3bucket`.
            config = config.endpoint_url(format!("{}/", endpoint.trim_end_matches('/')));
        }
        if settings.kind == Kind::R2 {
            config = config.interceptor(AsStored);
        }
        if let Some(credentials) = &settings.credentials {
            config = config.credentials_provider(SharedCredentialsProvider::new(credentials.clone()));
        }
        let client = Client::from_conf(config.build());
        Self(Arc::new(Inner {
            client,
            settings,
            last_error: Mutex::default(),
            in_flight: InFlight::default(),
        }))
    }

    /// What it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    fn client(&self) -> &Client {
        &self.0.client
    }

    fn kind(&self) -> Kind {
        self.0.settings.kind
    }

    fn bucket(&self) -> &str {
        &self.0.settings.bucket
    }

    fn limits(&self) -> Limits {
        self.0.settings.limits
    }

    /// R2 refuses a request with tags.
    fn takes_tags(&self) -> bool {
        self.kind() == Kind::S3
    }

    /// Whether writes name their SHA-256 in a header of its own, to be kept and shown by `HEAD`. Where they do not, it is
    /// checked all the same: the signature is over it (`x-amz-content-sha256`).
    fn sends_sha256(&self) -> bool {
        self.settings().checksums == Checksums::WhenSupported
    }

    fn storage_class(&self) -> Option<StorageClass> {
        self.0.settings.storage_class.clone().filter(|_| self.kind() == Kind::S3)
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        match (self.kind(), &self.0.settings.encryption) {
            (Kind::R2, _) | (Kind::S3, Encryption::Bucket) => None,
            (Kind::S3, Encryption::Aes256) => Some(ServerSideEncryption::Aes256),
            (Kind::S3, Encryption::Kms(_)) => Some(ServerSideEncryption::AwsKms),
        }
    }

    fn kms_key(&self) -> Option<String> {
        match (self.kind(), &self.0.settings.encryption) {
            (Kind::S3, Encryption::Kms(key)) => Some(key.clone()),
            _ => None,
        }
    }

    /// The limits of one call, for what is left until the deadline.
    fn config(&self) -> Builder {
        self.config_for(0)
    }

    /// The limits of one call that sends `bytes`.
    fn config_for(&self, bytes: usize) -> Builder {
        Builder::new().timeout_config(self.timeouts(bytes))
    }

    fn timeouts(&self, bytes: usize) -> TimeoutConfig {
        let more = std::time::Duration::from_secs(bytes as u64 / SLOWEST_UPLOAD);
        let limits = self.limits();
        let attempt = limits.attempt.saturating_add(more);
        Limits { attempt, operation: limits.operation.saturating_add(more), ..limits }.timeouts()
    }

    /// What an error of the SDK means. It is kept for [`Self::health`] unless it is an answer.
    fn error<E>(&self, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let error = Error::classify(self.kind().name(), error);
        let bucket_is_gone = error.code.as_deref() == Some("NoSuchBucket");
        let answer =
            matches!(error.kind, ErrorKind::NotFound | ErrorKind::PreconditionFailed | ErrorKind::Conflict);
        if !answer || bucket_is_gone {
            *self.0.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
        error
    }

    /// Absence as `None`. That the bucket is missing is no absence.
    fn absent<T>(error: Error) -> Result<Option<T>, Error> {
        if error.kind == ErrorKind::NotFound && error.code.as_deref() == Some("NoSuchKey") {
            Ok(None)
        } else {
            Err(error)
        }
    }
}

impl Objects for S3Objects {
    fn name(&self) -> &'static str {
        self.kind().name()
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        Ok(self.read(&key.to_string()).await?)
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        Ok(self.describe(&key.to_string()).await?)
    }

    async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Failure> {
        Ok(self.put_if(&key.to_string(), body, attributes, &condition).await?)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        Ok(self.remove(&key.to_string()).await?)
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        Ok(self.page(prefix, after, limit).await?)
    }
}

impl SingleProvider for S3Objects {}

impl Medium for S3Objects {
    fn has_cheap_lookups(&self) -> bool {
        false
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        None
    }
}

impl Checksummed for S3Objects {
    async fn head_with_checksum(&self, key: &ObjectKey) -> Result<Option<(Head, Option<Checksum>)>, Failure> {
        Ok(self.describe_with_checksum(&key.to_string()).await?)
    }
}
