//! The objects of one bucket of S3 or R2: the client, its settings, and the ports over it.

mod check;
mod conditional;
mod copies;
mod keys;
mod links;
mod long;
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
use aws_sdk_s3::types::ServerSideEncryption;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;
use credlink_aws::{Error, ErrorKind, Limits};
use credlink_core::object::{Attributes, Head, Object, ObjectKey};
use credlink_ports::{
    Checksum, Checksummed, Condition, Failure, FailureKind, Listed, Medium, ObjectWrite, Objects, Page, Put,
    SingleProvider, put_one_by_one,
};
use credlink_runtime::in_flight::InFlight;

use crate::as_stored::AsStored;
use crate::sdk::StorageClass;
use crate::settings::{BucketKind, Checksums, Encryption, S3Settings};

pub use check::Health;

/// The slowest transfer for which time is allowed, in bytes per second. Callers with less patience have limits of their
/// own.
const SLOWEST_TRANSFER: u64 = 256 * 1_024;

/// A bucket of S3 or R2. Clones share one client with one pool of connections.
#[derive(Debug, Clone)]
pub struct S3Objects(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    settings: S3Settings,
    /// The last error that was not a regular answer, for operators.
    last_error: Mutex<Option<Error>>,
    /// The memory budget for objects that are not short.
    in_flight: InFlight,
}

impl S3Objects {
    /// Creates a client of the bucket. Nothing is sent, and credentials are looked up with the first call.
    ///
    /// `shared` provides the pool of connections and, if the settings have no access key, the credential chain: see
    /// [`sdk_config`](credlink_aws::sdk_config) and [`plain_config`](credlink_aws::plain_config).
    #[must_use]
    pub fn new(settings: S3Settings, shared: &SdkConfig) -> Self {
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
            // The SDK appends the bucket directly to the path: `…/s3` and `bucket` would become `…/s3bucket`.
            config = config.endpoint_url(format!("{}/", endpoint.trim_end_matches('/')));
        }
        if settings.kind == BucketKind::R2 {
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

    /// Returns the settings with which the client was created.
    #[must_use]
    pub fn settings(&self) -> &S3Settings {
        &self.0.settings
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn kind(&self) -> BucketKind {
        self.0.settings.kind
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.0.settings.bucket
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.settings.limits
    }

    /// Returns `true` if the service accepts tags. R2 refuses a request with tags.
    fn takes_tags(&self) -> bool {
        self.kind() == BucketKind::S3
    }

    /// Returns `true` if writes have their SHA-256 in a header of its own, to be stored and returned by `HEAD`. If not,
    /// it is checked all the same, because the signature covers it (`x-amz-content-sha256`).
    fn sends_sha256(&self) -> bool {
        self.settings().checksums == Checksums::WhenSupported
    }

    fn storage_class(&self) -> Option<StorageClass> {
        self.0.settings.storage_class.clone().filter(|_| self.kind() == BucketKind::S3)
    }

    pub(crate) fn encryption(&self) -> Option<ServerSideEncryption> {
        match (self.kind(), &self.0.settings.encryption) {
            (BucketKind::R2, _) | (BucketKind::S3, Encryption::Bucket) => None,
            (BucketKind::S3, Encryption::Aes256) => Some(ServerSideEncryption::Aes256),
            (BucketKind::S3, Encryption::Kms(_)) => Some(ServerSideEncryption::AwsKms),
        }
    }

    pub(crate) fn kms_key(&self) -> Option<String> {
        match (self.kind(), &self.0.settings.encryption) {
            (BucketKind::S3, Encryption::Kms(key)) => Some(key.clone()),
            _ => None,
        }
    }

    /// Returns the limits of one call, within the remaining time of the request.
    pub(crate) fn config(&self) -> Builder {
        self.config_for(0)
    }

    /// Returns the limits of one call that sends `bytes`.
    fn config_for(&self, bytes: usize) -> Builder {
        Builder::new().timeout_config(self.timeouts(bytes))
    }

    fn timeouts(&self, bytes: usize) -> TimeoutConfig {
        let more = std::time::Duration::from_secs(bytes as u64 / SLOWEST_TRANSFER);
        let limits = self.limits();
        let attempt = limits.attempt.saturating_add(more);
        Limits { attempt, operation: limits.operation.saturating_add(more), ..limits }.timeouts()
    }

    /// Classifies an error of the SDK. It is kept for [`Self::health`] unless it is a regular answer.
    pub(crate) fn error<E>(&self, error: &SdkError<E, HttpResponse>) -> Error
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

    /// Turns absence into `None`. A missing bucket is not absence.
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
        Ok(self.read(key).await?)
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

    async fn put_in_order(
        &self,
        first: ObjectWrite,
        second: ObjectWrite,
    ) -> Result<(Put, Option<Put>), Failure> {
        put_one_by_one(self, first, second).await
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
