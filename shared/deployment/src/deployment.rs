//! A deployment: the service with all its adapters, as an operator has configured them.
//!
//! The Lambdas and `credlink serve` open the same deployment, over S3 and DynamoDB or over a folder. [`AnyObjects`],
//! [`AnyIndex`], [`AnyQueue`] and [`AnyQuarantine`] are the choices that are made at run time.
//!
//! | to find | look in |
//! |---|---|
//! | the parameters of a deployment, and why it cannot be opened | [`Opening`], [`OpenError`] |
//! | the order in which its parts are opened | `assembly` |
//! | clients of AWS, and engines in their place | [`Surroundings`] |
//! | a check of everything on the network | `check`: [`Deployment::check`] |
//! | the answer to a request | `answer` |
//! | work that waits in the queue | `queued`: [`Deployment::work`], [`Deployment::drain`] |
//! | queued migrations | [`QueuedJobs`] |
//! | files, on one machine and among functions | `files`: [`Deployment::keeping_files`], [`Deployment::keeping_shared_files`] |
//! | the cleanup | `cleanup`: [`Deployment::clean_up`] |

mod answer;
mod assembly;
mod check;
mod cleanup;
mod files;
mod index;
pub mod jobs;
mod objects;
mod opening;
mod quarantine;
mod queue;
mod queued;
mod surroundings;
#[cfg(test)]
mod tests;

use credlink_auth::gate::Gate;
use credlink_cache::Layered;
use credlink_core::object::ObjectKey;
use credlink_core::time::Timestamp;
use credlink_disk::reserve::Reserve;
use credlink_hybrid::Hybrid;
use credlink_metrics::metered::Metered;
use credlink_ports::{Failure, Parts};
use credlink_runtime::clock::SystemClock;
use credlink_service::Service;

use crate::legacy::{LegacyIds, LegacySource};
use files::{Kept, SharedFiles};
use jobs::LastSource;

pub use check::Checked;
pub use files::{DeployedFiles, FilesError, Finaliser};
pub use index::AnyIndex;
pub use jobs::QueuedJobs;
pub use objects::AnyObjects;
pub use opening::{Machine, OpenError, Opening};
pub use quarantine::AnyQuarantine;
pub use queue::AnyQueue;
pub use surroundings::Surroundings;

/// The ports of a deployment.
pub type Deployed = Parts<AnyObjects, AnyIndex, Layered, SystemClock, Metered, Gate, QueuedJobs>;

/// The lifetime of links to objects that are too large for an answer, in seconds.
const LINK_SECONDS: u64 = 300;

/// The service with all its adapters.
#[derive(Debug)]
pub struct Deployment {
    service: Service<Deployed>,
    rows: AnyIndex,
    waiting: AnyQueue,
    cdn_url: Option<String>,
    /// The legacy store that is served beside the service, if there is one.
    hybrid: Option<Hybrid<LegacySource>>,
    /// The part of the deployment that functions share for files, if they keep some.
    shared_files: Option<SharedFiles>,
    /// The files, if the program keeps some.
    files: Kept,
    /// The room for a full disk of this machine, if anything is kept on it.
    reserve: Option<Reserve>,
    last_source: LastSource,
}

impl Deployment {
    /// Returns the service.
    #[must_use]
    pub const fn service(&self) -> &Service<Deployed> {
        &self.service
    }

    /// Returns the service and the legacy IDs that it must leave to the tenant of the legacy store, for a migration.
    #[must_use]
    pub fn into_destination(self) -> (Service<Deployed>, LegacyIds) {
        (self.service, LegacyIds::of(self.hybrid))
    }

    /// Returns the store of the objects.
    #[must_use]
    pub fn store(&self) -> &AnyObjects {
        &self.service.ports().objects
    }

    /// Returns the index.
    #[must_use]
    pub fn rows(&self) -> &AnyIndex {
        &self.rows
    }

    /// Returns the legacy source, if there is one.
    #[must_use]
    pub fn legacy(&self) -> Option<&LegacySource> {
        self.hybrid.as_ref().map(Hybrid::legacy)
    }

    /// Returns the queue in which work waits.
    #[must_use]
    pub fn waiting(&self) -> &AnyQueue {
        &self.waiting
    }

    /// Aborts uploads at every provider that were begun before `before` and never completed. Returns their number.
    ///
    /// # Errors
    /// Returns an error if a provider fails.
    pub async fn abort_uploads(&self, before: Timestamp) -> Result<u64, Failure> {
        self.store().abort_uploads(before).await
    }

    /// Returns a link to an object that works for some minutes: on the CDN domain if anyone may read the object, or
    /// else signed by the provider.
    pub async fn link(&self, key: &ObjectKey, is_private: bool) -> Option<String> {
        match &self.cdn_url {
            Some(url) if !is_private => Some(format!("{url}/{key}")),
            _ => self.store().link(key, LINK_SECONDS).await,
        }
    }
}
