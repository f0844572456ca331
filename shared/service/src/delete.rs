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
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ManifestRow, ProofRow, Row, State};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;
use http::HeaderMap;

use credlink_ports::{
    Commit, Condition, Event, Events as _, Failure, FailureKind, Index as _, Objects as _, Ports, Put,
    Replicas as _, Write,
};

use crate::error::{Error, contended};
use crate::holds::drop_hold;
use crate::ownership::is_hidden;
use crate::reconcile::{Reconciled, reconcile, settle};
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

/// The way in which an object without a row ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The object is deleted by its owner at this time.
    Deleted(Timestamp),
    /// The object is undone at this time, since no caller was ever told of it.
    Undone(Timestamp),
}

impl Ending {
    /// Returns the next state of the row, and whether it is void, given its previous state. An object that was deleted
    /// before keeps its time of deletion.
    const fn after(self, before: Option<(State, bool)>) -> (State, bool) {
        match (self, before) {
            (Self::Deleted(at), _) => (State::Deleting(at), false),
            (Self::Undone(_), Some((State::Deleted(at), void))) => (State::Deleting(at), void),
            (Self::Undone(at), _) => (State::Deleting(at), true),
        }
    }
}

/// Returns the row that deletes a record without a row, which a store wrote before it was cut off. `before` is absent
/// or deleted.
pub(crate) async fn orphan_row<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    before: Option<&ProofRow>,
    ending: Ending,
) -> Result<Option<ProofRow>, Failure> {
    let key = ObjectKey::Record(*id);
    let Some(current) = service.current(&key).await? else { return Ok(None) };
    if current.verified.facts().tombstone {
        return Ok(None);
    }
    let record = service.record(&key, &current.verified)?;
    let mut row = ProofRow::publish(&record, current.verified.facts().sha256, before);
    // No later life may have a revision of this number, or a late deletion could mistake it for the orphan.
    row.revision = before.map_or(row.revision, |before| before.revision.max(row.revision));
    // The record never held its manifest; only a committed row does.
    row.held.clear();
    (row.state, row.void) = ending.after(before.map(|row| (row.state, row.void)));
    Ok(Some(row))
}

/// Returns the row that deletes a manifest without a row. `before` is absent or deleted.
pub(crate) async fn orphan_manifest_row<P: Ports>(
    service: &Service<P>,
    owned: &ManifestKey,
    before: Option<&ManifestRow>,
    ending: Ending,
) -> Result<Option<ManifestRow>, Failure> {
    let key = ObjectKey::Manifest(owned.clone());
    let Some(head) = service.ports.objects().head(&key).await? else { return Ok(None) };
    let facts = Facts::read(&head.attributes).map_err(|error| service.damaged(&key, &error))?;
    if facts.tombstone {
        return Ok(None);
    }
    let (state, void) = ending.after(before.map(|row| (row.state, row.void)));
    // The ID keeps the content that it had (guarantee 6).
    let (sha256, length) =
        before.filter(|row| !row.void).map_or((facts.sha256, facts.length), |row| (row.sha256, row.length));
    Ok(Some(ManifestRow {
        id: owned.id.clone(),
        version: before.map_or(0, |before| before.version) + 1,
        state,
        tenant: owned.tenant.clone(),
        sha256,
        length,
        holders: 0,
        // A hold may have been written before the row.
        standalone: true,
        imported: false,
        generation: before.map_or(0, |before| before.generation).max(facts.generation),
        visibility: facts.visibility,
        void,
    }))
}

/// Undoes the record under a proof's key, if it has no row. Returns `true` if this call did so. The row is claimed
/// first, so that no other process can adopt the record afterwards. A row that stands for the record by now keeps it.
pub(crate) async fn undo_record<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    before: Option<&ProofRow>,
) -> Result<bool, Failure> {
    match before.map(|row| row.state) {
        Some(State::Live | State::Deleting(_)) => return Ok(false),
        Some(State::Deleted(_)) | None => {}
    }
    let ending = Ending::Undone(service.now());
    let Some(orphan) = orphan_row(service, id, before, ending).await? else { return Ok(false) };
    let claimed = claim(service, Row::Proof(orphan.clone()), before.map(|row| row.version)).await?;
    if claimed {
        finish_proof(service, &orphan).await?;
    }
    Ok(claimed)
}

/// Undoes a manifest that no row holds. Returns `true` if this call did so.
pub(crate) async fn undo_manifest<P: Ports>(
    service: &Service<P>,
    key: &ManifestKey,
) -> Result<bool, Failure> {
    let before = service.manifest_row(key).await?;
    match before.as_ref().map(|row| row.state) {
        Some(State::Live | State::Deleting(_)) => return Ok(false),
        Some(State::Deleted(_)) | None => {}
    }
    let ending = Ending::Undone(service.now());
    let Some(orphan) = orphan_manifest_row(service, key, before.as_ref(), ending).await? else {
        return Ok(false);
    };
    let claimed = claim(service, Row::Manifest(orphan.clone()), before.map(|row| row.version)).await?;
    if claimed {
        finish_manifest(service, &orphan).await?;
    }
    Ok(claimed)
}

/// Commits one row. Returns `true` if the expected version matched.
pub async fn claim<P: Ports>(service: &Service<P>, row: Row, expected: Option<u64>) -> Result<bool, Failure> {
    Ok(service.write_rows(&[Write { row, expected }]).await? == Commit::Done)
}

/// The first step of deleting a live proof at the time `at`: commits its row and the rows of the manifests that it held
/// at once. Returns `None` if another writer was first.
pub async fn bury<P: Ports>(
    service: &Service<P>,
    row: &ProofRow,
    at: Timestamp,
) -> Result<Option<ProofRow>, Failure> {
    let deleting = row.in_state(State::Deleting(at));
    let mut writes = vec![Write { row: Row::Proof(deleting.clone()), expected: Some(row.version) }];
    for id in &row.held {
        let held = service.manifest_row(&ManifestKey::new(&row.tenant, id)).await?;
        if let Some(manifest) = held.filter(|row| row.state == State::Live) {
            let expected = Some(manifest.version);
            writes.push(Write { row: Row::Manifest(manifest.released(at, row.names(id))), expected });
        }
    }
    let commit = service.write_rows(&writes).await?;
    Ok((commit == Commit::Done).then_some(deleting))
}

/// The other steps of deleting a proof whose row says *deleting*.
pub async fn finish_proof<P: Ports>(service: &Service<P>, row: &ProofRow) -> Result<(), Failure> {
    let State::Deleting(at) = row.state else { return Ok(()) };
    if service.spares {
        return Ok(());
    }
    let key = ObjectKey::Record(row.id);
    let deleted = row.deleted(at);
    replace(service, &key, &Row::Proof(deleted.clone()), row.version).await?;
    remove_revisions(service, row).await?;
    for id in &row.held {
        if let Some(manifest) = service.manifest_row(&ManifestKey::new(&row.tenant, id)).await? {
            finish_manifest(service, &manifest).await?;
        }
    }
    // If the commit is lost, another process has finished the deletion.
    claim(service, Row::Proof(deleted), Some(row.version)).await?;
    Ok(())
}

/// The other steps of deleting a manifest whose row says *deleting*. A row in another state is left alone.
pub async fn finish_manifest<P: Ports>(service: &Service<P>, row: &ManifestRow) -> Result<(), Failure> {
    let State::Deleting(at) = row.state else { return Ok(()) };
    if service.spares {
        return Ok(());
    }
    let key = ObjectKey::Manifest(row.manifest_key());
    let deleted = ManifestRow { standalone: false, ..row.in_state(State::Deleted(at)) };
    replace(service, &key, &Row::Manifest(deleted.clone()), row.version).await?;
    if row.standalone {
        drop_hold(service, &row.manifest_key(), row.generation).await?;
    }
    claim(service, Row::Manifest(deleted), Some(row.version)).await?;
    Ok(())
}

/// Replaces the object by the tombstone of `deleted`, the row that is to follow, as long as the row has `version`.
///
/// The object's tag is read *before* the row: if the row still says *deleting* afterwards, the tagged object was not
/// stored after the deletion. A deletion that arrives late can therefore not remove an object that was stored anew.
async fn replace<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    deleted: &Row,
    version: u64,
) -> Result<(), Failure> {
    let Some((marker, tenant)) = Tombstone::of(deleted) else { return Ok(()) };
    for _ in 0..MAX_ATTEMPTS {
        let head = service.ports.objects().head(key).await?;
        let condition = match head {
            None => Condition::Absent,
            Some(head) => match Facts::read(&head.attributes) {
                Ok(facts) if facts.tombstone => {
                    service.changed(key).await;
                    service.ports.objects().confirm(key, &facts).await?;
                    return Ok(());
                }
                Ok(_) | Err(_) => Condition::Matches(head.tag),
            },
        };
        if service.ports.index().get(&deleted.key()).await?.map(|row| row.version()) != Some(version) {
            service.changed(key).await;
            return Ok(());
        }
        let (body, attributes) = marker.object(key, &tenant);
        let put = service.ports.objects().put(key, body.into(), &attributes, condition).await;
        service.changed(key).await;
        if let Put::Stored(_) = put? {
            return Ok(());
        }
    }
    // The row must not say that the deletion is complete.
    let message = format!("{key}: other requests kept replacing it");
    Err(Failure { provider: service.ports.objects().name(), kind: FailureKind::Unavailable, message })
}

/// Removes the earlier records of a deleted proof and of its previous lives. A removal may arrive late, when another
/// process has long finished the deletion and the proof lives again: the revisions of the next life are greater than
/// the last one of this life, and are left alone. The keys of this life are never written again.
async fn remove_revisions<P: Ports>(service: &Service<P>, row: &ProofRow) -> Result<(), Failure> {
    let prefix = ObjectKey::revisions(&row.id);
    let mut after = None;
    loop {
        let page = service.ports.objects().list(&prefix, after.as_deref(), 1_000).await?;
        for listed in &page.items {
            match listed.key.parse::<ObjectKey>() {
                Ok(key @ ObjectKey::Revision(_, revision)) if revision <= row.revision => {
                    let deleted = service.ports.objects().delete(&key).await;
                    service.changed(&key).await;
                    deleted?;
                }
                _ => {}
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
