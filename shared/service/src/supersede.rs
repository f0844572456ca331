//! Replacing a proof's manifest: compare-and-swap by `If-Match`; the earlier record stays (guarantee 3).
//!
//! The order is: a copy of the current record under its revision, the new manifest, the row holding it, the new record
//! by compare-and-swap, the row once more. A crash before the swap leaves a copy that the next replacement needs
//! anyway; a crash after it leaves a record that is one revision ahead of its row, and whoever comes next lets the row
//! follow. That is always possible: the row holds the manifest *before* a record names it, so that nobody can delete
//! it in between. A replacement that fails after that leaves its manifest held until the proof is deleted.

use credlink_core::bounds::MAX_REVISIONS;
use credlink_core::hash::Digest;
use credlink_core::http::conditional::check_write;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{ProofRow, State};
use credlink_core::rules::life::{Found, Verdict, judge_record};
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use http::HeaderMap;

use crate::error::{Error, contended};
use crate::ports::{Condition, Event, Events as _, Objects as _, Ports};
use crate::publish::{Published, Reference};
use crate::service::{Current, MAX_ATTEMPTS, Service, owned};
use crate::store::{Stored, put_record};

/// Replaces the proof's record by the one that `draft` makes of the proof's media hash.
///
/// # Errors
/// No such proof (404, 410) or another tenant's (403), a missing (428) or failed (412) `If-Match`, what `draft` says
/// of the body, a manifest id that has another content (409), too many revisions (409), or a failure.
pub async fn supersede<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    tenant: &Tenant,
    headers: &HeaderMap,
    draft: impl Fn(&ProofRow) -> Result<Draft, Problem>,
) -> Result<Stored, Error> {
    let key = ObjectKey::Record(*id);
    for _ in 0..MAX_ATTEMPTS {
        let row = live_row(service, id).await?;
        owned(&row.tenant, tenant)?;
        let Some(current) = service.current(&key).await? else { continue };
        if current.verified.facts().tombstone {
            continue;
        }
        let record = service.record(&key, &current.verified)?;
        match judge_record(Found::Record(record.revision), Some(&row)) {
            Verdict::Ahead => {
                roll_forward(service, &record, &current.verified.facts().sha256, &row).await?;
                continue;
            }
            Verdict::Right => {}
            Verdict::Orphan | Verdict::Unfinished => continue,
            // Or the row was replaced while the record was read.
            Verdict::Broken(why) => {
                if service.proof_row(id).await?.is_some_and(|now| now.version == row.version) {
                    return Err(service.damaged(&key, &why).into());
                }
                continue;
            }
        }
        check_write(headers, &current.verified.facts().sha256)?;
        let draft = draft(&row)?;
        if record.revision + 1 - row.first_revision >= MAX_REVISIONS {
            return Err(too_many());
        }
        if let Some(stored) = replace(service, &key, &draft, &row, &current, &record).await? {
            service.ports.events().record(Event::Superseded);
            return Ok(stored);
        }
    }
    Err(contended())
}

/// The row of a proof that is there to be replaced, read or shared.
pub(crate) async fn live_row<P: Ports>(service: &Service<P>, id: &ProofId) -> Result<ProofRow, Error> {
    let row = service.proof_row(id).await?;
    let row = row.ok_or_else(|| Problem::new(Kind::NotFound, format!("no proof has the id {id}")))?;
    match row.state {
        State::Deleting(at) | State::Deleted(at) => {
            Err(Problem::new(Kind::Deleted, format!("this was deleted on {at}")).into())
        }
        State::Live if row.has_expired(service.now()) => {
            Err(Problem::new(Kind::Expired, format!("this expired on {}", row.expires)).into())
        }
        State::Live => Ok(row),
    }
}

async fn replace<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    draft: &Draft,
    row: &ProofRow,
    current: &Current,
    record: &Record,
) -> Result<Option<Stored>, Error> {
    let copy = ObjectKey::Revision(row.id, record.revision);
    let content = current.verified.content();
    let content = (&content[..], current.verified.facts().sha256);
    if put_record(service, &copy, record, content, Condition::Absent).await?.is_none() {
        // An earlier try got this far. The copy is of the same record, or something is badly wrong. If it is gone
        // again, the proof was deleted.
        let Some(kept) = service.current(&copy).await? else { return Ok(None) };
        if kept.verified.facts().sha256 != current.verified.facts().sha256 {
            return Err(service.damaged(&copy, &"the copy of the current record differs from it").into());
        }
        service.ports.objects().confirm(&copy).await?;
    }
    let Some(mut row) = hold(service, draft, row).await? else { return Ok(None) };
    let mut next = draft.record(record.revision + 1, service.now());
    next.first_revision = row.first_revision;
    let bytes = next.to_bytes();
    let sha256 = Digest::of(&bytes);
    let condition = Condition::Matches(current.tag.clone());
    let body = put_record(service, key, &next, (&bytes, sha256), condition).await?;
    if body.is_none() {
        // If the proof was deleted meanwhile, and perhaps stored again, the copy must go as well. A copy that a crash
        // leaves here is not served (`Lookup::admit`), and cleanup removes it.
        let now = service.proof_row(&row.id).await?;
        if now.is_none_or(|now| now.state != State::Live || record.revision < now.first_revision) {
            service.ports.objects().delete(&copy).await?;
            service.changed(&copy).await;
        }
        return Ok(None);
    }
    // The record is in its place, so the replacement is done, unless the proof is deleted before its row follows.
    for _ in 0..MAX_ATTEMPTS {
        let stored = || Stored {
            row: ProofRow::publish(&next, sha256, Some(&row)),
            deduplicated: false,
            identical: true,
            body: body.clone(),
        };
        match service.publish(&next, sha256, Some(&row), None).await? {
            Published::Done => return Ok(Some(stored())),
            Published::Lost(Some(now))
                if now.state == State::Live && now.first_revision == row.first_revision =>
            {
                // Another one let the row follow, and perhaps went on from there. Where two providers decided one
                // after the other, it may have been another record of the same revision.
                if now.revision >= next.revision {
                    let is_ours = now.record_sha256 == sha256
                        || now.revision > next.revision && kept(service, &next, &sha256).await?;
                    return Ok(is_ours.then(stored));
                }
                row = now;
            }
            Published::Lost(_) | Published::ManifestGone => return Ok(None),
        }
    }
    Err(contended())
}

/// Whether the copy of the record's revision, which the replacement after it left, is of this record.
async fn kept<P: Ports>(service: &Service<P>, record: &Record, sha256: &Digest) -> Result<bool, Error> {
    let copy = ObjectKey::Revision(record.id, record.revision);
    let found = service.current(&copy).await?;
    Ok(found.is_some_and(|found| found.verified.facts().sha256 == *sha256))
}

/// Stores the draft's manifest, and lets the row hold it: the row as it is then. `None`: look at the world again.
async fn hold<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    row: &ProofRow,
) -> Result<Option<ProofRow>, Error> {
    let Some(id) = draft.manifest.id() else { return Ok(Some(row.clone())) };
    let generation = service.ensure_manifest(&draft.manifest, id, &draft.tenant, draft.visibility).await?;
    let Some(generation) = generation else { return Ok(None) };
    if row.held.contains(id) {
        return Ok(Some(row.clone()));
    }
    if row.held.len() >= MAX_REVISIONS as usize {
        return Err(too_many());
    }
    let mut holding = row.in_state(State::Live);
    holding.held.insert(id.clone());
    let reference = Reference {
        id,
        sha256: *draft.manifest.sha256(),
        length: draft.manifest.bytes().len() as u64,
        tenant: &draft.tenant,
        visibility: draft.visibility,
        generation,
        standalone: false,
    };
    match service.commit(Some((holding.clone(), Some(row.version))), Some(&reference)).await? {
        Published::Done => Ok(Some(holding)),
        Published::Lost(_) | Published::ManifestGone => Ok(None),
    }
}

fn too_many() -> Error {
    let detail = format!("a proof has at most {MAX_REVISIONS} revisions; delete it and store it anew");
    Problem::new(Kind::TooManyRevisions, detail).into()
}

/// Lets the row follow a record that is one revision ahead of it.
pub(crate) async fn roll_forward<P: Ports>(
    service: &Service<P>,
    record: &Record,
    sha256: &Digest,
    row: &ProofRow,
) -> Result<(), Error> {
    service.ports.objects().confirm(&ObjectKey::Record(record.id)).await?;
    // A row that does not hold the record's manifest was read before it did, and is not the one any more.
    if record.manifest.id.as_ref().is_none_or(|id| row.held.contains(id)) {
        service.publish(record, *sha256, Some(row), None).await?;
    }
    Ok(())
}
