//! Restores removed orphans, whose copies are kept for some days (guarantee 10).

use credlink_core::bounds::REMOVED_GRACE_SECONDS;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, MediaKey, ObjectKey, Verified};
use credlink_core::row::State;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;
use serde::Serialize;

use credlink_ports::{Condition, Objects as _, Ports, Put};

use crate::amounts::correct_quotas;
use crate::error::Error;
use crate::file_rows::{Followed, follow_record};
use crate::holds::write_hold;
use crate::reconcile::hold::follow_hold;
use crate::reconcile::{Reconciled, reconcile};
use crate::service::Service;

/// The results of restoring removed objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Objects that were put back in their places.
    pub restored: u64,
    /// Objects whose places have been taken since, or that their owner deleted. They stay among the removed objects.
    pub taken: u64,
    /// Objects that could not be restored; the reasons are logged.
    pub failed: u64,
}

/// Returns `true` if the days for which a removed object is kept are over.
pub(super) fn is_over(key: &ObjectKey, now: Timestamp) -> bool {
    matches!(key, ObjectKey::Removed(at, _) if at.plus_seconds(REMOVED_GRACE_SECONDS) <= now)
}

/// Restores the orphans that were removed since then, or all of them. An object that a client has stored in their place
/// stays.
///
/// # Errors
/// Nothing may be stored now, and the error says why; or a listing failed. Restored objects stay restored, and a
/// repeated call continues the work.
pub async fn bring_back<P: Ports>(service: &Service<P>, since: Option<Timestamp>) -> Result<Restored, Error> {
    service.may_change().await?;
    let mut done = Restored::default();
    let (mut manifests, mut files) = (Vec::new(), Vec::new());
    // Manifests come first: a record is adopted only if its manifest is stored.
    for records in [false, true] {
        let mut after = None;
        loop {
            let page = service.ports.objects().list(ObjectKey::REMOVED, after.as_deref(), 1_000).await?;
            for listed in page.items {
                let Ok(kept @ ObjectKey::Removed(..)) = listed.key.parse() else { continue };
                let ObjectKey::Removed(at, key) = &kept else { continue };
                let is_record = matches!(**key, ObjectKey::Record(_));
                if is_record != records || since.is_some_and(|since| *at < since) {
                    continue;
                }
                match restore(service, &kept, key).await {
                    Ok(true) => {
                        done.restored += 1;
                        match &**key {
                            ObjectKey::Manifest(manifest) => manifests.push(manifest.clone()),
                            ObjectKey::Media(MediaKey::File(file)) => files.push(*file),
                            _ => {}
                        }
                    }
                    Ok(false) => done.taken += 1,
                    Err(error) => {
                        let error = error.problem().detail;
                        tracing::warn!(key = %kept, error, "an orphan was not brought back");
                        done.failed += 1;
                    }
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    for manifest in manifests {
        if let Err(error) = hold_alone(service, &manifest).await {
            let error = error.problem().detail;
            tracing::warn!(%manifest, error, "a manifest that was brought back is held by nothing");
            done.failed += 1;
        }
    }
    let are_there_files = !files.is_empty();
    for file in files {
        // Its bytes are back, too.
        match follow_record(service, &file, true).await {
            Ok(Followed::Right | Followed::Changed) => {}
            Ok(Followed::Leftover) => done.failed += 1,
            Ok(Followed::Lost(why)) => {
                tracing::warn!(%file, why, "a file that was brought back has no row");
                done.failed += 1;
            }
            Err(error) => {
                let error = error.problem().detail;
                tracing::warn!(%file, error, "a file that was brought back has no row");
                done.failed += 1;
            }
        }
    }
    if are_there_files {
        correct_quotas(service).await?;
    }
    service.announce().await;
    Ok(done)
}

/// Holds a restored manifest for itself if no proof holds it; otherwise it would be collected again.
async fn hold_alone<P: Ports>(service: &Service<P>, manifest: &ManifestKey) -> Result<(), Error> {
    if service.manifest_row(manifest).await?.is_some_and(|row| row.state == State::Live) {
        return Ok(());
    }
    let Some(facts) = service.manifest_facts(manifest).await? else { return Ok(()) };
    write_hold(service, manifest, facts.generation).await?;
    follow_hold(service, manifest, facts.generation).await?;
    Ok(())
}

/// Restores one object if its place is free. Returns `true` if the object is in its place.
async fn restore<P: Ports>(service: &Service<P>, kept: &ObjectKey, key: &ObjectKey) -> Result<bool, Error> {
    let Some(object) = service.ports.objects().get(kept).await? else { return Ok(true) };
    let verified = Verified::check(object.clone()).map_err(|damage| service.damaged(kept, &damage))?;
    let (condition, last) = match service.current(key).await? {
        None => (Condition::Absent, None),
        Some(current) if current.verified.facts().tombstone => {
            let tombstone = Tombstone::parse(&current.verified.content());
            let tombstone = tombstone.map_err(|error| service.damaged(key, &error))?;
            // The owner deleted the object, before it was put back from elsewhere or since. It stays deleted (guarantee
            // 8).
            if !tombstone.void {
                return Ok(false);
            }
            (Condition::Matches(current.tag), Some(tombstone.last))
        }
        // The object was restored before, or something else has been stored there.
        Some(current) => {
            let is_back = current.verified.facts().sha256 == verified.facts().sha256;
            if is_back {
                follow(service, key).await?;
                service.ports.objects().delete(kept).await?;
            }
            return Ok(is_back);
        }
    };
    // Stored in a distinct form, so that the tag does not match a removal that arrives late (see `ObjectKey::at_rest`).
    let content = verified.content();
    let generation = match (key, last) {
        (ObjectKey::Manifest(_), Some(last)) => last.saturating_add(1),
        _ => verified.facts().generation,
    };
    let form = match key {
        ObjectKey::Manifest(_) => generation,
        _ => u32::try_from(service.now().seconds()).unwrap_or(u32::MAX),
    };
    let at_rest = key.at_rest(&content, form);
    let facts = Facts { coding: at_rest.coding, generation, ..verified.facts().clone() };
    let attributes = facts.attributes(key, object.head.attributes.tags);
    let body = at_rest.bytes.into_owned().into();
    let put = service.ports.objects().put(key, body, &attributes, condition).await?;
    service.changed(key).await;
    if put == Put::Lost {
        return Ok(false);
    }
    follow(service, key).await?;
    service.ports.objects().delete(kept).await?;
    Ok(true)
}

/// Makes the row of a restored object follow. Manifests wait for the objects that name them.
async fn follow<P: Ports>(service: &Service<P>, key: &ObjectKey) -> Result<(), Error> {
    let followed = match key {
        ObjectKey::Record(id) => reconcile(service, id).await?,
        ObjectKey::Hold(manifest, generation) => follow_hold(service, manifest, *generation).await?,
        ObjectKey::Revision(..)
        | ObjectKey::Manifest(_)
        | ObjectKey::Front(_)
        | ObjectKey::Alias(_)
        | ObjectKey::Removed(..)
        | ObjectKey::Identity
        | ObjectKey::Media(_) => return Ok(()),
    };
    match followed {
        Reconciled::Right | Reconciled::Changed => Ok(()),
        Reconciled::Orphan => Err(service.damaged(key, &"its manifest is not there").into()),
        Reconciled::Risen => Err(service.damaged(key, &"its row says that it was deleted").into()),
        Reconciled::Broken(why) => Err(service.damaged(key, &why).into()),
    }
}
