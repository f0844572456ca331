//! Changing the visibility of a manifest. Its owner can withdraw a manifest that was published by mistake without
//! deleting the history of the proofs that hold it.
//!
//! The manifest is overwritten by itself in its next generation, as if it had been deleted and stored again at once, so
//! that every older copy can be recognized as old (guarantee 8). The row is written first. A deletion relies on the
//! row, so no generation is used twice, whatever runs concurrently; and a request that is cut off leaves a row that
//! records the intended state of the object, which a repeated request or cleanup brings about.

use credlink_core::access::Visibility;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::manifest::Manifest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::row::{ManifestRow, Row, State};

use credlink_ports::{Condition, Ports};

use crate::error::{Error, contended};
use crate::front::Arrival;
use crate::holds::{drop_hold, write_hold};
use crate::rows::claim;
use crate::service::{MAX_ATTEMPTS, Service};

/// Makes a manifest public, or private to its tenant.
///
/// # Errors
/// The manifest does not exist (404) or is deleted (410); or a failure. A repeated call continues the work.
pub async fn change_visibility<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    visibility: Visibility,
) -> Result<(), Error> {
    for _ in 0..MAX_ATTEMPTS {
        let absent = || {
            Problem::new(
                ProblemKind::NotFound,
                format!("this tenant has no manifest with the id {}", manifest.id),
            )
        };
        let row = service.manifest_row(manifest).await?.ok_or_else(absent)?;
        match row.state {
            State::Live => {}
            State::Deleting(_) | State::Deleted(_) if row.void => return Err(absent().into()),
            State::Deleting(at) | State::Deleted(at) => {
                return Err(Problem::deleted(at).into());
            }
        }
        if row.visibility == visibility {
            if bring_up(service, &row).await? {
                service.claim_front(manifest, visibility, Arrival::Earlier).await;
                return Ok(());
            }
            continue;
        }
        // The object must match the row before the row changes.
        if !bring_up(service, &row).await? {
            continue;
        }
        if !row.void && row.visibility == Visibility::Public {
            service.keep_front(manifest).await?;
        }
        service.intend(&ObjectKey::Manifest(manifest.clone())).await?;
        let generation = row.generation.saturating_add(1);
        let next = ManifestRow { generation, visibility, ..row.in_state(State::Live) };
        claim(service, Row::Manifest(next), Some(row.version)).await?;
    }
    Err(contended())
}

/// Brings the object of a live manifest to the generation and visibility of its row. Returns `true` if the object
/// matches; otherwise the row must be read again.
///
/// # Errors
/// The manifest is not stored, or differs from the row; or a failure of a provider.
pub(crate) async fn bring_up<P: Ports>(service: &Service<P>, row: &ManifestRow) -> Result<bool, Error> {
    let manifest = row.manifest_key();
    let key = ObjectKey::Manifest(manifest.clone());
    let current = service.current(&key).await?;
    let is_as_before = service.manifest_row(&manifest).await?.is_some_and(|now| now.version == row.version);
    if !is_as_before {
        return Ok(false);
    }
    let Some(current) = current.filter(|current| !current.verified.facts().tombstone) else {
        return Err(service.damaged(&key, &"the index has a live manifest that is not stored").into());
    };
    let facts = current.verified.facts();
    if facts.sha256 != row.sha256 || facts.generation > row.generation {
        return Err(service
            .damaged(&key, &"the manifest differs from the one that the index records")
            .into());
    }
    if facts.generation < row.generation || facts.visibility != row.visibility {
        let content = service
            .read(current.verified.content(), |content| {
                Manifest::c2pa(content)
                    .map_err(|error| Problem::new(ProblemKind::InvalidManifest, error.to_string()))
            })
            .await?;
        if row.standalone {
            write_hold(service, &manifest, row.generation).await?;
        }
        let condition = Condition::Matches(current.tag);
        let put = service.put_manifest(&manifest, &content, row.visibility, row.generation, condition).await;
        // After a failure too, since the write may have happened.
        service.changed(&key).await;
        if !put? {
            return Ok(false);
        }
    }
    // Again, because an earlier request may have been cut off before it announced the change.
    service.changed(&key).await;
    if let Some(before) = row.generation.checked_sub(1).filter(|_| row.standalone) {
        drop_hold(service, &manifest, before).await?;
    }
    Ok(true)
}
