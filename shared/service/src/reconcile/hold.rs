//! Bringing a manifest's row up to date with its hold.

use credlink_core::manifest_key::ManifestKey;
use credlink_core::note::HoldNote;
use credlink_core::object::ObjectKey;
use credlink_core::row::State;

use credlink_ports::Ports;

use super::Reconciled;
use crate::error::{Error, contended};
use crate::guard::may_follow;
use crate::publish::{Published, Reference};
use crate::removal::finish_manifest;
use crate::service::{MAX_ATTEMPTS, Service};

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
