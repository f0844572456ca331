//! The repairs that a check makes by itself. Rows that lag behind their objects are left to [`crate::cleanup`] and
//! [`crate::rebuild`].

use credlink_core::file::{FileId, FileList, ListPlace};
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, MediaKey, ObjectKey};
use credlink_core::row::{FileRow, ListRow, ManifestRow, Row, RowKey, State};
use credlink_core::tombstone::Tombstone;

use credlink_ports::{Condition, Failure, Index as _, Lag, Objects as _, Ports, Put, Replicas as _};

use super::files;
use crate::aliases::agree::secure_alias;
use crate::error::Error;
use crate::file_rows::{Followed, follow_record, into_list, list_row};
use crate::holds::write_hold;
use crate::removal::kept::keep;
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
        Row::List(row) => without_strangers(service, row).await,
        Row::File(file) if file.state == State::Live => into_its_list(service, file).await,
        Row::Proof(_) | Row::Manifest(_) | Row::File(_) => put_tombstone(service, &row).await,
        Row::LegacyItem(_)
        | Row::Replica(_)
        | Row::Store(_)
        | Row::Blob(_)
        | Row::Upload(_)
        | Row::Quota(_) => Ok(false),
    }
}

/// Writes the tombstone of a deleted row, if nothing stands in its place (guarantee 8).
async fn put_tombstone<P: Ports>(service: &Service<P>, row: &Row) -> Result<bool, Error> {
    let Some((tombstone, tenant)) = Tombstone::of(row) else { return Ok(false) };
    let key = match row {
        Row::Proof(row) => ObjectKey::Record(row.id),
        Row::Manifest(row) => ObjectKey::Manifest(row.manifest_key()),
        Row::File(row) => ObjectKey::Media(MediaKey::File(row.id)),
        _ => return Ok(false),
    };
    service.may_destroy().await?;
    let (body, attributes) = tombstone.object(&key, &tenant);
    let put = service.ports.objects().put(&key, body.into(), &attributes, Condition::Absent).await;
    service.changed(&key).await;
    Ok(matches!(put?, Put::Stored(_)))
}

/// Takes the files out of a list that are not there, or not in it. Returns `true` if there was one.
async fn without_strangers<P: Ports>(service: &Service<P>, row: &ListRow) -> Result<bool, Error> {
    let strangers = files::strangers(service, row).await?;
    let rest = row.files.files().iter().filter(|id| !strangers.contains(id)).copied().collect();
    let Ok(rest) = FileList::new(rest) else { return Ok(false) };
    if strangers.is_empty() {
        return Ok(false);
    }
    service.may_change().await?;
    Ok(claim(service, Row::List(row.with(rest)), Some(row.version)).await?)
}

/// Puts a file into the list that it is said to be in, if it is not there and the list has room. Returns `true` if it was put
/// there.
async fn into_its_list<P: Ports>(service: &Service<P>, row: &FileRow) -> Result<bool, Error> {
    let Some(entity) = row.entity.clone() else { return Ok(false) };
    let place = ListPlace { entity, collection: row.collection.clone() };
    if list_row(service, &row.tenant, &place).await?.files.contains(&row.id) {
        return Ok(false);
    }
    let Some(list) = into_list(service, row).await? else { return Ok(false) };
    service.may_change().await?;
    let expected = list.version.checked_sub(1).filter(|version| *version > 0);
    Ok(claim(service, Row::List(list), expected).await?)
}

/// Removes an object of files that belongs to nothing, and keeps a copy for some days. Returns `true` if it was removed.
pub(super) async fn orphan<P: Ports>(service: &Service<P>, key: &str) -> Result<bool, Error> {
    let Ok(key @ ObjectKey::Media(_)) = key.parse::<ObjectKey>() else { return Ok(false) };
    service.may_destroy().await?;
    // Bytes in quarantine were never checked, and are not kept.
    if !matches!(key, ObjectKey::Media(MediaKey::Upload(..))) {
        keep(service, &key).await?;
    }
    service.ports.objects().delete(&key).await?;
    service.changed(&key).await;
    Ok(true)
}

/// Puts the tombstone of a deleted file in the place of its record, if that is present again, and keeps a copy of the record
/// for some days. Returns `true` if it was put away.
async fn put_away<P: Ports>(service: &Service<P>, key: &ObjectKey, id: &FileId) -> Result<bool, Error> {
    let Some(row) = service.ports.index().get(&RowKey::File(*id)).await? else { return Ok(false) };
    let Some((tombstone, tenant)) = Tombstone::of(&row) else { return Ok(false) };
    let Some(head) = service.ports.objects().head(key).await? else { return Ok(false) };
    if Facts::read(&head.attributes).is_ok_and(|facts| facts.tombstone) {
        return Ok(false);
    }
    service.may_destroy().await?;
    keep(service, key).await?;
    let (body, attributes) = tombstone.object(key, &tenant);
    let condition = Condition::Matches(head.tag);
    let put = service.ports.objects().put(key, body.into(), &attributes, condition).await;
    service.changed(key).await;
    Ok(matches!(put?, Put::Stored(_)))
}

/// Queues the repair of each copy of an object that is missing, stale or damaged, and makes the rows of a file follow its
/// record. Returns `true` if there was something to do.
pub(super) async fn object<P: Ports>(service: &Service<P>, key: &str) -> Result<bool, Error> {
    let Ok(key) = key.parse::<ObjectKey>() else { return Ok(false) };
    if let ObjectKey::Media(MediaKey::File(id)) = &key
        && service.may_change().await.is_ok()
        && follow_record(service, id, false).await? == Followed::Changed
    {
        return Ok(true);
    }
    if let ObjectKey::Media(MediaKey::File(id)) = &key
        && put_away(service, &key, id).await?
    {
        return Ok(true);
    }
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
