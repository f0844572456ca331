//! Deleting many files at once: how many commits that takes, and that the quotas are exact afterwards.

use std::future::ready;

use credlink_auth::gate::Gate as Callers;
use credlink_cache::NoCache;
use credlink_core::file::{Access, FileId, FileList, FileType, ListPlace, OwnerId};
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::object::{Facts, MediaKey, ObjectKey};
use credlink_core::row::{BlobRow, FileRow, ListRow, QuotaRow, Row, RowKey, State};
use credlink_embedded::index::EmbeddedIndex;
use credlink_files::WithFiles;
use credlink_metrics::counters::Counters;
use credlink_ports::doubles::faults::{FaultPlan, Faulty};
use credlink_ports::doubles::{ManualClock, MemoryObjects};
use credlink_ports::{Clock as _, Commit, Index, Objects as _, Parts, Write};
use credlink_service::Service;
use credlink_service::plain::Plain;
use futures_util::future::join_all;
use http::{Method, Request};
use serde_json::{Value, json};

use super::ground::Ground;
use crate::engines::dynoxide;

type Over<I> = Parts<MemoryObjects, Faulty<I>, NoCache, ManualClock, Counters, Callers>;

/// A service over an index whose commits are counted.
struct Site<I> {
    ground: Ground,
    service: Service<Over<I>>,
    commits: FaultPlan,
}

fn id(number: u8) -> FileId {
    FileId::from_random([number; 20])
}

fn owner(number: u8) -> OwnerId {
    format!("owner-{}", number % 2).parse().unwrap()
}

/// The bytes of a file.
fn bytes(number: u8) -> u64 {
    1_000 + u64::from(number)
}

fn file(ground: &Ground, number: u8) -> FileRow {
    FileRow {
        id: id(number),
        version: 1,
        state: State::Live,
        tenant: Default::default(),
        owner: Some(owner(number)),
        collection: "item-photo".parse().unwrap(),
        entity: Some(place().entity),
        unattached: None,
        access: Access::Public,
        // Each third file has the content of the one before.
        media_hash: MediaHash::of(&[number - u8::from(number % 3 == 2)]),
        bytes: bytes(number),
        record_sha256: Digest::of(&[number]),
        revision: 1,
        created: ground.clock.now(),
        expires: None,
    }
}

fn place() -> ListPlace {
    ListPlace { entity: "item/1".parse().unwrap(), collection: "item-photo".parse().unwrap() }
}

impl<I: Index> Site<I> {
    fn over(index: I) -> Self {
        let (ground, commits) = (Ground::new(), FaultPlan::none());
        let service = ground.service_over(ground.objects.clone(), Faulty::new(index, commits.clone()));
        Self { ground, service: service.unguarded(), commits }
    }

    fn index(&self) -> &I {
        use credlink_ports::Ports as _;
        self.service.ports().index().inner()
    }

    async fn get<T>(&self, key: RowKey, as_row: impl FnOnce(Row) -> Option<T>) -> T {
        as_row(self.index().get(&key).await.unwrap().unwrap()).unwrap()
    }

    /// Writes the rows of so many files of two owners, all in one list.
    async fn fill(&self, count: u8) {
        let files: Vec<FileRow> = (0..count).map(|number| file(&self.ground, number)).collect();
        let mut rows: Vec<Row> = Vec::new();
        for number in (0..count).filter(|number| number % 3 != 2) {
            let row = file(&self.ground, number);
            rows.push(Row::Blob(BlobRow {
                version: 1,
                state: State::Live,
                tenant: row.tenant.clone(),
                media_hash: row.media_hash,
                bytes: row.bytes,
                kind: FileType::Jpeg,
                width: None,
                height: None,
                frames: None,
                holders: 1 + u32::from(number % 3 == 1 && number + 1 < count),
                unheld: None,
                removals: 0,
                renditions: Default::default(),
                rendition_bytes: 0,
            }));
        }
        let list = ListRow::empty(&Default::default(), &place());
        rows.push(Row::List(list.with(FileList::new(files.iter().map(|file| file.id).collect()).unwrap())));
        for whose in [None, Some(owner(0)), Some(owner(1))] {
            let is_of = |file: &&FileRow| whose.is_none() || file.owner == whose;
            rows.push(Row::Quota(QuotaRow {
                version: 1,
                used: files.iter().filter(is_of).map(|file| file.bytes).sum(),
                files: files.iter().filter(is_of).count() as u64,
                ..QuotaRow::empty(Default::default(), whose.clone())
            }));
        }
        rows.extend(files.into_iter().map(Row::File));
        for rows in rows.chunks(30) {
            let writes: Vec<Write> =
                rows.iter().map(|row| Write { row: row.clone(), expected: None }).collect();
            assert_eq!(self.index().commit(&writes).await.unwrap(), Commit::Done);
        }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let files = self.ground.use_cases();
        let handler = WithFiles::new(&files, &Plain);
        let answer = self.service.handle_by(&handler, &parts, ready(Ok(body.to_string().into()))).await;
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    /// Asserts that `left` of the files are there, and everything else agrees.
    async fn assert_left(&self, left: &[u8], count: u8) {
        let list = RowKey::List(Default::default(), place());
        let listed = self.get(list, Row::list).await;
        let ids: Vec<FileId> = left.iter().map(|number| id(*number)).collect();
        assert_eq!(listed.files.files(), ids);
        for whose in [None, Some(owner(0)), Some(owner(1))] {
            let of: Vec<u8> = left
                .iter()
                .copied()
                .filter(|number| whose.is_none() || whose == Some(owner(*number)))
                .collect();
            let quota = self.get(RowKey::Quota(Default::default(), whose.clone()), Row::quota).await;
            let expected = (of.iter().map(|number| bytes(*number)).sum::<u64>(), of.len() as u64);
            assert_eq!((quota.used, quota.files), expected, "{whose:?}");
        }
        for number in 0..count {
            let row = self.get(RowKey::File(id(number)), Row::file).await;
            let blob = self.get(RowKey::Blob(row.blob()), Row::blob).await;
            let holders = left.iter().filter(|other| file(&self.ground, **other).blob() == row.blob());
            assert_eq!(blob.holders as usize, holders.count(), "{number}");
            let key = ObjectKey::Media(MediaKey::File(id(number)));
            let head = self.ground.objects.head(&key).await.unwrap();
            if left.contains(&number) {
                assert_eq!((row.state, head.is_some()), (State::Live, false), "{number}");
            } else {
                assert!(matches!(row.state, State::Deleted(_)), "{number}: {row:?}");
                assert!(Facts::read(&head.unwrap().attributes).unwrap().tombstone, "{number}");
            }
        }
    }
}

/// Two hundred deletions in one batch, with one that is not there, one that is given twice and one that is no ID.
async fn a_batch_takes_few_commits<I: Index>(index: I) {
    const COUNT: u8 = 203;
    let site = Site::over(index);
    site.fill(COUNT).await;
    let ids: Vec<String> = (0..200).map(|number| id(number).to_string()).collect();
    let absent = FileId::from_random([255; 20]).to_string();
    let others = [ids[0].clone(), absent.clone(), "no id".to_owned()];
    let all: Vec<&String> = ids.iter().chain(&others).collect();
    let before = site.commits.writes();
    let (status, answer) = site.send(Method::POST, "/v1/files/batch-delete", &json!({"ids": all})).await;
    let commits = site.commits.writes() - before;
    assert_eq!(status, 200, "{answer}");
    let deleted: Vec<&str> =
        answer["deleted"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(deleted[..200], ids);
    assert_eq!(deleted[200..], [ids[0].clone()]);
    let failed: Vec<&str> =
        answer["failed"].as_array().unwrap().iter().map(|one| one["problem"].as_str().unwrap()).collect();
    assert_eq!(failed, ["not-found", "invalid-field"]);
    // 24 or more of them in a group, and two commits each: that they are being deleted, and that they are.
    assert!(commits <= 2 * 9, "{commits} commits");
    site.assert_left(&[200, 201, 202], COUNT).await;
}

#[tokio::test]
async fn a_batch_takes_few_commits_on_one_machine() {
    let folder = tempfile::tempdir().unwrap();
    a_batch_takes_few_commits(EmbeddedIndex::open(folder.path().join("index.redb")).unwrap()).await;
}

#[tokio::test]
async fn a_batch_takes_few_commits_on_dynamodb() {
    a_batch_takes_few_commits(dynoxide::index().await).await;
}

/// More deletions at once than a commit is tried again, all of which change the quota of the tenant.
#[tokio::test]
async fn single_deletions_at_once_give_way_to_each_other() {
    const COUNT: u8 = 40;
    let site = Site::over(dynoxide::index().await);
    site.fill(COUNT).await;
    let deletions = (0..COUNT).map(async |number| {
        let (status, answer) =
            site.send(Method::DELETE, &format!("/v1/files/{}", id(number)), &Value::Null).await;
        assert_eq!(status, 204, "{number}: {answer}");
    });
    join_all(deletions).await;
    site.assert_left(&[], COUNT).await;
}

/// Two batches of the same files: each file is deleted once.
#[tokio::test]
async fn two_batches_at_once_free_the_quotas_once() {
    const COUNT: u8 = 100;
    let site = Site::over(dynoxide::index().await);
    site.fill(COUNT).await;
    let ids = |numbers: std::ops::Range<u8>| numbers.map(|number| id(number).to_string()).collect::<Vec<_>>();
    let batch = async |ids: Vec<String>| {
        let (status, answer) = site.send(Method::POST, "/v1/files/batch-delete", &json!({"ids": ids})).await;
        assert_eq!((status, &answer["failed"]), (200, &json!([])), "{answer}");
    };
    futures_util::future::join(batch(ids(0..70)), batch(ids(30..100))).await;
    site.assert_left(&[], COUNT).await;
}
