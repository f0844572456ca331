//! Deleting many files in one request. Files are deleted in groups, each by one commit, because deletions one by one would race
//! for the row of the tenant's quota.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::file::FileId;
use credlink_core::http::problem::Problem;
use credlink_core::http::reply::Reply;
use credlink_core::row::{FileRow, RowKey};
use credlink_core::rules::batch_delete::BatchDeleteBody;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use credlink_ports::limits::MAX_WRITES;
use credlink_ports::{Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::Error;

use crate::deletion::{DeletionReason, deletable};
use crate::files::Files;
use crate::objects::READS_AT_ONCE;

/// The most files of a group that are deleted at the same time, if they are deleted one by one.
const DELETIONS_AT_ONCE: usize = 16;

/// The places of a commit that the row of a file takes when it leaves the listings.
const FILE_PLACES: usize = 3;

impl<Q: Quarantine> Files<Q> {
    /// Answers `POST /v1/files/batch-delete`.
    ///
    /// # Errors
    /// Fails with 400 if the body is invalid. Deletions that fail are in the answer.
    pub(crate) async fn batch_delete<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        body: Bytes,
    ) -> Result<Reply, Error> {
        let ids = BatchDeleteBody::parse(&body)?;
        let looked: Vec<(String, Result<FileRow, Problem>)> = stream::iter(ids)
            .map(async |id: String| {
                let row = match id.parse::<FileId>() {
                    Err(error) => Err(Problem::field("id", error).into()),
                    Ok(file) => deletable(service, caller, &file, &HeaderMap::new()).await,
                };
                (id, row.map_err(|error| problem_of(&error)))
            })
            .buffered(READS_AT_ONCE)
            .collect()
            .await;
        // An ID may be given twice.
        let rows: BTreeMap<FileId, FileRow> =
            looked.iter().filter_map(|(_, row)| row.as_ref().ok()).map(|row| (row.id, row.clone())).collect();
        let mut problems = BTreeMap::new();
        for group in groups(rows.into_values()) {
            problems.extend(self.delete_group(service, group).await);
        }
        let (mut deleted, mut failed) = (Vec::new(), Vec::<Value>::new());
        for (id, row) in looked {
            match row.as_ref().map_or_else(Some, |row| problems.get(&row.id)) {
                None => deleted.push(id),
                Some(problem) => failed.push(json!({
                    "id": id,
                    "problem": problem.kind.slug(),
                    "detail": problem.detail,
                })),
            }
        }
        Ok(Reply::json(
            StatusCode::OK,
            &BTreeMap::from([("deleted", json!(deleted)), ("failed", json!(failed))]),
        ))
    }

    /// Deletes the files of a group together. If that fails, it deletes them one by one, because one of them may be the reason.
    /// Returns the files that are not deleted, each with its problem.
    async fn delete_group<P: Ports>(
        &self,
        service: &Service<P>,
        group: Vec<FileRow>,
    ) -> Vec<(FileId, Problem)> {
        let ids: Vec<FileId> = group.iter().map(|row| row.id).collect();
        let Err(error) = self.delete_rows(service, group, DeletionReason::Requested).await else {
            return Vec::new();
        };
        let problem = problem_of(&error);
        if let [id] = ids[..] {
            return vec![(id, problem)];
        }
        let one_by_one = stream::iter(ids).map(async |id: FileId| {
            let deleted = self.delete_row(service, &id, DeletionReason::Requested).await;
            deleted.err().map(|error| (id, problem_of(&error)))
        });
        one_by_one.buffered(DELETIONS_AT_ONCE).filter_map(async |failed| failed).collect().await
    }
}

/// Returns the problem by which a caller is told of an error, and logs a failure.
fn problem_of(error: &Error) -> Problem {
    if let Error::Failure(failure) = error {
        tracing::error!(reason = %failure, "a deletion of a batch failed");
    }
    error.problem()
}

/// Returns the rows that the deletion of a file may change beside the file's own: blob, list and quotas.
fn beside(row: &FileRow) -> impl Iterator<Item = RowKey> {
    let tenant = &row.tenant;
    let owner = row.owner.clone().map(|owner| RowKey::Quota(tenant.clone(), Some(owner)));
    let list = row.place().map(|place| RowKey::List(tenant.clone(), place));
    let always = [RowKey::Blob(row.blob()), RowKey::Quota(tenant.clone(), None)];
    always.into_iter().chain(owner).chain(list)
}

/// Divides files into groups, the deletion of each of which fits into one commit. Files of one owner in one list have 24 in
/// a group: four places each, and three for the list and the quotas.
fn groups(rows: impl IntoIterator<Item = FileRow>) -> Vec<Vec<FileRow>> {
    let mut groups: Vec<Vec<FileRow>> = Vec::new();
    let mut changed = BTreeSet::new();
    let mut taken = MAX_WRITES;
    for row in rows {
        let own: Vec<RowKey> = beside(&row).collect();
        let more = FILE_PLACES + own.iter().filter(|key| !changed.contains(*key)).count();
        taken += more;
        match groups.last_mut() {
            Some(group) if taken <= MAX_WRITES => group.push(row),
            _ => {
                groups.push(vec![row]);
                changed.clear();
                taken = FILE_PLACES + own.len();
            }
        }
        changed.extend(own);
    }
    groups
}

#[cfg(test)]
mod tests {
    use credlink_core::file::Access;
    use credlink_core::hash::{Digest, MediaHash};
    use credlink_core::row::{Row, State};
    use credlink_core::time::Timestamp;
    use credlink_ports::Write;
    use credlink_ports::limits::places;

    use super::*;

    fn file(number: u8, owner: u8, list: u8) -> FileRow {
        FileRow {
            id: FileId::from_random([number; 20]),
            version: 1,
            state: State::Live,
            tenant: Default::default(),
            owner: Some(format!("owner-{owner}").parse().unwrap()),
            collection: "item-photo".parse().unwrap(),
            entity: Some(format!("item/{list}").parse().unwrap()),
            unattached: None,
            access: Access::Public,
            media_hash: MediaHash::of(&[number]),
            bytes: 1,
            record_sha256: Digest::of(&[number]),
            revision: 1,
            created: Timestamp::from_milliseconds(0),
            expires: None,
        }
    }

    #[test]
    fn a_group_fits_into_one_commit_and_is_as_large_as_it_may_be() {
        let row = file(1, 1, 1);
        let write = Write { row: Row::File(row.in_state(State::Deleting(row.created))), expected: Some(1) };
        assert_eq!(places(&write), FILE_PLACES);
        let sizes = |rows: Vec<FileRow>| groups(rows).iter().map(Vec::len).collect::<Vec<_>>();
        // Four places each, and three for list and quotas.
        assert_eq!(sizes((0..50).map(|number| file(number, 1, 1)).collect()), [24, 24, 2]);
        // Six places each, and one for the quota of the tenant.
        assert_eq!(sizes((0..50).map(|number| file(number, number, number)).collect()), [16, 16, 16, 2]);
        assert_eq!(sizes(Vec::new()), [0; 0]);
    }
}
