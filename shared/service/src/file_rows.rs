//! Rows that follow the record of a file, where the index is older than the objects, or was lost.
//!
//! A record has all of a file's row but the time since which the file has been in no list. So a file that is in no list when
//! its row is restored stays until somebody deletes it. The order of a list is in no object: files come back in the order in
//! which they became ready.

use credlink_core::file::{BlobId, FileId, FileList, ListPlace};
use credlink_core::file_record::FileRecord;
use credlink_core::hash::Digest;
use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::row::{BlobRow, FileRow, ListRow, Row, RowKey, State};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;

use credlink_ports::{Commit, Failure, Index as _, Objects as _, Ports, Write};

use crate::error::{Error, contended};
use crate::service::{MAX_ATTEMPTS, Service};

/// The outcome for the rows of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// The rows agreed with the record already.
    Right,
    /// The rows agree with the record now.
    Changed,
    /// The record has no row, and none is made of it.
    Leftover,
    /// The row and the objects contradict each other.
    Lost(String),
}

/// Returns the row of a list, or an empty one of version 0 if there is none.
pub(crate) async fn list_row<P: Ports>(
    service: &Service<P>,
    tenant: &Tenant,
    place: &ListPlace,
) -> Result<ListRow, Failure> {
    let row = service.ports.index().get(&RowKey::List(tenant.clone(), place.clone())).await?;
    Ok(row.and_then(Row::list).unwrap_or_else(|| ListRow::empty(tenant, place)))
}

async fn file_row<P: Ports>(service: &Service<P>, id: &FileId) -> Result<Option<FileRow>, Failure> {
    Ok(service.ports.index().get(&RowKey::File(*id)).await?.and_then(Row::file))
}

/// A step towards rows that agree with the record.
enum Step {
    Done(Followed),
    Write(Vec<Row>),
}

/// Makes the rows of a file follow its record, or the tombstone in its place: its own row, its blob and its list. Quotas are
/// left alone. With `adopts`, a record without a row gets one; otherwise it is what a finaliser left that was cut off.
///
/// # Errors
/// Others keep changing the rows; or a failure.
pub(crate) async fn follow_record<P: Ports>(
    service: &Service<P>,
    id: &FileId,
    adopts: bool,
) -> Result<Followed, Error> {
    let key = ObjectKey::Media(MediaKey::File(*id));
    for _ in 0..MAX_ATTEMPTS {
        let Some(current) = service.current(&key).await? else { return Ok(Followed::Right) };
        let row = file_row(service, id).await?;
        let step = if current.verified.facts().tombstone {
            let tombstone = Tombstone::parse(&current.verified.content());
            by_tombstone(service, tombstone.map_err(|error| service.damaged(&key, &error))?, row).await?
        } else {
            let record = FileRecord::parse(&current.verified.content());
            let record = record.map_err(|error| service.damaged(&key, &error))?;
            if record.id != *id {
                return Ok(Followed::Lost(format!("it is the record of the file {}", record.id)));
            }
            by_record(service, &record, current.verified.facts().sha256, row, adopts).await?
        };
        let rows = match step {
            Step::Done(followed) => return Ok(followed),
            Step::Write(rows) => rows,
        };
        let writes: Vec<Write> = rows
            .into_iter()
            .map(|row| Write { expected: Some(row.version() - 1).filter(|version| *version > 0), row })
            .collect();
        if service.write_rows(&writes).await? == Commit::Done {
            return Ok(Followed::Changed);
        }
    }
    Err(contended())
}

async fn by_tombstone<P: Ports>(
    service: &Service<P>,
    tombstone: Tombstone,
    row: Option<FileRow>,
) -> Result<Step, Failure> {
    let Some(row) = row else {
        let kept = tombstone.row.and_then(|row| row.file());
        return Ok(match kept {
            Some(kept) => Step::Write(vec![Row::File(FileRow { version: 1, ..kept })]),
            None => Step::Done(Followed::Right),
        });
    };
    match row.state {
        // Cleanup finishes the deletion.
        State::Deleting(_) | State::Deleted(_) => Ok(Step::Done(Followed::Right)),
        State::Live if tombstone.last < row.revision => {
            let what = "the index has a live file whose record is deleted";
            Ok(Step::Done(Followed::Lost(what.to_owned())))
        }
        State::Live => {
            let deleted = row.in_state(State::Deleted(tombstone.deleted));
            let mut rows = vec![Row::File(FileRow { entity: None, unattached: None, ..deleted })];
            rows.extend(out_of_list(service, &row).await?.map(Row::List));
            let blob = blob_row(service, &row.tenant, &row.blob()).await?;
            rows.extend(blob.map(|blob| Row::Blob(blob.released(service.now()))));
            Ok(Step::Write(rows))
        }
    }
}

async fn by_record<P: Ports>(
    service: &Service<P>,
    record: &FileRecord,
    sha256: Digest,
    row: Option<FileRow>,
    adopts: bool,
) -> Result<Step, Failure> {
    let lost = |what: &str| Ok(Step::Done(Followed::Lost(what.to_owned())));
    let Some(row) = row else {
        if !adopts {
            return Ok(Step::Done(Followed::Leftover));
        }
        let new = FileRow::first(record, sha256);
        // The row comes first: a process that removes the bytes meanwhile changes it, and then this one is not written.
        let Some(blob) = held(service, record).await? else {
            return lost("its bytes are being removed; try again in an hour");
        };
        let original = ObjectKey::Media(MediaKey::Original(record.blob));
        if service.ports.objects().head(&original).await?.is_none() {
            return lost("the bytes of the file are not stored");
        }
        let mut rows = vec![Row::Blob(blob)];
        if record.entity.is_some() {
            match into_list(service, &new).await? {
                Some(list) => rows.push(Row::List(list)),
                None => return lost("its list has no room for it"),
            }
        }
        rows.push(Row::File(new));
        return Ok(Step::Write(rows));
    };
    match row.state {
        State::Deleting(_) => Ok(Step::Done(Followed::Right)),
        State::Deleted(_) => {
            lost("the index has the file as deleted, and its record is there: it was put back from elsewhere")
        }
        State::Live if record.revision < row.revision => {
            lost("the record is of an earlier revision than the index says")
        }
        State::Live if record.revision == row.revision => {
            if sha256 == row.record_sha256 {
                return Ok(Step::Done(Followed::Right));
            }
            lost("the record differs from the one that the index records")
        }
        State::Live => {
            let next = FileRow { version: row.version + 1, ..FileRow::first(record, sha256) };
            let mut rows = Vec::new();
            let next = if record.entity == row.entity {
                FileRow { unattached: row.unattached, ..next }
            } else if !adopts {
                // A change to a list comes before the record follows it, unless the index is older. Then a rebuild decides.
                if !service.trusts_index().await? {
                    return Ok(Step::Done(Followed::Right));
                }
                FileRow { entity: row.entity, unattached: row.unattached, ..next }
            } else {
                rows.extend(out_of_list(service, &row).await?.map(Row::List));
                if record.entity.is_some() {
                    match into_list(service, &next).await? {
                        Some(list) => rows.push(Row::List(list)),
                        None => return lost("its list has no room for it"),
                    }
                }
                next
            };
            rows.push(Row::File(next));
            Ok(Step::Write(rows))
        }
    }
}

async fn blob_row<P: Ports>(
    service: &Service<P>,
    tenant: &Tenant,
    id: &BlobId,
) -> Result<Option<BlobRow>, Failure> {
    let row = service.ports.index().get(&RowKey::Blob(*id)).await?.and_then(Row::blob);
    Ok(row.filter(|row| row.tenant == *tenant))
}

/// Returns the row of the blob of a record, held by one more file, with the renditions that the record names. Returns `None` if a
/// process is removing its objects.
async fn held<P: Ports>(service: &Service<P>, record: &FileRecord) -> Result<Option<BlobRow>, Failure> {
    // Its renditions were deleted with it, or another file named them.
    let row = match blob_row(service, &record.tenant, &record.blob).await? {
        None => BlobRow::of(record),
        Some(row) if row.state == State::Live => row,
        Some(BlobRow { state: State::Deleting(since), .. }) if service.now() < BlobRow::taken_over(since) => {
            return Ok(None);
        }
        // The objects were written anew, or put back, since they were removed.
        Some(row) => BlobRow { version: row.version, removals: row.removals, ..BlobRow::of(record) },
    };
    Ok(Some(row.held().with_renditions(&record.renditions)))
}

/// Returns the list of a file without it, or `None` if it is not there.
async fn out_of_list<P: Ports>(service: &Service<P>, row: &FileRow) -> Result<Option<ListRow>, Failure> {
    let Some(entity) = row.entity.clone() else { return Ok(None) };
    let place = ListPlace { entity, collection: row.collection.clone() };
    let list = list_row(service, &row.tenant, &place).await?;
    if !list.files.contains(&row.id) {
        return Ok(None);
    }
    let files = list.files.files().iter().filter(|file| **file != row.id).copied().collect();
    Ok(FileList::new(files).ok().map(|files| list.with(files)))
}

/// Returns the list of a file with it, behind those that became ready earlier, or `None` if the list has no room.
pub(crate) async fn into_list<P: Ports>(
    service: &Service<P>,
    row: &FileRow,
) -> Result<Option<ListRow>, Failure> {
    let Some(entity) = row.entity.clone() else { return Ok(None) };
    let place = ListPlace { entity, collection: row.collection.clone() };
    let list = list_row(service, &row.tenant, &place).await?;
    let mut files = list.files.files().to_vec();
    // A list of 1,000 files takes ten reads.
    let (mut low, mut high) = (0, files.len());
    while let Some(middle) = files.get(low + (high - low) / 2).filter(|_| low < high) {
        let other = file_row(service, middle).await?;
        let at: (Option<Timestamp>, FileId) = (other.map(|other| other.created), *middle);
        let place = low + (high - low) / 2;
        if at < (Some(row.created), row.id) {
            low = place + 1;
        } else {
            high = place;
        }
    }
    if !files.contains(&row.id) {
        files.insert(low, row.id);
    }
    Ok(FileList::new(files).ok().map(|files| list.with(files)))
}
