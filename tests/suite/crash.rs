//! `kill -9` during a storm of writes, round after round on one folder: everything that a real `credlink serve`
//! acknowledged is there after its restart, byte for byte, and everything that it acknowledged as deleted is not.
//!
//! Each client has files of its own, and therefore knows what must have become of them. A request in flight when the
//! server was killed may have taken effect or not.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use credlink_auth::gate::Gate;
use credlink_auth::tokens::Trusted;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::record::Record;
use credlink_core::testing::manifest_store;
use credlink_deployment::local::open;
use credlink_service::ServiceSettings;
use credlink_service::cleanup::{Limits, cleanup};
use credlink_service::fsck::{Severity, fsck};
use data_encoding::BASE64;

use crate::http::ask::{media, proof_path};
use crate::server::Server;

const ROUNDS: u64 = 8;
const CLIENTS: u64 = 16;
/// Number of files of each client: few, so that each is stored, replaced and deleted often.
const FILES: u64 = 6;

/// A manifest, with the ID of a C2PA one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Manifest {
    bytes: Vec<u8>,
    id: Option<String>,
}

impl Manifest {
    /// A new manifest of either type.
    fn new(media: &MediaHash, number: u64) -> Self {
        if number.is_multiple_of(2) {
            return Self { bytes: format!(r#"{{ "number" : {number}.0 }}"#).into_bytes(), id: None };
        }
        let id = format!("urn:c2pa:{number:08x}-0000-4000-8000-{:012x}", number >> 32);
        Self { bytes: manifest_store(&id, media.digest()), id: Some(id) }
    }

    fn body(&self, media: &MediaHash) -> String {
        let kind = if self.id.is_some() { "application/c2pa" } else { "application/json" };
        let bytes = BASE64.encode(&self.bytes);
        format!(r#"{{"media_hash":"{media}","manifest_base64":"{bytes}","manifest_type":"{kind}"}}"#)
    }
}

/// A possible state of a file's proof.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Never,
    Stored(Manifest),
    Deleted,
}

/// The possible states of each file, one of which must be true.
type Ledger = BTreeMap<String, Vec<State>>;

/// A pseudo-random number generator (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(Duration::from_secs(30))).build().new_agent()
}

/// The status and the body of an answer, or `None` if the server is gone.
fn read(answer: Result<http::Response<ureq::Body>, ureq::Error>) -> Option<(u16, Vec<u8>)> {
    let mut answer = answer.ok()?;
    let body = answer.body_mut().read_to_vec().ok()?;
    Some((answer.status().as_u16(), body))
}

/// The writes of one client, until the server is gone.
fn write(url: &str, client: u64, dice: &mut Dice, ledger: &mut Ledger) {
    let agent = agent();
    loop {
        let file = format!("{client}/{}", dice.roll() % FILES);
        let (media, path) = (media(&file), format!("{url}{}", proof_path(&file)));
        let known = ledger.entry(file).or_insert_with(|| vec![State::Never]);
        let manifest = Manifest::new(&media, dice.roll() >> 8);
        let body = manifest.body(&media);
        let (act, answer) = match dice.roll() % 5 {
            0 | 1 => {
                let request = agent.post(format!("{url}/v1/proofs"));
                ("store", read(request.header("content-type", "application/json").send(&body)))
            }
            2 | 3 => {
                let request = agent.put(&path).header("if-match", "*");
                ("replace", read(request.header("content-type", "application/json").send(&body)))
            }
            _ => ("delete", read(agent.delete(&path).call())),
        };
        let is_stored = |state: &State| matches!(state, State::Stored(_));
        let Some((status, answer)) = answer else {
            // The request may have taken effect or not.
            known.push(if act == "delete" { State::Deleted } else { State::Stored(manifest) });
            return;
        };
        match (act, status) {
            ("store", 201) | ("replace", 200) => *known = vec![State::Stored(manifest)],
            ("store", 200) => {
                let kept: serde_json::Value = serde_json::from_slice(&answer).unwrap();
                let is_kept = |state: &State| match state {
                    State::Stored(manifest) => {
                        Digest::of(&manifest.bytes).to_string() == kept["manifest"]["sha256"]
                    }
                    State::Never | State::Deleted => false,
                };
                // The index decides what is kept. After half a replacement the record may be ahead of the index.
                assert!(known.iter().any(is_kept), "store {path} found what was never stored: {kept}");
                known.retain(is_stored);
            }
            // Half a store may still be completed: the next store of the file may find its record.
            ("replace", 404 | 410) if !known.iter().all(is_stored) => {}
            ("delete", 204) => {
                known.retain(|state| !is_stored(state));
                if *known != [State::Never] {
                    known.push(State::Deleted);
                }
            }
            _ => panic!("{act} {path} was answered with {status}: {}", String::from_utf8_lossy(&answer)),
        }
        assert!(!known.is_empty(), "{act} {path} was answered with {status}, against what is known");
    }
}

/// Asserts that what is served of `file` is one of `known`. The next acknowledgement may still settle which: half a
/// deletion is finished by the next caller.
fn check(url: &str, agent: &ureq::Agent, file: &str, known: &[State], when: &str) {
    let path = proof_path(file);
    let (status, body) = read(agent.get(format!("{url}{path}")).call()).unwrap();
    let served = known.iter().find(|state| match (state, status) {
        (State::Never, 404 | 410) | (State::Deleted, 410) => true,
        (State::Stored(manifest), 200) => {
            Record::parse(&body).unwrap().manifest.sha256 == Digest::of(&manifest.bytes)
        }
        _ => false,
    });
    let served =
        served.unwrap_or_else(|| panic!("{when}: {path} is answered with {status}; known: {known:?}"));
    let State::Stored(manifest) = served else { return };
    match &manifest.id {
        None => {
            let inline = Record::parse(&body).unwrap().manifest.inline_bytes().unwrap().unwrap();
            assert_eq!(inline, manifest.bytes, "{when}: {path}");
        }
        Some(id) => {
            let served = read(agent.get(format!("{url}/v1/manifests/{id}")).call()).unwrap();
            assert_eq!(served, (200, manifest.bytes.clone()), "{when}: {id}");
        }
    }
}

/// Runs fsck over the folder while no server owns it, and asserts that nothing is broken and, if `tidy`, that cleanup
/// leaves nothing behind.
async fn check_folder(folder: &Path, tidy: bool, when: &str) {
    let settings = ServiceSettings {
        public_url: "http://127.0.0.1".to_owned(),
        count_reads: true,
        notice_on_read: true,
        ..ServiceSettings::default()
    };
    let service = open(folder, Gate::Trusted(Trusted), settings).unwrap();
    let mut worst = Severity::Broken;
    if tidy {
        let deadline = "2100-01-01T00:00:00Z".parse().unwrap();
        let report =
            cleanup(&service, Limits { any_age: true, ..Limits::until(deadline) }, None).await.unwrap();
        assert_eq!((report.failed, report.resume), (0, None), "{when}");
        worst = Severity::Leftover;
    }
    let mut findings = Vec::new();
    fsck(&service, |finding| findings.push(finding)).await.unwrap();
    findings.retain(|finding| finding.severity >= worst);
    assert!(findings.is_empty(), "{when}: {findings:#?}");
}

#[tokio::test]
async fn what_a_server_acknowledged_survives_its_sudden_end() {
    let folder = tempfile::tempdir().unwrap();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let seed = u64::try_from(seed % 0xffff_ffff).unwrap() + 1;
    let mut dice = Dice(seed);
    let mut ledgers = vec![Ledger::new(); usize::try_from(CLIENTS).unwrap()];
    for round in 0..=ROUNDS {
        let when = format!("seed {seed}, round {round}");
        let last = round == ROUNDS;
        check_folder(folder.path(), last, &when).await;
        let mut server = Server::over(folder.path(), &[]);
        let (url, agent) = (server.url().to_owned(), agent());
        for (file, known) in ledgers.iter().flatten() {
            check(&url, &agent, file, known, &when);
        }
        if last {
            break;
        }
        let storm = Duration::from_millis(100 + dice.roll() % 900);
        std::thread::scope(|scope| {
            for (client, ledger) in (0..).zip(&mut ledgers) {
                let (url, mut dice) = (&url, Dice(dice.roll() | 1));
                scope.spawn(move || write(url, client, &mut dice, ledger));
            }
            std::thread::sleep(storm);
            server.kill();
        });
    }
    let acknowledged = ledgers.iter().flatten().filter(|(_, known)| matches!(known[0], State::Stored(_)));
    assert!(acknowledged.count() > 10, "seed {seed}: the storms were no storms");
}

/// Nothing is left to be done by the next start, so the folder may be copied or changed by hand.
#[test]
fn an_orderly_stop_leaves_an_empty_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::over(folder.path(), &[]);
    let media = media("a");
    let request = agent().post(format!("{}/v1/proofs", server.url()));
    let body = Manifest::new(&media, 1).body(&media);
    let stored = read(request.header("content-type", "application/json").send(&body)).unwrap();
    assert_eq!(stored.0, 201);
    let files = || std::fs::read_dir(folder.path().join("journal")).unwrap().count();
    assert_eq!(files(), 1);
    server.stop();
    assert_eq!(files(), 0);
}
