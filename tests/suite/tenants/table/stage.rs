//! Tries the rows of the table: stores the victim's things, sends the attacker's requests, and records the results.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, Response, Uri};
use serde_json::Value;

use super::probes::{Probe, Told};
use super::rows::ROWS;
use super::seen::seen;
use super::subject::{Cursors, Kept, Kind, Subject};
use super::{Cast, Place, Row};
use crate::engines::edge::Edge;
use crate::files::pictures::png;
use crate::http::api::Api;
use crate::http::ask::{ask, get, json, with};
use crate::tenants::by;

/// The number of the subjects that are never attacked, and of those that rows share which change nothing.
const UNTOUCHED: usize = 0;
const SHARED: usize = 1;

/// A deployment on which the table is tried.
pub struct Stage<'a, A> {
    api: &'a A,
    cast: Cast,
    /// A source that the operator lists for the victim, if jobs can be started.
    source: Option<String>,
    edge: Option<&'a Edge>,
    has_files: bool,
    /// The files and uploads of the victim's subjects, by number and kind.
    kept: BTreeMap<(usize, &'static str), Kept>,
    cursors: Cursors,
    /// The last reads of the subjects of each number.
    views: BTreeMap<usize, Vec<(String, String)>>,
    domains: usize,
    wrong: Vec<String>,
}

impl<'a, A: Api> Stage<'a, A> {
    pub fn new(api: &'a A, cast: Cast) -> Self {
        Self {
            api,
            cast,
            source: None,
            edge: None,
            has_files: false,
            kept: BTreeMap::new(),
            cursors: Cursors::default(),
            views: BTreeMap::new(),
            domains: 0,
            wrong: Vec::new(),
        }
    }

    /// Adds the edge that reads the deployment's replica.
    pub fn with_edge(self, edge: &'a Edge) -> Self {
        Self { edge: Some(edge), ..self }
    }

    /// Adds files, which the deployment keeps.
    pub fn with_files(self) -> Self {
        Self { has_files: true, ..self }
    }

    /// Allows jobs to be started from this source.
    pub fn with_jobs(self, source: String) -> Self {
        Self { source: Some(source), ..self }
    }

    /// Tries every row, before the victim deletes its things and afterwards.
    pub async fn play(mut self) {
        for number in numbers() {
            for kind in [Kind::Public, Kind::Secret] {
                self.set_up(number, kind).await;
            }
        }
        self.cursors = Cursors {
            proofs: self.cursor("/v1/proofs").await,
            manifests: self.cursor("/v1/manifests").await,
            aliases: self.cursor("/v1/aliases").await,
        };
        self.try_all("while it is there").await;
        for number in numbers() {
            self.delete(number).await;
        }
        self.try_all("when it is deleted").await;
        assert!(self.wrong.is_empty(), "{:?}\n{}", self.cast, self.wrong.join("\n\n"));
    }

    fn subject(&self, number: usize, kind: Kind) -> Subject {
        let mut subject = Subject::new(self.cast, kind, number, self.cursors.clone());
        subject.kept = self.kept.get(&(number, kind.word())).cloned();
        subject
    }

    /// Announces an upload as the victim, and returns the answer.
    async fn announce(&self, subject: &Subject, size: usize) -> Value {
        let request = json(Method::POST, "/v1/uploads", &subject.announcement(size));
        let answer = self.api.send(by(self.cast.victim, request)).await;
        assert_eq!(answer.status(), 201, "{:?}", answer.body());
        serde_json::from_slice(answer.body()).unwrap()
    }

    /// Gives the victim a file and an upload.
    async fn keep_a_file(&mut self, number: usize, kind: Kind) {
        let subject = self.subject(number, kind);
        let picture = png(40, 30, u32::try_from(number).unwrap() * 2 + u32::from(kind == Kind::Secret));
        let announced = self.announce(&subject, picture.len()).await;
        let url: Uri = announced["put"]["url"].as_str().unwrap().parse().unwrap();
        let put = ask(Method::PUT, url.path_and_query().unwrap().as_str()).map(|_| Bytes::from(picture));
        assert_eq!(self.api.send(put).await.status(), 204);
        let target = format!("/v1/uploads/{}", announced["id"].as_str().unwrap());
        let begun = Instant::now();
        let file = loop {
            let answer = self.api.send(by(self.cast.victim, get(&target))).await;
            let upload: Value = serde_json::from_slice(answer.body()).unwrap();
            if let Some(file) = upload["file"].as_str() {
                break file.to_owned();
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{upload}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let upload = self.announce(&subject, 1_000).await["id"].as_str().unwrap().to_owned();
        self.kept.insert((number, kind.word()), Kept { file, upload });
    }

    async fn set_up(&mut self, number: usize, kind: Kind) {
        if self.has_files && has_file(number) {
            self.keep_a_file(number, kind).await;
        }
        let source = self.source.as_deref().filter(|_| has_job(number));
        for (caller, request, status) in self.subject(number, kind).stored_by(source) {
            let what = format!("{} {}", request.method(), request.uri());
            let answer = self.api.send(by(caller, request)).await;
            assert_eq!(answer.status(), status, "{what}: {:?}", answer.body());
        }
    }

    /// The cursor after the first item of one of the victim's listings.
    async fn cursor(&self, path: &str) -> String {
        let page = self.api.send(by(self.cast.victim, get(&format!("{path}?limit=1")))).await;
        let page: Value = serde_json::from_slice(page.body()).unwrap();
        page["next"].as_str().unwrap_or_else(|| panic!("{path}: {page}")).to_owned()
    }

    async fn try_all(&mut self, when: &str) {
        let rows = ROWS.iter().filter(|row| row.place == Place::Api || self.edge.is_some());
        for row in rows.collect::<Vec<_>>() {
            let number = number(row);
            if !self.views.contains_key(&number) {
                let view = self.view(number).await;
                self.views.insert(number, view);
            }
            for (ways, probe) in row.probes() {
                let cell = format!("{} {}, {ways}, {when}: {}", row.method, row.path, probe.what);
                self.attack(row, probe, &cell).await;
            }
            // The subjects shared by rows that change nothing are checked once, when all of those have been tried.
            if number != SHARED {
                self.look_again(number, &format!("{} {}, {when}", row.method, row.path)).await;
            }
        }
        self.look_again(SHARED, &format!("{}, {when}", route_of(SHARED))).await;
    }

    /// Sends a probe about everything, anonymously and as the attacker, and compares the answers.
    async fn attack(&mut self, row: &Row, probe: &Probe, cell: &str) {
        for caller in ["", self.cast.attacker] {
            let mut told = BTreeMap::new();
            for kind in [Kind::Public, Kind::Secret, Kind::Absent] {
                if probe.told == Told::Taken && kind == Kind::Absent {
                    continue;
                }
                let subject = self.subject(number(row), kind);
                let mut answers = Vec::new();
                for request in (probe.requests)(&subject) {
                    let (answer, shown) = self.ask(row.place, caller, &subject, request.clone()).await;
                    self.look_for_secrets(cell, caller, &request, &answer);
                    if probe.told == Told::Refusal && ![401, 403].contains(&answer.status().as_u16()) {
                        self.wrong.push(format!("{cell}: {caller:?} is not refused: {}", answer.status()));
                    }
                    answers.push(shown);
                }
                told.insert(kind.word(), answers);
            }
            let like = match probe.told {
                Told::Nothing | Told::Refusal => Kind::Absent,
                Told::Taken => Kind::Public,
            };
            for (secret, other) in told[Kind::Secret.word()].iter().zip(&told[like.word()]) {
                if secret != other {
                    let told = difference(secret, other);
                    let like = like.word();
                    self.wrong.push(format!(
                        "{cell}: {caller:?} is told otherwise of what is secret than of what is {like}\n{told}"
                    ));
                }
            }
        }
    }

    /// Records anything of the victim's in an answer that was not in its request.
    fn look_for_secrets(
        &mut self,
        cell: &str,
        caller: &str,
        request: &Request<Bytes>,
        answer: &Response<Bytes>,
    ) {
        let said = format!("{} {}", request.uri(), String::from_utf8_lossy(request.body()));
        let heard = format!("{:?} {}", answer.headers(), String::from_utf8_lossy(answer.body()));
        let is_listing = matches!(request.uri().path(), "/v1/proofs" | "/v1/manifests" | "/v1/aliases")
            && !said.contains("media_hash=");
        for number in numbers() {
            for kind in [Kind::Public, Kind::Secret] {
                // A caller that names one public thing is told what belongs to it.
                if kind == Kind::Public && !(is_listing && request.method().is_safe()) {
                    continue;
                }
                let subject = self.subject(number, kind);
                // The ID of a proof follows from its tenant and its file.
                let follows = said.contains(&subject.hex()).then(|| subject.proof().to_string());
                let mut secrets = subject.secrets().to_vec();
                // The attacker stores nothing under these IDs, so none of its listings has them.
                if is_listing && [UNTOUCHED, SHARED].contains(&number) {
                    secrets.extend([subject.manifest().to_string(), subject.alone().to_string()]);
                }
                let secrets = secrets.into_iter().filter(|secret| Some(secret) != follows.as_ref());
                for secret in secrets {
                    if heard.contains(&secret) && !said.contains(&secret) {
                        let asked = format!("{} {}", request.method(), request.uri());
                        self.wrong.push(format!("{cell}: {caller:?} asks {asked} and hears of {secret}"));
                    }
                }
            }
        }
    }

    async fn ask(
        &mut self,
        place: Place,
        caller: &str,
        subject: &Subject,
        request: Request<Bytes>,
    ) -> (Response<Bytes>, String) {
        let what = format!("{} {}", request.method(), request.uri());
        let request = by(caller, request);
        let answer = match (place, self.edge) {
            (Place::Edge, Some(edge)) => {
                // Each domain has its own cache, in which nothing is kept yet.
                self.domains += 1;
                edge.send(with(request, HOST, format!("domain-{}.test", self.domains))).await
            }
            _ => self.api.send(request).await,
        };
        let shown = seen(&what, &answer, &subject.names());
        (answer, shown)
    }

    /// The answers that the victim and every other caller get for the subjects of a number, and the victim's listings,
    /// each with its request.
    async fn view(&mut self, number: usize) -> Vec<(String, String)> {
        let mut view = Vec::new();
        for kind in [Kind::Public, Kind::Secret] {
            let subject = self.subject(number, kind);
            let has_job = self.source.is_some() && has_job(number);
            for target in subject.addresses(has_job) {
                for caller in ["", self.cast.victim] {
                    let (_, shown) = self.ask(Place::Api, caller, &subject, get(&target)).await;
                    view.push((format!("{caller:?} reads {target}"), shown));
                }
                let at_edge = target.strip_prefix("/v1").filter(|path| !path.ends_with("/front"));
                if let (Some(path), true) = (at_edge, self.edge.is_some()) {
                    let (_, shown) = self.ask(Place::Edge, "", &subject, get(path)).await;
                    view.push((format!("anybody reads {path} at the edge"), shown));
                }
            }
        }
        for listing in ["proofs", "manifests", "aliases"] {
            let (subject, target) = (self.subject(number, Kind::Public), format!("/v1/{listing}?limit=1000"));
            let (_, shown) = self.ask(Place::Api, self.cast.victim, &subject, get(&target)).await;
            view.push((format!("{:?} reads {target}", self.cast.victim), shown));
        }
        view
    }

    /// Records every answer that has changed.
    async fn look_again(&mut self, number: usize, cell: &str) {
        let now = self.view(number).await;
        let before = self.views.insert(number, now.clone()).unwrap_or_default();
        for ((what, before), (_, now)) in before.iter().zip(&now) {
            if before != now {
                let changed = difference(before, now);
                self.wrong.push(format!(
                    "{cell}: {what}: before and now
{changed}"
                ));
            }
        }
    }

    /// Deletes the subjects of a number as the victim, and checks that they are gone in the same way as untouched ones.
    async fn delete(&mut self, number: usize) {
        for kind in [Kind::Public, Kind::Secret] {
            for request in self.subject(number, kind).deleted_by() {
                let what = format!("{} {}", request.method(), request.uri());
                let answer = self.api.send(by(self.cast.victim, request)).await;
                if answer.status() != 204 {
                    let said = String::from_utf8_lossy(answer.body()).into_owned();
                    self.wrong.push(format!("{}: the victim cannot: {what}: {said}", route_of(number)));
                }
            }
        }
        let source = self.source.take();
        let gone = self.view(number).await;
        self.source = source;
        self.views.remove(&number);
        if number == UNTOUCHED {
            self.views.insert(UNTOUCHED, gone);
            return;
        }
        // The untouched subjects have everything, and others what their routes are about.
        let untouched =
            self.views[&UNTOUCHED].iter().filter(|(what, _)| has_file(number) || !is_of_files(what));
        for ((_, untouched), (what, gone)) in untouched.zip(&gone) {
            // Listings contain the other subjects.
            if untouched != gone && !what.contains("limit=1000") {
                let (route, told) = (route_of(number), difference(untouched, gone));
                self.wrong.push(format!("{route}: {what}: not gone as what nobody has attacked\n{told}"));
            }
        }
    }
}

/// The number of the subjects on which a row is tried.
fn number(row: &Row) -> usize {
    let is_it = |known: &Row| (known.place, known.method, known.path) == (row.place, row.method, row.path);
    let place = ROWS.iter().position(is_it).expect("a row of the table");
    if row.method == "GET" { SHARED } else { place + 2 }
}

/// Returns `true` if the subjects of a number have jobs.
fn has_job(number: usize) -> bool {
    number == SHARED || ROWS.iter().any(|row| row.has_jobs() && self::number(row) == number)
}

/// Returns `true` if the subjects of a number have files and uploads.
fn has_file(number: usize) -> bool {
    number <= SHARED || ROWS.iter().any(|row| is_of_files(row.path) && self::number(row) == number)
}

/// Returns `true` for routes, and for requests, that are about files and uploads.
fn is_of_files(what: &str) -> bool {
    ["/uploads", "/files", "/entities/", "/media/"].iter().any(|part| what.contains(part))
}

/// Every number, with the untouched subjects first.
fn numbers() -> Vec<usize> {
    let mut numbers: Vec<usize> = [UNTOUCHED, SHARED].into_iter().chain(ROWS.iter().map(number)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn route_of(number: usize) -> String {
    let row = number.checked_sub(2).map(|place| &ROWS[place]);
    row.map_or_else(|| "the routes that read".to_owned(), |row| format!("{} {}", row.method, row.path))
}

/// The lines in which two answers differ, each from shortly before its first difference.
fn difference(one: &str, other: &str) -> String {
    let request = one.lines().next().unwrap_or_default();
    let (mut lines, mut others) = (one.lines(), other.lines());
    let mut told = format!("    {request}");
    loop {
        let (line, other) = match (lines.next(), others.next()) {
            (None, None) => return told,
            (line, other) => (line.unwrap_or_default(), other.unwrap_or_default()),
        };
        if line != other {
            let same = line.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
            let part = |text: &str| text.chars().skip(same.saturating_sub(80)).take(240).collect::<String>();
            let _ = write!(told, "\n    - {}\n    + {}", part(line), part(other));
        }
    }
}
