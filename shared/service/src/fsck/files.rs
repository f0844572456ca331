//! Checks the rows and objects of files: each row against its objects and the rows that it names, and each object against
//! its row.

use credlink_core::file::{BlobId, FileId, ListPlace, RenditionName};
use credlink_core::file_record::FileRecord;
use credlink_core::hash::Digest;
use credlink_core::object::{Facts, MediaKey, ObjectKey, Verified};
use credlink_core::row::{BlobRow, FileRow, ListRow, Row, RowKey, State, UploadRow, UploadState};

use credlink_ports::{Failure, FailureKind, Index as _, Ports, Replicas as _};

use super::{Look, gone, stands};
use crate::service::Service;

async fn file_row<P: Ports>(service: &Service<P>, id: &FileId) -> Result<Option<FileRow>, Failure> {
    Ok(service.ports.index().get(&RowKey::File(*id)).await?.and_then(Row::file))
}

async fn blob_row<P: Ports>(service: &Service<P>, id: &BlobId) -> Result<Option<BlobRow>, Failure> {
    Ok(service.ports.index().get(&RowKey::Blob(*id)).await?.and_then(Row::blob))
}

/// Checks that a file has its record, its blob, and its place in a list.
pub(super) async fn file<P: Ports>(
    service: &Service<P>,
    row: &FileRow,
    look: &mut Look,
) -> Result<(), Failure> {
    let key = ObjectKey::Media(MediaKey::File(row.id));
    if row.state != State::Live {
        return gone(service, &key, row.state, look).await;
    }
    if !stands(service, &key).await? {
        look.broken(&key, "the index has a live file whose record is not stored");
    }
    let own = RowKey::File(row.id);
    match blob_row(service, &row.blob()).await? {
        Some(blob) if blob.state == State::Live => {}
        Some(_) => look.broken(&own, format!("its blob {} is deleted", row.blob())),
        None => look.broken(&own, format!("the index does not have its blob {}", row.blob())),
    }
    if let Some(entity) = &row.entity {
        let place = ListPlace { entity: entity.clone(), collection: row.collection.clone() };
        let list = service.ports.index().get(&RowKey::List(row.tenant.clone(), place.clone())).await?;
        if !list.and_then(Row::list).is_some_and(|list| list.files.contains(&row.id)) {
            look.broken(&own, format!("it is said to be in the list {place}, which does not have it"));
        }
    }
    Ok(())
}

/// Checks that a blob has its objects. Whether as many files hold it as it says is checked for all blobs together.
pub(super) async fn blob<P: Ports>(
    service: &Service<P>,
    row: &BlobRow,
    look: &mut Look,
) -> Result<(), Failure> {
    let key = RowKey::Blob(row.id());
    match row.state {
        State::Live => {}
        State::Deleting(at) => {
            look.leftover(&key, format!("a deletion begun on {at} is unfinished"));
            return Ok(());
        }
        State::Deleted(_) => return Ok(()),
    }
    // A finaliser may be writing the objects of a blob that no file holds yet.
    if row.holders == 0 {
        return Ok(());
    }
    let original = ObjectKey::Media(MediaKey::Original(row.id()));
    if !stands(service, &original).await? {
        look.broken(&original, "files hold the blob, and its bytes are not stored");
    }
    for name in &row.renditions {
        let rendition = ObjectKey::Media(MediaKey::Rendition(row.id(), name.clone()));
        if !stands(service, &rendition).await? {
            look.broken(&rendition, "the index has the rendition, and it is not stored");
        }
    }
    Ok(())
}

/// Returns the files of a list that are not there, or that are said to be elsewhere.
pub(super) async fn strangers<P: Ports>(service: &Service<P>, row: &ListRow) -> Result<Vec<FileId>, Failure> {
    let mut strangers = Vec::new();
    for id in row.files.files() {
        let file = file_row(service, id).await?;
        let is_in = |file: &FileRow| {
            file.state == State::Live
                && file.tenant == row.tenant
                && file.collection == row.collection
                && file.entity.as_ref() == Some(&row.entity)
        };
        if !file.is_some_and(|file| is_in(&file)) {
            strangers.push(*id);
        }
    }
    Ok(strangers)
}

/// Checks that a list has files that are in it.
pub(super) async fn list<P: Ports>(
    service: &Service<P>,
    row: &ListRow,
    look: &mut Look,
) -> Result<(), Failure> {
    let key = RowKey::List(row.tenant.clone(), row.place());
    for id in strangers(service, row).await? {
        look.broken(&key, format!("it names the file {id}, which is not there, or not in this list"));
    }
    Ok(())
}

/// Checks that the file of an upload that became one is known.
pub(super) async fn upload<P: Ports>(
    service: &Service<P>,
    row: &UploadRow,
    look: &mut Look,
) -> Result<(), Failure> {
    if let UploadState::Ready { file } = row.state
        && file_row(service, &file).await?.is_none()
    {
        look.broken(
            &RowKey::Upload(row.id),
            format!("it became the file {file}, which the index does not have"),
        );
    }
    Ok(())
}

/// Checks the bytes in quarantine, which are not read: their upload has to need them still.
pub(super) async fn quarantined<P: Ports>(
    service: &Service<P>,
    key: &MediaKey,
    look: &mut Look,
) -> Result<(), Failure> {
    let MediaKey::Upload(_, id) = key else { return Ok(()) };
    let row = service.ports.index().get(&RowKey::Upload(*id)).await?.and_then(Row::upload);
    if row.is_none_or(|row| row.state.needs_no_bytes()) {
        look.orphan(&key, "these bytes were uploaded, and no upload needs them any more");
    }
    Ok(())
}

/// Checks an object of files.
pub(super) async fn object<P: Ports>(
    service: &Service<P>,
    key: &MediaKey,
    found: &Verified,
    look: &mut Look,
) -> Result<(), Failure> {
    match key {
        MediaKey::Upload(..) => Ok(()),
        MediaKey::Original(blob) => part(service, key, blob, None, look).await,
        MediaKey::Rendition(blob, name) => part(service, key, blob, Some(name), look).await,
        MediaKey::File(id) => record(service, key, id, found, look).await,
    }
}

/// Checks the bytes of a blob against its row.
async fn part<P: Ports>(
    service: &Service<P>,
    key: &MediaKey,
    blob: &BlobId,
    name: Option<&RenditionName>,
    look: &mut Look,
) -> Result<(), Failure> {
    match blob_row(service, blob).await? {
        None => look.orphan(&key, "the index does not have its blob"),
        Some(row) => match row.state {
            State::Live if row.holders > 0 && name.is_some_and(|name| !row.renditions.contains(name)) => {
                look.orphan(&key, "a rendition was made, and interrupted before the index had it");
            }
            // The finding about the row reports what is unfinished.
            State::Live | State::Deleting(_) => {}
            State::Deleted(_) => look.orphan(&key, "its blob was deleted"),
        },
    }
    Ok(())
}

/// Checks a record, or its tombstone, against the row, and that what the record names is stored.
async fn record<P: Ports>(
    service: &Service<P>,
    key: &MediaKey,
    id: &FileId,
    found: &Verified,
    look: &mut Look,
) -> Result<(), Failure> {
    let row = file_row(service, id).await?;
    if found.facts().tombstone {
        if row.is_some_and(|row| row.state == State::Live) {
            look.broken(&key, "the index has a live file whose record is deleted");
        }
        return Ok(());
    }
    let record = match FileRecord::parse(&found.content()) {
        Ok(record) if record.id == *id => record,
        Ok(record) => {
            look.broken(&key, format!("it is the record of the file {}", record.id));
            return Ok(());
        }
        Err(error) => {
            look.broken(&key, error.to_string());
            return Ok(());
        }
    };
    let Some(row) = row else {
        look.orphan(
            &key,
            "it has no row: a finaliser was interrupted before it wrote the row, or the index is older",
        );
        return Ok(());
    };
    match row.state {
        State::Deleting(_) => return Ok(()),
        State::Deleted(_) => {
            look.broken(&key, "the index has the file as deleted, and its record is stored");
            return Ok(());
        }
        State::Live if record.revision > row.revision => {
            look.leftover(&key, "its row is out of date: a change was interrupted before it updated the row");
        }
        State::Live if record.revision < row.revision => {
            look.broken(&key, "the record is of an earlier revision than the index says");
        }
        State::Live if found.facts().sha256 != row.record_sha256 => {
            look.broken(&key, "the record differs from the one that the index records");
        }
        State::Live => {}
    }
    let original = MediaKey::Original(record.blob);
    named(service, key, original, (*record.media_hash.digest(), record.bytes), look).await?;
    for rendition in &record.renditions {
        let part = MediaKey::Rendition(record.blob, rendition.name.clone());
        named(service, key, part, (rendition.sha256, rendition.bytes), look).await?;
    }
    Ok(())
}

/// Checks that the bytes that a record names are stored.
async fn named<P: Ports>(
    service: &Service<P>,
    record: &MediaKey,
    part: MediaKey,
    (sha256, bytes): (Digest, u64),
    look: &mut Look,
) -> Result<(), Failure> {
    let part = ObjectKey::Media(part);
    let head = match service.ports.objects().copies_by_head(&part).await {
        // The check of the object itself reports the damage.
        Err(failure) if failure.kind == FailureKind::Damaged => return Ok(()),
        copies => copies?.newest,
    };
    match head.and_then(|head| Facts::read(&head.attributes).ok()) {
        None => look.broken(&record, format!("it names {part}, which is not stored")),
        Some(facts) if facts.sha256 != sha256 || facts.length != bytes => {
            look.broken(&record, format!("it names other bytes under {part} than are stored"));
        }
        Some(_) => {}
    }
    Ok(())
}
