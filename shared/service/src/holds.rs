//! Holds: objects which record that a manifest was stored for itself, so that this is not lost with the index.

use credlink_core::manifest_key::ManifestKey;
use credlink_core::note::HoldNote;
use credlink_core::object::ObjectKey;
use credlink_core::row::State;

use credlink_ports::{Condition, Failure, Objects as _, Ports, Put};

use crate::delete::finish_manifest;
use crate::error::{Error, contended};
use crate::publish::{Published, Reference};
use crate::reconcile::{Reconciled, may_follow};
use crate::service::{MAX_ATTEMPTS, Service};

/// Writes the hold of a manifest in `generation`, unless it exists. Returns `true` if it was written.
pub async fn write_hold<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    generation: u32,
) -> Result<bool, Failure> {
    let key = ObjectKey::Hold(manifest.clone(), generation);
    let (body, attributes) =
        HoldNote::new(manifest.id.clone(), manifest.tenant.clone()).object(generation, service.now());
    let put = service.ports.objects().put(&key, body.into(), &attributes, Condition::Absent).await?;
    Ok(matches!(put, Put::Stored(_)))
}

/// Removes the hold of a manifest in `generation`. A later life of the manifest never has this generation, so a late
/// removal does no harm.
pub async fn drop_hold<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    generation: u32,
) -> Result<(), Failure> {
    service.ports.objects().delete(&ObjectKey::Hold(manifest.clone(), generation)).await
}

/// Makes the row of a manifest follow its hold, after a store was cut off before the row, or where the index is older
/// than the store.
///
/// # Errors
/// A failure of a provider or the index; a repeated call continues the work.
pub(crate) async fn follow_hold<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    generation: u32,
) -> Result<Reconciled, Error> {
    may_follow(service).await?;
    let key = ObjectKey::Hold(manifest.clone(), generation);
    for _ in 0..MAX_ATTEMPTS {
        let row = service.manifest_row(manifest).await?;
        match &row {
            Some(row) if row.state == State::Live && row.generation == generation && row.standalone => {
                return Ok(Reconciled::Right);
            }
            // The hold belongs to an earlier life of the manifest.
            Some(row) if row.generation > generation => return Ok(Reconciled::Orphan),
            Some(row) => match row.state {
                // The object may belong to a later life; the commit decides.
                State::Deleting(_) if service.spares => {}
                State::Deleting(_) => {
                    service.may_destroy().await?;
                    finish_manifest(service, row).await?;
                    continue;
                }
                State::Deleted(_) if row.generation >= generation => return Ok(Reconciled::Orphan),
                State::Live | State::Deleted(_) => {}
            },
            None => {}
        }
        let Some(current) = service.current(&key).await? else { return Ok(Reconciled::Right) };
        let note = HoldNote::parse(&current.verified.content());
        let note = note.map_err(|error| service.damaged(&key, &error))?;
        let noted = ManifestKey::new(&note.tenant, &note.manifest);
        if noted != *manifest {
            let why = format!("its key holds the hold of the manifest {noted}");
            return Err(service.damaged(&key, &why).into());
        }
        let Some(facts) = service.manifest_facts(manifest).await? else { return Ok(Reconciled::Orphan) };
        if facts.generation != generation {
            return Ok(Reconciled::Orphan);
        }
        let reference = Reference { standalone: true, ..Reference::found(manifest, &facts) };
        match service.commit(None, &[reference], &[]).await {
            Ok(Published::Done) => return Ok(Reconciled::Changed),
            Ok(Published::ManifestGone) if service.spares => return Ok(Reconciled::Orphan),
            Ok(Published::Lost(_) | Published::ManifestGone) => {}
            Err(Error::Problem(problem)) => return Ok(Reconciled::Broken(problem.detail)),
            Err(failure) => return Err(failure),
        }
    }
    Err(contended())
}
