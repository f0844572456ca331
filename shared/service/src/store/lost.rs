//! The lost objects of a live proof, which a store with the same content restores.

use credlink_core::hash::Digest;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{ProofRow, State};
use credlink_core::rules::store::Draft;

use credlink_ports::{Condition, Failure, Medium as _, Objects as _, Ports};

use crate::service::Service;
use crate::stored::put_record;

/// Returns `true` if the record of a live proof is missing, as far as a check costs nothing.
///
/// # Errors
/// The record is damaged, or a provider failed.
pub(super) async fn is_lost<P: Ports>(service: &Service<P>, id: &ProofId) -> Result<bool, Failure> {
    let is_cheap = service.ports.objects().has_cheap_lookups();
    Ok(is_cheap && service.current(&ObjectKey::Record(*id)).await?.is_none())
}

/// Restores the lost record of a live proof, if the draft brings its timestamps and produces exactly that record.
pub(super) async fn restore_record<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    row: &ProofRow,
) -> Result<(), Failure> {
    // A proof that is stored for the first time has another timestamp.
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
    // If something else is there by now, others deal with it.
    if put_record(service, &key, &record, (&bytes, sha256), Condition::Absent).await?.is_some() {
        tracing::warn!(proof = %row.id, "a lost record was restored from an import of the same proof");
    }
    Ok(())
}

/// Restores the lost manifest of a live proof from the draft, as far as a check costs nothing.
pub(super) async fn restore_manifest<P: Ports>(
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
    // If something else is there by now, others deal with it.
    let put = service.put_manifest(&manifest, &draft.manifest, visibility, generation, Condition::Absent);
    if put.await? {
        tracing::warn!(%manifest, "a lost manifest was restored from a store of the same proof");
    }
    Ok(())
}
