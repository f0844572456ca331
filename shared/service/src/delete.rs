//! Deleting. The row goes first, the objects follow, and tombstones take their places (guarantee 8).
//!
//! A deletion has three steps: the row says *deleting* (from here on no store can build on the objects), tombstones
//! replace the objects, and the row says *deleted*. Any process that finds the row in between finishes the deletion.
//!
//! Objects that a store left behind without telling any caller are *undone* in the same steps. The tombstone of such an
//! object is void, and to readers nothing was ever there (guarantee 11).

use credlink_core::http::conditional::check_removal;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::manifest_key::ManifestKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ManifestRow, ProofRow, Row, State};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use http::HeaderMap;

use credlink_ports::{Event, Events as _, Ports};

use crate::error::{Error, contended};
use crate::ownership::is_hidden;
use crate::reconcile::{Reconciled, reconcile, settle};
use crate::removal::undo::{Ending, orphan_manifest_row, orphan_row};
use crate::removal::{bury, finish_manifest, finish_proof};
use crate::rows::claim;
use crate::service::{MAX_ATTEMPTS, Service, is_visible, other_tenant};

/// Deletes a proof. Returns the time of the deletion that this call began, or `None` if there was nothing left to
/// delete, which is not an error. The time of another caller's deletion is never returned: a migration that is rolled
/// back would otherwise restore what the owner deleted (guarantee 8).
///
/// A deletion may be identified by its time, `at`: repeating it returns the same result as the first call, even if that
/// answer was lost. Without `at`, the deletion happens now.
///
/// # Errors
/// The proof is another tenant's (403), an `If-Match` in `headers` does not match (412), or a failure; repeating the
/// deletion finishes it.
pub async fn delete_proof<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    tenant: &Tenant,
    headers: &HeaderMap,
    at: Option<Timestamp>,
) -> Result<Option<Timestamp>, Error> {
    let deleted = try_to_delete(service, id, tenant, headers, at).await;
    if let Err(error) = &deleted
        && is_hidden(service, id, tenant, error).await
    {
        return Ok(None);
    }
    if let Err(Error::Failure(_)) = &deleted {
        service.note_failed_deletion(id);
    }
    deleted
}

async fn try_to_delete<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    tenant: &Tenant,
    headers: &HeaderMap,
    at: Option<Timestamp>,
) -> Result<Option<Timestamp>, Error> {
    let instant = at.unwrap_or_else(|| service.now());
    for _ in 0..MAX_ATTEMPTS {
        let row = service.proof_row(id).await?;
        if let Some(row) = &row
            && row.tenant != *tenant
        {
            return if is_visible(row, tenant) { Err(other_tenant().into()) } else { Ok(None) };
        }
        match row {
            // A store may have written a record and ended before its row; readers see such a record.
            None | Some(ProofRow { state: State::Deleted(_), .. }) => {
                if reconcile(service, id).await? == Reconciled::Changed {
                    continue;
                }
                let orphan = orphan_row(service, id, row.as_ref(), Ending::Deleted(instant)).await?;
                let Some(orphan) = orphan else {
                    return Ok(row.and_then(|row| own(row.state, at)));
                };
                if orphan.tenant != *tenant {
                    return if is_visible(&orphan, tenant) { Err(other_tenant().into()) } else { Ok(None) };
                }
                check_removal(headers, &orphan.record_sha256)?;
                if claim(service, Row::Proof(orphan.clone()), row.map(|row| row.version)).await? {
                    finish_proof(service, &orphan).await?;
                    return Ok(Some(instant));
                }
            }
            Some(row @ ProofRow { state: State::Deleting(_), .. }) => {
                finish_proof(service, &row).await?;
                return Ok(own(row.state, at));
            }
            Some(row) => {
                if row.replacing.is_some() && settle(service, &row).await? == Reconciled::Changed {
                    continue;
                }
                check_removal(headers, &row.record_sha256)?;
                if let Some(row) = bury(service, &row, instant).await? {
                    finish_proof(service, &row).await?;
                    service.ports.events().record(Event::Deleted);
                    return Ok(Some(instant));
                }
            }
        }
    }
    Err(contended())
}

/// Returns the time of the deletion in `state` if it is the one that `at` identifies.
fn own(state: State, at: Option<Timestamp>) -> Option<Timestamp> {
    match state {
        State::Deleting(deleted) | State::Deleted(deleted) => at.filter(|at| *at == deleted),
        State::Live => None,
    }
}

/// Deletes a manifest that no proof holds. The result and `at` are as in [`delete_proof`].
///
/// # Errors
/// Proofs hold the manifest (409); with `only_imported`, its tenant has stored it for itself (412); or a failure.
pub async fn delete_manifest<P: Ports>(
    service: &Service<P>,
    key: &ManifestKey,
    at: Option<Timestamp>,
    only_imported: bool,
) -> Result<Option<Timestamp>, Error> {
    let instant = at.unwrap_or_else(|| service.now());
    for _ in 0..MAX_ATTEMPTS {
        let row = service.manifest_row(key).await?;
        match row {
            None | Some(ManifestRow { state: State::Deleted(_), .. }) => {
                let ending = Ending::Deleted(instant);
                let orphan = orphan_manifest_row(service, key, row.as_ref(), ending).await?;
                let Some(orphan) = orphan else { return Ok(row.and_then(|row| own(row.state, at))) };
                if claim(service, Row::Manifest(orphan.clone()), row.map(|row| row.version)).await? {
                    finish_manifest(service, &orphan).await?;
                    return Ok(Some(instant));
                }
            }
            Some(row @ ManifestRow { state: State::Deleting(_), .. }) => {
                finish_manifest(service, &row).await?;
                return Ok(own(row.state, at));
            }
            Some(row) if row.holders > 0 => {
                let hold = if row.holders == 1 { "proof holds" } else { "proofs hold" };
                return Err(Problem::new(
                    ProblemKind::ManifestHeld,
                    format!(
                        "{} {hold} this manifest; it goes when the last of them is deleted. Until then its tenant hides it from \
                         everybody else with PUT /v1/tenants/{}/manifests/{}/visibility",
                        row.holders, row.tenant, row.id
                    ),
                )
                .with("holders", row.holders)
                .into());
            }
            Some(row) if only_imported && !row.imported => {
                let detail =
                    format!("the tenant `{}` has stored the manifest {} by itself", row.tenant, row.id);
                return Err(Problem::new(ProblemKind::PreconditionFailed, detail).at("imported").into());
            }
            Some(row) => {
                let deleting = row.in_state(State::Deleting(instant));
                if claim(service, Row::Manifest(deleting.clone()), Some(row.version)).await? {
                    finish_manifest(service, &deleting).await?;
                    service.ports.events().record(Event::Deleted);
                    return Ok(Some(instant));
                }
            }
        }
    }
    Err(contended())
}
