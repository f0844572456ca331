//! Cold starts: from `exec` to the first event, and from the first event to its answer, beside a function that does
//! nothing.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::engines::{Choice, Engines};
use crate::error::Error;
use crate::material::proof_id;
use crate::plan::Plan;
use crate::report::{Cell, Table, progress};
use crate::runtime_api::{Life, live};
use crate::spread::quantile;

/// Number of counted rounds. A start is short, and its 95th percentile needs some.
const ROUNDS: usize = 30;
/// The second event whose answer is measured.
const ABSENT: &str = "`GET` of an absent proof";
const MEGABYTE: f64 = 1e6;

/// A function and its first event.
struct Subject {
    name: &'static str,
    asked: &'static str,
    binary: PathBuf,
    bytes: f64,
    /// The event. With `None`, the function is killed when it asks for one.
    event: Option<Value>,
    /// The status that its answer must have.
    status: Option<u64>,
    /// Set if its start is reported, and not only its answer.
    is_start: bool,
    lives: Vec<Life>,
}

/// Measures the binaries in the folder `functions`.
///
/// # Errors
/// Fails if they are not there, or if one of them fails.
pub fn run(plan: &Plan, functions: &Path) -> Result<(), Error> {
    // The lookup of an absent object takes no time there, so the time is the function's own.
    let engines = Engines::start(Choice::Answerer, &plan.tools)?;
    let mut variables = engines.variables();
    let token = json!([{"name": "bench", "sha256": "00".repeat(32), "tenant": "default", "scopes": ["store:manifests"]}]);
    variables.push(("CREDLINK_TOKENS", token.to_string()));
    variables.push(("CREDLINK_PUBLIC_URL", "https://cdn.example.com".to_owned()));
    let absent = format!("/proofs/{}", proof_id(0));
    let get = |path: &str| Some(http_event(path));
    let mut subjects = [
        ("hello", "examples/hello", "a request", get("/"), Some(200)),
        ("store", "store", "`GET /v1/health`", get("/v1/health"), Some(200)),
        ("retrieve", "retrieve", "`GET /v1/health`", get("/v1/health"), Some(200)),
        ("retrieve", "retrieve", ABSENT, get(&absent), Some(404)),
        ("delete", "delete", "`GET /v1/health`", get("/v1/health"), Some(200)),
        ("migrate", "migrate", "an empty batch", Some(json!({"Records": []})), None),
        ("cleanup", "cleanup", "nothing", None, None),
    ]
    .map(|(name, file, asked, event, status)| {
        let binary = functions.join(file);
        let bytes = std::fs::metadata(&binary).map_or(0.0, |file| file.len() as f64);
        Subject { name, asked, binary, bytes, event, status, is_start: asked != ABSENT, lives: Vec::new() }
    });
    let runtime = tokio::runtime::Runtime::new().map_err(Error::io("starting a runtime"))?;
    progress("lambda: starting functions");
    // The first round brings the binaries into the page cache, and is not counted.
    for round in 0..=ROUNDS {
        for subject in &mut subjects {
            let life = runtime.block_on(live(&subject.binary, &variables, subject.event.as_ref()))?;
            subject.check(&life)?;
            if round > 0 {
                subject.lives.push(life);
            }
        }
    }
    let mut starts = Table::new(
        "Cold starts (`lambda`)",
        "From `exec` to the function's asking for its first event, 30 starts of each in turn. \"Computed\" is what the \
         kernel counted for it until then, in which waiting for a processor is not. `hello` is a `lambda_http` function that \
         answers with its request, built by the same profile. The binaries are in the page cache.",
        &["function", "MB", "p50, ms", "p95, ms", "p50 over hello's", "computed p50, ms", "over hello's"],
    );
    let mut firsts = Table::new(
        "First events (`lambda`)",
        "From the hand-over of the first event to its answer. Clients are built in that time; what they ask answers at once.",
        &["function", "event", "p50, ms", "p95, ms", "computed p50, ms"],
    );
    let [hello, ..] = &subjects;
    let (hello_start, hello_computed) =
        (hello.at(0.5, |life| life.start), hello.at(0.5, |life| life.start_computed));
    for subject in &subjects {
        let (start, computed) =
            (subject.at(0.5, |life| life.start), subject.at(0.5, |life| life.start_computed));
        // The second event of a function is not another start.
        if subject.is_start {
            starts.row([
                subject.name.into(),
                Cell::from(subject.bytes / MEGABYTE),
                start.into(),
                subject.at(0.95, |life| life.start).into(),
                (start / hello_start).into(),
                computed.into(),
                (computed / hello_computed).into(),
            ]);
        }
        if subject.event.is_some() {
            firsts.row([
                subject.name.into(),
                subject.asked.into(),
                Cell::from(subject.at(0.5, |life| life.first.unwrap_or_default())),
                subject.at(0.95, |life| life.first.unwrap_or_default()).into(),
                subject.at(0.5, |life| life.first_computed.unwrap_or_default()).into(),
            ]);
        }
    }
    plan.printer.table(&starts);
    plan.printer.table(&firsts);
    Ok(())
}

impl Subject {
    fn at(&self, share: f64, value: fn(&Life) -> f64) -> f64 {
        quantile(&self.lives.iter().map(value).collect::<Vec<_>>(), share)
    }

    fn check(&self, life: &Life) -> Result<(), Error> {
        let status = life.answer["statusCode"].as_u64();
        if self.status.is_none() || status == self.status {
            return Ok(());
        }
        Err(Error::wrong(self.name, format!("{} was answered with {}", self.asked, life.answer)))
    }
}

/// A GET as API Gateway passes it on (HTTP API, payload format 2.0).
fn http_event(path: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {"host": "api.example.com", "accept": "*/*"},
        "requestContext": {
            "accountId": "0", "apiId": "api", "domainName": "api.example.com", "stage": "$default", "requestId": "bench",
            "routeKey": "$default", "time": "21/Nov/2026:12:00:00 +0000", "timeEpoch": 1_795_262_400_000_u64,
            "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "bench"},
        },
        "isBase64Encoded": false,
    })
}
