//! Starts a function as AWS Lambda does, and records when it asks for its first event and when it answers.
//!
//! The Runtime API, version 2018-06-01: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>. A function
//! gets one event, and is killed when it has answered.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::error::Error;

/// The time that a function may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A call of the function, with its moment.
enum Call {
    Next(Moment),
    Response(Moment, Bytes),
    Failed(Bytes),
}

/// A moment of a function's life: by the clock, and by the processor time of its main thread so far, in milliseconds.
#[derive(Clone, Copy)]
struct Moment {
    now: Instant,
    computed: f64,
}

impl Moment {
    /// The present moment, with the time that the kernel has counted for the process (`/proc/PID/schedstat`, in
    /// nanoseconds).
    fn of(process: u32) -> Self {
        let now = Instant::now();
        let counted = std::fs::read_to_string(format!("/proc/{process}/schedstat")).unwrap_or_default();
        let nanoseconds = counted.split(' ').next().and_then(|text| text.parse::<f64>().ok());
        Self { now, computed: nanoseconds.unwrap_or_default() / 1e6 }
    }
}

/// One life of a function.
#[derive(Debug)]
pub struct Life {
    /// The time from `exec` to the request for the first event, in milliseconds.
    pub start: f64,
    /// The processor time until then, in milliseconds, which excludes waiting for a processor.
    pub start_computed: f64,
    /// The time from the delivery of the first event to its answer, in milliseconds, if there was an event.
    pub first: Option<f64>,
    /// The processor time from then to the answer, in milliseconds.
    pub first_computed: Option<f64>,
    /// The answer, or `null` if there was no event.
    pub answer: Value,
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Aborted(tokio::task::JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts `binary` with only these variables, and sends it `event`. Without an event, the function is killed when it
/// asks for one.
///
/// # Errors
/// Fails if the function does not start, fails, or does not answer.
pub async fn live(binary: &Path, variables: &[(&str, String)], event: Option<&Value>) -> Result<Life, Error> {
    let doing = || binary.display().to_string();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::io("listening"))?;
    let address = listener.local_addr().map_err(Error::io("listening"))?;
    let (calls, mut called) = mpsc::unbounded_channel();
    let process = Arc::new(AtomicU32::new(0));
    let api = Arc::new(Api {
        process: Arc::clone(&process),
        calls,
        event: Mutex::new(Some(event.map(Value::to_string).unwrap_or_default().into())),
    });
    let server = Aborted(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let api = Arc::clone(&api);
            let service = service_fn(move |request| {
                let api = Arc::clone(&api);
                async move { Ok::<_, Infallible>(api.answer(request).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    }));
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = Instant::now();
    let running = Running(command.spawn().map_err(Error::io(doing()))?);
    process.store(running.0.id(), Ordering::Relaxed);
    let mut next = async || match tokio::time::timeout(PATIENCE, called.recv()).await {
        Ok(Some(Call::Failed(why))) => Err(Error::wrong(&doing(), String::from_utf8_lossy(&why))),
        Ok(Some(call)) => Ok(call),
        Ok(None) | Err(_) => Err(Error::wrong(&doing(), "it does not ask or answer")),
    };
    let Call::Next(asked) = next().await? else { return Err(Error::wrong(&doing(), "it answers first")) };
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    let (start, start_computed) = (milliseconds(asked.now - started), asked.computed);
    if event.is_none() {
        return Ok(Life { start, start_computed, first: None, first_computed: None, answer: Value::Null });
    }
    let Call::Response(answered, answer) = next().await? else {
        return Err(Error::wrong(&doing(), "it asks for another event"));
    };
    drop((running, server));
    let answer = serde_json::from_slice(&answer).map_err(|error| Error::wrong(&doing(), error))?;
    let first = Some(milliseconds(answered.now - asked.now));
    let first_computed = Some(answered.computed - asked.computed);
    Ok(Life { start, start_computed, first, first_computed, answer })
}

struct Api {
    process: Arc<AtomicU32>,
    calls: mpsc::UnboundedSender<Call>,
    event: Mutex<Option<Bytes>>,
}

impl Api {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let moment = Moment::of(self.process.load(Ordering::Relaxed));
        let path = request.uri().path().to_owned();
        if path.ends_with("/invocation/next") {
            let event = self.event.lock().unwrap_or_else(PoisonError::into_inner).take();
            // There is one event. A function that asks for another waits until it is killed.
            let Some(event) = event else { return std::future::pending().await };
            let _ = self.calls.send(Call::Next(moment));
            return if event.is_empty() { std::future::pending().await } else { handed(event) };
        }
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let call =
            if path.ends_with("/response") { Call::Response(moment, body) } else { Call::Failed(body) };
        let _ = self.calls.send(call);
        let mut accepted = Response::new(Full::default());
        *accepted.status_mut() = StatusCode::ACCEPTED;
        accepted
    }
}

fn handed(event: Bytes) -> Response<Full<Bytes>> {
    let deadline = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + PATIENCE;
    let mut response = Response::new(Full::new(event));
    for (name, value) in [
        ("lambda-runtime-aws-request-id", "bench".to_owned()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:0:function:bench".to_owned()),
        ("content-type", "application/json".to_owned()),
    ] {
        if let Ok(value) = value.try_into() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
