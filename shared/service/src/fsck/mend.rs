//! The repairs that a check makes by itself. Rows that lag behind their objects are left to [`crate::cleanup`] and
//! [`crate::rebuild`].

use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::row::{ManifestRow, Row, RowKey, State};
use credlink_core::tombstone::Tombstone;

use credlink_ports::{Condition, Failure, Index as _, Lag, Objects as _, Ports, Put, Replicas as _};

use crate::aliases::agree::secure_alias;
use crate::error::Error;
use crate::holds::write_hold;
use crate::rows::claim;
use crate::service::Service;

/// Writes an object that a row requires and that is missing: a tombstone, a hold or an alias object. Returns `true` if
/// one was written.
pub(super) async fn row<P: Ports>(service: &Service<P>, key: &RowKey) -> Result<bool, Error> {
    let Some(row) = service.ports.index().get(key).await? else { return Ok(false) };
    match &row {
        Row::Alias(row) => {
            service.may_change().await?;
            secure_alias(service, &row.id).await?;
            Ok(true)
        }
        Row::Manifest(row) if row.state == State::Live && row.standalone => {
            let hold = ObjectKey::Hold(row.manifest_key(), row.generation);
            if service.ports.objects().head(&hold).await?.is_some() {
                return Ok(false);
            }
            service.may_change().await?;
            write_hold(service, &row.manifest_key(), row.generation).await?;
            Ok(true)
        }
        Row::Proof(_) | Row::Manifest(_) => put_tombstone(service, &row).await,
        Row::LegacyItem(_) | Row::Replica(_) | Row::Store(_) => Ok(false),
    }
}

/// Writes the tombstone of a deleted row, if nothing stands in its place (guarantee 8).
async fn put_tombstone<P: Ports>(service: &Service<P>, row: &Row) -> Result<bool, Error> {
    let Some((tombstone, tenant)) = Tombstone::of(row) else { return Ok(false) };
    let key = match row {
        Row::Proof(row) => ObjectKey::Record(row.id),
        Row::Manifest(row) => ObjectKey::Manifest(row.manifest_key()),
        _ => return Ok(false),
    };
    service.may_destroy().await?;
    let (body, attributes) = tombstone.object(&key, &tenant);
    let put = service.ports.objects().put(&key, body.into(), &attributes, Condition::Absent).await;
    service.changed(&key).await;
    Ok(matches!(put?, Put::Stored(_)))
}

/// Queues the repair of each copy of an object that is missing, stale or damaged. Returns `true` if there was one.
pub(super) async fn object<P: Ports>(service: &Service<P>, key: &str) -> Result<bool, Error> {
    let Ok(key) = key.parse::<ObjectKey>() else { return Ok(false) };
    service.may_repair().await?;
    let lagging = service.ports.objects().copies(&key).await?.lagging;
    for lagging in &lagging {
        service.ports.objects().mend(lagging.replica, &key, lagging.lag != Lag::Missing).await?;
        // Only the row says which of two differing copies counts. A repair asks it, and leaves that copy alone.
        if lagging.lag == Lag::Differing && matches!(key, ObjectKey::Record(_) | ObjectKey::Manifest(_)) {
            service.ports.objects().mend(lagging.replica.other(), &key, true).await?;
        }
    }
    Ok(!lagging.is_empty())
}

/// Corrects the count of holders in a live manifest's row. Returns `true` if it was corrected.
pub(super) async fn holders<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    counted: u32,
) -> Result<bool, Failure> {
    let Some(row) = service.manifest_row(manifest).await?.filter(|row| row.state == State::Live) else {
        return Ok(false);
    };
    let version = row.version;
    let next = ManifestRow { holders: counted, ..row.in_state(State::Live) };
    claim(service, Row::Manifest(next), Some(version)).await
}
