//! A deployment over S3 and DynamoDB in a process of its own, with engines configured by its environment.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use clap::ValueEnum;
use credlink_auth::gate::Gate;
use credlink_core::object::ObjectKey;
use credlink_deployment::configuration::{Configuration, Variables};
use credlink_deployment::deployment::{Deployment, Opening};
use credlink_ports::Cache as _;
use futures_util::future::join_all;
use futures_util::stream::{StreamExt as _, TryStreamExt as _, iter};
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::bare::{Bare, Prepared};
use crate::error::Error;
use crate::material::{MaterialKind, json_manifest, proof_id};
use crate::report;
use crate::spread::quantile;

/// Number of proofs that are read in each round, and number that are stored in each.
const READ: u64 = 200;
const STORED: u64 = 100;
/// Number of concurrent reads.
const AT_ONCE: u64 = 1_000;
/// The number of the first proof that the SDK stores.
const BARE: u64 = 1 << 40;

/// The subject of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// Single calls, through the service and through the SDK alone.
    Calls,
    /// Many concurrent reads.
    Crowd,
}

/// The median time of an operation in one round, in microseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Pair {
    /// With the SDK alone.
    pub bare: f64,
    /// With the service.
    pub service: f64,
}

/// The results of single calls, by round.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Calls {
    /// Reads by a client that accepts gzip.
    pub reads: Vec<Pair>,
    /// Reads by a client that does not accept gzip.
    pub unpacked: Vec<Pair>,
    /// Stores of new proofs.
    pub stores: Vec<Pair>,
}

/// The result of 1,000 concurrent reads.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Crowd {
    /// The time until all reads were answered, in milliseconds.
    pub total: f64,
    /// The median latency, in milliseconds.
    pub p50: f64,
    /// The 99th percentile of the latency, in milliseconds.
    pub p99: f64,
    /// Number of wrong answers.
    pub errors: u64,
    /// Number of reads that went to the provider, as counted by the cache.
    pub loads: u64,
    /// Peak memory of the process so far (`VmHWM`), in bytes.
    pub memory: f64,
}

/// The results of concurrent reads.
#[derive(Debug, Serialize, Deserialize)]
pub struct Crowds {
    /// Memory before the first reads (`VmRSS`), in bytes.
    pub before: f64,
    /// 1,000 proofs, none of them cached.
    pub cold: Crowd,
    /// The same proofs again.
    pub hot: Crowd,
    /// One proof that is not cached.
    pub same: Crowd,
}

/// Measures, and prints a line of JSON.
///
/// # Errors
/// Fails if the engines are not there, or if a measured operation fails.
pub fn run(subject: Subject, rounds: usize, with_table: bool) -> Result<(), Error> {
    let variable = |name| std::env::var(name).map_err(|error| Error::wrong(name, error));
    let bare = Bare::new(&variable("STORAGE_ENDPOINT")?, &variable("AWS_ENDPOINT_URL_DYNAMODB")?);
    match subject {
        Subject::Calls => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(Error::io("starting a runtime"))?;
            report::line(&runtime.block_on(async {
                bare.prepare(with_table).await?;
                calls(&open().await?, &bare, rounds).await
            })?);
        }
        Subject::Crowd => {
            let runtime = tokio::runtime::Runtime::new().map_err(Error::io("starting a runtime"))?;
            report::line(&runtime.block_on(async {
                bare.prepare(with_table).await?;
                crowds().await
            })?);
        }
    }
    Ok(())
}

async fn open() -> Result<Deployment, Error> {
    let configuration = Configuration::read(&Variables::environment());
    let configuration = configuration.map_err(|error| Error::wrong("the configuration", error))?;
    let opening = Opening {
        configuration: &configuration,
        machine: None,
        gate: Gate::of(None, None),
        public_url: "https://cdn.example.com".to_owned(),
        link_keys: None,
        count_reads: false,
    };
    Deployment::open(opening).await.map_err(|error| Error::wrong("opening a deployment", error))
}

async fn store(deployment: &Deployment, body: Bytes) -> Result<(), Error> {
    let request = Request::post("/v1/proofs").header(CONTENT_TYPE, "application/json").body(());
    let (head, ()) = request.map_err(|error| Error::wrong("a store", error))?.into_parts();
    let answer = deployment.service().handle(&head, async { Ok(body) }).await;
    right("a store", &answer, StatusCode::CREATED)
}

async fn read(deployment: &Deployment, head: &http::request::Parts) -> Result<Response<Bytes>, Error> {
    let answer = deployment.service().handle(head, async { Ok(Bytes::new()) }).await;
    right("a read", &answer, StatusCode::OK)?;
    Ok(answer)
}

fn right(what: &str, answer: &Response<Bytes>, wanted: StatusCode) -> Result<(), Error> {
    if answer.status() == wanted {
        return Ok(());
    }
    let said = String::from_utf8_lossy(answer.body());
    Err(Error::wrong(what, format!("{}: {}", answer.status(), said.chars().take(500).collect::<String>())))
}

fn reading(number: u64, gzip: bool) -> Result<http::request::Parts, Error> {
    let mut request = Request::get(format!("/proofs/{}", proof_id(number)))
        .body(())
        .map_err(|error| Error::wrong("a read", error))?;
    if gzip {
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(request.into_parts().0)
}

async fn forget(deployment: &Deployment, number: u64) {
    deployment.service().ports().cache.invalidate(&ObjectKey::Record(proof_id(number))).await;
}

async fn calls(deployment: &Deployment, bare: &Bare, rounds: usize) -> Result<Calls, Error> {
    for number in 0..READ {
        store(deployment, MaterialKind::Json.body(number)).await?;
        let answer = read(deployment, &reading(number, false)?).await?;
        if !String::from_utf8_lossy(answer.body()).contains(&json_manifest(number)) {
            return Err(Error::wrong("a read", "it is not what was stored"));
        }
    }
    let mut measured = Calls::default();
    let mut next = READ;
    // The first round only warms up.
    for round in 0..=rounds {
        let reads = read_round(deployment, bare, true).await?;
        let unpacked = read_round(deployment, bare, false).await?;
        let stores = store_round(deployment, bare, next).await?;
        next += STORED;
        if round > 0 {
            measured.reads.push(reads);
            measured.unpacked.push(unpacked);
            measured.stores.push(stores);
        }
    }
    let hits = deployment.service().ports().cache.stats().hits;
    if hits > 0 {
        return Err(Error::wrong("cold reads", format!("{hits} came out of the cache")));
    }
    Ok(measured)
}

async fn read_round(deployment: &Deployment, bare: &Bare, gzip: bool) -> Result<Pair, Error> {
    let (mut alone, mut service) = (Vec::new(), Vec::new());
    for number in 0..READ {
        let head = reading(number, gzip)?;
        forget(deployment, number).await;
        // The two take turns in being the first to request an object.
        for turn in 0..2 {
            let started = Instant::now();
            if (number + turn) % 2 == 0 {
                let length = bare.read(number).await?;
                alone.push(microseconds(started));
                if length == 0 {
                    return Err(Error::wrong("GetObject", "nothing came"));
                }
            } else {
                let answer = read(deployment, &head).await?;
                service.push(microseconds(started));
                if answer.body().is_empty() {
                    return Err(Error::wrong("a read", "nothing came"));
                }
            }
        }
    }
    Ok(Pair { bare: quantile(&alone, 0.5), service: quantile(&service, 0.5) })
}

async fn store_round(deployment: &Deployment, bare: &Bare, first: u64) -> Result<Pair, Error> {
    let (mut alone, mut service) = (Vec::new(), Vec::new());
    for number in first..first + STORED {
        let prepared = Prepared::new(BARE + number)?;
        let body = MaterialKind::Json.body(number);
        let started = Instant::now();
        bare.store(prepared).await?;
        alone.push(microseconds(started));
        let started = Instant::now();
        store(deployment, body).await?;
        service.push(microseconds(started));
    }
    Ok(Pair { bare: quantile(&alone, 0.5), service: quantile(&service, 0.5) })
}

fn microseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

async fn crowds() -> Result<Crowds, Error> {
    // The writer has used connections and memory, so the readers start afresh.
    let writer = open().await?;
    let stores = iter((0..=AT_ONCE).map(|number| store(&writer, MaterialKind::Json.body(number))));
    stores.buffer_unordered(8).try_collect::<()>().await?;
    drop(writer);
    let deployment = Arc::new(open().await?);
    // The client is ready and has its credentials.
    forget(&deployment, AT_ONCE).await;
    read(&deployment, &reading(AT_ONCE, true)?).await?;
    let before = memory("VmRSS")?;
    let cold = crowd(&deployment, |number| number).await?;
    let hot = crowd(&deployment, |number| number).await?;
    forget(&deployment, 0).await;
    let same = crowd(&deployment, |_| 0).await?;
    Ok(Crowds { before, cold, hot, same })
}

/// Reads the proofs that `number` names, all at once.
async fn crowd(deployment: &Arc<Deployment>, number: fn(u64) -> u64) -> Result<Crowd, Error> {
    let loads = || deployment.service().ports().cache.stats().misses;
    let loaded = loads();
    let heads = (0..AT_ONCE).map(|reader| reading(number(reader), true)).collect::<Result<Vec<_>, _>>()?;
    let started = Instant::now();
    let readers = heads.into_iter().map(|head| {
        let deployment = Arc::clone(deployment);
        tokio::spawn(async move {
            let answered = read(&deployment, &head).await;
            (answered, started.elapsed().as_secs_f64() * 1e3)
        })
    });
    let readers: Vec<_> = readers.collect();
    let answered = join_all(readers).await;
    let total = started.elapsed().as_secs_f64() * 1e3;
    let (mut times, mut errors) = (Vec::new(), 0);
    for answer in answered {
        let (answer, time) = answer.map_err(|error| Error::wrong("a reader", error))?;
        times.push(time);
        if let Err(error) = answer {
            // One error is printed as an example.
            if errors == 0 {
                report::progress(&format!("clouds: {error}"));
            }
            errors += 1;
        }
    }
    Ok(Crowd {
        total,
        p50: quantile(&times, 0.5),
        p99: quantile(&times, 0.99),
        errors,
        loads: loads() - loaded,
        memory: memory("VmHWM")?,
    })
}

/// A value of the kernel's memory statistics of this process, in bytes.
fn memory(name: &str) -> Result<f64, Error> {
    let text =
        std::fs::read_to_string("/proc/self/status").map_err(Error::io("reading /proc/self/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
    Ok(kilobytes.ok_or_else(|| Error::wrong("/proc/self/status", format!("it has no {name}")))? * 1_024.0)
}
