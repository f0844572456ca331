//! Uploads: the rate at which files get into a bucket, beside `aws s3 cp` and `rclone copy`, and the time from the
//! request with the bytes of a photo to its file on one machine.
//!
//! The rates are those of whole files, from the start of a process to its end, into an empty bucket of ministack. `credlink files
//! put` announces each file to the API of a deployment, which runs in a process of its own over ministack and dynoxide, sends it to the address
//! that it gets, and says that it is complete. It also hashes each file, so that the bucket checks what arrives. Nothing makes files of the
//! uploads meanwhile, as the function `finalise` runs on another machine.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_deployment::configuration::{Configuration, Variables};
use credlink_deployment::deployment::{Deployment, Opening};
use credlink_deployment::provider::Provider;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::bare::{Bare, objects};
use crate::client::{Answer, Asked, Connection, get};
use crate::engines::{BUCKET, Choice, Engines, keys, rclone_copy};
use crate::error::Error;
use crate::material::noise;
use crate::plan::Plan;
use crate::process::{Ran, measured};
use crate::report::{self, Table, progress};
use crate::server::Server;
use crate::side_by_side;
use crate::spread::{Spread, quantile};

/// Length of a file, in bytes.
const FILE_BYTES: usize = 5_000_000;
/// The numbers of files at once at which each program is tried.
const TRIED: [usize; 3] = [4, 8, 16];
/// Number of photos of one round.
const PHOTOS: u32 = 20;
/// Interval at which an upload is looked at.
const LOOK: Duration = Duration::from_millis(1);
/// Time in which a photo becomes a file.
const PATIENCE: Duration = Duration::from_secs(60);
/// The beginning of every JPEG.
const START_OF_IMAGE: [u8; 2] = [0xff, 0xd8];

/// The programs with which uploads are compared.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The program `aws`.
    pub aws: PathBuf,
    /// The program `rclone`.
    pub rclone: PathBuf,
}

/// The program that uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Credlink,
    Aws,
    Rclone,
}

/// Measures the rates of uploads, and the time from the request with the bytes of a photo to its file.
///
/// # Errors
/// Fails if a program or an engine is missing or fails, or if something was not uploaded.
pub fn run(plan: &Plan, tools: &Tools, photo: &Path, files: usize) -> Result<(), Error> {
    let folder = TempDir::new_in(&plan.folder).map_err(Error::io("making a folder"))?;
    rates(&Bench { plan, tools, source: write_files(folder.path(), files)?, files })?;
    let photo = fs::read(photo).map_err(Error::io(format!("reading {}", photo.display())))?;
    ready(plan, &photo)
}

struct Bench<'a> {
    plan: &'a Plan,
    tools: &'a Tools,
    source: PathBuf,
    files: usize,
}

fn rates(bench: &Bench<'_>) -> Result<(), Error> {
    let programs = [Who::Credlink, Who::Aws, Who::Rclone];
    let upload = |who, at_once| bench.upload(who, at_once);
    let measured = side_by_side::measure("uploads", &programs, &TRIED, bench.plan.rounds, upload)?;
    let mut table = Table::new(
        "Uploads of 5 MB files to S3 (`uploads`)",
        "Each at the best of three numbers of files at once. The ratio is of CredLink's rate to this one in the same round. CPU is the \
         process's own, for all files; memory the most it had.",
        &["who", "at once", "MB a second", "CredLink to this", "CPU, s", "memory, MB"],
    );
    side_by_side::add_rows(&mut table, &measured, Who::name, (bench.files * FILE_BYTES) as f64 / 1e6);
    bench.plan.printer.table(&table);
    Ok(())
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Credlink => "credlink files put",
            Self::Aws => "aws s3 cp",
            Self::Rclone => "rclone copy",
        }
    }
}

impl Bench<'_> {
    /// Uploads all files into an empty bucket.
    fn upload(&self, who: Who, at_once: usize) -> Result<Ran, Error> {
        let engines = Engines::start(Choice::Real, &self.plan.tools)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::io("starting a runtime"))?;
        let bare = Bare::new(&format!("http://{}", engines.s3), &format!("http://{}", engines.dynamodb));
        runtime.block_on(bare.prepare(true))?;
        let home = TempDir::new_in(&self.plan.folder).map_err(Error::io("making a folder"))?;
        let api = match who {
            Who::Credlink => Some(Server::uploads_api(variables(&engines, &self.plan.tools)?)?),
            Who::Aws | Who::Rclone => None,
        };
        let (at_once, endpoint) = (at_once.to_string(), format!("http://{}", engines.s3));
        let mut command = match &api {
            Some(api) => {
                let mut command = Command::new(&self.plan.server);
                command.args([
                    "files",
                    "put",
                    "--no-wait",
                    "--collection",
                    "temp",
                    "--type",
                    "application/pdf",
                ]);
                command.args(["--concurrency", &at_once, "--url", &format!("http://{}", api.address)]);
                command.args(self.names()?);
                command
            }
            None if who == Who::Aws => {
                let config = home.path().join("config");
                let text = format!("[default]\ns3 =\n  max_concurrent_requests = {at_once}\n");
                fs::write(&config, text).map_err(Error::io("writing a file"))?;
                let mut command = Command::new(&self.tools.aws);
                command.args(["--endpoint-url", &endpoint, "s3", "cp", "--recursive", "--only-show-errors"]);
                command.arg(&self.source).arg(format!("s3://{BUCKET}/uploads/"));
                keys(&mut command);
                command.env("AWS_CONFIG_FILE", config).env("AWS_EC2_METADATA_DISABLED", "true");
                command
            }
            None => rclone_copy(&self.tools.rclone, &engines, &at_once, &self.source, "uploads"),
        };
        // The state of uploads that go on is kept there.
        command.env("HOME", home.path());
        let ran = measured(&mut command)?;
        let sum = runtime.block_on(Provider::Bucket(objects(engines.s3)).sum("uploads/"));
        let sum = sum.map_err(|error| Error::wrong("counting objects", error))?;
        if sum.objects != self.files as u64 {
            let why = format!("{} objects are there, of {}", sum.objects, self.files);
            return Err(Error::wrong(who.name(), why));
        }
        Ok(ran)
    }

    fn names(&self) -> Result<Vec<PathBuf>, Error> {
        let entries = fs::read_dir(&self.source).map_err(Error::io("reading a folder"))?;
        let names = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
        names.map_err(Error::io("reading a folder"))
    }
}

/// Returns the variables of a deployment over these engines, whose queue of uploads is made.
fn variables(engines: &Engines, tools: &Path) -> Result<Vec<(&'static str, String)>, Error> {
    let script = "import boto3, sys; print(boto3.client('sqs', endpoint_url=sys.argv[1]).create_queue(QueueName='uploads')['QueueUrl'])";
    let endpoint = format!("http://{}", engines.s3);
    let mut command = Command::new(tools.join("python/bin/python"));
    command.args(["-c", script, &endpoint]);
    keys(&mut command);
    let made = command.output().map_err(Error::io("making a queue"))?;
    if !made.status.success() {
        return Err(Error::wrong("making a queue", String::from_utf8_lossy(&made.stderr)));
    }
    let queue = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    let mut variables = engines.variables();
    variables.extend([
        ("AWS_ENDPOINT_URL_SQS", endpoint),
        ("CREDLINK_FILES_QUEUE_URL", queue),
        ("CREDLINK_LINK_KEYS", format!("bench:{}", "7".repeat(64))),
        ("CREDLINK_UPLOADS_PER_MINUTE", "1000000".to_owned()),
    ]);
    Ok(variables)
}

/// Writes so many different files that begin as PDF documents do.
fn write_files(folder: &Path, files: usize) -> Result<PathBuf, Error> {
    let source = folder.join("files");
    fs::create_dir_all(&source).map_err(Error::io("making a folder"))?;
    for number in 0..files {
        let mut bytes = b"%PDF-1.7\n".to_vec();
        bytes.extend(noise(number as u64, FILE_BYTES - bytes.len()));
        fs::write(source.join(format!("{number:04}.pdf")), bytes).map_err(Error::io("writing a file"))?;
    }
    Ok(source)
}

/// Serves the API of the deployment that the environment describes, until the process is killed.
///
/// # Errors
/// Fails if the environment describes none, or if the system does not allow it.
pub fn serve() -> Result<(), Error> {
    let runtime = tokio::runtime::Runtime::new().map_err(Error::io("starting a runtime"))?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::io("listening"))?;
        let address = listener.local_addr().map_err(Error::io("listening"))?;
        let url = format!("http://{address}");
        let deployment: &'static Deployment = Box::leak(Box::new(open(&url).await?));
        report::line(&json!({ "url": url }));
        loop {
            let (stream, _) = listener.accept().await.map_err(Error::io("listening"))?;
            stream.set_nodelay(true).map_err(Error::io("listening"))?;
            let answer = service_fn(move |request| async move {
                Ok::<_, Infallible>(answer(deployment, request).await.map(Full::new))
            });
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
            // The connection ends when its client disconnects.
            tokio::spawn(connection);
        }
    })
}

async fn open(url: &str) -> Result<Deployment, Error> {
    let configuration = Configuration::read(&Variables::environment());
    let configuration = configuration.map_err(|error| Error::wrong("the configuration", error))?;
    let opening = Opening {
        configuration: &configuration,
        machine: None,
        gate: Gate::of(None, None),
        public_url: url.to_owned(),
        link_keys: configuration.link_keys.clone(),
        count_reads: false,
    };
    let deployment = Deployment::open(opening).await;
    let deployment = deployment.map_err(|error| Error::wrong("opening a deployment", error))?;
    Ok(deployment.keeping_shared_files(&configuration.files, None))
}

async fn answer(deployment: &Deployment, request: Request<hyper::body::Incoming>) -> Response<Bytes> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    deployment.service().handle_by(deployment, &head, async { Ok(body) }).await
}

/// Measures the time from the request with the bytes of a photo to its file, on one machine.
fn ready(plan: &Plan, photo: &[u8]) -> Result<(), Error> {
    let folder = TempDir::new_in(&plan.folder).map_err(Error::io("making a folder"))?;
    let server = Server::credlink(&plan.server, &folder.path().join("data"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("starting a runtime"))?;
    let (mut received, mut done) = (Vec::new(), Vec::new());
    // The first round only warms up.
    for round in 0..=plan.rounds {
        progress(&format!("uploads: photos, round {round}"));
        let (mut to_received, mut to_ready) = (Vec::new(), Vec::new());
        for number in 0..PHOTOS {
            let number = u64::from(number) + (round as u64) * 1_000;
            let took = runtime.block_on(one_photo(&server, number, marked(photo, number)))?;
            to_received.push(took.0);
            to_ready.push(took.1);
        }
        if round > 0 {
            received.push(quantile(&to_received, 0.5));
            done.push((quantile(&to_ready, 0.5), quantile(&to_ready, 0.95)));
        }
    }
    let mut table = Table::new(
        "From the request with the bytes to the file (`uploads`)",
        "A photo on one machine, one after the other, with six renditions. \"Received\" is the answer to its bytes, which are durable then; \
         \"ready\" is when `GET /v1/uploads/{id}` says so. Both are counted from the start of the request that sends the bytes, in \
         milliseconds.",
        &["photo, MB", "received p50, ms", "ready p50, ms", "ready p95, ms"],
    );
    table.row([
        (photo.len() as f64 / 1e6).into(),
        Spread::of(received).into(),
        Spread::of(done.iter().map(|(p50, _)| *p50)).into(),
        Spread::of(done.iter().map(|(_, p95)| *p95)).into(),
    ]);
    plan.printer.table(&table);
    server.stop()
}

/// Uploads a photo. Returns the milliseconds from the request with its bytes until it was received, and until it was a file.
async fn one_photo(server: &Server, number: u64, photo: Bytes) -> Result<(f64, f64), Error> {
    let mut connection = Connection::open(server.address).await?;
    let announced = json!({"collection": "item-photo", "type": "image/jpeg", "size": photo.len(),
        "entity": {"type": "item", "id": number.to_string()}});
    let announced = post("/v1/uploads", &announced)?;
    let upload = said(connection.ask(announced).await?, StatusCode::CREATED)?;
    let text =
        |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| Error::wrong("an upload", &upload));
    let (id, url) = (text(&upload["id"])?, text(&upload["put"]["url"])?);
    let path =
        url.find("/v1/").map(|at| url[at..].to_owned()).ok_or_else(|| Error::wrong("an address", &url))?;
    let put = Request::put(path).body(Full::new(photo)).map_err(|error| Error::wrong("a request", error))?;
    // The whole request counts, because the moment of its last byte is not known here.
    let began = Instant::now();
    let answer = connection.ask(put).await?;
    if answer.status != StatusCode::NO_CONTENT {
        return Err(Error::wrong("the bytes of an upload", answer.status));
    }
    let received = milliseconds(began);
    loop {
        let upload = said(connection.ask(get(&format!("/v1/uploads/{id}"))?).await?, StatusCode::OK)?;
        match upload["state"].as_str() {
            Some("ready") => return Ok((received, milliseconds(began))),
            Some("received" | "processing") if began.elapsed() < PATIENCE => tokio::time::sleep(LOOK).await,
            _ => return Err(Error::wrong("an upload", upload)),
        }
    }
}

fn post(path: &str, body: &Value) -> Result<Asked, Error> {
    let request = Request::post(path).header(CONTENT_TYPE, "application/json");
    request.body(Full::new(body.to_string().into())).map_err(|error| Error::wrong("a request", error))
}

fn said(answer: Answer, wanted: StatusCode) -> Result<Value, Error> {
    if answer.status != wanted {
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        return Err(Error::wrong("an upload", format!("{}: {said}", answer.status)));
    }
    serde_json::from_slice(&answer.body).map_err(|error| Error::wrong("an upload", error))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Returns a photo of the same pixels with other bytes: it has a comment with this number.
fn marked(photo: &[u8], number: u64) -> Bytes {
    let rest = photo.strip_prefix(&START_OF_IMAGE).unwrap_or(photo);
    let comment = [[0xff, 0xfe, 0, 10].as_slice(), &number.to_be_bytes()].concat();
    [START_OF_IMAGE.as_slice(), &comment, rest].concat().into()
}
