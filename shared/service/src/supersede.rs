//! Replacing a proof's manifest: compare-and-swap by `If-Match`; the earlier record stays (guarantee 3).
//!
//! The order is: a copy of the current record under its revision, the new manifest, the new record by
//! compare-and-swap, the row. A crash before the swap leaves a copy that the next replacement needs anyway; a crash
//! after it leaves a record that is one revision ahead of its row, and whoever comes next lets the row follow.

use credlink_core::bounds::MAX_REVISIONS;
use credlink_core::hash::Digest;
use credlink_core::http::conditional::check_write;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::manifest_id::ManifestId;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{ProofRow, State};
use credlink_core::rules::life::{Found, Verdict, judge_record};
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use http::HeaderMap;

use crate::error::{Error, contended};
use crate::ports::{Condition, Event, Events as _, Failure, Objects as _, Ports};
use crate::publish::Published;
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
            Verdict::Broken(why) => return Err(service.damaged(&key, &why).into()),
        }
        check_write(headers, &current.verified.facts().sha256)?;
        let draft = draft(&row)?;
        if record.revision + 1 - row.first_revision >= MAX_REVISIONS {
            let detail =
                format!("a proof has at most {MAX_REVISIONS} revisions; delete it and store it anew");
            return Err(Problem::new(Kind::TooManyRevisions, detail).into());
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
    if put_record(service, &copy, record, &content, Condition::Absent).await?.is_none() {
        // An earlier try got this far. The copy is of the same record, or something is badly wrong.
        let kept = service.current(&copy).await?;
        if kept.is_none_or(|kept| kept.verified.facts().sha256 != current.verified.facts().sha256) {
            return Err(service.damaged(&copy, &"the copy of the current record differs from it").into());
        }
    }
    let generation = match draft.manifest.id() {
        None => None,
        Some(id) => {
            match service.ensure_manifest(&draft.manifest, id, &draft.tenant, draft.visibility).await? {
                None => return Ok(None),
                generation => generation,
            }
        }
    };
    let next = draft.record(record.revision + 1, service.now());
    let bytes = next.to_bytes();
    if put_record(service, key, &next, &bytes, Condition::Matches(current.tag.clone())).await?.is_none() {
        // If the proof was deleted meanwhile, the copy must go as well. A copy that a crash leaves here is not
        // served (see `retrieve`), and cleanup removes it.
        if service.proof_row(&row.id).await?.is_none_or(|row| row.state != State::Live) {
            service.ports.objects().delete(&copy).await?;
            service.changed(&copy);
        }
        return Ok(None);
    }
    let sha256 = Digest::of(&bytes);
    let row = match service.publish(&next, sha256, Some(row), generation).await? {
        Published::Done => Some(ProofRow::publish(&next, sha256, Some(row))),
        // Another one let the row follow; or the proof was deleted, and the next look tells so.
        Published::Lost(row) => row.filter(|row| row.state == State::Live && row.record_sha256 == sha256),
        Published::ManifestGone => None,
    };
    Ok(row.map(|row| Stored { row, deduplicated: false, identical: true }))
}

/// Lets the row follow a record that is one revision ahead of it.
pub(crate) async fn roll_forward<P: Ports>(
    service: &Service<P>,
    record: &Record,
    sha256: &Digest,
    row: &ProofRow,
) -> Result<(), Error> {
    let generation = match &record.manifest.id {
        None => None,
        Some(id) => service.manifest_generation(id).await?,
    };
    let key = ObjectKey::Record(record.id);
    if record.manifest.id.is_some() && generation.is_none() {
        return Err(service.damaged(&key, &"the record's manifest is not there").into());
    }
    match service.publish(record, *sha256, Some(row), generation).await? {
        Published::Done | Published::Lost(_) => Ok(()),
        Published::ManifestGone => Err(service.damaged(&key, &"the record's manifest is deleted").into()),
    }
}

impl<P: Ports> Service<P> {
    /// The generation in which a manifest's bytes are there; `None` if they are not.
    pub(crate) async fn manifest_generation(&self, id: &ManifestId) -> Result<Option<u32>, Failure> {
        let key = ObjectKey::Manifest(id.clone());
        let Some(head) = self.ports.objects().head(&key).await? else { return Ok(None) };
        let facts = Facts::read(&head.attributes).map_err(|error| self.damaged(&key, &error))?;
        Ok((!facts.tombstone).then_some(facts.generation))
    }
}
