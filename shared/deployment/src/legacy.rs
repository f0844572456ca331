//! The legacy source that a service is served beside: a folder, a dump or a bucket of legacy records.

mod queueing;

use std::path::Path;
use std::sync::Arc;

use aws_config::SdkConfig;
use bytes::Bytes;
use credlink_core::job::JobName;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_hybrid::records::{LegacyRecords, Report};
use credlink_hybrid::{FoundRecord, LegacyQuery, LegacyStore};
use credlink_ports::migration::Source as _;
use credlink_ports::migration::bucket::Bucket as _;
use credlink_ports::{Failure, FailureKind, Ports};
use credlink_service::Service;

use credlink_migrate_io::source::bucket::Bucket;
use credlink_migrate_io::source::folder::LegacyFolder;
use credlink_migrate_io::source::lines::Lines;

use crate::configuration::{ConfigurationError, Source};
use crate::deployment::QueuedJobs;
use crate::migration::place::{Place, PlaceError, bucket_settings};
use crate::migration::source::{AnySource, Contents};
use crate::migration::sources::own_bucket;
use crate::provider::{self, Provider, ProviderSettings};

use queueing::Queueing;

/// The variable that names the source.
const SOURCE: &str = "CREDLINK_LEGACY_SOURCE";
/// The variable that switches the cloud storage.
const CLOUD_STORAGE: &str = "CREDLINK_CLOUD_STORAGE";
/// The variable that names the owner.
const TENANT: &str = "CREDLINK_LEGACY_TENANT";
/// The variable that names the job.
const JOB: &str = "CREDLINK_LEGACY_JOB";
/// The places of a legacy source.
const PLACES: &str = "dir:PATH, jsonl:FILE, s3://BUCKET/PREFIX or r2://BUCKET/PREFIX";
/// The job where nothing is said.
const DEFAULT_JOB: &str = "legacy";

/// What the variables say of a legacy source.
#[derive(Clone, Debug)]
pub struct Settings {
    place: Place,
    /// Of a bucket.
    bucket: Option<ProviderSettings>,
    tenant: Tenant,
    /// The queued job that imports what was asked for, where this process does not.
    job: JobName,
    /// Whether the cloud storage is off.
    is_cloud_storage_off: bool,
}

impl Settings {
    /// Reads the variables.
    ///
    /// # Errors
    /// One that cannot be used.
    pub fn read(source: &Source<'_>) -> Result<Option<Self>, ConfigurationError> {
        let is_cloud_storage_off = !source.switch(CLOUD_STORAGE)?.unwrap_or(true);
        let tenant = source.text(TENANT).map(|text| {
            text.parse::<Tenant>()
                .map_err(|error| ConfigurationError::invalid(TENANT, &text, error.to_string()))
        });
        let tenant = tenant.transpose()?.unwrap_or_default();
        let job = source.text(JOB).unwrap_or_else(|| DEFAULT_JOB.to_owned());
        let job: JobName =
            job.parse().map_err(|error| ConfigurationError::invalid(JOB, &job, format!("{error}")))?;
        let Some(text) = source.text(SOURCE) else {
            let missing = || {
                let allowed =
                    format!("the legacy store, which reads and writes go to while {CLOUD_STORAGE} is `off`");
                ConfigurationError::Missing { variable: SOURCE, allowed }
            };
            return if is_cloud_storage_off { Err(missing()) } else { Ok(None) };
        };
        let invalid = |allowed: &str| ConfigurationError::invalid(SOURCE, &text, allowed);
        let place = text.parse().map_err(|error| match error {
            PlaceError::Unknown(_) => invalid(PLACES),
            error => invalid(&format!("{PLACES}: {error}")),
        })?;
        if let Some(variable) = own_bucket(source, &place) {
            return Err(invalid(&format!(
                "another bucket than the deployment's own, which {variable} names"
            )));
        }
        let bucket = match &place {
            Place::Folder(_) => None,
            Place::Lines(_) if is_cloud_storage_off => {
                return Err(invalid(
                    "dir:PATH, s3://BUCKET/PREFIX or r2://BUCKET/PREFIX while CREDLINK_CLOUD_STORAGE is `off`: a dump \
                     is read only",
                ));
            }
            Place::Lines(_) => None,
            Place::Bucket { kind, bucket, .. } => Some(bucket_settings(source, *kind, bucket)?),
            Place::Api(_) => return Err(invalid(PLACES)),
        };
        Ok(Some(Self { place, bucket, tenant, job, is_cloud_storage_off }))
    }

    /// Whether it is a bucket of S3.
    #[must_use]
    pub fn is_s3(&self) -> bool {
        self.bucket.as_ref().is_some_and(|settings| settings.name() == "s3")
    }

    /// Opens the source; with a catalogue in a process that walks over it. What is on the network is not asked yet.
    ///
    /// # Errors
    /// What is on this machine cannot be opened, or holds no legacy records.
    pub fn open(&self, aws: &SdkConfig, has_catalogue: bool) -> Result<LegacySource, OpenError> {
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |error| OpenError::Io { path, error }
        };
        let (source, prefix) = match &self.place {
            Place::Folder(path) => match Contents::of(path) {
                Contents::Anything => {
                    (AnySource::Folder(LegacyFolder::open(path).map_err(failed(path))?), String::new())
                }
                Contents::DataFolder | Contents::Objects => {
                    return Err(OpenError::CredLink(self.place.to_string()));
                }
            },
            Place::Lines(_) if !has_catalogue => return Err(OpenError::Dump(self.place.to_string())),
            Place::Lines(path) => (AnySource::Lines(Lines::open(path).map_err(failed(path))?), String::new()),
            Place::Bucket { prefix, .. } => {
                let settings =
                    self.bucket.as_ref().ok_or_else(|| OpenError::CredLink(self.place.to_string()))?;
                let Provider::Bucket(objects) = settings.open(aws, None)? else {
                    return Err(OpenError::CredLink(self.place.to_string()));
                };
                let mut name_prefix = prefix.clone();
                if !name_prefix.is_empty() && !name_prefix.ends_with('/') {
                    name_prefix.push('/');
                }
                (AnySource::Bucket(Bucket::new(objects, prefix)), name_prefix)
            }
            Place::Api(_) => return Err(OpenError::CredLink(self.place.to_string())),
        };
        let records = LegacyRecords::new(source, prefix, self.tenant.clone(), has_catalogue);
        let inner = Inner { records, is_cloud_storage_off: self.is_cloud_storage_off };
        Ok(LegacySource { inner: Arc::new(inner), queueing: None })
    }

    /// The same, for a process that imports nothing itself: what is asked for is queued.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_queued(&self, aws: &SdkConfig, jobs: QueuedJobs) -> Result<LegacySource, OpenError> {
        let source = self.open(aws, false)?;
        let queueing = Queueing::new(self, jobs);
        Ok(LegacySource { queueing: Some(Arc::new(queueing)), ..source })
    }
}

/// Why a legacy source cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A folder or a file that is not there, or may not be read.
    #[error("{SOURCE}: {path} cannot be opened: {error}")]
    Io {
        /// Which.
        path: String,
        /// What the file system said.
        error: std::io::Error,
    },
    /// What CredLink has already.
    #[error("{SOURCE} is {0}, which holds the data of a CredLink; it has to hold legacy records")]
    CredLink(String),
    /// A dump, where nobody walks over it.
    #[error("{SOURCE} is {0}: a function finds records by their names only, and those of a dump have none")]
    Dump(String),
    /// A bucket.
    #[error(transparent)]
    Bucket(#[from] provider::OpenError),
}

/// A legacy source. Clones are one.
#[derive(Clone, Debug)]
pub struct LegacySource {
    inner: Arc<Inner>,
    queueing: Option<Arc<Queueing>>,
}

#[derive(Debug)]
struct Inner {
    records: LegacyRecords<AnySource>,
    is_cloud_storage_off: bool,
}

impl LegacySource {
    /// Walks over the source: how many items there were.
    ///
    /// # Errors
    /// As [`LegacyRecords::walk`].
    pub async fn walk(&self) -> Result<u64, Failure> {
        Box::pin(self.inner.records.walk()).await
    }

    /// Imports what was asked for. Nothing is while the cloud storage is off, or nothing may be stored: it waits.
    pub async fn import_requested<P: Ports>(&self, service: &Service<P>) -> Report {
        if self.inner.is_cloud_storage_off || service.may_change().await.is_err() {
            Report::default()
        } else {
            Box::pin(self.inner.records.import_requested(service)).await
        }
    }
}

impl LegacyStore for LegacySource {
    fn name(&self) -> &'static str {
        self.inner.records.source().name()
    }

    async fn find(&self, query: &LegacyQuery) -> Result<Option<FoundRecord>, Failure> {
        self.inner.records.find(query).await
    }

    async fn read(&self, item: &str, proof: &ProofId) -> Result<Option<FoundRecord>, Failure> {
        self.inner.records.read(item, &LegacyQuery::Proof(*proof)).await
    }

    async fn create(&self, key: &str, record: Bytes) -> Result<bool, Failure> {
        let records = &self.inner.records;
        let key = format!("{}{key}", records.prefix());
        match records.source() {
            AnySource::Folder(folder) => folder.create(&key, record).await,
            AnySource::Bucket(bucket) => bucket.objects().create_json(&key, record).await,
            AnySource::DataFolder(_) | AnySource::Layout(_) | AnySource::Lines(_) | AnySource::Remote(_) => {
                Err(Failure {
                    provider: self.name(),
                    kind: FailureKind::AccessDenied,
                    message: "nothing is written to this legacy source".to_owned(),
                })
            }
        }
    }

    fn request_import(&self, found: &FoundRecord) {
        match &self.queueing {
            Some(queueing) => queueing.begin(found),
            None => self.inner.records.request_import(found),
        }
    }

    fn finds_every_proof(&self) -> bool {
        self.inner.records.catalogue().is_some()
    }

    fn is_cloud_storage_off(&self) -> bool {
        self.inner.is_cloud_storage_off
    }

    fn tenant(&self) -> &Tenant {
        self.inner.records.tenant()
    }
}
