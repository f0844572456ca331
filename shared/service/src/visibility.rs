//! Changing who may read a manifest: its owner can withdraw one that was published by mistake, without the history of the proofs
//! that hold it.
//!
//! The manifest takes its own place in its next generation, as if it had been deleted and stored again at once: so every
//! copy that is older is known as such (guarantee 8). A request that is cut off leaves the object ahead of its row, which
//! the same request again, or a walk of cleanup, lets follow.

use credlink_core::access::Visibility;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::manifest::Manifest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::row::{ManifestRow, Row, State};

use crate::delete::claim;
use crate::error::{Error, contended};
use crate::holds::{drop_hold, write_hold};
use crate::ports::{Condition, Failure, Ports};
use crate::service::{MAX_ATTEMPTS, Service};

/// Lets everybody read a manifest, or its tenant alone.
///
/// # Errors
/// No such manifest (404), or a deleted one (410); or a failure. The same again goes on.
pub(crate) async fn change_visibility<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    visibility: Visibility,
) -> Result<(), Error> {
    let key = ObjectKey::Manifest(manifest.clone());
    for _ in 0..MAX_ATTEMPTS {
        let absent = || {
            Problem::new(Kind::NotFound, format!("this tenant has no manifest with the id {}", manifest.id))
        };
        let row = service.manifest_row(manifest).await?.ok_or_else(absent)?;
        match row.state {
            State::Live => {}
            State::Deleting(_) | State::Deleted(_) if row.void => return Err(absent().into()),
            State::Deleting(at) | State::Deleted(at) => {
                return Err(Problem::new(Kind::Deleted, format!("this was deleted on {at}")).into());
            }
        }
        let Some(current) = service.current(&key).await? else {
            return Err(service.damaged(&key, &"the index has a live manifest that is not stored").into());
        };
        let facts = current.verified.facts();
        if facts.tombstone {
            return Err(service.damaged(&key, &"the index has a live manifest that is deleted").into());
        }
        if facts.visibility == visibility {
            if follow(service, &row, facts).await? {
                service.claim_front(manifest, visibility).await;
                return Ok(());
            }
            continue;
        }
        let generation = facts.generation.saturating_add(1);
        if row.standalone {
            write_hold(service, manifest, generation).await?;
        }
        let content =
            Manifest::c2pa(current.verified.content()).map_err(|error| service.damaged(&key, &error))?;
        let condition = Condition::Matches(current.tag);
        service.put_manifest(manifest, &content, visibility, generation, condition).await?;
        service.changed(&key).await;
    }
    Err(contended())
}

/// Lets the row of a live manifest follow what stands in its place: the same content, of a later generation. Returns `true` if
/// the row says by now what the object does.
///
/// # Errors
/// A failure of a provider or the index.
pub(crate) async fn follow<P: Ports>(
    service: &Service<P>,
    row: &ManifestRow,
    facts: &Facts,
) -> Result<bool, Failure> {
    if row.generation == facts.generation && row.visibility == facts.visibility {
        return Ok(true);
    }
    if row.sha256 != facts.sha256 || row.generation > facts.generation {
        return Ok(false);
    }
    let (generation, visibility) = (facts.generation, facts.visibility);
    let next = ManifestRow { generation, visibility, ..row.in_state(State::Live) };
    if !claim(service, Row::Manifest(next), Some(row.version)).await? {
        return Ok(false);
    }
    if row.standalone {
        drop_hold(service, &row.manifest_key(), row.generation).await?;
    }
    Ok(true)
}
