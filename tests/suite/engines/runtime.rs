//! The Lambda Runtime API, as far as a function needs it: a server that passes events to a real `bootstrap` binary, one
//! at a time, and receives its answers.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>, version 2018-06-01: `invocation/next`,
//! `invocation/{id}/response`, `invocation/{id}/error`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::{Process, unique};

/// The time limit that `template.yaml` sets for the functions behind the API.
pub const TIME_LIMIT: Duration = Duration::from_secs(29);
/// The time that a test waits for an answer or a line, on a machine that is building at the same time.
const PATIENCE: Duration = Duration::from_secs(120);

/// The result of an event: the function's answer, or its error.
pub type Outcome = Result<Value, Value>;

struct Invocation {
    event: Value,
    time_limit: Duration,
    answer: oneshot::Sender<Outcome>,
}

/// A function: a real binary that waits for events, and ends when this is dropped.
pub struct Function {
    events: mpsc::UnboundedSender<Invocation>,
    printed: Arc<Mutex<Vec<String>>>,
    _process: Process,
    _stop: oneshot::Sender<()>,
}

struct Api {
    next: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
}

impl Function {
    /// Starts the binary `name`, which cargo built beside this one, with only these variables and `PATH`.
    pub fn start(name: &str, variables: &[(String, String)]) -> Self {
        let (events, next) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        let address = listener.local_addr().expect("it is bound").to_string();
        let api = Arc::new(Api { next: tokio::sync::Mutex::new(next), running: Mutex::default() });
        // A runtime of its own, so that it does not end with the part of a test that started the function.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(async {
                tokio::select! {
                    () = accept(listener, api) => {}
                    _ = stopped => {}
                }
            });
        });
        let mut command = Command::new("env");
        command.arg("-i").arg(format!("PATH={}", std::env::var("PATH").unwrap_or_default()));
        for (variable, value) in [
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/test"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "test"),
        ] {
            command.arg(format!("{variable}={value}"));
        }
        command.args(variables.iter().map(|(variable, value)| format!("{variable}={value}")));
        command.arg(built(name));
        let process = Process::start(&command);
        let printed = process.record();
        Self { events, printed, _process: process, _stop: stop }
    }

    /// Sends the function an event, and waits for the result.
    pub async fn invoke(&self, event: Value) -> Outcome {
        self.invoke_within(TIME_LIMIT, event).await
    }

    /// Like [`invoke`](Self::invoke) with another time limit. The function is told the limit, but is not cut off when
    /// it passes.
    pub async fn invoke_within(&self, time_limit: Duration, event: Value) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let sent = self.events.send(Invocation { event, time_limit, answer });
        sent.unwrap_or_else(|_| panic!("the server ended"));
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        let answered = answered.unwrap_or_else(|_| panic!("no answer; it printed {:?}", self.printed()));
        answered.expect("the server runs")
    }

    /// Every line that the function has printed so far.
    pub fn printed(&self) -> Vec<String> {
        self.printed.lock().unwrap().clone()
    }

    /// The first JSON line for which `is` returns `true`, among those that the function has printed or soon prints.
    pub async fn line(&self, is: impl Fn(&Value) -> bool) -> Value {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let lines = self.printed();
            let mut lines = lines.iter().filter_map(|line| serde_json::from_str(line).ok());
            if let Some(found) = lines.find(|line| is(line)) {
                return found;
            }
            assert!(tokio::time::Instant::now() < until, "no such line: {:?}", self.printed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The path of a binary that cargo built beside this one.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("it lies below the profile's folder");
    let path = profile.join(name);
    assert!(path.exists(), "{} is not there: run the tests of the whole workspace", path.display());
    path
}

async fn accept(listener: TcpListener, api: Arc<Api>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("it is a listener");
    while let Ok((stream, _)) = listener.accept().await {
        let api = Arc::clone(&api);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let api = Arc::clone(&api);
                async move { Ok::<_, Infallible>(answer(&api, request).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(api: &Api, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches("/2018-06-01/runtime/").split('/').collect();
    match parts[..] {
        ["invocation", "next"] => next(api).await,
        ["invocation", id, end @ ("response" | "error")] => {
            let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let value = serde_json::from_slice(&body).unwrap_or_default();
            if let Some(waiting) = api.running.lock().unwrap().remove(id) {
                let _ = waiting.send(if end == "response" { Ok(value) } else { Err(value) });
            }
            status(StatusCode::ACCEPTED)
        }
        _ => status(StatusCode::NOT_FOUND),
    }
}

async fn next(api: &Api) -> Response<Full<Bytes>> {
    let Some(invocation) = api.next.lock().await.recv().await else { return status(StatusCode::GONE) };
    let id = unique("invocation");
    let deadline = SystemTime::now() + invocation.time_limit;
    let milliseconds = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let response = Response::builder()
        .header("lambda-runtime-aws-request-id", &id)
        .header("lambda-runtime-deadline-ms", milliseconds.to_string())
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:test")
        .header("content-type", "application/json")
        .body(Full::new(invocation.event.to_string().into()))
        .unwrap();
    api.running.lock().unwrap().insert(id, invocation.answer);
    response
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::default()).unwrap()
}
