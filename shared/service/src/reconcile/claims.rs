//! The claims of replacements: those that will not happen are released.

use std::collections::BTreeSet;

use credlink_core::bounds::ORPHAN_AGE_SECONDS;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Pending, ProofRow, State};
use credlink_core::time::Timestamp;

use credlink_ports::Ports;

use super::{Reconciled, reconcile};
use crate::error::{Error, contended};
use crate::publish::{Published, Released};
use crate::service::{MAX_ATTEMPTS, Service};

/// Makes a row follow that says that a replacement is under way. If no replacement can be under way any longer, its
/// claims are released.
///
/// # Errors
/// The errors of [`reconcile`].
pub(crate) async fn settle<P: Ports>(service: &Service<P>, row: &ProofRow) -> Result<Reconciled, Error> {
    let reconciled = reconcile(service, &row.id).await?;
    let now = service.now();
    let is_over = |begun: Timestamp| begun.plus_seconds(ORPHAN_AGE_SECONDS) <= now;
    let stale = |row: &ProofRow| row.replacing.is_some_and(is_over).then(|| row.pending.clone());
    match reconciled {
        Reconciled::Right if stale(row).is_none() => Ok(reconciled),
        // With a wrong clock, every replacement would seem to be over.
        Reconciled::Right | Reconciled::Changed if service.may_destroy().await.is_err() => Ok(reconciled),
        Reconciled::Right | Reconciled::Changed => {
            let given_back = give_back(service, &row.id, stale).await?;
            Ok(if given_back { Reconciled::Changed } else { reconciled })
        }
        Reconciled::Orphan | Reconciled::Risen | Reconciled::Broken(_) => Ok(reconciled),
    }
}

/// Removes the claims of replacements that will not happen from a live proof's row, and releases their manifests: those
/// claims that `claims` finds in the row, if any are to be released. Without a remaining claim, no replacement is under
/// way. Returns `true` if this call did so.
pub(crate) async fn give_back<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    claims: impl Fn(&ProofRow) -> Option<BTreeSet<Pending>>,
) -> Result<bool, Error> {
    for _ in 0..MAX_ATTEMPTS {
        let row = service.proof_row(id).await?.filter(|row| row.state == State::Live);
        let Some((row, claims)) = row.and_then(|row| claims(&row).map(|claims| (row, claims))) else {
            return Ok(false);
        };
        let (mut next, released) = row.without(&claims);
        let released: Vec<Released> = released
            .iter()
            .map(|id| Released { key: ManifestKey::new(&row.tenant, id), is_told: false })
            .collect();
        if next.pending.is_empty() {
            next.replacing = None;
        }
        match service.commit(Some((next, Some(row.version))), &[], &released).await? {
            Published::Done => return Ok(true),
            Published::Lost(_) | Published::ManifestGone => {}
        }
    }
    Err(contended())
}
