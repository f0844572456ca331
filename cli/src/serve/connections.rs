//! Connections: how many, how long they may be silent, and how they end.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::request::{self, Served};

/// Most connections at once: with a body each that is under way, and room for files, below the usual 4,096 open files
/// of a service. Later connections wait in the system's queue.
const MAX_CONNECTIONS: usize = 2_048;
/// Longest time for a head to arrive, and longest time that a connection may be silent between requests.
const HEAD: Duration = Duration::from_secs(30);
/// Longest head: a target of 8 KiB and as much again for every header that we know, with room for proxies' own.
const MAX_HEAD_BYTES: usize = 64 * 1_024;
/// Longest time, after the signal to stop, for requests in flight and for changes whose connection is gone.
const GRACE: Duration = Duration::from_secs(10);
/// Pause when the system has no more sockets or files for us.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Accepts connections until `stop`, then finishes what is in flight. Returns `true` if all of it came to its end.
pub async fn serve(listener: TcpListener, served: Served, stop: impl Future<Output = &'static str>) -> bool {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::select! {
        () = accept(&listener, &served, &graceful, &room) => {}
        signal = stop => tracing::info!(signal, "stopping: requests in flight are finished"),
    }
    drop(listener);
    let in_flight = async {
        graceful.shutdown().await;
        // Those of connections that are gone.
        served.changes.ended().await;
    };
    let ended = timeout(GRACE, in_flight).await;
    served.changes.close();
    if ended.is_err() {
        let (open, changes) = (MAX_CONNECTIONS - room.available_permits(), served.changes.under_way());
        let grace_seconds = GRACE.as_secs();
        tracing::warn!(open, changes, grace_seconds, "connections and changes were cut off");
    }
    ended.is_ok()
}

async fn accept(listener: &TcpListener, served: &Served, graceful: &GracefulShutdown, room: &Arc<Semaphore>) {
    while let Ok(permit) = Arc::clone(room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, served.clone(), graceful.watcher(), permit));
            }
            // One that was given up while it waited is the client's affair; the others get better with time.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(EXHAUSTED).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, served: Served, watcher: Watcher, _permit: OwnedSemaphorePermit) {
    // Answers are written whole: waiting to fill a packet only delays them. Where it fails, they are delayed.
    let _ = stream.set_nodelay(true);
    let was_used = Arc::new(AtomicBool::new(false));
    let answer = service_fn(|request| {
        was_used.store(true, Ordering::Relaxed);
        let served = served.clone();
        async move { request::answer(&served, request).await }
    });
    let builder = builder();
    let connection = watcher.watch(builder.serve_connection(TokioIo::new(stream), answer));
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            // Clients that go away or speak something else: nothing to act on.
            tracing::debug!(%error, "a connection ended early");
        },
        // hyper's own limit begins only when it knows which version of HTTP is spoken.
        () = unused(&was_used) => tracing::debug!("a connection was closed: it asked nothing"),
    }
}

/// Ends when a connection has had its time and asked nothing.
async fn unused(was_used: &AtomicBool) {
    sleep(HEAD).await;
    if was_used.load(Ordering::Relaxed) {
        pending().await
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(64 * 1_024)
        .keep_alive_interval(Some(HEAD))
        .keep_alive_timeout(HEAD);
    builder
}
