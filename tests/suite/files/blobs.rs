//! One process writes a blob while another one removes it. Each is stopped between any two of its calls, and the other one
//! runs to its end meanwhile. No file may point at nothing, and no object may be left without a row.

use std::future::{Future, ready};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use credlink_auth::gate::Gate as Callers;
use credlink_cache::NoCache;
use credlink_core::bounds::{BLOB_TAKEOVER_SECONDS, UNHELD_BLOB_SECONDS, UPLOAD_STEP_SECONDS};
use credlink_core::collection::Collections;
use credlink_core::file::UploadId;
use credlink_core::link::{LinkKey, LinkKeys};
use credlink_core::object::{Facts, MediaKey, ObjectKey};
use credlink_core::row::{BlobRow, Row, RowKey, State};
use credlink_core::rules::quota::Limits;
use credlink_core::time::Timestamp;
use credlink_files::{Files, FilesPorts, FilesSettings, Notices, Noticing, Others, WithFiles};
use credlink_metrics::counters::Counters;
use credlink_ports::doubles::{ManualClock, MemoryIndex, MemoryObjects, MemoryQuarantine};
use credlink_ports::migration::jobs::NoJobs;
use credlink_ports::{Commit, Index as _, Listing, NoManifests, Objects as _, Parts, Write};
use credlink_service::plain::Plain;
use credlink_service::{Service, ServiceSettings};
use futures_util::FutureExt as _;
use http::{Method, Request};
use serde_json::{Value, json};

use super::ground::{Copies, random};
use crate::faults::gate::{Gate, Gated};

/// A PNG, as far as its first bytes tell.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\nthe pixels";

/// The receiver of notices, which nobody reads.
#[derive(Debug)]
struct Nobody;

impl Notices for Nobody {
    fn arrived(&self, _upload: UploadId) -> Noticing<'_> {
        Box::pin(ready(()))
    }
}

type Ports = Parts<Gated<MemoryObjects>, Gated<MemoryIndex>, NoCache, ManualClock, Counters, Callers>;

/// The state that processes share.
struct Ground {
    objects: MemoryObjects,
    index: MemoryIndex,
    clock: ManualClock,
    quarantine: MemoryQuarantine,
}

struct Process {
    service: Service<Ports>,
    files: Files<MemoryQuarantine>,
}

/// Returns the output of a future that waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing waits")
}

impl Ground {
    fn new() -> Self {
        let clock = ManualClock::at("2026-01-01T12:00:00Z".parse().unwrap());
        let objects = MemoryObjects::with_clock(clock.clone());
        Self { objects, index: MemoryIndex::new(), clock, quarantine: MemoryQuarantine::new() }
    }

    /// A process whose calls pass a gate.
    fn process(&self, gate: &Gate) -> Process {
        let parts = Parts {
            objects: Gated::new(self.objects.clone(), gate.clone()),
            index: Gated::new(self.index.clone(), gate.clone()),
            cache: NoCache,
            clock: self.clock.clone(),
            events: Counters::default(),
            authenticator: Callers::of(None, None),
            jobs: NoJobs,
        };
        let keys = LinkKeys { current: LinkKey::new("k", vec![7; 32]).unwrap(), previous: None };
        let settings = FilesSettings {
            collections: Arc::new(Collections::default()),
            link_keys: keys,
            public_url: "https://credlink.test".to_owned(),
            tenant_limits: Limits::default(),
            owner_limits: Limits::default(),
            announcements_per_minute: 1_000,
            trusted_proxies: Vec::new(),
            random,
            pause: |_| Box::pin(ready(())),
        };
        let ports = FilesPorts {
            quarantine: self.quarantine.clone(),
            renderer: Arc::new(Copies::default()),
            manifests: Arc::new(NoManifests),
            scanner: None,
            notices: Arc::new(Nobody),
        };
        let service = ServiceSettings { notice_on_read: true, ..ServiceSettings::default() };
        Process { service: Service::new(parts, service).unguarded(), files: Files::new(ports, settings) }
    }

    fn calm(&self) -> Process {
        self.process(&Gate::open())
    }

    /// Announces an upload of the picture, whose bytes arrive.
    fn arrived(&self) -> UploadId {
        let body = json!({"collection": "item-photo", "type": "image/png", "size": PICTURE.len()});
        let (status, answer) = at_once(self.calm().send(Method::POST, "/v1/uploads", &body));
        assert_eq!(status, 201, "{answer}");
        let id: UploadId = answer["id"].as_str().unwrap().parse().unwrap();
        let row = at_once(self.index.get(&RowKey::Upload(id))).unwrap().and_then(Row::upload).unwrap();
        assert!(self.quarantine.receive(&row, None, Bytes::from_static(PICTURE)));
        id
    }

    /// Makes a file of the picture and deletes it. Its blob is left, held by nobody.
    fn deleted(&self) {
        let upload = self.arrived();
        at_once(self.calm().finalise(&upload, Others::Possible)).unwrap();
        let file = self.rows().into_iter().find_map(Row::file).unwrap().id;
        let (status, _) =
            at_once(self.calm().send(Method::DELETE, &format!("/v1/files/{file}"), &Value::Null));
        assert_eq!(status, 204);
    }

    fn rows(&self) -> Vec<Row> {
        at_once(self.index.list(&Listing::All, None, 1_000)).unwrap().unwrap().items
    }

    fn blob(&self) -> Option<BlobRow> {
        self.rows().into_iter().find_map(Row::blob)
    }

    /// Lets the day pass for which a blob without a file is kept, and nothing else.
    fn let_the_blob_be_due(&self) {
        if let Some(blob) = self.blob().filter(|blob| blob.state == State::Live && blob.holders == 0) {
            let unheld = Some(Timestamp::from_milliseconds(1));
            let row = Row::Blob(BlobRow { unheld, version: blob.version + 1, ..blob.clone() });
            let write = Write { row, expected: Some(blob.version) };
            assert_eq!(at_once(self.index.commit(&[write])).unwrap(), Commit::Done);
        }
    }

    fn keys(&self, prefix: &str) -> Vec<String> {
        let page = at_once(self.objects.list(prefix, None, 1_000)).unwrap();
        page.items.into_iter().map(|listed| listed.key).collect()
    }

    /// Asserts that there is one file of the upload, with all its objects, and nothing without a row that says so.
    fn assert_sound(&self, upload: &UploadId, when: &str) {
        let row = at_once(self.index.get(&RowKey::Upload(*upload))).unwrap().and_then(Row::upload).unwrap();
        assert_eq!(row.state.name(), "ready", "{when}");
        let blob = self.blob().unwrap();
        assert_eq!((blob.state, blob.holders), (State::Live, 1), "{when}");
        let renditions = blob.renditions.iter().map(|name| MediaKey::Rendition(blob.id(), name.clone()));
        let mut expected: Vec<String> = [MediaKey::Original(blob.id())]
            .into_iter()
            .chain(renditions)
            .map(|key| ObjectKey::Media(key).to_string())
            .collect();
        expected.sort();
        assert_eq!(expected.len(), 7, "{when}");
        assert_eq!(self.keys(MediaKey::MEDIA), expected, "{when}");
    }
}

impl Process {
    async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let handler = WithFiles::new(&self.files, &Plain);
        let answer = self.service.handle_by(&handler, &parts, ready(Ok(body.to_string().into()))).await;
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    async fn finalise(&self, upload: &UploadId, others: Others) -> Result<(), String> {
        self.files.finalise(&self.service, upload, others).await.map_err(|error| error.to_string())
    }

    async fn sweep(&self, others: Others) -> u64 {
        self.files.sweep(&self.service, others).await.unwrap().done
    }
}

/// Runs `slow` until it is stopped before its call number `k`, then `meanwhile`, and then the rest. Returns `None` if it ends
/// before.
fn overtaken<T>(gate: &Gate, slow: impl Future<Output = T>, meanwhile: impl FnOnce()) -> Option<T> {
    let mut slow = pin!(slow);
    if gate.run(slow.as_mut()).is_some() {
        return None;
    }
    meanwhile();
    gate.lift();
    Some(gate.run(slow).expect("it is lifted"))
}

#[test]
fn a_file_is_made_whose_blob_is_removed_between_any_two_calls() {
    let mut removals = 0;
    for k in 0..500 {
        let when = format!("stopped before call {k}");
        let ground = Ground::new();
        ground.deleted();
        let upload = ground.arrived();
        let gate = Gate::before(k);
        let slow = ground.process(&gate);
        let mut removed = 0;
        let made = overtaken(&gate, slow.finalise(&upload, Others::Possible), || {
            ground.let_the_blob_be_due();
            removed = at_once(ground.calm().sweep(Others::Possible));
        });
        let Some(made) = made else {
            assert!(k > 30, "{when}");
            assert!(removals > 20, "the blob was removed {removals} times");
            return;
        };
        removals += removed;
        // Whoever loses to the removal writes everything once more.
        assert_eq!(made, Ok(()), "{when}");
        ground.assert_sound(&upload, &when);
    }
    panic!("it does not end");
}

#[test]
fn a_blob_is_removed_while_it_is_written_anew() {
    let (mut waited, mut k) = (0, 0);
    loop {
        let when = format!("stopped before call {k}");
        let ground = Ground::new();
        ground.deleted();
        ground.clock.advance_seconds(UNHELD_BLOB_SECONDS + 1);
        let upload = ground.arrived();
        let gate = Gate::before(k);
        let slow = ground.process(&gate);
        let mut made = Ok(());
        let swept = overtaken(&gate, slow.sweep(Others::Possible), || {
            made = at_once(ground.calm().finalise(&upload, Others::Possible));
        });
        if swept.is_none() {
            break;
        }
        if let Err(error) = made {
            assert!(error.contains("is being removed"), "{when}: {error}");
            waited += 1;
            at_once(ground.calm().finalise(&upload, Others::None)).unwrap();
        }
        ground.assert_sound(&upload, &when);
        k += 1;
    }
    assert!(k > 10 && waited > 5, "{k} calls, {waited} times refused");
}

#[test]
fn a_removal_that_was_cut_off_is_taken_over_and_does_no_harm_when_it_goes_on() {
    // Stopped after a call has taken effect: a call itself ends within minutes.
    let (mut taken_over, mut k) = (0, 1);
    loop {
        let when = format!("stopped after pass {k}");
        let ground = Ground::new();
        ground.deleted();
        ground.clock.advance_seconds(UNHELD_BLOB_SECONDS + 1);
        let gate = Gate::around(k);
        let slow = ground.process(&gate);
        let mut upload = None;
        let swept = overtaken(&gate, slow.sweep(Others::Possible), || {
            let is_begun = matches!(ground.blob().unwrap().state, State::Deleting(_));
            if is_begun {
                // Not before its time.
                ground.clock.advance_seconds(BLOB_TAKEOVER_SECONDS - 1);
                assert_eq!(at_once(ground.calm().sweep(Others::Possible)), 0, "{when}");
                ground.clock.advance_seconds(1);
                assert_eq!(at_once(ground.calm().sweep(Others::Possible)), 1, "{when}");
                taken_over += 1;
            }
            let arrived = ground.arrived();
            at_once(ground.calm().finalise(&arrived, Others::Possible)).unwrap();
            upload = Some(arrived);
        });
        if swept.is_none() {
            break;
        }
        ground.assert_sound(&upload.unwrap(), &when);
        k += 2;
    }
    assert!(taken_over > 5, "taken over {taken_over} times");
}

#[test]
fn a_finaliser_is_taken_over_between_any_two_calls_and_goes_on_later() {
    for k in 0..500 {
        let when = format!("stopped before call {k}");
        let ground = Ground::new();
        let upload = ground.arrived();
        let gate = Gate::before(k);
        let slow = ground.process(&gate);
        let made = overtaken(&gate, slow.finalise(&upload, Others::Possible), || {
            ground.clock.advance_seconds(UPLOAD_STEP_SECONDS + 1);
            at_once(ground.calm().finalise(&upload, Others::Possible)).unwrap();
        });
        let Some(made) = made else {
            assert!(k > 30, "{when}");
            return;
        };
        assert_eq!(made, Ok(()), "{when}");
        ground.assert_sound(&upload, &when);
        let file = ground.rows().into_iter().find_map(Row::file).unwrap();
        let record =
            at_once(ground.objects.head(&ObjectKey::Media(MediaKey::File(file.id)))).unwrap().unwrap();
        let stored = Facts::read(&record.attributes).unwrap().sha256;
        assert_eq!(stored, file.record_sha256, "{when}: the row is that of another record");
    }
    panic!("it does not end");
}

#[test]
fn a_removal_that_the_end_of_a_server_cut_off_goes_on_with_the_next_one() {
    let ground = Ground::new();
    ground.deleted();
    ground.clock.advance_seconds(UNHELD_BLOB_SECONDS + 1);
    let gate = Gate::before(8);
    let slow = ground.process(&gate);
    {
        let mut cut_off = pin!(slow.sweep(Others::Possible));
        assert!(gate.run(cut_off.as_mut()).is_none());
    }
    assert!(matches!(ground.blob().unwrap().state, State::Deleting(_)));
    assert_eq!(at_once(ground.calm().sweep(Others::None)), 1);
    assert!(matches!(ground.blob().unwrap().state, State::Deleted(_)));
    assert_eq!(ground.keys(MediaKey::MEDIA), [""; 0]);
}

#[test]
fn a_file_is_deleted_by_another_process_between_any_two_calls() {
    for k in 0..500 {
        let when = format!("stopped before call {k}");
        let ground = Ground::new();
        let upload = ground.arrived();
        at_once(ground.calm().finalise(&upload, Others::Possible)).unwrap();
        let file = ground.rows().into_iter().find_map(Row::file).unwrap().id;
        let path = format!("/v1/files/{file}");
        let gate = Gate::before(k);
        let slow = ground.process(&gate);
        let deleted = overtaken(&gate, slow.send(Method::DELETE, &path, &Value::Null), || {
            let (status, _) = at_once(ground.calm().send(Method::DELETE, &path, &Value::Null));
            assert_eq!(status, 204, "{when}");
        });
        let Some((status, answer)) = deleted else {
            // It was stopped before each of the calls of a deletion that nobody disturbs, one of which commits it.
            assert_eq!(k, gate.passed(), "{when}");
            assert!(k > 1, "{when}");
            return;
        };
        assert_eq!(status, 204, "{when}: {answer}");
        let quota = ground.rows().into_iter().find_map(Row::quota).unwrap();
        assert_eq!((quota.used, quota.files), (0, 0), "{when}");
        let file = ground.rows().into_iter().find_map(Row::file).unwrap();
        assert!(matches!(file.state, State::Deleted(_)), "{when}");
    }
    panic!("it does not end");
}
