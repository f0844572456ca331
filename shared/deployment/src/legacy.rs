//! The legacy source that is served beside the service: a folder, a dump or a bucket of legacy records.

mod legacy_ids;
mod queueing;
pub mod settings;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use credlink_aws::SdkConfig;
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

use crate::deployment::jobs::QueuedJobs;
use crate::migration::location::MigrationLocation;
use crate::migration::source::{AnySource, Contents};
use crate::provider::{self, Provider};

use queueing::Queueing;
use settings::SOURCE;

pub use legacy_ids::LegacyIds;
pub use settings::LegacySettings;

impl LegacySettings {
    /// Opens the source, with a catalogue if this process walks over it. Nothing is sent over the network yet.
    ///
    /// # Errors
    /// Returns an error if something on this machine cannot be opened, or holds no legacy records.
    pub fn open(&self, aws: &SdkConfig, has_catalogue: bool) -> Result<LegacySource, OpenError> {
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |error| OpenError::Io { path, error }
        };
        let (source, prefix) = match &self.location {
            MigrationLocation::Folder(path) => match Contents::of(path) {
                Contents::Anything => {
                    (AnySource::Folder(LegacyFolder::open(path).map_err(failed(path))?), String::new())
                }
                Contents::DataFolder | Contents::Objects => {
                    return Err(OpenError::CredLink(self.location.to_string()));
                }
            },
            MigrationLocation::Lines(_) if !has_catalogue => {
                return Err(OpenError::Dump(self.location.to_string()));
            }
            MigrationLocation::Lines(path) => {
                (AnySource::Lines(Lines::open(path).map_err(failed(path))?), String::new())
            }
            MigrationLocation::Bucket { prefix, .. } => {
                let settings =
                    self.bucket.as_ref().ok_or_else(|| OpenError::CredLink(self.location.to_string()))?;
                let Provider::Bucket(objects) = settings.open(aws, None)? else {
                    return Err(OpenError::CredLink(self.location.to_string()));
                };
                let mut name_prefix = prefix.clone();
                if !name_prefix.is_empty() && !name_prefix.ends_with('/') {
                    name_prefix.push('/');
                }
                (AnySource::Bucket(Bucket::new(objects, prefix)), name_prefix)
            }
            MigrationLocation::Api(_) => return Err(OpenError::CredLink(self.location.to_string())),
        };
        let records = LegacyRecords::new(source, prefix, self.tenant.clone(), has_catalogue);
        let inner = Inner { records, is_cloud_storage_off: self.is_cloud_storage_off };
        Ok(LegacySource { inner: Arc::new(inner), queueing: None })
    }

    /// Opens the source for a process that imports nothing itself: each record that is requested is queued.
    ///
    /// # Errors
    /// Fails as [`Self::open`] does.
    pub fn open_queued(&self, aws: &SdkConfig, jobs: QueuedJobs) -> Result<LegacySource, OpenError> {
        let source = self.open(aws, false)?;
        let queueing = Queueing::new(self, jobs);
        Ok(LegacySource { queueing: Some(Arc::new(queueing)), ..source })
    }
}

/// A reason why a legacy source cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A folder or a file is missing, or may not be read.
    #[error("{SOURCE}: {path} cannot be opened: {error}")]
    Io {
        /// The path of the folder or file.
        path: String,
        /// The error of the file system.
        error: std::io::Error,
    },
    /// The source is a CredLink store, whose data is not legacy.
    #[error("{SOURCE} is {0}, which holds the data of a CredLink; it has to hold legacy records")]
    CredLink(String),
    /// The source is a dump, in a process that does not walk over it.
    #[error("{SOURCE} is {0}: a function finds records by their names only, and those of a dump have none")]
    Dump(String),
    /// The bucket cannot be opened.
    #[error(transparent)]
    Bucket(#[from] provider::OpenError),
}

/// A legacy source. Clones share one source.
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
    /// Walks over the source. Returns the number of its items.
    ///
    /// # Errors
    /// Fails as [`LegacyRecords::walk`] does.
    pub async fn walk(&self) -> Result<u64, Failure> {
        Box::pin(self.inner.records.walk()).await
    }

    /// Walks over the source if it has a catalogue, and no walk has completed that.
    pub(crate) async fn complete(&self) -> Result<(), Failure> {
        match self.inner.records.catalogue() {
            Some(catalogue) if !catalogue.is_complete() => self.walk().await.map(drop),
            Some(_) | None => Ok(()),
        }
    }

    /// Imports the proofs that were requested. While the cloud storage is off, or nothing may be stored, they wait.
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
