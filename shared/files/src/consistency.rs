//! The consistency of a file's row and its record, which repeat parts of each other. A change writes one of them first, and then
//! brings the other up to date. If it is cut off in between, the next change to the file does so, or the sweeper.

use credlink_core::file::FileId;
use credlink_core::file_record::FileRecord;
use credlink_core::hash::Digest;
use credlink_core::row::{FileRow, Row, State};

use credlink_ports::{Condition, Ports};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use crate::changes::Changes;
use crate::objects::{current_record, put_record};
use crate::rows;

/// Reads the record of a file, and brings the two together, as [`bring_together`] does. This has to happen before a file is
/// destroyed because of its row, since the record is what its owner was told.
///
/// # Errors
/// Fails if the record is damaged, if other processes keep changing the row, or if a provider or the index fails.
pub(crate) async fn bring_together_by_record<P: Ports>(
    service: &Service<P>,
    id: &FileId,
) -> Result<(), Error> {
    match current_record(service, id).await? {
        Some(current) => bring_together(service, &current.record, current.sha256).await,
        None => Ok(()),
    }
}

/// Brings the row of a file up to date with its record, whose bytes have the digest `sha256`, and returns the row. Nothing is done
/// if the row is up to date, or belongs to a later record. Returns `None` if the file is no longer there.
///
/// # Errors
/// Fails if other processes keep changing the row, or if the index fails.
pub(crate) async fn update_row<P: Ports>(
    service: &Service<P>,
    record: &FileRecord,
    sha256: Digest,
) -> Result<Option<FileRow>, Error> {
    for _ in 0..MAX_ATTEMPTS {
        let row = rows::file(service, &record.id).await?;
        let Some(row) = row.filter(|row| row.state == State::Live) else { return Ok(None) };
        let is_up_to_date = row.revision == record.revision && row.record_sha256 == sha256;
        if is_up_to_date || row.revision > record.revision {
            return Ok(Some(row));
        }
        let mut changes = Changes::default();
        let next = FileRow {
            version: row.version + 1,
            access: record.access,
            expires: record.expires,
            revision: record.revision,
            record_sha256: sha256,
            ..row
        };
        changes.put(Row::File(next.clone()));
        if changes.commit(service).await? {
            return Ok(Some(next));
        }
    }
    Err(contended())
}

/// Brings a file's row up to date with its record, whose bytes have the digest `sha256`, and the record with its row: a change to a
/// list may have been cut off before it reached the record.
///
/// # Errors
/// Fails as [`update_row`] and [`update_record`] do.
pub(crate) async fn bring_together<P: Ports>(
    service: &Service<P>,
    record: &FileRecord,
    sha256: Digest,
) -> Result<(), Error> {
    match update_row(service, record, sha256).await? {
        Some(row) if row.entity != record.entity => update_record(service, &record.id).await,
        _ => Ok(()),
    }
}

/// Brings the record of a file up to date with its row, after a change to a list has changed the entity in the row.
///
/// # Errors
/// Fails if other processes keep changing the record, or if a provider or the index fails. The list has changed all the same.
pub(crate) async fn update_record<P: Ports>(service: &Service<P>, id: &FileId) -> Result<(), Error> {
    for _ in 0..MAX_ATTEMPTS {
        let Some(row) = rows::file(service, id).await?.filter(|row| row.state == State::Live) else {
            return Ok(());
        };
        let Some(current) = current_record(service, id).await? else { return Ok(()) };
        if current.record.entity == row.entity {
            return update_row(service, &current.record, current.sha256).await.map(drop);
        }
        let mut record = current.record;
        record.entity = row.entity;
        record.revision = record.revision.saturating_add(1);
        if let Some(sha256) = put_record(service, &record, Condition::Matches(current.tag)).await? {
            let row = update_row(service, &record, sha256).await?;
            // Another list may have taken the file meanwhile, and have found the record as it was before.
            if row.is_none_or(|row| row.entity == record.entity) {
                return Ok(());
            }
        }
    }
    Err(contended())
}
