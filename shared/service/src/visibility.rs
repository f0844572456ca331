//! Changing who may read a manifest: its owner can withdraw one that was published by mistake, without the history of the proofs
//! that hold it.
//!
//! The manifest is stored again over itself, in its next generation, as if it had been deleted and stored again at once: so every
//! copy that is older is known as such (guarantee 8). The row goes first. It is what a deletion goes by, so that no generation is
//! used twice, whatever is under way; and a request that is cut off leaves a row that says what the object is to become, which the
//! same request again, or cleanup, brings about.

use credlink_core::access::Visibility;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::manifest::Manifest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::row::{ManifestRow, Row, State};

use credlink_ports::{Condition, Ports};

use crate::delete::claim;
use crate::error::{Error, contended};
use crate::front::Arrival;
use crate::holds::{drop_hold, write_hold};
use crate::service::{MAX_ATTEMPTS, Service};

/// Lets everybody read a manifest, or its tenant alone.
///
/// # Errors
/// No such manifest (404), or a deleted one (410); or a failure. The same again goes on.
pub async fn change_visibility<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    visibility: Visibility,
) -> Result<(), Error> {
    for _ in 0..MAX_ATTEMPTS {
        let absent = || {
            Problem::new(Kind::NotFound, format!("this tenant has no manifest with the id {}", manifest.id))
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
        // What stands there has to be what the row says before the row says something else.
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

/// Has a live manifest stand in its place in the generation and for the readers that its row says. Returns `true` if it does by
/// now; otherwise the row has to be looked at again.
///
/// # Errors
/// The manifest is not stored, or is another one; or a failure of a provider.
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
                    .map_err(|error| Problem::new(Kind::InvalidManifest, error.to_string()))
            })
            .await?;
        if row.standalone {
            write_hold(service, &manifest, row.generation).await?;
        }
        let condition = Condition::Matches(current.tag);
        let put = service.put_manifest(&manifest, &content, row.visibility, row.generation, condition).await;
        // Also after a failure: the write may have happened.
        service.changed(&key).await;
        if !put? {
            return Ok(false);
        }
    }
    // Again, for a request that was cut off before it could say so.
    service.changed(&key).await;
    if let Some(before) = row.generation.checked_sub(1).filter(|_| row.standalone) {
        drop_hold(service, &manifest, before).await?;
    }
    Ok(true)
}
