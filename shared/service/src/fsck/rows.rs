//! Checks a row against its objects.

use credlink_core::bounds::ORPHAN_AGE_SECONDS;
use credlink_core::note::AliasNote;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{AliasRow, ManifestRow, ProofRow, Row, RowKey, State};

use credlink_ports::{Failure, Ports};

use super::{Look, files, gone, stands, verified};
use crate::service::Service;

/// Checks the objects that a row stands for.
pub(super) async fn look<P: Ports>(service: &Service<P>, row: Row) -> Result<Look, Failure> {
    let mut look = Look::default();
    match row {
        Row::Proof(row) => proof(service, &row, &mut look).await?,
        Row::Manifest(row) => manifest(service, &row, &mut look).await?,
        Row::Alias(row) => alias(service, row, &mut look).await?,
        // Hints, which nothing depends on; and the store's own row, which is checked separately.
        Row::LegacyItem(_) | Row::Replica(_) | Row::Store(_) => {}
        Row::File(row) => files::file(service, &row, &mut look).await?,
        Row::Blob(row) => files::blob(service, &row, &mut look).await?,
        Row::List(row) => files::list(service, &row, &mut look).await?,
        Row::Upload(row) => files::upload(service, &row, &mut look).await?,
        // What quotas repeat is checked for all of them together.
        Row::Quota(_) => {}
    }
    Ok(look)
}

async fn proof<P: Ports>(service: &Service<P>, row: &ProofRow, look: &mut Look) -> Result<(), Failure> {
    let key = ObjectKey::Record(row.id);
    if row.id != ProofId::derive(&row.tenant, &row.media_hash) {
        look.broken(&key, "the row's id is not the one of its tenant and media hash");
    }
    if row.state != State::Live {
        return gone(service, &key, row.state, look).await;
    }
    if !stands(service, &key).await? {
        look.broken(&key, "the index has a live proof whose record is not stored");
    }
    for revision in row.first_revision..row.revision {
        let copy = ObjectKey::Revision(row.id, revision);
        if !stands(service, &copy).await? {
            look.broken(&copy, "an earlier record is not stored");
        }
    }
    if let Some(begun) = row.replacing.filter(|at| at.plus_seconds(ORPHAN_AGE_SECONDS) <= service.now()) {
        look.leftover(
            &key,
            format!("a replacement begun on {begun} was interrupted, and still claims its manifest"),
        );
    }
    Ok(())
}

async fn manifest<P: Ports>(service: &Service<P>, row: &ManifestRow, look: &mut Look) -> Result<(), Failure> {
    let key = ObjectKey::Manifest(row.manifest_key());
    if row.state != State::Live {
        return gone(service, &key, row.state, look).await;
    }
    if !stands(service, &key).await? {
        look.broken(&key, "the index has a live manifest that is not stored");
    }
    let hold = ObjectKey::Hold(row.manifest_key(), row.generation);
    if row.standalone && !stands(service, &hold).await? {
        look.leftover(
            &hold,
            "the manifest is stored for itself, but only the index says so: its hold is missing",
        );
    }
    Ok(())
}

/// Checks a legacy ID, whose target is kept forever, even after the alias is withdrawn.
async fn alias<P: Ports>(service: &Service<P>, row: AliasRow, look: &mut Look) -> Result<(), Failure> {
    let key = RowKey::Alias(row.id.clone());
    let proof = service.proof_row(&row.proof).await?;
    match &proof {
        None => look.broken(&key, format!("it names the proof {}, which the index does not have", row.proof)),
        Some(proof) if proof.tenant != row.tenant => {
            let (named, owner) = (&row.tenant, &proof.tenant);
            look.broken(&key, format!("it is of the tenant {named}, and its proof {} of {owner}", row.proof));
        }
        Some(_) => {}
    }
    let object = ObjectKey::Alias(row.id.clone());
    // If there is no object, the record names the ID, or no caller was told of it yet.
    if let Some(note) = verified(service, &object, &mut Look::default()).await?
        && AliasNote::parse(&note.content()).is_ok_and(|note| note != AliasNote::of(&row))
    {
        look.leftover(&object, "it contradicts its row: a change was interrupted between the two");
    }
    Ok(())
}
