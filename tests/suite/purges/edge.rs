//! A stand-in for the Worker's `POST /purge`: it accepts what the Worker accepts, records every call, and injects
//! faults.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use credlink_cache::purge::EdgeSettings;
use credlink_core::file::FileId;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::proof_id::ProofId;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::engines::stand_in::StandIn;

/// The token by which the Worker recognises the service.
pub const TOKEN: &str = "the-service-as-the-worker-knows-it";

/// The time that an expected event may take, on a machine that is building at the same time.
const PATIENCE: Duration = Duration::from_secs(120);

/// The reaction to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call succeeds.
    None,
    /// The answer has this status.
    Answer(u16),
    /// The connection is closed.
    Close,
    /// A connection that has already carried an answer is closed on its next call.
    CloseKept,
    /// There is no answer while this fault is set, and then the connection is closed.
    Hang,
    /// There is no answer while this fault is set, and then the call succeeds.
    Hold,
}

/// A call as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub proofs: Vec<String>,
    pub manifests: Vec<String>,
    pub request_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    proofs: Vec<ProofId>,
    manifests: Vec<ManifestKey>,
    #[serde(default)]
    fronts: Vec<ManifestId>,
    #[serde(default)]
    files: Vec<FileId>,
}

#[derive(Debug, Default)]
struct Seen {
    calls: Vec<Call>,
    /// The purged keys: `proofs/…`, `manifests/…`, `fronts/…` and `files/…`.
    told: BTreeSet<String>,
    /// Violations of the contract.
    wrong: Vec<String>,
    /// Number of calls in flight.
    open: usize,
}

/// A call in flight, until it is answered or its client is gone.
struct Open(Arc<Mutex<Seen>>);

impl Open {
    fn of(seen: &Arc<Mutex<Seen>>) -> Self {
        seen.lock().unwrap().open += 1;
        Self(Arc::clone(seen))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().unwrap().open -= 1;
    }
}

/// The stand-in, which runs on a port of its own until it is dropped.
#[derive(Debug)]
pub struct Edge {
    server: StandIn,
    seen: Arc<Mutex<Seen>>,
    fault: watch::Sender<Fault>,
}

impl Edge {
    /// Starts a stand-in without faults.
    pub fn start() -> Self {
        Self::with(Fault::None)
    }

    /// Starts a stand-in with this fault.
    pub fn with(fault: Fault) -> Self {
        let (fault, faults) = watch::channel(fault);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let notes = Arc::clone(&seen);
        Self { server: StandIn::start(move |listener| accept(listener, notes, faults)), seen, fault }
    }

    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// The settings of a process for this edge, with very long timeouts and no pauses between attempts.
    pub fn settings(&self) -> EdgeSettings {
        EdgeSettings {
            wait: PATIENCE,
            call: PATIENCE,
            rest: Duration::ZERO,
            longest_rest: Duration::ZERO,
            ..EdgeSettings::new(self.server.url().to_owned(), TOKEN.to_owned())
        }
    }

    /// Changes the fault from now on.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Returns the calls since the last time, in order of arrival. Asserts that all of them conform to the contract.
    pub fn calls(&self) -> Vec<Call> {
        let mut seen = self.seen.lock().unwrap();
        assert_eq!(seen.wrong, [""; 0]);
        std::mem::take(&mut seen.calls)
    }

    /// Returns the keys purged since the last time.
    pub fn told(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.seen.lock().unwrap().told)
    }

    /// Returns the number of calls in flight.
    pub fn open(&self) -> usize {
        self.seen.lock().unwrap().open
    }

    /// Waits until this many calls have arrived since the last time.
    pub async fn until_called(&self, calls: usize) {
        self.until("it was not called", |seen| seen.calls.len() >= calls).await;
    }

    /// Waits until this key was purged.
    pub async fn until_told(&self, key: &str) {
        self.until("it was not told", |seen| seen.told.contains(key)).await;
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Seen) -> bool) {
        let began = Instant::now();
        while !is_so(&self.seen.lock().unwrap()) {
            assert!(began.elapsed() < PATIENCE, "{what}: {:?}", self.seen.lock().unwrap());
            // The clock of the test may stand still.
            std::thread::sleep(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
    }
}

async fn accept(listener: TcpListener, seen: Arc<Mutex<Seen>>, faults: watch::Receiver<Fault>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (seen, faults) = (Arc::clone(&seen), faults.clone());
        tokio::spawn(async move {
            let answered = AtomicBool::new(false);
            let service = service_fn(|request| {
                let is_kept = answered.swap(true, Ordering::SeqCst);
                answer(request, Arc::clone(&seen), faults.clone(), is_kept)
            });
            // A client that disconnects midway is ignored.
            let server = hyper::server::conn::http1::Builder::new();
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// An answer, or an error that closes the connection.
type Answer = Result<Response<Full<Bytes>>, String>;

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Seen>>,
    mut faults: watch::Receiver<Fault>,
    is_kept: bool,
) -> Answer {
    let _open = Open::of(&seen);
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let body = read(&parts.method, parts.uri.path(), &parts.headers, &body);
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    match &body {
        Ok(body) => seen.lock().unwrap().calls.push(Call {
            proofs: body.proofs.iter().map(ToString::to_string).collect(),
            manifests: body.manifests.iter().map(ToString::to_string).collect(),
            request_id: header("x-request-id"),
        }),
        Err((status, why)) if *status != StatusCode::UNAUTHORIZED => {
            seen.lock().unwrap().wrong.push(why.clone())
        }
        Err(_) => {}
    }
    let fault = *faults.borrow_and_update();
    if matches!(fault, Fault::Hang | Fault::Hold) {
        let changed = faults.wait_for(|now| *now != fault).await;
        changed.map_err(|error| error.to_string())?;
    }
    match fault {
        Fault::Close | Fault::Hang => return Err("closed on purpose".to_owned()),
        Fault::Answer(status) => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = status.try_into().unwrap();
            response.headers_mut().insert(LOCATION, "https://elsewhere.example.com/purge".parse().unwrap());
            return Ok(response);
        }
        Fault::CloseKept if is_kept => return Err("closed on purpose".to_owned()),
        Fault::None | Fault::Hold | Fault::CloseKept => {}
    }
    let mut response = Response::new(Full::default());
    match body {
        Ok(Body { proofs, manifests, fronts, files }) => {
            let purged = proofs.len() + manifests.len() + fronts.len() + files.len();
            let proofs = proofs.iter().map(|id| format!("proofs/{id}"));
            let manifests = manifests.iter().map(|id| format!("manifests/{id}"));
            let fronts = fronts.iter().map(|id| format!("fronts/{id}"));
            let files = files.iter().map(|id| format!("files/{id}"));
            seen.lock().unwrap().told.extend(proofs.chain(manifests).chain(fronts).chain(files));
            *response.body_mut() = format!("{{\"purged\":{purged},\"zone\":false}}").into();
        }
        Err((status, _)) => *response.status_mut() = status,
    }
    Ok(response)
}

/// Parses a call as strictly as the contract requires.
fn read(method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Body, (StatusCode, String)> {
    if (method, path) != (&Method::POST, "/purge") {
        return Err((StatusCode::NOT_FOUND, format!("{method} {path}")));
    }
    if headers.get(AUTHORIZATION).is_none_or(|value| value != &format!("Bearer {TOKEN}")) {
        return Err((StatusCode::UNAUTHORIZED, "another token".to_owned()));
    }
    if headers.get(CONTENT_TYPE).is_none_or(|value| value != "application/json") {
        return Err((StatusCode::BAD_REQUEST, "no JSON".to_owned()));
    }
    let body: Body =
        serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let ids = body.proofs.len() + body.manifests.len() + body.fronts.len() + body.files.len();
    if !(1..=100).contains(&ids) {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, format!("{ids} ids")));
    }
    Ok(body)
}
