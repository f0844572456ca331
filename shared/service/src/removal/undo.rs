//! Objects without a row, which a store wrote before it was cut off: the rows that delete them, and undoing them.

use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ManifestRow, ProofRow, Row, State};
use credlink_core::time::Timestamp;

use credlink_ports::{Failure, Objects as _, Ports};

use super::{finish_manifest, finish_proof};
use crate::rows::claim;
use crate::service::Service;

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
