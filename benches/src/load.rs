//! A closed loop: a number of connections, each of which sends its next request as soon as it is answered.
//!
//! There is a thread for each processor, with its own runtime, and connections stay on their thread. All are open
//! before the clock starts, and it stops when the last answer has arrived.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use hdrhistogram::Histogram;

use crate::client::Connection;
use crate::error::Error;
use crate::work::Work;

/// A load that takes longer than this has met a server that hangs.
const PATIENCE: Duration = Duration::from_secs(300);
/// Number of significant digits of latencies.
const DIGITS: u8 = 3;

/// The result of a load.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Operations per second.
    pub per_second: f64,
    /// The median latency, in milliseconds.
    pub p50: f64,
    /// The 99th percentile of the latency, in milliseconds.
    pub p99: f64,
}

/// The result of one thread.
struct Share {
    started: Instant,
    ended: Instant,
    latencies: Histogram<u64>,
}

/// Runs `operations` operations over this many connections.
///
/// # Errors
/// Fails if a single answer is wrong; nothing is measured then.
pub fn run<W: Work>(
    address: SocketAddr,
    connections: usize,
    operations: usize,
    work: &W,
) -> Result<Outcome, Error> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(connections);
    let (next, ready) = (AtomicU64::new(0), Barrier::new(threads));
    let numbers = || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        (number < operations as u64).then_some(number)
    };
    let shares = thread::scope(|scope| {
        let start = |thread: usize| {
            let count = connections / threads + usize::from(thread < connections % threads);
            let (ready, numbers) = (&ready, &numbers);
            scope.spawn(move || share(address, count, ready, numbers, work))
        };
        let handles: Vec<_> = (0..threads).map(start).collect();
        let joined = handles.into_iter().map(|handle| {
            handle.join().unwrap_or_else(|_| Err(Error::wrong("a load", "a thread of it panicked")))
        });
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    let mut latencies = histogram()?;
    for share in &shares {
        latencies.add(&share.latencies).map_err(|error| Error::wrong("adding latencies", error))?;
    }
    let started = shares.iter().map(|share| share.started).min();
    let ended = shares.iter().map(|share| share.ended).max();
    let elapsed = ended.zip(started).map_or(0.0, |(ended, started)| (ended - started).as_secs_f64());
    Ok(Outcome {
        per_second: latencies.len() as f64 / elapsed,
        p50: latencies.value_at_quantile(0.50) as f64 / 1e3,
        p99: latencies.value_at_quantile(0.99) as f64 / 1e3,
    })
}

fn share<W: Work>(
    address: SocketAddr,
    connections: usize,
    ready: &Barrier,
    numbers: &impl Fn() -> Option<u64>,
    work: &W,
) -> Result<Share, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // Every thread reaches the barrier, even after a failure, because the others wait for it there.
    let opened = runtime.map_err(Error::io("starting a runtime")).and_then(|runtime| {
        let opened = runtime.block_on(try_join_all((0..connections).map(|_| Connection::open(address))))?;
        Ok((runtime, opened))
    });
    ready.wait();
    let (runtime, opened) = opened?;
    let latencies = RefCell::new(histogram()?);
    let started = Instant::now();
    let loops = opened.into_iter().map(|connection| closed_loop(connection, numbers, work, &latencies));
    let finished = runtime.block_on(async { tokio::time::timeout(PATIENCE, join_all(loops)).await });
    let ended = Instant::now();
    let finished = finished.map_err(|_| Error::wrong("a load", "the server does not answer"))?;
    finished.into_iter().collect::<Result<(), Error>>()?;
    Ok(Share { started, ended, latencies: latencies.into_inner() })
}

async fn closed_loop<W: Work>(
    mut connection: Connection,
    numbers: &impl Fn() -> Option<u64>,
    work: &W,
    latencies: &RefCell<Histogram<u64>>,
) -> Result<(), Error> {
    while let Some(number) = numbers() {
        let request = work.request(number);
        let asked = Instant::now();
        let answer = connection.ask(request).await?;
        let microseconds = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        work.check(number, &answer).map_err(Error::Wrong)?;
        latencies.borrow_mut().saturating_record(microseconds);
    }
    Ok(())
}

fn histogram() -> Result<Histogram<u64>, Error> {
    let most = u64::try_from(PATIENCE.as_micros()).unwrap_or(u64::MAX);
    Histogram::new_with_bounds(1, most, DIGITS).map_err(|error| Error::wrong("a histogram", error))
}
