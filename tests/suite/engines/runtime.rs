//! The Lambda Runtime API, as far as a function needs it: a server that hands events to a real `bootstrap` binary, one
//! at a time, and takes its answers.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>, version 2018-06-01: `invocation/next`,
//! `invocation/{id}/response`, `invocation/{id}/error`, `init/error`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
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
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::{Process, unique};

/// What API Gateway gives a function, and this server gives the tests: an event may take as long as a request.
const TIME_LIMIT: Duration = Duration::from_secs(29);
/// How long a test waits for an answer, on a machine that builds at the same time.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a function made of an event: its answer, or its error.
pub type Outcome = Result<Value, Value>;

struct Invocation {
    event: Value,
    answer: oneshot::Sender<Outcome>,
}

/// A function: a real binary, waiting for events.
pub struct Function {
    events: mpsc::UnboundedSender<Invocation>,
    _process: Process,
    _server: tokio::runtime::Runtime,
}

struct Api {
    next: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
}

impl Function {
    /// Starts the binary `name`, which cargo built beside this one, with these variables and no others but `PATH`.
    pub fn start(name: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_binary(&built(name), name, variables)
    }

    /// Starts a binary from anywhere.
    pub fn start_binary(binary: &std::path::Path, name: &str, variables: &[(&str, &str)]) -> Self {
        let server =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (events, next) = mpsc::unbounded_channel();
        let api = Arc::new(Api { next: tokio::sync::Mutex::new(next), running: Mutex::default() });
        let address = server.block_on(listen(api));
        let mut command = Command::new("env");
        command.arg("-i").arg(format!("PATH={}", std::env::var("PATH").unwrap_or_default()));
        let given = [
            ("AWS_LAMBDA_RUNTIME_API", address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "test".to_owned()),
        ];
        for (variable, value) in &given {
            command.arg(format!("{variable}={value}"));
        }
        for (variable, value) in variables {
            command.arg(format!("{variable}={value}"));
        }
        command.arg(binary);
        let process = Process::start(&command);
        process.silence();
        Self { events, _process: process, _server: server }
    }

    /// Hands it an event, and waits for what it makes of it.
    pub fn invoke(&self, event: Value) -> Outcome {
        let (answer, answered) = oneshot::channel();
        self.events.send(Invocation { event, answer }).expect("the server runs");
        let (done, wait) = std::sync::mpsc::channel();
        self._server.spawn(async move {
            let _ = done.send(answered.await);
        });
        wait.recv_timeout(PATIENCE).expect("the function answers in time").expect("the function lives")
    }
}

/// A binary that cargo built beside this one.
pub fn built(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let path = path.join(name);
    assert!(path.exists(), "{} is not there: run the tests of the whole workspace", path.display());
    path
}

async fn listen(api: Arc<Api>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
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
    });
    address
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
        ["init", "error"] => {
            let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let value: Value = serde_json::from_slice(&body).unwrap_or_default();
            // Every event from now on fails as the start did.
            if let Some(invocation) = api.next.lock().await.recv().await {
                let _ = invocation.answer.send(Err(value));
            }
            status(StatusCode::ACCEPTED)
        }
        _ => status(StatusCode::NOT_FOUND),
    }
}

async fn next(api: &Api) -> Response<Full<Bytes>> {
    let Some(invocation) = api.next.lock().await.recv().await else { return status(StatusCode::GONE) };
    let id = unique("invocation");
    let deadline = SystemTime::now() + TIME_LIMIT;
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
