//! Connections: their number, the time for which they may be silent, and their end.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use credlink_core::http::peer::Peer;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use preface::Preface;

use crate::admission::{Admission, Entered, Refused, SILENCE};
use crate::changes::Changes;
use crate::handler::Handler;
use crate::request::{self, Served};

mod preface;
mod refusal;

/// Maximum length of a head: a target of 8 KiB, a token of 8 KiB, and as much again for other headers and those of
/// proxies. Heads that are not complete stay in memory for as long as they may take, one on each connection: 64 MiB in
/// all.
const MAX_HEAD_BYTES: usize = 32 * 1_024;
/// Maximum number of concurrent requests on an HTTP/2 connection.
const MAX_STREAMS: u32 = 8;
/// Maximum length of the header list of HTTP/2, counting 32 bytes more for each header (RFC 9113, section 6.5.2): a
/// target of 8 KiB, a token of 8 KiB, and as much for the others. Heads are in memory as soon as they arrive, before
/// they can be counted: 700 short headers take about 130 KB, and so many requests on each possible HTTP/2 connection
/// ([`admission`](super::admission)) take 130 MB.
const MAX_HEADER_LIST_BYTES: u32 = 24 * 1_024;
/// Bytes of a body that an HTTP/2 client may send before the server has read them.
const STREAM_WINDOW_BYTES: u32 = 65_535;
/// Bytes of all bodies on an HTTP/2 connection that the client may send before the server has read them.
const CONNECTION_WINDOW_BYTES: u32 = 131_072;
/// Bytes of answers that HTTP/2 buffers for a stream.
const SEND_BUFFER_BYTES: usize = 65_536;
/// Maximum time, after the signal to stop, for requests in flight and for changes whose connection is gone.
const GRACE: Duration = Duration::from_secs(10);
/// Maximum time for the orderly end of a silent connection, or of an HTTP/2 connection that makes room for another.
const GOODBYE: Duration = Duration::from_secs(1);
/// Maximum time for what is in transfer on a connection that leaves although it does not wait for its client. It is
/// shorter than the time that others wait for its place.
const LAST: Duration = Duration::from_secs(5);
/// Pause when the system has no more sockets or files for the server.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Accepts connections until `stop`, which ends with the name of the reason, then finishes what is in flight. Returns
/// `true` if all of it was finished.
pub async fn serve(
    listener: TcpListener,
    handler: Arc<dyn Handler>,
    stop: impl Future<Output = &'static str>,
) -> bool {
    let served = Served { handler, changes: Changes::new() };
    let admission = Admission::new();
    let (stopping, is_stopping) = watch::channel(false);
    tokio::select! {
        () = accept(&listener, &served, &admission, &is_stopping) => {}
        signal = stop => tracing::info!(signal, "stopping: requests in flight are finished"),
    }
    drop(listener);
    stopping.send_replace(true);
    let in_flight = async {
        admission.left().await;
        // These are the changes of connections that are gone.
        served.changes.ended().await;
    };
    let ended = timeout(GRACE, in_flight).await;
    served.changes.close();
    if ended.is_err() {
        let (open, changes) = (admission.taken(), served.changes.under_way());
        let grace_seconds = GRACE.as_secs();
        tracing::warn!(open, changes, grace_seconds, "connections and changes were cut off");
    }
    ended.is_ok()
}

async fn accept(
    listener: &TcpListener,
    served: &Served,
    admission: &Admission,
    stopping: &watch::Receiver<bool>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A connection without a place in the queue is closed at once, because its network has its share of
                // them.
                let Some(entered) = admission.enter(peer.ip()) else { continue };
                tokio::spawn(connection(stream, Peer(peer.ip()), entered, served.clone(), stopping.clone()));
            }
            // Some errors are of a client that gave up while it waited; the others pass with time.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(EXHAUSTED).await;
            }
        }
    }
}

async fn connection(
    mut stream: TcpStream,
    peer: Peer,
    entered: Entered,
    served: Served,
    mut stopping: watch::Receiver<bool>,
) {
    let held_slot = match entered.slot().await {
        Ok(held_slot) => held_slot,
        Err(Refused::InVain(_waiting)) => return refusal::refuse(stream).await,
        Err(Refused::GaveWay) => return,
    };
    let slot = held_slot.slot();
    let begun = tokio::select! {
        begun = Preface::read(&mut stream) => begun.ok(),
        () = slot.progress().is_silent() => None,
        () = slot.evicted() => None,
        () = async { drop(stopping.wait_for(|is| *is).await) } => None,
    };
    let Some(preface) = begun else { return };
    let is_http2 = preface.is_http2();
    if is_http2 {
        let is_wanted = tokio::select! {
            is_wanted = held_slot.speaks_http2() => is_wanted,
            () = slot.evicted() => false,
            () = async { drop(stopping.wait_for(|is| *is).await) } => return,
        };
        if !is_wanted {
            tracing::debug!("a connection of HTTP/2 was refused: there are as many as may be");
            return refusal::refuse_begun(stream, &preface).await;
        }
    }
    // Answers are written in whole, so waiting to fill a packet would only delay them. If this fails, they are delayed.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let (served, slot) = (served.clone(), Arc::clone(slot));
        async move { request::answer(&served, &slot, request).await }
    });
    let builder = if is_http2 { builder().http2_only() } else { builder().http1_only() };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(preface.and_rest(stream, slot)), answer));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = slot.progress().is_silent() => {
            tracing::debug!(idle = slot.progress().is_idle(), seconds = SILENCE.as_secs(), "a connection was silent for too long");
            // An answer that nobody reads is given up.
            if !slot.progress().is_idle() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            timeout(GOODBYE, connection.as_mut()).await.unwrap_or(Ok(()))
        }
        () = slot.evicted() => {
            let progress = slot.progress();
            let (idle, dispensable) = (progress.is_idle(), progress.is_dispensable().is_some());
            tracing::debug!(idle, dispensable, "a connection gave its place to another");
            // An HTTP/2 client that reads is told. An idle HTTP/1.1 client can only be told by closing the connection.
            let left = match (idle, dispensable) {
                (true, _) if is_http2 => GOODBYE,
                (false, false) => LAST,
                _ => return,
            };
            connection.as_mut().graceful_shutdown();
            timeout(left, connection.as_mut()).await.unwrap_or(Ok(()))
        }
        () = async { drop(stopping.wait_for(|is| *is).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        // The client has gone away or speaks something else: there is nothing to act on.
        tracing::debug!(%error, "a connection ended early");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(SILENCE).max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES);
    builder
}
