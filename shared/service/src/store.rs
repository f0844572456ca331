//! Storing a proof, or a manifest for itself.
//!
//! A store writes the manifest, the record and then the rows. Among concurrent stores of one media hash, the record
//! that is first under the proof's key is the candidate of all: a store that finds it there commits its row instead of
//! its own. So every crash leaves either nothing that is findable, or a candidate that the next request, or cleanup,
//! adopts; and the commit of the row decides (guarantees 1, 2 and 5). A store that is refused removes the objects that
//! it wrote (guarantee 11).

mod lost;

use credlink_core::access::Visibility;
use credlink_core::bounds::MAX_REVISIONS;
use credlink_core::hash::Digest;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::legacy::LegacyId;
use credlink_core::manifest::Manifest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{AliasRow, ProofRow, State};
use credlink_core::rules::store::{Draft, Next, next};
use credlink_core::tenant::Tenant;
use credlink_core::tombstone::Tombstone;
use futures_util::future::join;

use credlink_ports::{Condition, Event, Events as _, Ports, Put};

use crate::aliases::agree::secure_alias;
use crate::error::{Error, contended};
use crate::front::Arrival;
use crate::holds::{drop_hold, write_hold};
use crate::publish::{Brought, Following, Published, Reference};
use crate::reconcile::{Reconciled, reconcile, settle};
use crate::removal::kept::keep;
use crate::removal::undo::undo_record;
use crate::removal::{bury, finish_proof};
use crate::service::{MAX_ATTEMPTS, Service};
use crate::stored::{Stored, put_record, record_write};
use crate::supersede::replace_any;

use lost::{is_lost, restore_manifest, restore_record};

/// Stores a proof.
///
/// # Errors
/// A manifest ID that has another content (409), or a failure of a provider or the index. After a failure the proof may
/// or may not be stored; repeating the store is harmless, and determines it.
pub async fn store<P: Ports>(service: &Service<P>, draft: &Draft) -> Result<Stored, Error> {
    Ok(store_named(service, draft, None).await?.0)
}

/// Stores a proof as [`store`] does, and binds `legacy` to it in the same commit, if that is possible: the index has to
/// be on this machine, where a commit of two rows costs hardly more than one of a single row (DynamoDB charges each row
/// of a transaction twice), and the ID has to be new. Returns `true` if the ID was bound.
pub(crate) async fn store_named<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    legacy: Option<&LegacyId>,
) -> Result<(Stored, bool), Error> {
    let mut brought = Brought::default();
    let stored = try_to_store(service, draft, legacy, &mut brought).await;
    let is_bound = brought.alias;
    let is_refused = match &stored {
        Ok(stored) => draft.manifest.id().is_some_and(|id| !stored.row.held.contains(id)),
        Err(Error::Problem(_)) => true,
        // It is unknown what was done. The next store, or cleanup, completes it or removes it.
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
    stored.map(|stored| (stored, is_bound))
}

async fn try_to_store<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    legacy: Option<&LegacyId>,
    brought: &mut Brought,
) -> Result<Stored, Error> {
    let id = draft.id();
    for _ in 0..MAX_ATTEMPTS {
        let row = service.proof_row(&id).await?;
        match (next(row.as_ref(), service.now()), row) {
            (Next::Answer, Some(row)) => {
                restore_record(service, draft, &row).await?;
                // If the index may be older, its row alone is not sufficient.
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
                    // Another process may have updated the row.
                    if service.proof_row(&id).await?.map(|now| now.version) != Some(row.version) {
                        continue;
                    }
                }
                restore_manifest(service, draft, &row).await?;
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
                    draft.may_follow_deletion(*at)?;
                }
                let stored = write(service, draft, legacy, (row.as_ref(), revision), brought).await?;
                if let Some(stored) = stored {
                    return Ok(stored);
                }
            }
            // The other steps require a row.
            (Next::Answer | Next::Revive | Next::FinishDeletion, None) => {}
        }
    }
    Err(contended())
}

/// Answers with the existing proof, which another request stored, or whose record (`written`) this store wrote in an
/// earlier attempt and whose row was committed since.
fn answer<P: Ports>(service: &Service<P>, draft: &Draft, row: ProofRow, written: Option<Digest>) -> Stored {
    let deduplicated = written != Some(row.record_sha256);
    service.ports.events().record(if deduplicated { Event::Deduplicated } else { Event::Stored });
    Stored { identical: draft.is_identical_to(&row), row, deduplicated, body: None }
}

/// Stores a proof over an expired one, as its next revision, so that a proof that only expired by a wrong clock is not
/// lost. Returns `None` if the state changed in the meantime, and the caller must retry.
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
    draft.may_follow_expiry(row.expires)?;
    if row.revision + 1 - row.first_revision >= MAX_REVISIONS {
        // There is no room for another revision, so a new life begins.
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

/// Writes the objects and commits the rows. Returns `None` if the state changed in the meantime, and the caller must
/// retry. `brought` remembers a record of this store under the proof's key.
async fn write<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    legacy: Option<&LegacyId>,
    (row, revision): (Option<&ProofRow>, u32),
    brought: &mut Brought,
) -> Result<Option<Stored>, Error> {
    // The tombstone, which is about to be replaced, names the legacy ID of the life before.
    if let Some(legacy) = row.and_then(|row| row.legacy.as_ref()) {
        secure_alias(service, legacy).await?;
    }
    let key = ObjectKey::Record(draft.id());
    let mut record = draft.record(revision, service.now());
    let mut bytes = record.to_bytes();
    let mut sha256 = Digest::of(&bytes);
    // A new manifest and its record are written together, unless an intent has to be noted before the record.
    let together = draft.manifest_key().filter(|_| service.has_index_at_hand());
    let (mut following, stored_body) = together
        .map(|_| record_write(&key, &record, (&bytes, sha256), Condition::Absent))
        .map(|(write, body)| (Following::new(write), body))
        .unzip();
    let place = async {
        let Some(manifest) = draft.manifest_key() else { return Ok(Some(None)) };
        let how = (draft.manifest_visibility(), Arrival::of(draft));
        let placed =
            service.ensure_manifest_and(&draft.manifest, &manifest, how, brought, following.as_mut()).await?;
        Ok::<_, Error>(placed.map(Some))
    };
    let (placed, noted) = join(place, service.intend(&key)).await;
    if following.is_some() {
        // After a failure too, since the write may have happened.
        service.recorded(&key, record.revision, record.first_revision).await;
    }
    noted?;
    let Some(generation) = placed? else { return Ok(None) };
    let mut body = match following.and_then(|following| following.outcome) {
        Some(Put::Stored(_)) => stored_body,
        Some(Put::Lost) => None,
        None => put_record(service, &key, &record, (&bytes, sha256), Condition::Absent).await?,
    };
    if body.is_none() {
        let Some(current) = service.current(&key).await? else { return Ok(None) };
        if !current.verified.facts().tombstone {
            take_up(service, &draft.id(), row).await?;
            return Ok(None);
        }
        let tombstone = Tombstone::parse(&current.verified.content());
        let tombstone = tombstone.map_err(|error| service.damaged(&key, &error))?;
        if !tombstone.void {
            draft.may_follow_deletion(tombstone.deleted)?;
        }
        // Only the tombstone of a finished deletion is replaced. A process that is finishing a deletion may hold the
        // tag of the object that is written here, and could remove it after it was acknowledged.
        if tombstone.last > row.map_or(0, |row| row.revision)
            && reconcile(service, &draft.id()).await? != Reconciled::Right
        {
            return Ok(None);
        }
        record = draft.record(revision.max(tombstone.last.saturating_add(1)), service.now());
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
    let mut alias = new_alias(service, &record, row, legacy).await;
    let row = match service.publish_named(&record, sha256, row, placed, &mut alias).await? {
        Published::Done => {
            brought.alias = alias.is_some();
            Some(ProofRow::publish(&record, sha256, row))
        }
        // Another store found this store's record and committed its row.
        Published::Lost(row) => row.filter(|row| row.state == State::Live && row.record_sha256 == sha256),
        Published::ManifestGone => None,
    };
    let Some(row) = row else { return Ok(None) };
    service.ports.events().record(Event::Stored);
    Ok(Some(Stored { row, deduplicated: false, identical: true, body }))
}

/// Returns the row that binds `legacy` to a proof whose first row is about to be committed, if it may be committed
/// together with that row: the record names the ID, so that no object has to, and the index is as new as the store.
async fn new_alias<P: Ports>(
    service: &Service<P>,
    record: &Record,
    before: Option<&ProofRow>,
    legacy: Option<&LegacyId>,
) -> Option<AliasRow> {
    let legacy = legacy.filter(|_| before.is_none() && service.has_index_at_hand())?;
    let is_recorded = record.legacy.as_ref().is_some_and(|recorded| recorded.id == *legacy);
    if !is_recorded || service.may_destroy().await.is_err() {
        return None;
    }
    let (proof, tenant) = (record.id, record.tenant.clone());
    Some(AliasRow { id: legacy.clone(), version: 1, proof, tenant, withdrawn: None })
}

/// Commits the row of a record that another store wrote, or an earlier attempt of this one; or undoes the record if
/// that is impossible.
async fn take_up<P: Ports>(service: &Service<P>, id: &ProofId, row: Option<&ProofRow>) -> Result<(), Error> {
    match reconcile(service, id).await? {
        Reconciled::Right | Reconciled::Changed => {}
        // The record's manifest is gone; or a deletion missed the record, or it was put back from elsewhere. It must be
        // deleted through its row first, because another process that adopts it at this moment may see the manifest
        // stored again.
        Reconciled::Orphan | Reconciled::Risen => {
            service.may_destroy().await?;
            keep(service, &ObjectKey::Record(*id)).await?;
            undo_record(service, id, row).await?;
        }
        Reconciled::Broken(why) => return Err(service.damaged(&ObjectKey::Record(*id), &why).into()),
    }
    Ok(())
}

/// Stores a C2PA manifest for itself, without a proof, with this visibility. Returns `true` if it was not yet stored
/// for itself. `arrival` decides whether it gets a plain address that the operator has freed.
///
/// # Errors
/// A manifest without an ID (400), an ID that has another content or another visibility (409), or a failure.
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
    let id = manifest
        .id()
        .ok_or_else(|| Problem::new(ProblemKind::InvalidManifest, "only a C2PA manifest has an id"))?;
    let key = &ManifestKey::new(tenant, id);
    for _ in 0..MAX_ATTEMPTS {
        let placed = service.ensure_manifest(manifest, key, (visibility, arrival), brought).await?;
        let Some(generation) = placed else { continue };
        // This is the hold of an earlier attempt, whose manifest was deleted in the meantime.
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
