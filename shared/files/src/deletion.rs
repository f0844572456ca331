//! Deleting files.
//!
//! One commit says that files are being deleted, takes them out of their lists, lets go of their blobs and frees their quotas. A
//! tombstone takes the place of each record, so that nothing late brings it back, and another commit says that the files are
//! deleted. A deletion that was cut off is finished by the next request for it, or by the sweeper.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::file::{BlobId, FileId, FileList, ListPlace};
use credlink_core::http::conditional::check_removal;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::object::{Facts, MediaKey, ObjectKey};
use credlink_core::row::{BlobRow, FileRow, Row, State};
use credlink_core::rules::file_access::{Action, Guarded, may};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;
use futures_util::future::{join_all, try_join_all};
use http::HeaderMap;
use http::header::IF_MATCH;

use credlink_ports::{Cache as _, Condition, Objects as _, Ports, Put, Quarantine, Replicas as _};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use crate::changes::Changes;
use crate::files::Files;
use crate::objects::{self, ATTEMPTS, current_record};
use crate::{quotas, rows};

/// The reason for a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeletionReason {
    /// A request asks for it.
    Requested,
    /// The file is due. A file that is no longer due, because it was put into a list or its lifetime was extended, is kept.
    Due,
}

/// Returns the facts of a file's row that decide who may do what with it.
pub(crate) const fn guarded(row: &FileRow) -> Guarded<'_> {
    Guarded { tenant: &row.tenant, owner: row.owner.as_ref(), access: row.access, shows_original: false }
}

/// Returns the words for a file that is absent, or that its reader is not told of.
pub(crate) fn absent(id: &FileId) -> String {
    format!("no file has the id {id}")
}

/// Returns the row of a file that the caller may delete.
///
/// # Errors
/// Fails with 404 if there is no such file for the caller, with 403 if another owner has it, with 412 if `If-Match` does not
/// hold, and if the index or a provider fails.
pub(crate) async fn deletable<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &FileId,
    headers: &HeaderMap,
) -> Result<FileRow, Error> {
    let row = rows::file(service, id).await?;
    let row = row.ok_or_else(|| Problem::new(ProblemKind::NotFound, absent(id)))?;
    may(caller, &guarded(&row), Action::Delete, false).map_err(|refusal| refusal.problem(&absent(id)))?;
    if row.state == State::Live {
        let mut sha256 = row.record_sha256;
        if headers.contains_key(IF_MATCH)
            && let Some(current) = current_record(service, id).await?
            && current.record.revision > row.revision
        {
            // A change was cut off before it reached the row. Readers see the record.
            sha256 = current.sha256;
        }
        check_removal(headers, &sha256)?;
    }
    Ok(row)
}

impl<Q: Quarantine> Files<Q> {
    /// Answers `DELETE /v1/files/{id}`.
    ///
    /// # Errors
    /// Fails as [`deletable`] and [`delete_rows`](Self::delete_rows) do. Repeating the request finishes the deletion.
    pub(crate) async fn delete<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &FileId,
        headers: &HeaderMap,
    ) -> Result<(), Error> {
        let row = deletable(service, caller, id, headers).await?;
        self.delete_rows(service, vec![row], DeletionReason::Requested).await
    }

    /// Deletes a file, or finishes its deletion. Nothing is done if there is no such file.
    ///
    /// # Errors
    /// Fails as [`delete_rows`](Self::delete_rows) does.
    pub(crate) async fn delete_row<P: Ports>(
        &self,
        service: &Service<P>,
        id: &FileId,
        reason: DeletionReason,
    ) -> Result<(), Error> {
        match rows::file(service, id).await? {
            Some(row) => self.delete_rows(service, vec![row], reason).await,
            None => Ok(()),
        }
    }

    /// Deletes files together, or finishes their deletions. The rows that this writes have to fit into one commit.
    ///
    /// # Errors
    /// Fails if the guard forbids deletions, if other processes keep changing the same rows, or if a provider or the index fails
    /// for at least one of the files.
    pub(crate) async fn delete_rows<P: Ports>(
        &self,
        service: &Service<P>,
        mut files: Vec<FileRow>,
        reason: DeletionReason,
    ) -> Result<(), Error> {
        for attempt in 0..MAX_ATTEMPTS {
            service.may_destroy().await?;
            let now = service.now();
            files.retain(|row| match row.state {
                State::Live => reason == DeletionReason::Requested || row.due().is_some_and(|due| due <= now),
                State::Deleting(_) => true,
                State::Deleted(_) => false,
            });
            let (live, mut deleting): (Vec<_>, Vec<_>) =
                files.iter().cloned().partition(|row| row.state == State::Live);
            if let Some(begun) = begin(service, &live, now).await? {
                deleting.extend(begun);
                return complete_deletions(service, &deleting).await;
            }
            self.give_way(attempt).await;
            let current = try_join_all(files.iter().map(|row| rows::file(service, &row.id))).await?;
            files = current.into_iter().flatten().collect();
        }
        Err(contended())
    }
}

/// Commits that live files are being deleted, and returns their new rows. Returns `None`, and changes nothing, if another commit
/// was first.
///
/// # Errors
/// Fails if the index fails.
async fn begin<P: Ports>(
    service: &Service<P>,
    live: &[FileRow],
    now: Timestamp,
) -> Result<Option<Vec<FileRow>>, Error> {
    if live.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mut places: BTreeMap<(Tenant, ListPlace), BTreeSet<FileId>> = BTreeMap::new();
    let mut blobs: BTreeMap<BlobId, u32> = BTreeMap::new();
    for row in live {
        if let Some(place) = row.place() {
            places.entry((row.tenant.clone(), place)).or_default().insert(row.id);
        }
        *blobs.entry(row.blob()).or_default() += 1;
    }
    let mut changes = Changes::default();
    let lists = places.keys().map(|(tenant, place)| rows::list(service, tenant, place));
    let lists = try_join_all(lists).await?;
    for (list, leaving) in lists.into_iter().zip(places.values()) {
        let Some(list) = list.filter(|list| leaving.iter().any(|file| list.files.contains(file))) else {
            continue;
        };
        let files = list.files.files().iter().filter(|file| !leaving.contains(file)).copied().collect();
        let files = FileList::new(files).map_err(|error| Problem::field("files", error))?;
        changes.put(Row::List(list.with(files)));
    }
    let held = try_join_all(blobs.keys().map(|blob| rows::blob(service, blob))).await?;
    for (blob, times) in held.into_iter().zip(blobs.values()) {
        let Some(blob) = blob else { continue };
        let released = (0..*times).fold(blob.clone(), |blob, _| blob.released(now));
        changes.put(Row::Blob(BlobRow { version: blob.version + 1, ..released }));
    }
    let begun: Vec<FileRow> = live.iter().map(|row| row.in_state(State::Deleting(now))).collect();
    changes.put_all(begun.iter().cloned().map(Row::File));
    // The quotas are read last, because everything that a tenant does changes them.
    let Some(freed) = quotas::freed(service, live).await? else { return Ok(None) };
    changes.put_all(freed);
    Ok(changes.commit(service).await?.then_some(begun))
}

/// Completes the deletions of files that are being deleted: replaces their records by tombstones, and commits that the files are
/// deleted.
///
/// # Errors
/// Fails if one of the deletions fails. The others are completed all the same.
async fn complete_deletions<P: Ports>(service: &Service<P>, deleting: &[FileRow]) -> Result<(), Error> {
    let (mut deleted, mut failure) = (Vec::new(), None);
    for replaced in join_all(deleting.iter().map(|row| put_tombstone(service, row))).await {
        match replaced {
            Ok(row) => deleted.extend(row),
            Err(error) => failure = Some(error),
        }
    }
    let mut changes = Changes::default();
    changes.put_all(deleted.iter().cloned());
    if !deleted.is_empty() && !changes.commit(service).await? && deleted.len() > 1 {
        for row in deleted {
            let mut changes = Changes::default();
            changes.put(row);
            // If this commit is lost too, another process has finished the deletion.
            changes.commit(service).await?;
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Replaces the record of a file that is being deleted by a tombstone. Returns the row of the deleted file, which is not
/// committed yet, or `None` if the file is not being deleted.
///
/// # Errors
/// Fails if other processes keep replacing the record, or if a provider fails.
async fn put_tombstone<P: Ports>(service: &Service<P>, row: &FileRow) -> Result<Option<Row>, Error> {
    let State::Deleting(at) = row.state else { return Ok(None) };
    let key = ObjectKey::Media(MediaKey::File(row.id));
    let deleted = Row::File(FileRow { entity: None, unattached: None, ..row.in_state(State::Deleted(at)) });
    let Some((tombstone, tenant)) = Tombstone::of(&deleted) else { return Ok(None) };
    let (body, attributes) = tombstone.object(&key, &tenant);
    let body = Bytes::from(body);
    for _ in 0..ATTEMPTS {
        let condition = match service.ports().objects().head(&key).await? {
            None => Condition::Absent,
            Some(head) => match Facts::read(&head.attributes) {
                Ok(facts) if facts.tombstone => {
                    service.ports().objects().confirm(&key, &facts).await?;
                    service.ports().cache().invalidate(&key).await;
                    return Ok(Some(deleted));
                }
                Ok(_) | Err(_) => Condition::Matches(head.tag),
            },
        };
        let put = service.ports().objects().put(&key, body.clone(), &attributes, condition).await;
        // After a failure too, since the write may have happened.
        service.ports().cache().invalidate(&key).await;
        if let Put::Stored(_) = put? {
            return Ok(Some(deleted));
        }
    }
    // The row must not say that the deletion is complete.
    Err(objects::contended(service, &key).into())
}
