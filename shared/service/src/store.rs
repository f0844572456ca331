//! Storing a proof, or a manifest by itself.
//!
//! A store writes the manifest, the record and then the rows. Of concurrent stores of one media hash, the record
//! that stands first under the proof's key is the candidate of all: whoever finds it there commits its row instead
//! of its own. So every crash leaves either nothing that is findable, or a candidate that the next store, or
//! cleanup, deals with; and the commit of the row decides (guarantees 1, 2 and 5).

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::manifest::Manifest;
use credlink_core::object::{Coding, ObjectKey};
use credlink_core::record::Record;
use credlink_core::row::{ProofRow, State};
use credlink_core::rules::life::{Found, Verdict, judge_record};
use credlink_core::rules::store::{Draft, Next, next};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;

use crate::delete::{bury, bury_orphan, finish_proof};
use crate::error::{Error, contended};
use crate::ports::{Condition, Event, Events as _, Failure, Objects as _, Ports, Put};
use crate::publish::{Published, Reference};
use crate::service::{MAX_ATTEMPTS, Service};

/// What a store came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The proof as the index has it.
    pub row: ProofRow,
    /// Whether it was there already.
    pub deduplicated: bool,
    /// Whether it has the manifest and the signature that were to be stored (guarantee 3).
    pub identical: bool,
    /// Its record's bytes, where this very call stored them.
    pub body: Option<StoredBody>,
}

/// Bytes as they were stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBody {
    /// The bytes.
    pub bytes: Bytes,
    /// Their content coding.
    pub coding: Option<Coding>,
}

/// Stores a proof.
///
/// # Errors
/// A manifest id that has another content (409), or a failure of a provider or the index. After a failure the proof
/// may be stored or not; the same store again is harmless, and tells.
pub async fn store<P: Ports>(service: &Service<P>, draft: &Draft) -> Result<Stored, Error> {
    let id = draft.id();
    let mut written = None;
    for _ in 0..MAX_ATTEMPTS {
        let row = service.proof_row(&id).await?;
        match (next(row.as_ref(), service.now()), row) {
            (Next::Answer, Some(row)) => return Ok(answer(service, draft, row, written)),
            (Next::Expire, Some(row)) => {
                if let Some(row) = bury(service, &row, service.now()).await? {
                    finish_proof(service, &row).await?;
                }
            }
            (Next::FinishDeletion, Some(row)) => finish_proof(service, &row).await?,
            (Next::Write { revision }, row) => {
                if let Some(ProofRow { state: State::Deleted(at), .. }) = &row {
                    stays_deleted(draft, *at)?;
                }
                if let Some(stored) = write(service, draft, row.as_ref(), revision, &mut written).await? {
                    return Ok(stored);
                }
            }
            // The other steps follow from a row only.
            (Next::Answer | Next::Expire | Next::FinishDeletion, None) => {}
        }
    }
    Err(contended())
}

/// Refuses to take over what was deleted here (guarantee 8).
fn stays_deleted(draft: &Draft, at: Timestamp) -> Result<(), Problem> {
    match &draft.origin {
        Some(origin) if origin.restores != Some(at) => {
            Err(Problem::new(Kind::Deleted, format!("this was deleted on {at}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// The answer with the proof that is there: somebody else's, or the record that this very store wrote in an earlier
/// attempt (`written`), whose row was committed since.
fn answer<P: Ports>(service: &Service<P>, draft: &Draft, row: ProofRow, written: Option<Digest>) -> Stored {
    let deduplicated = written != Some(row.record_sha256);
    service.ports.events().record(if deduplicated { Event::Deduplicated } else { Event::Stored });
    Stored { identical: draft.is_identical_to(&row), row, deduplicated, body: None }
}

/// Writes the objects and commits the rows. `None`: the world changed; look again. `written` remembers the record of
/// ours that stood under its key.
async fn write<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    row: Option<&ProofRow>,
    revision: u32,
    written: &mut Option<Digest>,
) -> Result<Option<Stored>, Error> {
    let generation = match draft.manifest.id() {
        None => None,
        Some(id) => {
            match service.ensure_manifest(&draft.manifest, id, &draft.tenant, draft.visibility).await? {
                None => return Ok(None),
                generation => generation,
            }
        }
    };
    let key = ObjectKey::Record(draft.id());
    let mut record = draft.record(revision, service.now());
    let mut bytes = record.to_bytes();
    let mut sha256 = Digest::of(&bytes);
    let mut body = put_record(service, &key, &record, (&bytes, sha256), Condition::Absent).await?;
    if body.is_none() {
        let Some(current) = service.current(&key).await? else { return Ok(None) };
        if current.verified.facts().tombstone {
            let marker = Tombstone::parse(&current.verified.content());
            let marker = marker.map_err(|error| service.damaged(&key, &error))?;
            stays_deleted(draft, marker.deleted)?;
            record = draft.record(revision.max(marker.last.saturating_add(1)), service.now());
        } else {
            let candidate = service.record(&key, &current.verified)?;
            let found = &current.verified.facts().sha256;
            if judge_record(Found::Record(candidate.revision), row) == Verdict::Orphan
                && candidate.expires > service.now()
                && let Some(stored) = adopt(service, draft, &candidate, found, row, *written).await?
            {
                return Ok(stored);
            }
            // It expired before anybody was told of it, its manifest is gone, or a deletion missed it. It has to go as
            // a deletion goes, by its row first: whoever adopts it at this moment may see the manifest stored again.
            bury_orphan(service, &draft.id(), row).await?;
            return Ok(None);
        }
        bytes = record.to_bytes();
        sha256 = Digest::of(&bytes);
        let condition = Condition::Matches(current.tag);
        body = put_record(service, &key, &record, (&bytes, sha256), condition).await?;
        if body.is_none() {
            return Ok(None);
        }
    }
    *written = Some(sha256);
    let row = match service.publish(&record, sha256, row, generation).await? {
        Published::Done => Some(ProofRow::publish(&record, sha256, row)),
        // Another store found our record and committed its row.
        Published::Lost(row) => row.filter(|row| row.state == State::Live && row.record_sha256 == sha256),
        Published::ManifestGone => None,
    };
    let Some(row) = row else { return Ok(None) };
    service.ports.events().record(Event::Stored);
    Ok(Some(Stored { row, deduplicated: false, identical: true, body }))
}

/// Commits the row of a record that another store wrote, or an earlier attempt of this one. The outer `None`: that
/// cannot be.
async fn adopt<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    candidate: &Record,
    sha256: &Digest,
    before: Option<&ProofRow>,
    written: Option<Digest>,
) -> Result<Option<Option<Stored>>, Error> {
    let generation = match &candidate.manifest.id {
        None => None,
        Some(id) => match service.manifest_generation(id).await? {
            None => return Ok(None),
            generation => generation,
        },
    };
    service.ports.objects().confirm(&ObjectKey::Record(candidate.id)).await?;
    match service.publish(candidate, *sha256, before, generation).await {
        Ok(Published::Done) => {
            let row = ProofRow::publish(candidate, *sha256, before);
            Ok(Some(Some(answer(service, draft, row, written))))
        }
        Ok(Published::Lost(_)) => Ok(Some(None)),
        // What is wrong with the candidate is not the caller's business.
        Ok(Published::ManifestGone) | Err(Error::Problem(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Writes a record, of these bytes with this SHA-256, under its key, if `condition` holds.
pub(crate) async fn put_record<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    record: &Record,
    (bytes, sha256): (&[u8], Digest),
    condition: Condition,
) -> Result<Option<StoredBody>, Failure> {
    let (bytes, attributes) = record.stored(bytes, sha256, key);
    let put = service.ports.objects().put(key, bytes.clone(), &attributes, condition).await;
    // Also after a failure: the write may have happened.
    service.recorded(key, record.revision, record.first_revision).await;
    let coding = attributes.content_encoding.map(|_| Coding::Gzip);
    Ok(matches!(put?, Put::Stored(_)).then_some(StoredBody { bytes, coding }))
}

/// Stores a C2PA manifest by itself, without a proof.
///
/// # Errors
/// A manifest without an id (400), an id that has another content (409), or a failure.
pub async fn store_manifest<P: Ports>(
    service: &Service<P>,
    manifest: &Manifest,
    tenant: &Tenant,
) -> Result<bool, Error> {
    let id =
        manifest.id().ok_or_else(|| Problem::new(Kind::InvalidManifest, "only a C2PA manifest has an id"))?;
    for _ in 0..MAX_ATTEMPTS {
        let Some(generation) = service.ensure_manifest(manifest, id, tenant, Visibility::Public).await?
        else {
            continue;
        };
        let known =
            service.manifest_row(id).await?.is_some_and(|row| row.state == State::Live && row.standalone);
        let reference = Reference {
            id,
            sha256: *manifest.sha256(),
            length: manifest.bytes().len() as u64,
            tenant,
            visibility: Visibility::Public,
            generation,
            standalone: true,
        };
        if let Published::Done = service.commit(None, Some(&reference)).await? {
            service.ports.events().record(if known { Event::Deduplicated } else { Event::Stored });
            return Ok(!known);
        }
    }
    Err(contended())
}
