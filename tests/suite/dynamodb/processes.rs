//! Stores of one file at once by ten processes, each of which is the whole service over DynamoDB (guarantees 2 and 3).
//!
//! The processes are this test binary again, told by its environment to run [`worker`] and nothing else. They share
//! objects through a folder that they lock for every write: what decides here has to be the index.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use credlink_adapters::aws::http_client;
use credlink_adapters::cache::NoCache;
use credlink_adapters::clock::SystemClock;
use credlink_adapters::counters::Counters;
use credlink_adapters::dynamodb::DynamoIndex;
use credlink_adapters::tokens::Trusted;
use credlink_service::fsck::{Severity, fsck};
use credlink_service::ports::{Index as _, Parts, Ports as _};
use credlink_service::{Service, Settings};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::shared::SharedFolder;
use crate::engines::dynoxide::{endpoint, index, index_at, patient};
use crate::http::ask::{json as request, media};
use credlink_core::testing::manifest_store;

const PROCESSES: usize = 10;
const CLIENTS: usize = 5;
const ROUNDS: usize = 20;

/// Tells a process that it is a worker: the engine, the table, the folder and the worker's number.
const WORKER: &str = "CREDLINK_TEST_WORKER";

type World = Service<Parts<SharedFolder, DynamoIndex, NoCache, SystemClock, Counters, Trusted>>;

async fn world(endpoint: &str, table: &str, folder: &Path) -> World {
    let parts = Parts {
        objects: SharedFolder::at(folder),
        index: index_at(endpoint, table, http_client(), patient()).await,
        cache: NoCache,
        clock: SystemClock,
        events: Counters::default(),
        authenticator: Trusted,
    };
    Service::new(
        parts,
        Settings { public_url: "https://credlink.test".to_owned(), link_keys: None, count_reads: false },
    )
}

/// A store of the round's file: in even rounds everybody has the same manifest, in odd ones each client another.
fn body(round: usize, client: usize) -> Value {
    let media = media(&format!("round {round}"));
    let number = if round.is_multiple_of(2) { round } else { round * 1_000 + client };
    let manifest = manifest_store(&format!("urn:c2pa:00000000-0000-4000-8000-{number:012}"), media.digest());
    match round % 4 {
        0 | 1 => json!({"media_hash": media.to_string(), "manifest": {"number": number}}),
        _ => json!({"media_hash": media.to_string(), "manifest_base64": BASE64.encode(&manifest)}),
    }
}

/// One process: it stores with each line that it reads, and prints what it was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker() {
    let Ok(told) = std::env::var(WORKER) else { return };
    let told: Vec<&str> = told.split('\n').collect();
    let [endpoint, table, folder, number] = told[..] else { panic!("{told:?}") };
    let number: usize = number.parse().unwrap();
    let world = Arc::new(world(endpoint, table, Path::new(folder)).await);
    for line in std::io::stdin().lines() {
        let round: usize = line.unwrap().parse().unwrap();
        let tasks: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let world = Arc::clone(&world);
                tokio::spawn(async move {
                    let body = body(round, number * CLIENTS + client);
                    let (parts, body) = request(http::Method::POST, "/v1/proofs", &body).into_parts();
                    let answer = world.handle(&parts, async { Ok(body) }).await;
                    let told: Value = serde_json::from_slice(answer.body()).unwrap();
                    json!({"status": answer.status().as_u16(), "told": told})
                })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        // Not by a macro, whose output the harness would keep.
        writeln!(std::io::stdout(), "answers {}", Value::from(answers)).unwrap();
    }
    world.ports().index().flush().await.unwrap();
}

struct Worker {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Worker {
    fn start(table: &str, folder: &Path, number: usize) -> Self {
        let told = [endpoint(), table, folder.to_str().unwrap(), &number.to_string()].join("\n");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "dynamodb::processes::worker", "--nocapture", "--test-threads", "1"]);
        command.env(WORKER, told).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    fn go(&mut self, round: usize) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{round}").unwrap();
    }

    fn answers(&mut self) -> Vec<Value> {
        loop {
            let mut line = String::new();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the worker ended");
            // The harness may have begun the line.
            if let Some((_, answers)) = line.split_once("answers ") {
                return serde_json::from_str(answers).unwrap();
            }
        }
    }

    /// Lets it end in order.
    fn end(mut self) {
        drop(self.child.stdin.take());
        std::io::copy(&mut self.answers, &mut std::io::sink()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_stores_by_ten_processes_one_proof_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let table = index().await.table().to_owned();
    let mut workers: Vec<_> =
        (0..PROCESSES).map(|number| Worker::start(&table, folder.path(), number)).collect();
    for round in 0..ROUNDS {
        workers.iter_mut().for_each(|worker| worker.go(round));
        let answers: Vec<Value> = workers.iter_mut().flat_map(Worker::answers).collect();
        assert_eq!(answers.len(), PROCESSES * CLIENTS);
        let created: Vec<_> = answers.iter().filter(|answer| answer["status"] == 201).collect();
        assert_eq!(created.len(), 1, "round {round}: {answers:?}");
        let winner = &created[0]["told"];
        for Answer { status, told } in answers.iter().map(Answer::of) {
            assert!(matches!(status, 200 | 201), "round {round}: {told}");
            assert_eq!(told["id"], winner["id"], "round {round}");
            assert_eq!(told["manifest"]["sha256"], winner["manifest"]["sha256"], "round {round}");
            assert_eq!(told["deduplicated"], status == 200);
        }
        let identical = answers.iter().filter(|answer| answer["told"]["identical"] == true).count();
        assert_eq!(identical, if round.is_multiple_of(2) { PROCESSES * CLIENTS } else { 1 });
    }
    workers.into_iter().for_each(Worker::end);
    let world = world(endpoint(), &table, folder.path()).await;
    assert_eq!(world.ports().index().totals().await.unwrap().proofs, ROUNDS as u64);
    let mut broken = BTreeMap::new();
    fsck(&world, |finding| {
        if finding.severity == Severity::Broken {
            broken.insert(finding.key, finding.what);
        }
    })
    .await
    .unwrap();
    assert_eq!(broken, BTreeMap::new());
}

struct Answer<'a> {
    status: u64,
    told: &'a Value,
}

impl<'a> Answer<'a> {
    fn of(answer: &'a Value) -> Self {
        Self { status: answer["status"].as_u64().unwrap(), told: &answer["told"] }
    }
}
