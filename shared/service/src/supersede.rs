//! Replacing a proof's manifest: compare-and-swap by `If-Match`; the earlier record stays (guarantee 3).
//!
//! A request names the record that it replaces. If it arrives again after it was done, it gets the same answer; the steps
//! of a replacement, and what a crash leaves after each, are in `replace`.

mod replace;

use credlink_core::http::conditional::check_write;
use credlink_core::http::problem::Problem;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::ProofRow;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use http::HeaderMap;

use credlink_ports::{Event, Events as _, Ports};

use crate::error::{Error, contended};
use crate::front::Arrival;
use crate::ownership::is_hidden;
use crate::publish::Brought;
use crate::reconcile::{Reconciled, reconcile};
use crate::rows::live_row;
use crate::service::{Current, MAX_ATTEMPTS, Service};
use crate::stored::Stored;

use replace::replace;

/// Replaces the proof's record with the one that `draft` creates for the proof's media hash.
///
/// A repeated request for a replacement that is already done gets the same answer as the first.
///
/// # Errors
/// The proof does not exist (404, 410) or is another tenant's (403), `If-Match` is missing (428) or does not match
/// (412), `draft` rejects the body, the manifest ID has another content (409), the proof has too many revisions (409),
/// or a failure.
pub async fn supersede<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    tenant: &Tenant,
    headers: &HeaderMap,
    draft: impl Fn(&ProofRow) -> Result<Draft, Problem>,
) -> Result<Stored, Error> {
    let mut brought = Brought::default();
    let stored = try_to_supersede(service, id, tenant, headers, draft, &mut brought).await;
    if let Err(Error::Problem(_)) = &stored {
        brought.take_back(service).await?;
    }
    stored
}

async fn try_to_supersede<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    tenant: &Tenant,
    headers: &HeaderMap,
    draft: impl Fn(&ProofRow) -> Result<Draft, Problem>,
    brought: &mut Brought,
) -> Result<Stored, Error> {
    for _ in 0..MAX_ATTEMPTS {
        let row = known_row(service, id, tenant).await?;
        let Some((current, record)) = current_record(service, &row).await? else { continue };
        if let Err(refused) = check_write(headers, &current.verified.facts().sha256) {
            let draft = draft(&row)?;
            return match is_done(service, headers, &draft, &record).await? {
                true => Ok(Stored { row, deduplicated: false, identical: true, body: None }),
                false => Err(refused.into()),
            };
        }
        let draft = draft(&row)?;
        if let Some(stored) = replace(service, &draft, &row, &current, &record, brought).await? {
            if let Some(manifest) = draft.manifest_key() {
                service.claim_front(&manifest, draft.manifest_visibility(), Arrival::of(&draft)).await;
            }
            service.ports.events().record(Event::Superseded);
            return Ok(stored);
        }
    }
    Err(contended())
}

/// Replaces the proof's record, whatever it is. Returns `None` if the state changed in the meantime, and the caller
/// must retry.
///
/// # Errors
/// The errors of [`supersede`].
pub(crate) async fn replace_any<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    row: &ProofRow,
    brought: &mut Brought,
) -> Result<Option<Stored>, Error> {
    let Some((current, record)) = current_record(service, row).await? else { return Ok(None) };
    replace(service, draft, row, &current, &record, brought).await
}

/// Returns the row of a proof that can be replaced. A record that another request wrote before it was cut off is
/// adopted first.
async fn known_row<P: Ports>(service: &Service<P>, id: &ProofId, tenant: &Tenant) -> Result<ProofRow, Error> {
    match live_row(service, id, tenant).await {
        Err(Error::Problem(problem)) => match reconcile(service, id).await {
            Ok(Reconciled::Changed) => live_row(service, id, tenant).await,
            Ok(Reconciled::Right | Reconciled::Orphan | Reconciled::Risen | Reconciled::Broken(_)) => {
                Err(problem.into())
            }
            Err(error) if is_hidden(service, id, tenant, &error).await => Err(problem.into()),
            Err(error) => Err(error),
        },
        found => found,
    }
}

/// Returns the record that the row stands for, or `None` if the row followed another record, and the caller must retry.
async fn current_record<P: Ports>(
    service: &Service<P>,
    row: &ProofRow,
) -> Result<Option<(Current, Record)>, Error> {
    let key = ObjectKey::Record(row.id);
    if let Some(current) = service.current(&key).await?
        && !current.verified.facts().tombstone
        && current.verified.facts().sha256 == row.record_sha256
    {
        let record = service.record(&key, &current.verified)?;
        return Ok(Some((current, record)));
    }
    match reconcile(service, &row.id).await? {
        Reconciled::Broken(why) => Err(service.damaged(&key, &why).into()),
        // Unless the row was replaced while the record was read.
        Reconciled::Right | Reconciled::Changed | Reconciled::Orphan | Reconciled::Risen => Ok(None),
    }
}

/// Returns `true` if this very replacement is done: `If-Match` names the record before the current one, and `draft`
/// produces the current one. Its answer was lost, or the client sent the request twice.
async fn is_done<P: Ports>(
    service: &Service<P>,
    headers: &HeaderMap,
    draft: &Draft,
    current: &Record,
) -> Result<bool, Error> {
    if current.revision <= current.first_revision || !draft.makes(current) {
        return Ok(false);
    }
    let before = ObjectKey::Revision(current.id, current.revision - 1);
    let before = service.current(&before).await?;
    Ok(before.is_some_and(|before| check_write(headers, &before.verified.facts().sha256).is_ok()))
}
