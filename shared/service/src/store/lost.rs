//! The objects of a live proof that were lost, and come back with a store that brings them.

use credlink_core::hash::Digest;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{ProofRow, State};
use credlink_core::rules::store::Draft;

use credlink_ports::{Condition, Failure, Medium as _, Objects as _, Ports};

use super::put_record;
use crate::service::Service;

/// Returns `true` if the record of a live proof is not there, as far as a look costs nothing.
///
/// # Errors
/// The record is damaged, or a provider failed.
pub(super) async fn is_lost<P: Ports>(service: &Service<P>, id: &ProofId) -> Result<bool, Failure> {
    let is_cheap = service.ports.objects().has_cheap_lookups();
    Ok(is_cheap && service.current(&ObjectKey::Record(*id)).await?.is_none())
}

/// Puts the record of a live proof back where it was lost, if the draft brings its instants along, and makes exactly that record.
pub(super) async fn bring_back_record<P: Ports>(
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
pub(super) async fn bring_back_manifest<P: Ports>(
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
