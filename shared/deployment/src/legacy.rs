//! The legacy source that a service is served beside: a folder, a dump or a bucket of legacy records.

mod queueing;
pub mod settings;

use std::path::Path;
use std::sync::Arc;

use aws_config::SdkConfig;
use bytes::Bytes;
use credlink_core::job_name::JobName;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_hybrid::hybrid::{Hybrid, Report};
use credlink_ports::migration::Source as _;
use credlink_ports::migration::bucket::Bucket as _;
use credlink_ports::{Failure, FailureKind, Ports};
use credlink_service::Service;
use credlink_service::legacy::{Coming, Found, Legacy, Wanted};

use credlink_migrate_io::source::bucket::Bucket;
use credlink_migrate_io::source::folder::LegacyFolder;
use credlink_migrate_io::source::lines::Lines;

use crate::deployment::jobs::QueuedJobs;
use crate::migration::place::Place;
use crate::migration::source::{AnySource, Contents};
use crate::provider::{self, Provider};

use queueing::Queueing;
use settings::SOURCE;

pub use settings::Settings;

impl Settings {
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
        let hybrid = Hybrid::new(source, prefix, self.tenant.clone(), has_catalogue);
        Ok(LegacySource { inner: Arc::new(Inner { hybrid, is_alone: self.is_alone }), queueing: None })
    }

    /// The same, for a process that takes nothing over itself: what is asked for is queued.
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
    hybrid: Hybrid<AnySource>,
    is_alone: bool,
}

impl LegacySource {
    /// Walks over the source: how many items there were.
    ///
    /// # Errors
    /// As [`Hybrid::walk`].
    pub async fn walk(&self) -> Result<u64, Failure> {
        Box::pin(self.inner.hybrid.walk()).await
    }

    /// Takes over what was asked for. Nothing is while the cloud storage is off, or nothing may be stored: it waits.
    pub async fn take_over_waiting<P: Ports>(&self, service: &Service<P>) -> Report {
        if self.inner.is_alone || service.may_change().await.is_err() {
            Report::default()
        } else {
            Box::pin(self.inner.hybrid.take_over_waiting(service)).await
        }
    }
}

impl Legacy for LegacySource {
    fn name(&self) -> &'static str {
        self.inner.hybrid.source().name()
    }

    fn find<'a>(&'a self, wanted: &'a Wanted) -> Coming<'a, Option<Found>> {
        Box::pin(self.inner.hybrid.find(wanted))
    }

    fn read<'a>(&'a self, item: &'a str, proof: &'a ProofId) -> Coming<'a, Option<Found>> {
        Box::pin(async move { self.inner.hybrid.read(item, &Wanted::Proof(*proof)).await })
    }

    fn create<'a>(&'a self, key: &'a str, record: Bytes) -> Coming<'a, bool> {
        let hybrid = &self.inner.hybrid;
        let key = format!("{}{key}", hybrid.prefix());
        Box::pin(async move {
            match hybrid.source() {
                AnySource::Folder(folder) => folder.create(&key, record).await,
                AnySource::Bucket(bucket) => bucket.objects().create_json(&key, record).await,
                AnySource::DataFolder(_)
                | AnySource::Layout(_)
                | AnySource::Lines(_)
                | AnySource::Remote(_) => Err(Failure {
                    provider: self.name(),
                    kind: FailureKind::AccessDenied,
                    message: "nothing is written to this legacy source".to_owned(),
                }),
            }
        })
    }

    fn begin(&self, found: &Found) {
        match &self.queueing {
            Some(queueing) => queueing.begin(found),
            None => self.inner.hybrid.begin(found),
        }
    }

    fn knows_proofs(&self) -> bool {
        self.inner.hybrid.catalogue().is_some()
    }

    fn is_alone(&self) -> bool {
        self.inner.is_alone
    }

    fn tenant(&self) -> &Tenant {
        self.inner.hybrid.tenant()
    }
}
