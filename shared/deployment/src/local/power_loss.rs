//! Power cuts at any moment of stores, replacements and deletions: in every state that the disk may then have, the
//! service opens, serves what was acknowledged and nothing that was deleted, and fsck finds nothing broken.
//!
//! The states are built from one recorded run (`credlink_disk::recorder`), whose files are objects, their journal and
//! the index. States of a record in which a sync of either is missing must be found wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use bytes::Bytes;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_disk::recorder::crash::{Dice, Unsynced, build};
use credlink_disk::recorder::{Operation, Position, Recording};
use credlink_service::cleanup::{Limits, cleanup};
use credlink_service::fsck::{Severity, fsck};
use data_encoding::BASE64;
use http::Request;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;

const CLIENTS: usize = 3;
/// The number of files of each client.
const FILES: usize = 2;
/// The number of calls of each client, before a restart and after it.
const CALLS: usize = 5;

/// A manifest, with the ID of a C2PA one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Manifest {
    bytes: Vec<u8>,
    id: Option<String>,
}

/// The state of a file's proof.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Never,
    Stored(Manifest),
    Deleted,
}

/// A call: the file, and the state that the call is to bring about.
#[derive(Clone, Debug)]
struct Call {
    media: MediaHash,
    to: State,
}

struct Run {
    operations: Vec<Operation>,
    calls: Vec<Call>,
}

/// A folder in memory, where a sync costs nothing.
fn in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn settings() -> ServiceSettings {
    ServiceSettings {
        public_url: "http://127.0.0.1".to_owned(),
        count_reads: true,
        notice_on_read: true,
        ..ServiceSettings::default()
    }
}

impl Manifest {
    fn new(media: &MediaHash, number: usize, dice: &mut Dice) -> Self {
        if dice.roll(2) == 0 {
            let filling = "x".repeat(dice.roll(9_000));
            return Self {
                bytes: format!(r#"{{ "number" : {number}.0, "{filling}": 1 }}"#).into_bytes(),
                id: None,
            };
        }
        let id = format!("urn:c2pa:{number:08x}-0000-4000-8000-000000000000");
        Self { bytes: manifest_store(&id, media.digest()), id: Some(id) }
    }

    fn body(&self, media: &MediaHash) -> Bytes {
        let kind = if self.id.is_some() { "application/c2pa" } else { "application/json" };
        let bytes = BASE64.encode(&self.bytes);
        format!(r#"{{"media_hash":"{media}","manifest_base64":"{bytes}","manifest_type":"{kind}"}}"#).into()
    }
}

async fn ask(service: &Service<Local>, method: &str, path: &str, body: Bytes) -> (u16, Bytes) {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = if method == "PUT" { request.header("if-match", "*") } else { request };
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let answer = service.handle(&parts, async { Ok(body) }).await;
    (answer.status().as_u16(), answer.into_body())
}

/// Makes one call and asserts that it is acknowledged.
async fn call(service: &Service<Local>, call: &Call, before: &State) {
    let (found, body) = match &call.to {
        State::Stored(manifest) => ("/v1/proofs".to_owned(), manifest.body(&call.media)),
        State::Never | State::Deleted => (String::new(), Bytes::new()),
    };
    let path = format!("/v1/proofs/{}", ProofId::derive(&Tenant::default(), &call.media));
    let (status, answer) = match (&call.to, before) {
        (State::Stored(_), State::Stored(_)) => ask(service, "PUT", &path, body).await,
        (State::Stored(_), State::Never | State::Deleted) => ask(service, "POST", &found, body).await,
        (State::Never | State::Deleted, _) => ask(service, "DELETE", &path, body).await,
    };
    assert!(matches!(status, 200 | 201 | 204), "{call:?}: {status} {}", String::from_utf8_lossy(&answer));
}

impl Run {
    fn new(seed: u64) -> Self {
        let home = in_memory();
        let recording = Recording::of(home.path());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let calls: Mutex<Vec<Call>> = Mutex::default();
        let mut known = vec![vec![State::Never; FILES]; CLIENTS];
        for round in 0..2 {
            let service = {
                let _inside = runtime.enter();
                open(&home.path().join("data"), Gate::of(None, None), settings()).unwrap()
            };
            std::thread::scope(|scope| {
                for (client, known) in known.iter_mut().enumerate() {
                    let mut dice = Dice(seed ^ (client as u64) << 8 ^ round << 16);
                    let (service, recording, calls, runtime) = (&service, &recording, &calls, &runtime);
                    scope.spawn(move || {
                        for _ in 0..CALLS {
                            let file = dice.roll(FILES);
                            let media = MediaHash::of(format!("{client}/{file}").as_bytes());
                            let is_store = !matches!(known[file], State::Stored(_)) || dice.roll(3) > 0;
                            let (number, made) = {
                                let mut calls = calls.lock().unwrap();
                                let number = calls.len();
                                let to = if is_store {
                                    State::Stored(Manifest::new(&media, number, &mut dice))
                                } else {
                                    State::Deleted
                                };
                                calls.push(Call { media, to });
                                (number as u64, calls[number].clone())
                            };
                            recording.mark(2 * number);
                            runtime.block_on(call(service, &made, &known[file]));
                            recording.mark(2 * number + 1);
                            known[file] = made.to;
                        }
                    });
                }
            });
            let _inside = runtime.enter();
            drop(service);
        }
        Self { operations: recording.operations(), calls: calls.into_inner().unwrap() }
    }

    /// Returns the states that each file may have after a cut.
    fn possible(&self, cut: Position) -> BTreeMap<String, (MediaHash, Vec<State>)> {
        let mut possible = BTreeMap::new();
        for operation in &self.operations[..cut] {
            let Operation::Mark(mark) = operation else { continue };
            let Some(call) = self.calls.get(usize::try_from(mark / 2).unwrap()) else { continue };
            let first = || (call.media, vec![State::Never]);
            let (_, states) = possible.entry(call.media.to_string()).or_insert_with(first);
            if mark % 2 == 1 {
                states.clear();
            }
            states.push(call.to.clone());
        }
        possible
    }

    /// Returns what is wrong with the first wrong state of those after at most `most` cuts.
    fn search(&self, most: usize) -> Option<String> {
        let is_interesting = |operation: &Operation| {
            !matches!(operation, Operation::Write(..) | Operation::Resize(..) | Operation::Create(..))
        };
        let interesting =
            self.operations.iter().enumerate().filter(|(_, operation)| is_interesting(operation));
        let mut cuts: Vec<_> = interesting.flat_map(|(position, _)| [position, position + 1]).collect();
        cuts.dedup();
        let stride = cuts.len().div_ceil(most);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for cut in cuts.into_iter().rev().step_by(stride) {
            for unsynced in [Unsynced::Lost, Unsynced::NamesOnly, Unsynced::Random(cut as u64)] {
                let disk = in_memory();
                build(&self.operations, cut, unsynced, disk.path()).unwrap();
                let found = wrong(&runtime, &disk.path().join("data"), &self.possible(cut));
                if let Some(found) = found {
                    return Some(format!("cut at {cut}, {unsynced:?}: {found}"));
                }
            }
        }
        None
    }

    /// Leaves out the syncs of the files that ever had a name for which `is_skipped` holds.
    fn without_syncs(&self, is_skipped: impl Fn(&Path) -> bool) -> Self {
        let mut operations = self.operations.clone();
        let files: Vec<u64> = operations
            .iter()
            .filter_map(|operation| match operation {
                Operation::Create(path, number) if is_skipped(path) => Some(*number),
                _ => None,
            })
            .collect();
        for operation in &mut operations {
            if matches!(operation, Operation::Sync(file, _) if files.contains(file)) {
                *operation = Operation::Mark(u64::MAX);
            }
        }
        Self { operations, calls: self.calls.clone() }
    }
}

/// Opens the service over the folder. Returns what is wrong.
fn wrong(
    runtime: &Runtime,
    folder: &Path,
    possible: &BTreeMap<String, (MediaHash, Vec<State>)>,
) -> Option<String> {
    runtime.block_on(async {
        let service = match open(folder, Gate::of(None, None), settings()) {
            Ok(service) => service,
            Err(error) => return Some(error.to_string()),
        };
        for (name, (media, states)) in possible {
            let path = format!("/v1/proofs/{}", ProofId::derive(&Tenant::default(), media));
            let (status, body) = ask(&service, "GET", &path, Bytes::new()).await;
            let served = states.iter().find(|state| match (state, status) {
                (State::Never, 404 | 410) | (State::Deleted, 410) => true,
                (State::Stored(manifest), 200) => {
                    Record::parse(&body).unwrap().manifest.sha256 == Digest::of(&manifest.bytes)
                }
                _ => false,
            });
            match served {
                None => return Some(format!("{name} is answered with {status}; possible: {states:?}")),
                Some(State::Stored(Manifest { bytes, id: Some(id) })) => {
                    let (status, body) =
                        ask(&service, "GET", &format!("/v1/manifests/{id}"), Bytes::new()).await;
                    if (status, &body[..]) != (200, &bytes[..]) {
                        return Some(format!("the manifest of {name} is answered with {status}"));
                    }
                }
                Some(State::Stored(manifest)) => {
                    let inline = Record::parse(&body).unwrap().manifest.inline_bytes().unwrap().unwrap();
                    if inline != manifest.bytes {
                        return Some(format!("the manifest of {name} is another one"));
                    }
                }
                Some(State::Never | State::Deleted) => {}
            }
        }
        let mut findings = Vec::new();
        let mut worst = Severity::Broken;
        for _ in 0..2 {
            if let Err(failure) = fsck(&service, |finding| findings.push(finding)).await {
                return Some(failure.to_string());
            }
            findings.retain(|finding| finding.severity >= worst);
            if !findings.is_empty() {
                return Some(format!("{findings:#?}"));
            }
            let deadline = "2100-01-01T00:00:00Z".parse().unwrap();
            let limits = Limits { any_age: true, ..Limits::until(deadline) };
            if let Err(error) = cleanup(&service, limits, None).await {
                return Some(format!("{error:?}"));
            }
            worst = Severity::Leftover;
        }
        None
    })
}

#[test]
fn every_state_after_a_cut_has_what_was_acknowledged() {
    let run = Run::new(1);
    assert_eq!(run.search(70), None);
    let journals = run.without_syncs(|path| path.starts_with("data/journal"));
    assert!(journals.search(70).is_some(), "the journal of the objects is not synced");
    let index = run.without_syncs(|path| path.starts_with("data/index.redb.new"));
    assert!(index.search(70).is_some(), "the index is not synced");
}
