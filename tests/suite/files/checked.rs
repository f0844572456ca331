//! A store of files that is damaged in every way that a check knows, and one whose index is lost or older.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use credlink_core::access::Visibility;
use credlink_core::file::{BlobId, FileId, FileList, Rejection};
use credlink_core::file_record::FileRecord;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::object::{Facts, MediaKey, ObjectKey};
use credlink_core::row::{BlobRow, FileRow, ListRow, QuotaRow, Row, RowKey, State, UploadRow, UploadState};
use credlink_core::tenant::Tenant;
use credlink_files::Others;
use credlink_ports::doubles::MemoryIndex;
use credlink_ports::doubles::faults::FaultPlan;
use credlink_ports::{Clock as _, Commit, Condition, Index as _, Objects as _, Write};
use credlink_service::fsck::{Finding, Manner, Severity, Surrounding, check};
use credlink_service::rebuild::{Manner as Rebuilding, Rebuild};
use http::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::ground::{Ground, PICTURE, of_item};
use super::pictures::{document, png};
use crate::server::{Server, binary};

/// A ground with two files of one content in a list, one that expires, and a deleted one.
async fn ground() -> Ground {
    let ground = Ground::new();
    let uploads = [
        ground.arrived("item-photo", PICTURE, &of_item()).await,
        ground.arrived("item-photo", PICTURE, &of_item()).await,
        ground.arrived("temp", b"\x89PNG\r\n\x1a\ntemporary", &json!({})).await,
        ground.arrived("item-photo", b"\x89PNG\r\n\x1a\ndeleted", &of_item()).await,
    ];
    for upload in &uploads {
        ground.sound().finalise(upload, Others::Possible).await.unwrap();
        ground.clock.advance_seconds(1);
    }
    let deleted = ground
        .files()
        .await
        .into_iter()
        .find(|row| row.media_hash == MediaHash::of(b"\x89PNG\r\n\x1a\ndeleted"));
    let path = format!("/v1/files/{}", deleted.unwrap().id);
    assert_eq!(ground.sound().send(Method::DELETE, &path, &Value::Null).await.0, 204);
    ground
}

impl Ground {
    async fn checked(&self, manner: Manner) -> Vec<Finding> {
        let mut findings = Vec::new();
        check(&self.sound().service, Surrounding::Alone, manner, |finding| findings.push(finding))
            .await
            .unwrap();
        findings
    }

    async fn put(&self, row: Row) {
        let expected = Some(row.version() - 1).filter(|version| *version > 0);
        assert_eq!(self.index.commit(&[Write { row, expected }]).await.unwrap(), Commit::Done);
    }

    /// The first row of a file that is live and in a list, and its record.
    async fn listed(&self) -> (FileRow, FileRecord) {
        let files = self.files().await;
        let row = files.into_iter().find(|row| row.state == State::Live && row.entity.is_some()).unwrap();
        let key = ObjectKey::Media(MediaKey::File(row.id));
        let object = self.objects.get(&key).await.unwrap().unwrap();
        let verified = credlink_core::object::Verified::check(object).unwrap();
        (row, FileRecord::parse(&verified.content()).unwrap())
    }

    async fn list(&self) -> ListRow {
        self.rows().await.into_iter().find_map(Row::list).unwrap()
    }

    async fn write(&self, record: &FileRecord) {
        let bytes = record.to_bytes();
        let (body, attributes) = record.stored(&bytes, Digest::of(&bytes), self.clock.now());
        let head = self.objects.head(&record.key()).await.unwrap();
        let condition = head.map_or(Condition::Absent, |head| Condition::Matches(head.tag));
        self.objects.put(&record.key(), body, &attributes, condition).await.unwrap();
    }
}

/// A way to damage a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    RecordWithoutARow,
    BytesWithoutABlob,
    RenditionThatNoRowNames,
    FileWithoutARecord,
    BlobWithoutBytes,
    RenditionThatIsMissing,
    ListThatNamesNothing,
    FileThatItsListHasNot,
    HolderThatThereIsNot,
    QuotaThatDiffers,
    DeletedFileWithoutATombstone,
    DeletedFileThatIsPresentAgain,
    RecordThatIsNewerThanItsRow,
}

impl Damage {
    const ALL: [Self; 13] = [
        Self::RecordWithoutARow,
        Self::BytesWithoutABlob,
        Self::RenditionThatNoRowNames,
        Self::FileWithoutARecord,
        Self::BlobWithoutBytes,
        Self::RenditionThatIsMissing,
        Self::ListThatNamesNothing,
        Self::FileThatItsListHasNot,
        Self::HolderThatThereIsNot,
        Self::QuotaThatDiffers,
        Self::DeletedFileWithoutATombstone,
        Self::DeletedFileThatIsPresentAgain,
        Self::RecordThatIsNewerThanItsRow,
    ];

    /// The severity of the damage, a part of what the check says of it, and whether it is mended.
    const fn finding(self) -> (Severity, &'static str, bool) {
        use Severity::{Broken, Leftover};
        match self {
            Self::RecordWithoutARow => (Leftover, "it has no row", true),
            Self::BytesWithoutABlob => (Leftover, "does not have its blob", true),
            Self::RenditionThatNoRowNames => (Leftover, "interrupted before the index had it", true),
            Self::FileWithoutARecord => (Broken, "whose record is not stored", false),
            Self::BlobWithoutBytes => (Broken, "its bytes are not stored", false),
            Self::RenditionThatIsMissing => (Broken, "the rendition, and it is not stored", false),
            Self::ListThatNamesNothing => (Broken, "which is not there", true),
            Self::FileThatItsListHasNot => (Broken, "which does not have it", true),
            Self::HolderThatThereIsNot => (Broken, "it says 3 files that hold it; there are 2", true),
            Self::QuotaThatDiffers => (Broken, "it says 1 bytes of files", true),
            Self::DeletedFileWithoutATombstone => (Broken, "its tombstone is missing", true),
            Self::DeletedFileThatIsPresentAgain => (Broken, "as deleted, and its record is stored", true),
            Self::RecordThatIsNewerThanItsRow => (Leftover, "its row is out of date", true),
        }
    }
}

async fn damage(ground: &Ground, damage: Damage) {
    let (row, record) = ground.listed().await;
    let blob = |row: &FileRow| RowKey::Blob(row.blob());
    let part = |name: &str| ObjectKey::Media(MediaKey::Rendition(row.blob(), name.parse().unwrap()));
    match damage {
        Damage::RecordWithoutARow => {
            ground.write(&FileRecord { id: FileId::from_random([9; 20]), ..record }).await;
        }
        Damage::BytesWithoutABlob | Damage::RenditionThatNoRowNames => {
            let key = match damage {
                Damage::BytesWithoutABlob => {
                    let other = BlobId::derive(&Tenant::default(), &MediaHash::of(b"other"));
                    ObjectKey::Media(MediaKey::Original(other))
                }
                _ => part("large-9.jpg"),
            };
            let facts = Facts::of(b"other", Tenant::default(), row.access.visibility(), ground.clock.now());
            let attributes = facts.attributes(&key, Default::default());
            ground.objects.put(&key, (&b"other"[..]).into(), &attributes, Condition::Absent).await.unwrap();
        }
        Damage::FileWithoutARecord => ground.objects.delete(&record.key()).await.unwrap(),
        Damage::BlobWithoutBytes => {
            ground.objects.delete(&ObjectKey::Media(MediaKey::Original(row.blob()))).await.unwrap();
        }
        Damage::RenditionThatIsMissing => {
            let name = record.renditions[0].name.to_string();
            ground.objects.delete(&part(&name)).await.unwrap();
        }
        Damage::ListThatNamesNothing => {
            let list = ground.list().await;
            let files = list.files.files().iter().copied().chain([FileId::from_random([9; 20])]).collect();
            ground.put(Row::List(list.with(FileList::new(files).unwrap()))).await;
        }
        Damage::FileThatItsListHasNot => {
            let list = ground.list().await;
            let files = list.files.files().iter().copied().filter(|file| *file != row.id).collect();
            ground.put(Row::List(list.with(FileList::new(files).unwrap()))).await;
        }
        Damage::HolderThatThereIsNot => {
            let held = ground.index.get(&blob(&row)).await.unwrap().and_then(Row::blob).unwrap().held();
            ground.put(Row::Blob(held)).await;
        }
        Damage::QuotaThatDiffers => {
            let key = RowKey::Quota(Tenant::default(), None);
            let quota = ground.index.get(&key).await.unwrap().and_then(Row::quota).unwrap();
            ground.put(Row::Quota(QuotaRow { version: quota.version + 1, used: 1, ..quota })).await;
        }
        Damage::DeletedFileWithoutATombstone => {
            let files = ground.files().await;
            let deleted = files.iter().find(|row| row.state != State::Live).unwrap().id;
            ground.objects.delete(&ObjectKey::Media(MediaKey::File(deleted))).await.unwrap();
        }
        Damage::DeletedFileThatIsPresentAgain => {
            let files = ground.files().await;
            let deleted = files.iter().find(|row| row.state != State::Live).unwrap().id;
            ground.write(&FileRecord { id: deleted, ..record }).await;
        }
        Damage::RecordThatIsNewerThanItsRow => {
            ground.write(&FileRecord { revision: 2, alt: Some("a bicycle".to_owned()), ..record }).await;
        }
    }
}

#[tokio::test]
async fn every_damage_is_found_and_what_can_be_mended_is() {
    assert_eq!(ground().await.checked(Manner::Telling).await, []);
    for each in Damage::ALL {
        let (severity, says, is_mended) = each.finding();
        let ground = ground().await;
        damage(&ground, each).await;
        let found = ground.checked(Manner::Telling).await;
        let is_found = |finding: &Finding| finding.severity == severity && finding.what.contains(says);
        assert!(found.iter().any(is_found), "{each:?}: {found:?}");
        assert!(found.iter().all(|finding| finding.severity <= severity), "{each:?}: {found:?}");
        ground.checked(Manner::Mending).await;
        let left = ground.checked(Manner::Telling).await;
        assert_eq!(left.is_empty(), is_mended, "{each:?}: {left:?}");
    }
}

/// While a guarantee is broken, rows may be missing that would say that an object is not an orphan.
#[tokio::test]
async fn nothing_is_removed_while_a_guarantee_is_broken() {
    let ground = ground().await;
    damage(&ground, Damage::BytesWithoutABlob).await;
    damage(&ground, Damage::FileWithoutARecord).await;
    ground.checked(Manner::Mending).await;
    let left = ground.checked(Manner::Telling).await;
    assert!(left.iter().any(|finding| finding.what.contains("does not have its blob")), "{left:?}");
}

/// Rows without what a rebuild cannot know.
fn known(rows: Vec<Row>) -> BTreeSet<String> {
    let known = rows.into_iter().filter_map(|row| match row {
        Row::File(row) => Some(Row::File(FileRow { version: 1, unattached: None, ..row })),
        Row::Blob(row) if row.holders > 0 => Some(Row::Blob(BlobRow { version: 1, ..row })),
        Row::List(row) => Some(Row::List(ListRow { version: 1, ..row })),
        Row::Quota(row) => Some(Row::Quota(QuotaRow { version: 1, rested: None, ..row })),
        _ => None,
    });
    known.map(|row| serde_json::to_string(&row).unwrap()).collect()
}

#[tokio::test]
async fn a_lost_index_is_made_anew_from_the_records() {
    let before = ground().await;
    let after = Ground {
        index: MemoryIndex::new(),
        objects: before.objects.clone(),
        clock: before.clock.clone(),
        ..Ground::new()
    };
    let process = after.sound();
    for _ in 0..2 {
        let mut rebuild = Rebuild::begin(&process.service, Rebuilding::Writing).await.unwrap();
        let mut findings = Vec::new();
        while rebuild.step(&process.service, |finding| findings.push(finding)).await.unwrap() {}
        assert_eq!(findings, [], "nothing is lost");
        // The lists are in the order in which the files became ready, as they were here.
        assert_eq!(known(after.rows().await), known(before.rows().await));
    }
    let found = after.checked(Manner::Telling).await;
    // The bytes of the deleted file have no row any more, and would be removed.
    assert!(found.iter().any(|finding| finding.key.ends_with("/original")), "{found:?}");
    assert!(
        found
            .iter()
            .all(|finding| finding.key.starts_with("media/") && finding.severity == Severity::Leftover),
        "{found:?}"
    );
}

/// The index is older than the store: it knows the blob as deleted, and the file that holds it now came later.
#[tokio::test]
async fn a_blob_that_an_older_index_knows_as_deleted_lives_again() {
    let (ground, path) = Ground::with_file().await;
    assert_eq!(ground.sound().send(Method::DELETE, &path, &Value::Null).await.0, 204);
    ground.clock.advance_seconds(86_401);
    ground.sound().sweep().await;
    let blob = |rows: Vec<Row>| rows.into_iter().find_map(Row::blob).unwrap();
    assert!(matches!(blob(ground.rows().await).state, State::Deleted(_)));
    let older = ground.index.snapshot();
    let again = ground.arrived("item-photo", PICTURE, &of_item()).await;
    ground.sound().finalise(&again, Others::Possible).await.unwrap();
    let known = blob(ground.rows().await);

    let restored = Ground {
        index: older,
        objects: ground.objects.clone(),
        clock: ground.clock.clone(),
        ..Ground::new()
    };
    let process = restored.sound();
    let mut rebuild = Rebuild::begin(&process.service, Rebuilding::Writing).await.unwrap();
    while rebuild.step(&process.service, |finding| panic!("{finding:?}")).await.unwrap() {}
    let found = blob(restored.rows().await);
    assert_eq!((found.state, found.holders, &found.renditions), (State::Live, 1, &known.renditions));
    assert_eq!(restored.checked(Manner::Telling).await, []);
}

/// The record of a file whose list changed is newer than the row, in an index that is older than the store as in one whose
/// process was cut off before the record followed. A repair follows it only where the index is as new as the store.
#[tokio::test]
async fn a_repair_of_an_older_index_leaves_the_lists_to_a_rebuild() {
    let ground = Ground::new();
    let process = ground.guarded(&FaultPlan::none());
    process.commit_and_tick().await;
    let upload = ground.arrived("item-photo", PICTURE, &of_item()).await;
    process.finalise(&upload, Others::None).await.unwrap();
    let older = ground.index.snapshot();
    let (row, _) = ground.listed().await;
    let path = "/v1/entities/item/1/item-photo";
    let detached = process.send(Method::POST, path, &json!({"detach": row.id})).await;
    assert_eq!(detached.0, 200, "{}", detached.1);
    for _ in 0..3 {
        process.commit_and_tick().await;
    }
    let before = known(ground.rows().await);
    let restored = ground.with_index(older);
    let doubted = restored.guarded(&FaultPlan::none());
    assert_eq!(doubted.doubts().await, ["index_older"]);
    let mut ignored = Vec::new();
    check(&doubted.service, Surrounding::Alone, Manner::Mending, |finding| ignored.push(finding))
        .await
        .unwrap();
    let process = restored.sound();
    let mut rebuild = Rebuild::begin(&process.service, Rebuilding::Writing).await.unwrap();
    while rebuild.step(&process.service, |finding| panic!("{finding:?}")).await.unwrap() {}
    let files = |rows: BTreeSet<String>| -> Vec<String> {
        rows.into_iter().filter(|row| !row.contains("\"row\":\"quota\"")).collect()
    };
    assert_eq!(files(known(restored.rows().await)), files(before));
}

/// The bytes of an upload that failed by no fault of theirs are kept for a week, in which somebody can look into it.
#[tokio::test]
async fn the_bytes_of_a_failed_upload_are_no_leftover() {
    for (rejection, is_leftover) in [(Rejection::Failed, false), (Rejection::Truncated, true)] {
        let ground = Ground::new();
        let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
        let row = ground.upload(&id).await;
        let state = UploadState::Rejected { reason: rejection };
        ground.put(Row::Upload(UploadRow { state, version: row.version + 1, ..row })).await;
        let key = ObjectKey::Media(MediaKey::Upload(Tenant::default(), id));
        let facts = Facts::of(PICTURE, Tenant::default(), Visibility::Private, ground.clock.now());
        let attributes = facts.attributes(&key, Default::default());
        ground.objects.put(&key, PICTURE.into(), &attributes, Condition::Absent).await.unwrap();
        let found = ground.checked(Manner::Telling).await;
        let is_found = found.iter().any(|finding| finding.what.contains("no upload needs them"));
        assert_eq!(is_found, is_leftover, "{rejection:?}: {found:?}");
    }
}

pub(super) fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let ran = Command::new(binary()).args(arguments).arg("--data-dir").arg(folder).output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (ran.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn an_older_index_follows_the_records_and_a_lost_one_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (data, older) = (folder.path().join("data"), folder.path().join("older.redb"));
    let entity = json!({"entity": {"type": "item", "id": "1"}});
    let mut server = Server::over(&data, &[]);
    let client = Client::new(server.url());
    let first = client.file("item-photo", "image/png", &png(40, 40, 1), &entity);
    let kept = client.file("item-photo", "image/png", &png(40, 40, 2), &entity);
    server.stop();
    std::fs::copy(data.join("index.redb"), &older).unwrap();
    let mut server = Server::over(&data, &[]);
    let client = Client::new(server.url());
    // Other contents, and a change to one that the older index knows.
    let new = client.file("item-photo", "image/png", &png(40, 40, 3), &entity);
    let private = client.file("verification-document", "application/pdf", &document(900, 4), &json!({}));
    assert_eq!(client.delete(&format!("/v1/files/{first}")).status, 204);
    let change =
        client.json(&Method::PATCH, &format!("/v1/files/{kept}"), &[], &json!({"access": "private"}));
    assert_eq!(change.status, 200);
    let stats = client.get("/v1/stats").json()["files"].clone();
    let detached = client.post("/v1/entities/item/1/item-photo", &json!({"detach": kept}));
    assert_eq!(detached.status, 200);
    let document_of = |client: &Client, id: &str| client.get(&format!("/v1/files/{id}")).json();
    let without_address = |document: Value, client: &Client| document.to_string().replace(&client.url, "");
    let before: Vec<String> =
        [&kept, &new, &private].map(|id| without_address(document_of(&client, id), &client)).to_vec();
    server.stop();
    let (code, said) = run(&data, &["fsck"]);
    assert_eq!(code, Some(0), "{said}");
    for (what, arguments) in [("older", vec!["rebuild", "--confirm"]), ("lost", vec!["rebuild"])] {
        let copy = folder.path().join(what);
        assert!(Command::new("cp").arg("-a").arg(&data).arg(&copy).status().unwrap().success());
        std::fs::remove_file(copy.join("index.redb")).unwrap();
        if what == "older" {
            std::fs::copy(&older, copy.join("index.redb")).unwrap();
        }
        let (code, said) = run(&copy, &arguments);
        assert_eq!(code, Some(0), "{what}: {said}");
        let (_, said) = run(&copy, &["fsck"]);
        assert!(!said.contains("BROKEN"), "{what}: {said}");
        let server = Server::over(&copy, &[]);
        let client = Client::new(server.url());
        assert_eq!(client.get(&format!("/v1/files/{first}")).status, 410, "{what}");
        let after: Vec<String> =
            [&kept, &new, &private].map(|id| without_address(document_of(&client, id), &client)).to_vec();
        assert_eq!(after, before, "{what}");
        assert_eq!(client.list("item/1/item-photo").0, std::slice::from_ref(&new), "{what}");
        let found = client.get("/v1/files").json();
        let found = found["files"].as_array().unwrap();
        let ids: BTreeSet<&str> = found.iter().map(|file| file["id"].as_str().unwrap()).collect();
        assert_eq!(ids, BTreeSet::from([kept.as_str(), new.as_str(), private.as_str()]), "{what}");
        let counted = client.get("/v1/stats").json()["files"].clone();
        for name in ["count", "bytes", "collections"] {
            assert_eq!(counted[name], stats[name], "{what}: {name}");
        }
        // A quota that did not count what is deleted now would refuse that.
        for id in [&kept, &new, &private] {
            assert_eq!(client.delete(&format!("/v1/files/{id}")).status, 204, "{what}");
        }
        assert_eq!(client.get("/v1/stats").json()["files"]["count"], 0, "{what}");
    }
}
