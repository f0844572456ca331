//! Storing a proof, or a manifest by itself.
//!
//! A store writes the manifest, the record and then the rows. Of concurrent stores of one media hash, the record
//! that stands first under the proof's key is the candidate of all: whoever finds it there commits its row instead
//! of its own. So every crash leaves either nothing that is findable, or a candidate that the next request, or
//! cleanup, takes up; and the commit of the row decides (guarantees 1, 2 and 5). A store that is refused takes back
//! what it brought (guarantee 11).

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::bounds::MAX_REVISIONS;
use credlink_core::encoding::Coding;
use credlink_core::hash::Digest;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::manifest::Manifest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{ProofRow, State};
use credlink_core::rules::store::{Draft, Next, next};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;
use futures_util::future::join;

use credlink_ports::{Condition, Event, Events as _, Failure, Medium as _, Objects as _, Ports, Put};

use crate::aliases::secure_alias;
use crate::cleanup::keep;
use crate::delete::{bury, finish_proof, undo_record};
use crate::error::{Error, contended};
use crate::front::Arrival;
use crate::holds::{drop_hold, write_hold};
use crate::publish::{Brought, Published, Reference};
use crate::reconcile::{Reconciled, reconcile, settle};
use crate::service::{MAX_ATTEMPTS, Service};
use crate::supersede::replace_any;

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
    let mut brought = Brought::default();
    let stored = try_to_store(service, draft, &mut brought).await;
    let is_refused = match &stored {
        Ok(stored) => draft.manifest.id().is_some_and(|id| !stored.row.held.contains(id)),
        Err(Error::Problem(_)) => true,
        // Nobody knows what was done: the next store, or cleanup, finishes it or takes it back.
        Err(Error::Failure(_)) => {
            service.note_failed_change();
            false
        }
    };
    if is_refused {
        brought.take_back(service).await?;
    }
    if let (Ok(stored), Some(manifest)) = (&stored, draft.manifest_key()) {
        if !stored.deduplicated {
            service.claim_front(&manifest, draft.manifest_visibility(), Arrival::of(draft)).await;
        } else if stored.row.held.contains(&manifest.id) {
            service.claim_front_again(&manifest, Arrival::of(draft)).await;
        }
    }
    stored
}

async fn try_to_store<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    brought: &mut Brought,
) -> Result<Stored, Error> {
    let id = draft.id();
    for _ in 0..MAX_ATTEMPTS {
        let row = service.proof_row(&id).await?;
        match (next(row.as_ref(), service.now()), row) {
            (Next::Answer, Some(row)) => {
                bring_back_record(service, draft, &row).await?;
                // Where the index may be older, its word alone does not do.
                let is_doubted = row.replacing.is_some()
                    || service.may_destroy().await.is_err()
                    || is_lost(service, &id).await?;
                if is_doubted {
                    match settle(service, &row).await? {
                        Reconciled::Changed => continue,
                        Reconciled::Broken(why) => {
                            return Err(service.damaged(&ObjectKey::Record(id), &why).into());
                        }
                        Reconciled::Right | Reconciled::Orphan | Reconciled::Risen => {}
                    }
                    // Another one may have let it follow.
                    if service.proof_row(&id).await?.map(|now| now.version) != Some(row.version) {
                        continue;
                    }
                }
                bring_back_manifest(service, draft, &row).await?;
                let written = brought.record.map(|(_, sha256)| sha256);
                return Ok(answer(service, draft, row, written));
            }
            (Next::Revive, Some(row)) => {
                if let Some(stored) = revive(service, draft, &row, brought).await? {
                    return Ok(stored);
                }
            }
            (Next::FinishDeletion, Some(row)) => {
                service.may_destroy().await?;
                finish_proof(service, &row).await?;
            }
            (Next::Write { revision }, row) => {
                if let Some(ProofRow { state: State::Deleted(at), void: false, .. }) = &row {
                    stays_deleted(draft, *at)?;
                }
                let stored = write(service, draft, row.as_ref(), revision, brought).await?;
                if let Some(stored) = stored {
                    return Ok(stored);
                }
            }
            // The other steps follow from a row only.
            (Next::Answer | Next::Revive | Next::FinishDeletion, None) => {}
        }
    }
    Err(contended())
}

/// Returns `true` if the record of a live proof is not there, as far as a look costs nothing.
///
/// # Errors
/// The record is damaged, or a provider failed.
async fn is_lost<P: Ports>(service: &Service<P>, id: &ProofId) -> Result<bool, Failure> {
    let is_cheap = service.ports.objects().has_cheap_lookups();
    Ok(is_cheap && service.current(&ObjectKey::Record(*id)).await?.is_none())
}

/// Puts the record of a live proof back where it was lost, if what is taken over makes exactly that record.
async fn bring_back_record<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    row: &ProofRow,
) -> Result<(), Failure> {
    // What is stored for the first time has another instant.
    if draft.origin.is_none() {
        return Ok(());
    }
    let record = Record { first_revision: row.first_revision, ..draft.record(row.revision, row.created) };
    let bytes = record.to_bytes();
    let sha256 = Digest::of(&bytes);
    let key = ObjectKey::Record(row.id);
    if sha256 != row.record_sha256 || service.ports.objects().head(&key).await?.is_some() {
        return Ok(());
    }
    // Where something else stands there by now, that is looked at by others.
    if put_record(service, &key, &record, (&bytes, sha256), Condition::Absent).await?.is_some() {
        tracing::warn!(proof = %row.id, "a record that was lost came back with a migration of it");
    }
    Ok(())
}

/// Puts the manifest of a live proof back where it was lost, if the draft brings it, as far as a look costs nothing.
async fn bring_back_manifest<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    row: &ProofRow,
) -> Result<(), Failure> {
    let Some(manifest) = draft.manifest_key().filter(|key| row.manifest_id.as_ref() == Some(&key.id)) else {
        return Ok(());
    };
    let is_cheap = service.ports.objects().has_cheap_lookups();
    if !is_cheap || !draft.is_identical_to(row) || service.manifest_facts(&manifest).await?.is_some() {
        return Ok(());
    }
    let Some(held) = service.manifest_row(&manifest).await?.filter(|held| held.state == State::Live) else {
        return Ok(());
    };
    let (visibility, generation) = (held.visibility, held.generation);
    // Where something else stands there by now, that is looked at by others.
    let put = service.put_manifest(&manifest, &draft.manifest, visibility, generation, Condition::Absent);
    if put.await? {
        tracing::warn!(%manifest, "a manifest that was lost came back with a store of it");
    }
    Ok(())
}

/// Refuses to take over what was deleted here (guarantee 8).
fn stays_deleted(draft: &Draft, at: Timestamp) -> Result<(), Problem> {
    match &draft.origin {
        Some(origin) if origin.restores != Some(at) => Err(Problem::deleted(at)),
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

/// Stores a proof over one that has expired: as its next revision, so that what expired by a clock that is wrong is not lost.
/// `None`: the world changed; look again.
async fn revive<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    row: &ProofRow,
    brought: &mut Brought,
) -> Result<Option<Stored>, Error> {
    // The record may be ahead of its row, and not have expired.
    match reconcile(service, &row.id).await? {
        Reconciled::Right => {}
        Reconciled::Broken(why) => return Err(service.damaged(&ObjectKey::Record(row.id), &why).into()),
        Reconciled::Changed | Reconciled::Orphan | Reconciled::Risen => return Ok(None),
    }
    // A proof of another store that expired here is over.
    if draft.origin.is_some() {
        return Err(Problem::new(Kind::Expired, format!("this expired on {}", row.expires)).into());
    }
    if row.revision + 1 - row.first_revision >= MAX_REVISIONS {
        // There is no room for another revision: a new life begins.
        service.may_destroy().await?;
        if let Some(row) = bury(service, row, service.now()).await? {
            finish_proof(service, &row).await?;
        }
        return Ok(None);
    }
    let stored = replace_any(service, draft, row, brought).await?;
    if stored.is_some() {
        service.ports.events().record(Event::Stored);
    }
    Ok(stored)
}

/// Writes the objects and commits the rows. `None`: the world changed; look again. `brought` remembers the record of
/// ours that stood under its key.
async fn write<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    row: Option<&ProofRow>,
    revision: u32,
    brought: &mut Brought,
) -> Result<Option<Stored>, Error> {
    // The marker names the legacy id of the life before, and is about to go.
    if let Some(legacy) = row.and_then(|row| row.legacy.as_ref()) {
        secure_alias(service, legacy).await?;
    }
    let key = ObjectKey::Record(draft.id());
    let place = async {
        let Some(manifest) = draft.manifest_key() else { return Ok(Some(None)) };
        let how = (draft.manifest_visibility(), Arrival::of(draft));
        let placed = service.ensure_manifest(&draft.manifest, &manifest, how, brought).await?;
        Ok::<_, Error>(placed.map(Some))
    };
    let (placed, noted) = join(place, service.intend(&key)).await;
    noted?;
    let Some(generation) = placed? else { return Ok(None) };
    let mut record = draft.record(revision, service.now());
    let mut bytes = record.to_bytes();
    let mut sha256 = Digest::of(&bytes);
    let mut body = put_record(service, &key, &record, (&bytes, sha256), Condition::Absent).await?;
    if body.is_none() {
        let Some(current) = service.current(&key).await? else { return Ok(None) };
        if !current.verified.facts().tombstone {
            take_up(service, &draft.id(), row).await?;
            return Ok(None);
        }
        let marker = Tombstone::parse(&current.verified.content());
        let marker = marker.map_err(|error| service.damaged(&key, &error))?;
        if !marker.void {
            stays_deleted(draft, marker.deleted)?;
        }
        // Only over the marker of a deletion whose row says that it is done: who finishes one that is not may hold the tag
        // of what is written here, and take it away after it was acknowledged.
        if marker.last > row.map_or(0, |row| row.revision)
            && reconcile(service, &draft.id()).await? != Reconciled::Right
        {
            return Ok(None);
        }
        record = draft.record(revision.max(marker.last.saturating_add(1)), service.now());
        bytes = record.to_bytes();
        sha256 = Digest::of(&bytes);
        let condition = Condition::Matches(current.tag);
        body = put_record(service, &key, &record, (&bytes, sha256), condition).await?;
        if body.is_none() {
            return Ok(None);
        }
    }
    brought.record = Some((draft.id(), sha256));
    let placed = (generation, draft.manifest_visibility());
    let row = match service.publish(&record, sha256, row, placed).await? {
        Published::Done => Some(ProofRow::publish(&record, sha256, row)),
        // Another store found our record and committed its row.
        Published::Lost(row) => row.filter(|row| row.state == State::Live && row.record_sha256 == sha256),
        Published::ManifestGone => None,
    };
    let Some(row) = row else { return Ok(None) };
    service.ports.events().record(Event::Stored);
    Ok(Some(Stored { row, deduplicated: false, identical: true, body }))
}

/// Commits the row of a record that another store wrote, or an earlier attempt of this one; or undoes it, where that cannot
/// be.
async fn take_up<P: Ports>(service: &Service<P>, id: &ProofId, row: Option<&ProofRow>) -> Result<(), Error> {
    match reconcile(service, id).await? {
        Reconciled::Right | Reconciled::Changed => {}
        // Its manifest is gone; or a deletion missed it, or it was put back from elsewhere. It has to go as a deletion goes,
        // by its row first: whoever takes it up at this moment may see the manifest stored again.
        Reconciled::Orphan | Reconciled::Risen => {
            service.may_destroy().await?;
            keep(service, &ObjectKey::Record(*id)).await?;
            undo_record(service, id, row).await?;
        }
        Reconciled::Broken(why) => return Err(service.damaged(&ObjectKey::Record(*id), &why).into()),
    }
    Ok(())
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

/// Stores a C2PA manifest by itself, without a proof, for the readers that `visibility` says. Whether it was not stored so
/// before. `arrival` says whether it gets a plain address that the operator has freed.
///
/// # Errors
/// A manifest without an id (400), an id that has another content or other readers (409), or a failure.
pub async fn store_manifest<P: Ports>(
    service: &Service<P>,
    manifest: &Manifest,
    tenant: &Tenant,
    visibility: Visibility,
    arrival: Arrival,
) -> Result<bool, Error> {
    let mut brought = Brought::default();
    let stored = try_to_store_manifest(service, manifest, tenant, (visibility, arrival), &mut brought).await;
    match (&stored, manifest.id()) {
        (Err(Error::Problem(_)), _) => brought.take_back(service).await?,
        (Ok(true), Some(id)) => {
            service.claim_front(&ManifestKey::new(tenant, id), visibility, arrival).await;
        }
        (Ok(false), Some(id)) => service.claim_front_again(&ManifestKey::new(tenant, id), arrival).await,
        (Ok(_) | Err(Error::Failure(_)), _) => {}
    }
    stored
}

async fn try_to_store_manifest<P: Ports>(
    service: &Service<P>,
    manifest: &Manifest,
    tenant: &Tenant,
    (visibility, arrival): (Visibility, Arrival),
    brought: &mut Brought,
) -> Result<bool, Error> {
    let id =
        manifest.id().ok_or_else(|| Problem::new(Kind::InvalidManifest, "only a C2PA manifest has an id"))?;
    let key = &ManifestKey::new(tenant, id);
    for _ in 0..MAX_ATTEMPTS {
        let placed = service.ensure_manifest(manifest, key, (visibility, arrival), brought).await?;
        let Some(generation) = placed else { continue };
        // The hold of an earlier attempt, whose manifest was deleted meanwhile.
        if let Some((key, earlier)) = brought.hold.take_if(|(_, earlier)| *earlier != generation) {
            drop_hold(service, &key, earlier).await?;
        }
        let row = service.manifest_row(key).await?.filter(|row| row.state == State::Live && row.standalone);
        let known = row.is_some();
        // A rollback of an import drops the hold first, and may have been cut off there.
        let is_taken = arrival == Arrival::New && row.is_some_and(|row| row.imported);
        if !known || is_taken {
            service.intend(&ObjectKey::Hold(key.clone(), generation)).await?;
            if write_hold(service, key, generation).await? {
                brought.hold = Some((key.clone(), generation));
            }
        }
        let reference = Reference {
            key,
            sha256: *manifest.sha256(),
            length: manifest.bytes().len() as u64,
            visibility,
            generation,
            standalone: true,
            imported: arrival == Arrival::Earlier,
            is_claim: false,
        };
        if let Published::Done = service.commit(None, &[reference], &[]).await? {
            service.ports.events().record(if known { Event::Deduplicated } else { Event::Stored });
            return Ok(!known);
        }
    }
    Err(contended())
}
