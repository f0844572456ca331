//! The destinations of migrations: [`AnyDestination`] is the CredLink store that a
//! [`MigrationLocation`](super::location::MigrationLocation) names.
//!
//! | location | destination |
//! |---|---|
//! | `dir:PATH` | the data folder of `credlink serve`: of the environment, only `CREDLINK_TENANTS` counts |
//! | `s3://…`, `r2://…` | a deployment with that bucket alone, and the index of `CREDLINK_TABLE` or of the data folder |
//! | `credlink:URL` | [`Remote`] |
//!
//! Each step of an item runs as a task of its own, so that its computations (hashes, gzip, JSON) keep every core busy.

mod open;

use std::sync::Arc;

use credlink_core::front::Front;
use credlink_core::proof_id::ProofId;
use credlink_core::row::LegacyItemRow;
use credlink_core::time::Timestamp;
use credlink_migrate_service::{ServiceDestination, check_one_tenant};
use credlink_ports::migration::AdoptedFront;
use credlink_ports::migration::ledger::CopiedItem;
use credlink_ports::migration::target::{Payload, Target};
use credlink_ports::migration::{Depth, Destination, ExistingState, Imported, ItemRows, Verdict, Withdrawal};
use credlink_ports::{Failure, FailureKind, Page, Ports as _};

use credlink_migrate_io::destination::remote::Remote;
use credlink_migrate_io::side::Side;

use crate::deployment::Deployed;
use crate::legacy::LegacyIds;

pub use open::{Making, OpenError, Opening};

/// The destination that was chosen. Clones share one destination.
#[derive(Debug, Clone)]
pub enum AnyDestination {
    /// A deployment that this process has opened.
    Here(Arc<ServiceDestination<Deployed, LegacyIds>>),
    /// A server that is reached over HTTP.
    Remote(Arc<Remote>),
    /// A destination that is yet to be made. It has nothing, and accepts nothing.
    Unmade {
        /// The name of its provider.
        name: &'static str,
        /// `true` if it would have several tenants.
        has_tenants: bool,
    },
}

impl AnyDestination {
    /// Returns the identity of the store, and the tenant of the credential that was presented to its API.
    ///
    /// # Errors
    /// Returns an error if the store cannot be asked.
    pub async fn side(&self) -> Result<Side, Failure> {
        match self {
            Self::Here(here) => Side::of(here.service().ports().objects()).await,
            Self::Remote(remote) => remote.side().await,
            Self::Unmade { .. } => Ok(Side::default()),
        }
    }

    /// Returns `true` if the destination has several tenants, or `None` if only a server knows.
    #[must_use]
    pub fn has_tenants(&self) -> Option<bool> {
        match self {
            Self::Here(here) => Some(here.has_tenants()),
            Self::Unmade { has_tenants, .. } => Some(*has_tenants),
            Self::Remote(_) => None,
        }
    }

    /// Writes the sums that the destination has kept in memory, and announces changes to the caches and the edge. The
    /// caller must do this after any work on the destination.
    ///
    /// # Errors
    /// Returns an error if the index fails. No proof is lost by that.
    pub async fn finish(&self) -> Result<(), Failure> {
        match self {
            Self::Here(here) => {
                here.service().announce().await;
                here.service().tick().await?;
                here.service().ports().index.flush().await
            }
            Self::Remote(_) | Self::Unmade { .. } => Ok(()),
        }
    }
}

/// Runs `work` as a task of its own.
async fn task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => {
                let message = error.to_string();
                Err(Failure { provider: "task", kind: FailureKind::Unavailable, message })
            }
        },
    }
}

/// Returns the error of a destination that has not been made.
fn unmade<T>(name: &'static str) -> Result<T, Failure> {
    let message = "the destination is still to be made, and takes nothing".to_owned();
    Err(Failure { provider: name, kind: FailureKind::AccessDenied, message })
}

#[deny(clippy::missing_trait_methods)]
impl Destination for AnyDestination {
    fn name(&self) -> &'static str {
        match self {
            Self::Here(here) => here.name(),
            Self::Remote(remote) => remote.name(),
            Self::Unmade { name, .. } => name,
        }
    }

    async fn find(&self, target: &Target) -> Result<ExistingState, Failure> {
        match self {
            Self::Here(here) => Box::pin(here.find(target)).await,
            Self::Remote(remote) => remote.find(target).await,
            Self::Unmade { .. } => Ok(ExistingState::Absent),
        }
    }

    async fn admits(&self, payload: &Payload) -> Result<(), Failure> {
        match self {
            Self::Here(here) => Box::pin(here.admits(payload)).await,
            Self::Remote(_) => Ok(()),
            Self::Unmade { name, has_tenants } => check_one_tenant(payload, *has_tenants, name),
        }
    }

    async fn adopt_front(&self, front: &Front) -> Result<Option<AdoptedFront>, Failure> {
        match self {
            Self::Here(here) => Box::pin(here.adopt_front(front)).await,
            Self::Remote(_) | Self::Unmade { .. } => Ok(None),
        }
    }

    async fn release_front(&self, adopted: &AdoptedFront) -> Result<(), Failure> {
        match self {
            Self::Here(here) => Box::pin(here.release_front(adopted)).await,
            Self::Remote(_) | Self::Unmade { .. } => Ok(()),
        }
    }

    async fn import(&self, payload: &Payload) -> Result<Imported, Failure> {
        let payload = payload.clone();
        match self.clone() {
            Self::Here(here) => task(async move { here.import(&payload).await }).await,
            Self::Remote(remote) => task(async move { remote.import(&payload).await }).await,
            Self::Unmade { name, .. } => unmade(name),
        }
    }

    async fn verify(&self, copy: &CopiedItem, depth: Depth) -> Result<Verdict, Failure> {
        let copy = copy.clone();
        match self.clone() {
            Self::Here(here) => task(async move { here.verify(&copy, depth).await }).await,
            Self::Remote(remote) => task(async move { remote.verify(&copy, depth).await }).await,
            Self::Unmade { .. } => Ok(Verdict::Missing("the destination is not there".to_owned())),
        }
    }

    async fn withdraw(&self, copy: &CopiedItem, at: Timestamp) -> Result<Withdrawal, Failure> {
        let copy = copy.clone();
        match self.clone() {
            Self::Here(here) => task(async move { here.withdraw(&copy, at).await }).await,
            Self::Remote(remote) => task(async move { remote.withdraw(&copy, at).await }).await,
            Self::Unmade { .. } => Ok(Withdrawal::Absent),
        }
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<ProofId>, Failure> {
        match self {
            Self::Here(here) => Box::pin(here.list(after, limit)).await,
            Self::Remote(remote) => remote.list(after, limit).await,
            Self::Unmade { .. } => Ok(Page::default()),
        }
    }
}

/// Returns the error of a destination whose index is behind its API.
fn behind_its_api<T>(remote: &Remote) -> Result<T, Failure> {
    let message = "its index is not written over its API".to_owned();
    Err(Failure { provider: remote.name(), kind: FailureKind::AccessDenied, message })
}

#[deny(clippy::missing_trait_methods)]
impl ItemRows for AnyDestination {
    async fn item_row(&self, proof: &ProofId) -> Result<Option<LegacyItemRow>, Failure> {
        match self {
            Self::Here(here) => Box::pin(here.item_row(proof)).await,
            Self::Remote(remote) => behind_its_api(remote),
            Self::Unmade { .. } => Ok(None),
        }
    }

    async fn keep_item(&self, row: &LegacyItemRow) -> Result<bool, Failure> {
        match self {
            Self::Here(here) => Box::pin(here.keep_item(row)).await,
            Self::Remote(remote) => behind_its_api(remote),
            Self::Unmade { name, .. } => unmade(name),
        }
    }
}
