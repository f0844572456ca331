//! The steps of a deletion, which every use case that meets one takes: [`delete`](mod@crate::delete) says in which order.
//!
//! | to find | look in |
//! |---|---|
//! | the row that says *deleting*, and what follows it | here |
//! | deleting or undoing an object without a row | `undo` |
//! | keeping a copy of what is removed | `kept` |

pub(crate) mod kept;
pub(crate) mod undo;

use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::row::{ManifestRow, ProofRow, Row, State};
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;

use credlink_ports::{
    Commit, Condition, Failure, FailureKind, Index as _, Objects as _, Ports, Put, Replicas as _, Write,
};

use crate::holds::drop_hold;
use crate::rows::claim;
use crate::service::{MAX_ATTEMPTS, Service};

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
    let Some((tombstone, tenant)) = Tombstone::of(deleted) else { return Ok(()) };
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
        let (body, attributes) = tombstone.object(key, &tenant);
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
