//! Nothing that was acknowledged is lost: neither by a failure that passes, nor by a process that ends between two steps, nor by
//! an index that was restored, nor by a clock that is wrong.

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use credlink_core::file::{Rejection, UploadId};
use credlink_core::file_record::FileRecord;
use credlink_core::object::{MediaKey, ObjectKey, Verified};
use credlink_core::row::{FileRow, UploadState};
use credlink_core::rules::guard::Doubt;
use credlink_files::Others;
use credlink_ports::doubles::MemoryIndex;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use credlink_ports::{Clock as _, Objects as _};
use credlink_service::rebuild::{Manner as Rebuilding, Rebuild};
use http::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::ground::{Ground, PICTURE, Process, of_item};
use super::pictures::png;
use crate::server::Server;

impl Ground {
    /// The same store with another index.
    pub(super) fn with_index(&self, index: MemoryIndex) -> Self {
        Self {
            objects: self.objects.clone(),
            index,
            clock: self.clock.clone(),
            quarantine: self.quarantine.clone(),
            refusal: None,
            collections: self.collections.clone(),
            signer: self.signer.clone(),
            addition: self.addition,
        }
    }

    /// A process of which nobody hears again once it has taken the upload.
    async fn killed(&self, id: &UploadId) {
        let killed = self.process(&FaultPlan::from(2, Flavour::Lost));
        assert!(killed.finalise(id, Others::None).await.is_err());
        assert_eq!(self.upload(id).await.state.name(), "processing");
    }

    async fn only_file(&self) -> FileRow {
        let mut files = self.files().await;
        assert_eq!(files.len(), 1);
        files.remove(0)
    }

    pub(super) async fn record(&self, row: &FileRow) -> FileRecord {
        let key = ObjectKey::Media(MediaKey::File(row.id));
        let object = self.objects.get(&key).await.unwrap().expect("the record is there");
        FileRecord::parse(&Verified::check(object).unwrap().content()).unwrap()
    }
}

impl Process {
    /// Commits something, and lets the mark of the store follow.
    pub(super) async fn commit_and_tick(&self) {
        let body = json!({"collection": "item-photo", "type": "image/png", "size": 10});
        assert_eq!(self.send(Method::POST, "/v1/uploads", &body).await.0, 201);
        self.service.tick().await.unwrap();
    }

    pub(super) async fn doubts(&self) -> Vec<&'static str> {
        self.service.standing().await.doubts.iter().map(Doubt::label).collect()
    }
}

#[tokio::test]
async fn an_older_index_does_not_take_a_file_for_one_that_never_was() {
    for is_taken in [false, true] {
        let ground = Ground::new();
        let process = ground.guarded(&FaultPlan::none());
        process.commit_and_tick().await;
        let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
        if is_taken {
            ground.killed(&id).await;
        }
        let older = ground.with_index(ground.index.snapshot());
        process.finalise(&id, Others::None).await.unwrap();
        for _ in 0..3 {
            process.commit_and_tick().await;
        }
        let file = ground.only_file().await;

        let restored = older.guarded(&FaultPlan::none());
        assert_eq!(restored.doubts().await, ["index_older"]);
        let before = older.upload(&id).await;
        // The day of the upload passes, and the week in which its end can be asked for.
        for seconds in [0, 1_000, 86_401, 700_000] {
            older.clock.advance_seconds(seconds);
            restored.files.sweep(&restored.service, Others::None).await.unwrap();
            assert_eq!(older.upload(&id).await, before, "after {seconds} s");
            older.record(&file).await;
        }

        // The rebuild finds the record, and then the upload is what it was.
        let mended = older.sound();
        let mut rebuild = Rebuild::begin(&mended.service, Rebuilding::Writing).await.unwrap();
        while rebuild.step(&mended.service, |finding| panic!("{finding:?}")).await.unwrap() {}
        mended.files.sweep(&mended.service, Others::None).await.unwrap();
        let state = older.upload(&id).await.state.name();
        assert_eq!(state, "ready", "taken: {is_taken}");
        assert_eq!(mended.send(Method::GET, &format!("/v1/files/{}", file.id), &Value::Null).await.0, 200);
        older.assert_sound("after the rebuild").await;
    }
}

/// The guard knows of a restored index only by the store's mark, which follows every few seconds.
#[tokio::test]
async fn an_upload_that_expired_never_had_a_record_of_its_own() {
    let ground = Ground::new();
    let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
    let older = ground.with_index(ground.index.snapshot());
    ground.sound().finalise(&id, Others::Possible).await.unwrap();
    let file = ground.only_file().await;
    for _ in 0..2 {
        older.clock.advance_seconds(700_000);
        older.sound().sweep().await;
    }
    assert_eq!(older.upload(&id).await.state.name(), "expired");
    older.record(&file).await;
}

#[tokio::test]
async fn a_clock_that_is_ahead_ends_no_upload() {
    let ground = Ground::new();
    let process = ground.guarded(&FaultPlan::none());
    process.commit_and_tick().await;
    let body = json!({"collection": "item-photo", "type": "image/png", "size": 10});
    let (_, announced) = process.send(Method::POST, "/v1/uploads", &body).await;
    let id: UploadId = announced["id"].as_str().unwrap().parse().unwrap();
    process.service.tick().await.unwrap();
    ground.clock.advance_seconds(30 * 86_400);
    // The clock jumped while nothing ran.
    let next = ground.guarded(&FaultPlan::none());
    assert_eq!(next.doubts().await, ["clock"]);
    next.sweep().await;
    assert_eq!(ground.upload(&id).await.state.name(), "pending");
    ground.sound().sweep().await;
    assert_eq!(ground.upload(&id).await.state.name(), "expired");
}

#[tokio::test]
async fn bytes_that_come_again_under_an_older_index_leave_the_record_as_its_owner_made_it() {
    let ground = Ground::new();
    let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
    let upload = ground.upload(&id).await;
    let older = ground.with_index(ground.index.snapshot());
    ground.sound().finalise(&id, Others::Possible).await.unwrap();
    let file = ground.only_file().await;
    let path = format!("/v1/files/{}", file.id);
    let change = json!({"access": "private", "alt": "a bicycle", "tags": {"a": "b"}});
    let (status, changed) = ground.sound().send(Method::PATCH, &path, &change).await;
    assert_eq!(status, 200, "{changed}");
    let record = ground.record(&file).await;

    ground.clock.advance_seconds(60);
    assert!(older.quarantine.receive(&upload, None, Bytes::from_static(PICTURE)));
    older.sound().finalise(&id, Others::Possible).await.unwrap();
    assert_eq!(older.upload(&id).await.state.name(), "ready");
    assert_eq!(older.record(&file).await, record);
    let row = older.only_file().await;
    assert_eq!((row.access, row.revision), (record.access, record.revision));
    assert_eq!(older.quota().await, (PICTURE.len() as u64, 0, 1, 0));
    older.assert_sound("after the file came again").await;
}

#[tokio::test]
async fn other_bytes_and_a_deleted_file_wait_until_the_index_is_right() {
    for is_deleted in [false, true] {
        let ground = Ground::new();
        let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
        let upload = ground.upload(&id).await;
        let older = ground.with_index(ground.index.snapshot());
        ground.sound().finalise(&id, Others::Possible).await.unwrap();
        let file = ground.only_file().await;
        let key = ObjectKey::Media(MediaKey::File(file.id));
        let mut bytes = PICTURE.to_vec();
        if is_deleted {
            let path = format!("/v1/files/{}", file.id);
            assert_eq!(ground.sound().send(Method::DELETE, &path, &Value::Null).await.0, 204);
        } else {
            bytes.reverse();
            bytes[..8].copy_from_slice(&PICTURE[..8]);
        }
        let before = ground.objects.get(&key).await.unwrap();
        assert!(older.quarantine.receive(&upload, None, bytes.into()));
        let refused = older.sound().finalise(&id, Others::Possible).await.unwrap_err();
        let why = if is_deleted { "the file was deleted" } else { "the file has other bytes" };
        assert!(refused.contains(why), "{refused}");
        assert_eq!(ground.objects.get(&key).await.unwrap(), before, "deleted: {is_deleted}");
        assert_eq!(older.upload(&id).await.state.name(), "received");
        assert!(!older.quarantine.is_empty_for(&id));
    }
}

#[tokio::test]
async fn a_failure_that_is_told_costs_no_attempt_and_no_byte() {
    let ground = Ground::new();
    let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
    for failure in 1..=20 {
        // The third write is that of the original.
        let broken = ground.process(&FaultPlan::at(3, Flavour::Lost));
        assert!(broken.finalise(&id, Others::None).await.is_err());
        let row = ground.upload(&id).await;
        assert_eq!((row.state.name(), row.attempts, row.failures), ("received", 0, failure));
        let pause = row.due.unwrap().seconds() - ground.clock.now().seconds();
        assert!((60..=3_600).contains(&pause), "{pause}");
        assert_eq!(ground.sound().sweep().await.done, 0, "it is not due yet");
        ground.clock.advance_seconds(pause);
    }
    assert!(!ground.quarantine.is_empty_for(&id));
    assert_eq!(ground.sound().sweep().await.done, 1);
    assert_eq!(ground.upload(&id).await.state.name(), "ready");
}

#[tokio::test]
async fn what_failed_can_be_tried_again_at_once() {
    let ground = Ground::new();
    let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
    let broken = ground.process(&FaultPlan::at(3, Flavour::Lost));
    assert!(broken.finalise(&id, Others::Possible).await.is_err());
    ground.sound().finalise(&id, Others::Possible).await.unwrap();
    assert_eq!(ground.upload(&id).await.state.name(), "ready");
}

#[tokio::test]
async fn each_start_takes_an_upload_over_for_the_same_time() {
    let ground = Ground::new();
    let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
    for _ in 0..2 {
        ground.killed(&id).await;
        assert_eq!(ground.upload(&id).await.due, Some(ground.clock.now().plus_seconds(900)));
    }
}

#[tokio::test]
async fn an_upload_that_may_end_the_server_is_not_tried_at_each_start_and_keeps_its_bytes() {
    let ground = Ground::new();
    let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
    for attempt in 1..=5 {
        if attempt > 2 {
            for _ in 0..3 {
                ground.sound().finalise(&id, Others::None).await.unwrap();
                let row = ground.upload(&id).await;
                assert_eq!((row.state.name(), row.attempts), ("processing", attempt - 1), "not yet");
            }
            ground.clock.advance_seconds(900);
        }
        ground.killed(&id).await;
        assert_eq!(ground.upload(&id).await.attempts, attempt);
    }
    ground.clock.advance_seconds(900);
    assert_eq!(ground.sound().sweep().await.done, 1);
    let ended = ground.upload(&id).await;
    assert_eq!(ended.state, UploadState::Rejected { reason: Rejection::Failed });
    let (status, told) = ground.sound().send(Method::GET, &format!("/v1/uploads/{id}"), &Value::Null).await;
    assert_eq!((status, &told["percent"]), (200, &json!(100)), "its bytes are there: {told}");
    // A late message, and what comes of it.
    ground.sound().finalise(&id, Others::Possible).await.unwrap();
    ground.clock.advance_seconds(7 * 86_400 - 1);
    assert_eq!(ground.sound().sweep().await.done, 0);
    assert!(!ground.quarantine.is_empty_for(&id));
    ground.clock.advance_seconds(1);
    assert_eq!(ground.sound().sweep().await.done, 1);
    assert!(ground.quarantine.is_empty_for(&id));
}

/// The folder of an upload.
fn folder(data: &Path, upload: &str) -> PathBuf {
    data.join("uploads/default").join(upload)
}

fn announce(client: &Client, picture: &[u8]) -> Value {
    let more = json!({"entity": {"type": "item", "id": "1"}});
    let announced = client.announce("item-photo", "image/png", picture.len(), &more);
    assert_eq!(announced.status, 201, "{}", announced.json());
    announced.json()
}

/// Puts the bytes of an upload in place, as a server does that ends before its row says so.
fn put_in_place(data: &Path, upload: &str, bytes: &[u8]) {
    let folder = folder(data, upload);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("arriving"), bytes).unwrap();
    fs::rename(folder.join("arriving"), folder.join("bytes")).unwrap();
}

fn wait(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn bytes_that_are_there_become_a_file_even_if_no_row_says_so() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::over(data.path(), &[]);
    let client = Client::new(server.url());
    let pictures: Vec<Vec<u8>> = (0..3).map(|number| png(40, 40, 500 + number)).collect();
    let announced: Vec<Value> = pictures.iter().map(|picture| announce(&client, picture)).collect();
    let ids: Vec<&str> = announced.iter().map(|announced| announced["id"].as_str().unwrap()).collect();

    // One that is asked about, and one that is sent once more.
    put_in_place(data.path(), ids[0], &pictures[0]);
    assert_eq!(client.ended(ids[0])["state"], "ready");
    put_in_place(data.path(), ids[1], &pictures[1]);
    assert_eq!(client.put(&announced[1], &pictures[1]).status, 409);
    let listed = |client: &Client| client.list("item/1/item-photo").0.len();
    wait("sent once more", || listed(&client) == 2);

    // One that nobody comes back to.
    server.kill();
    put_in_place(data.path(), ids[2], &pictures[2]);
    let server = Server::over(data.path(), &[]);
    let client = Client::new(server.url());
    wait("after the start", || listed(&client) == 3);
}

#[test]
fn what_no_upload_needs_is_removed_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::over(data.path(), &[]);
    let client = Client::new(server.url());
    let id = |announced: &Value| announced["id"].as_str().unwrap().to_owned();
    let (aborted, open) = (id(&announce(&client, b"0123456789")), id(&announce(&client, b"0123456789")));
    assert_eq!(client.delete(&format!("/v1/uploads/{aborted}")).status, 204);
    server.kill();
    let (old, new) = ("2222222222222222222222222222222a", "3333333333333333333333333333333a");
    for upload in [&aborted, &open, old, new] {
        let folder = folder(data.path(), upload);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("parts.partial"), b"broken off").unwrap();
    }
    let before = SystemTime::now() - Duration::from_secs(2 * 86_400);
    let times = FileTimes::new().set_modified(before);
    File::open(folder(data.path(), old)).unwrap().set_times(times).unwrap();
    let _server = Server::over(data.path(), &[]);
    let is_there = |upload: &str| folder(data.path(), upload).exists();
    wait("an upload that ended", || !is_there(&aborted));
    wait("an upload that there is not", || !is_there(old));
    assert!(is_there(&open) && is_there(new));
}

/// Every file below a folder.
fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

#[test]
fn bytes_that_are_damaged_are_replaced_when_they_come_again() {
    let data = tempfile::tempdir().unwrap();
    let picture = png(1_000, 500, 600);
    let mut server = Server::over(data.path(), &[]);
    let client = Client::new(server.url());
    let first = client.file("item-photo", "image/png", &picture, &json!({}));
    let small = client.get(&format!("/media/{first}/medium.webp")).body;
    server.stop();
    let mut paths = Vec::new();
    files_below(&data.path().join("objects"), &mut paths);
    let mut damaged = 0;
    for path in paths {
        let mut bytes = fs::read(&path).unwrap();
        for content in [&picture, &small] {
            if let Some(at) = bytes.windows(content.len()).position(|bytes| bytes == content) {
                bytes[at + content.len() / 2] ^= 1;
                fs::write(&path, &bytes).unwrap();
                damaged += 1;
            }
        }
    }
    assert_eq!(damaged, 2);
    let server = Server::over(data.path(), &[]);
    let client = Client::new(server.url());
    assert_eq!(client.get(&format!("/media/{first}/original")).status, 502);
    let second = client.file("item-photo", "image/png", &picture, &json!({}));
    for file in [first, second] {
        for (name, content) in [("original", &picture), ("medium.webp", &small)] {
            let read = client.get(&format!("/media/{file}/{name}"));
            assert_eq!((read.status, &read.body == content), (200, true), "{name}");
        }
    }
}

/// The way in which an operator mends a rendition.
#[test]
fn renditions_that_are_damaged_or_missing_are_made_anew() {
    let data = tempfile::tempdir().unwrap();
    let picture = png(1_000, 500, 601);
    let mut server = Server::over(data.path(), &[]);
    let client = Client::new(server.url());
    let id = client.file("item-photo", "image/png", &picture, &json!({}));
    let [medium, large] =
        ["medium.webp", "large.webp"].map(|name| client.get(&format!("/media/{id}/{name}")).body);
    assert_ne!(medium, large);
    server.stop();
    let mut paths = Vec::new();
    files_below(&data.path().join("objects"), &mut paths);
    let mut found = 0;
    for path in paths {
        let mut bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(medium.len()).position(|bytes| bytes == medium) {
            bytes[at + medium.len() / 2] ^= 1;
            fs::write(&path, &bytes).unwrap();
            found += 1;
        } else if bytes.windows(large.len()).any(|bytes| bytes == large) {
            fs::remove_file(&path).unwrap();
            found += 1;
        }
    }
    assert_eq!(found, 2);
    let server = Server::over(data.path(), &[]);
    let client = Client::new(server.url());
    let read = |name: &str| client.get(&format!("/media/{id}/{name}"));
    for name in ["medium.webp", "large.webp"] {
        assert_eq!((read(name).status, read(name).problem().as_str()), (502, "damaged"), "{name}");
    }
    let path = format!("/v1/files/{id}/renditions");
    // By the record, nothing is missing.
    assert_eq!(client.send(&Method::POST, &format!("{path}?only_missing=true"), &[], &[]).status, 200);
    assert_eq!(read("medium.webp").status, 502);
    assert_eq!(client.send(&Method::POST, &path, &[], &[]).status, 200);
    for (name, content) in [("medium.webp", &medium), ("large.webp", &large)] {
        assert_eq!((read(name).status, &read(name).body == content), (200, true), "{name}");
    }
}
