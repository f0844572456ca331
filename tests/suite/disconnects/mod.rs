//! Clients that disconnect from a real `credlink serve` over a folder, and over S3 and DynamoDB: 2,000 changes of every
//! kind are cut off in their head, in their body, and up to 6 ms after their last byte. A request that is cut off
//! before its body has been read has no effect. Every other change is done or not done, and afterwards every operation
//! reports the same outcome, at once and without a cleanup, and the folder has no leftovers. If the process is killed
//! instead, the next scheduled run finishes what the process was in the middle of.

mod subject;
mod wire;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use subject::{CHANGES, Change, State, Subject};
use wire::{Answer, Ask, End, Point};

use crate::clouds::cleanup::scheduled;
use crate::clouds::ground::Ground;
use crate::engines::runtime::Function;
use crate::server::{Server, binary};

const TRIES: usize = 2_000;
/// Number of requests in flight: enough that answers take longer than the longest wait before a cut.
const AT_ONCE: usize = 64;

/// The points of the cuts. Half of them come with the last byte or at most 2 ms after it, when most changes are in the
/// middle.
const POINTS: [Point; 12] = [
    Point::Head,
    Point::Body,
    Point::After(0),
    Point::After(0),
    Point::After(0),
    Point::After(1),
    Point::After(1),
    Point::After(2),
    Point::After(3),
    Point::After(4),
    Point::After(5),
    Point::After(6),
];

/// A request that is cut off.
#[derive(Debug, Clone)]
struct Try {
    subject: Subject,
    point: Point,
    end: End,
}

impl Try {
    /// The tries iterate over every kind of change, for each over every point, and for each point over both ends.
    fn number(number: usize) -> Self {
        let change = CHANGES[number % CHANGES.len()];
        let turn = number / CHANGES.len();
        let end = if (turn / POINTS.len()).is_multiple_of(2) { End::Reset } else { End::Close };
        Self { subject: Subject { number, change }, point: POINTS[turn % POINTS.len()], end }
    }

    /// Prepares the subject and cuts the request off. Returns `true` if the cut came before an answer.
    async fn make(&self, address: &str) -> bool {
        for ask in self.subject.before() {
            assert_eq!(ask.whole(address).await.status, 201, "{self:?}");
        }
        self.subject.change().cut(address, self.point, self.end).await
    }

    /// Returns the state afterwards, on which every operation must agree.
    async fn check(&self, address: &str, listed: &Listed) -> State {
        let subject = &self.subject;
        let got = Ask::of("GET", &subject.path()).whole(address).await;
        let state = match got.status {
            404 | 410 => State::Nothing,
            308 => State::Leads,
            200 if subject.is_about_a_manifest() => State::Manifest(subject.sha256(1)),
            200 => State::Manifest(got.json()["manifest"]["sha256"].as_str().unwrap().to_owned()),
            other => panic!("{self:?}: {other}"),
        };
        let [undone, done] = subject.states();
        assert!(state == undone || state == done, "{self:?}: {state:?}");
        if !matches!(self.point, Point::After(_)) {
            assert_eq!(state, undone, "{self:?}: a part of a request did something");
        }
        let is_there = state != State::Nothing;
        if subject.is_about_a_manifest() {
            assert_eq!(listed.manifests.contains(&subject.manifest_id(1)), is_there, "{self:?}: the list");
            let again = subject.store_manifest().whole(address).await;
            assert_eq!(again.status, if is_there { 200 } else { 201 }, "{self:?}: POST");
        } else if subject.is_about_an_alias() {
            assert_eq!(listed.aliases.contains(&subject.legacy_id()), is_there, "{self:?}: the list");
        } else {
            assert_eq!(listed.proofs.contains(&subject.proof_id()), is_there, "{self:?}: the list");
            self.agree(address, &got, &state).await;
        }
        state
    }

    /// Asserts that POST and PUT see the same proof as GET.
    async fn agree(&self, address: &str, got: &Answer, state: &State) {
        let subject = &self.subject;
        let State::Manifest(sha256) = state else {
            assert_eq!(subject.replace(3, "*").whole(address).await.status, got.status, "{self:?}: PUT");
            assert_eq!(subject.store(1).whole(address).await.status, 201, "{self:?}: POST");
            return;
        };
        let version = if *sha256 == subject.sha256(1) { 1 } else { 2 };
        let again = subject.store(version).whole(address).await;
        assert_eq!(again.status, 200, "{self:?}: POST");
        let again = again.json();
        assert_eq!(again["manifest"]["sha256"], sha256.as_str(), "{self:?}: POST");
        assert_eq!((&again["deduplicated"], &again["identical"]), (&true.into(), &true.into()), "{self:?}");
        assert_eq!(again["revision"], got.json()["revision"], "{self:?}: POST");
        let replaced = subject.replace(3, got.header("etag").unwrap()).whole(address).await;
        assert_eq!(replaced.status, 200, "{self:?}: PUT with the ETag of GET: {}", replaced.json());
    }
}

/// The IDs in the listings.
struct Listed {
    proofs: BTreeSet<String>,
    manifests: BTreeSet<String>,
    aliases: BTreeSet<String>,
}

impl Listed {
    async fn of(address: &str) -> Self {
        Self {
            proofs: Self::all(address, "/v1/proofs", "proofs").await,
            manifests: Self::all(address, "/v1/manifests", "manifests").await,
            aliases: Self::all(address, "/v1/aliases", "aliases").await,
        }
    }

    async fn all(address: &str, path: &str, member: &str) -> BTreeSet<String> {
        let (mut ids, mut after) = (BTreeSet::new(), String::new());
        loop {
            let page = Ask::of("GET", &format!("{path}?limit=1000{after}")).whole(address).await.json();
            let items = page[member].as_array().unwrap_or_else(|| panic!("{page}"));
            ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { return ids };
            after = format!("&after={next}");
        }
    }
}

/// A server and the storage beneath it.
struct Subjected<'a> {
    folder: &'a Path,
    variables: &'a [(&'a str, &'a str)],
    server: Server,
}

impl<'a> Subjected<'a> {
    fn start(folder: &'a Path, variables: &'a [(&'a str, &'a str)]) -> Self {
        Self { folder, variables, server: Server::with(folder, &[], variables) }
    }

    fn address(&self) -> String {
        self.server.url().trim_start_matches("http://").to_owned()
    }

    /// Stops the server, and runs `credlink fsck` over its storage. Returns the exit code and the output.
    fn stop(mut self) -> (Option<i32>, String) {
        self.server.stop();
        let mut command = Command::new(binary());
        command.args(["fsck", "--data-dir"]).arg(self.folder).envs(self.variables.iter().copied());
        let checked = command.output().unwrap();
        (checked.status.code(), String::from_utf8(checked.stdout).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_a_folder_is_done_or_not_done_whenever_its_client_goes() {
    let folder = tempfile::tempdir().unwrap();
    cut_off(Subjected::start(folder.path(), &[])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_over_s3_and_dynamodb_is_done_or_not_done_whenever_its_client_goes() {
    let (ground, folder) = (Ground::plain().await, tempfile::tempdir().unwrap());
    let variables = ground.variables("serve");
    cut_off(Subjected::start(folder.path(), &without_tokens(&variables))).await;
}

/// The variables without tokens, as for a server over a folder.
fn without_tokens(variables: &[(String, String)]) -> Vec<(&str, &str)> {
    let pairs = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    pairs.filter(|(name, _)| !matches!(*name, "CREDLINK_TOKENS" | "CREDLINK_PUBLIC_URL")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_kill_cut_off_over_s3_and_dynamodb_is_finished_by_the_next_run_of_the_schedule() {
    /// The minimum and the maximum number of kills. Killing continues until some were in the middle of a change,
    /// however fast the machine is.
    const KILLS: std::ops::Range<usize> = 4..40;
    let (ground, folder) = (Ground::plain().await, tempfile::tempdir().unwrap());
    let serve = ground.variables("serve");
    let variables = without_tokens(&serve);
    let changes = [Change::Store, Change::Replace, Change::Store, Change::Delete];
    let subject = |number: usize| Subject { number, change: changes[number % changes.len()] };
    let cleanup = Function::start("cleanup", &ground.variables("cleanup"));
    let (mut completed, mut kills) = (0, 0);
    while kills < KILLS.start || completed == 0 {
        let kill = kills;
        kills += 1;
        assert!(kills < KILLS.end, "{kills} kills left nothing");
        let mut subjected = Subjected::start(folder.path(), &variables);
        let (address, subjects) = (subjected.address(), (kill * AT_ONCE..(kill + 1) * AT_ONCE).map(subject));
        let subjects: Vec<Subject> = subjects.collect();
        for ask in subjects.iter().flat_map(Subject::before) {
            assert_eq!(ask.whole(&address).await.status, 201);
        }
        let sent = stream::iter(subjects).map(|subject| {
            let address = &address;
            async move { subject.change().cut(address, Point::After(500), End::Close).await }
        });
        let sent = sent.buffer_unordered(AT_ONCE).count();
        let killed = tokio::task::spawn_blocking(move || {
            // Up to two and a half seconds, for a machine that has much else to do.
            std::thread::sleep(Duration::from_millis(20 << (kill % 8)));
            subjected.server.kill();
        });
        assert_eq!(sent.await, AT_ONCE);
        killed.await.unwrap();
        // Clean up before the next server does so at its start.
        let run = cleanup.invoke(scheduled()).await.unwrap();
        assert_eq!(run["failed"], 0, "{run}");
        completed += run["completed"].as_u64().unwrap();
    }
    // These were stores and replacements that had their record but not their row. A walk finds nothing so young.
    assert!(ground.index.bookmark("intents").await.unwrap().is_some());
    let again = cleanup.invoke(scheduled()).await.unwrap();
    assert_eq!((&again["completed"], &again["failed"]), (&0.into(), &0.into()), "{again}");

    let subjected = Subjected::start(folder.path(), &variables);
    let address = subjected.address();
    let listed = Listed::of(&address).await;
    for number in 0..kills * AT_ONCE {
        let tried = Try { subject: subject(number), point: Point::After(0), end: End::Close };
        tried.check(&address, &listed).await;
    }
}

async fn cut_off(subjected: Subjected<'_>) {
    let address = subjected.address();
    let tries: Vec<Try> = (0..TRIES).map(Try::number).collect();
    let early: Vec<bool> =
        stream::iter(&tries).map(|one| one.make(&address)).buffered(AT_ONCE).collect().await;
    let listed = Listed::of(&address).await;
    let states: Vec<State> =
        stream::iter(&tries).map(|one| one.check(&address, &listed)).buffered(AT_ONCE).collect().await;
    assert_eq!((early.len(), states.len()), (TRIES, TRIES));
    // Of the requests that were sent in full: the number that were cut off before their answer, and the number of those
    // that took effect all the same.
    let (mut whole, mut unanswered, mut done) = (0, 0, 0);
    for ((one, is_early), state) in tries.iter().zip(early).zip(&states) {
        if !matches!(one.point, Point::After(_)) || one.subject.change == Change::StoreAgain {
            continue;
        }
        whole += 1;
        unanswered += u32::from(is_early);
        done += u32::from(is_early && *state == one.subject.states()[1]);
    }
    let counted =
        format!("{whole} whole requests, {unanswered} cut off before their answer, {done} of them done");
    assert!(whole > 1_400 && unanswered * 2 > whole && done * 10 > unanswered, "{counted}");
    let (code, said) = subjected.stop();
    assert_eq!(code, Some(0), "{counted}; {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_ends_the_changes_of_clients_that_went() {
    let folder = tempfile::tempdir().unwrap();
    let subjected = Subjected::start(folder.path(), &[]);
    let address = subjected.address();
    let store = |number| Subject { number, change: Change::Store }.store(1);
    let sent = stream::iter((0..200).map(store)).map(|ask| {
        let address = &address;
        async move { ask.cut(address, Point::After(0), End::Close).await }
    });
    let early = sent.buffered(AT_ONCE).filter(|early| std::future::ready(*early)).count().await;
    let (code, said) = subjected.stop();
    assert!(early > 100, "{early} of 200 were cut off before their answer");
    assert_eq!(code, Some(0), "{said}");
}
