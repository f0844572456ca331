//! Connections: how many, how long they may be silent, and how they end.

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use credlink_core::http::problem::Problem;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::request::{self, Served, problem};
use super::seats::{SEATS, SILENCE, Seats};

/// Most connections that wait for a seat: with those that have one below the usual 4,096 open files of a service.
const WAITING: usize = 1_024;
/// Longest head: a target of 8 KiB and as much again for every header that we know, with room for proxies' own.
const MAX_HEAD_BYTES: usize = 64 * 1_024;
/// Most requests at once on a connection of HTTP/2.
const MAX_STREAMS: u32 = 8;
/// Longest list of headers of HTTP/2, with 32 bytes more for each (RFC 9113, section 6.5.2): a token of 8 KiB and the others. Heads
/// are there as soon as they have come, before anybody can count them: 500 short headers are 100 KB in memory, and so many requests
/// on each connection of HTTP/2 that there may be ([`seats`](super::seats)) 100 MB.
const MAX_HEADER_LIST_BYTES: u32 = 16 * 1_024;
/// What a client of HTTP/2 may send of a body before the server has read it.
const STREAM_WINDOW_BYTES: u32 = 65_535;
/// The same, of all bodies on a connection.
const CONNECTION_WINDOW_BYTES: u32 = 131_072;
/// Bytes of answers that HTTP/2 keeps in its own buffer for a stream.
const SEND_BUFFER_BYTES: usize = 65_536;
/// Longest time, after the signal to stop, for requests in flight and for changes whose connection is gone.
const GRACE: Duration = Duration::from_secs(10);
/// Longest time for the orderly end of a connection that was silent.
const GOODBYE: Duration = Duration::from_secs(1);
/// Pause when the system has no more sockets or files for us.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Seconds after which a client that got no seat shall come again.
const AGAIN_SECONDS: u32 = 5;

/// Time after which a connection is looked at again of which a part of the preface has come.
const REST_OF_PREFACE: Duration = Duration::from_millis(20);

/// What begins every connection of HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2";

/// Accepts connections until `stop`, then finishes what is in flight. Returns `true` if all of it came to its end.
pub async fn serve(listener: TcpListener, served: Served, stop: impl Future<Output = &'static str>) -> bool {
    let seats = Seats::new();
    let (stopping, is_stopping) = watch::channel(false);
    tokio::select! {
        () = accept(&listener, &served, &seats, &is_stopping) => {}
        signal = stop => tracing::info!(signal, "stopping: requests in flight are finished"),
    }
    drop(listener);
    stopping.send_replace(true);
    let in_flight = async {
        seats.left().await;
        // Those of connections that are gone.
        served.changes.ended().await;
    };
    let ended = timeout(GRACE, in_flight).await;
    served.changes.close();
    if ended.is_err() {
        let (open, changes) = (seats.taken(), served.changes.under_way());
        let grace_seconds = GRACE.as_secs();
        tracing::warn!(open, changes, grace_seconds, "connections and changes were cut off");
    }
    ended.is_ok()
}

async fn accept(listener: &TcpListener, served: &Served, seats: &Seats, stopping: &watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(SEATS + WAITING));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Without a place to wait at it is closed at once.
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                let (served, seats, stopping) = (served.clone(), seats.clone(), stopping.clone());
                tokio::spawn(async move {
                    connection(stream, peer.ip(), served, seats, stopping).await;
                    drop(place);
                });
            }
            // One that was given up while it waited is the client's affair; the others get better with time.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(EXHAUSTED).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: IpAddr,
    served: Served,
    seats: Seats,
    mut stopping: watch::Receiver<bool>,
) {
    let Some(sitting) = seats.take(peer).await else { return refuse(stream).await };
    let is_http2 = tokio::select! {
        is_http2 = begins_with_preface(&stream) => is_http2,
        () = sitting.seat().is_silent() => return,
        () = sitting.seat().has_to_leave() => return,
        () = async { drop(stopping.wait_for(|is| *is).await) } => return,
    };
    if is_http2 && !sitting.speaks_http2() {
        tracing::debug!("a connection of HTTP/2 was closed: there are as many as may be");
        return;
    }
    // Answers are written whole: waiting to fill a packet only delays them. Where it fails, they are delayed.
    let _ = stream.set_nodelay(true);
    let seat = sitting.seat();
    let answer = service_fn(|request| {
        let (served, seat) = (served.clone(), Arc::clone(seat));
        async move { request::answer(&served, &seat, request).await }
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), answer));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = seat.is_silent() => {
            tracing::debug!(idle = seat.is_idle(), seconds = SILENCE.as_secs(), "a connection was silent for too long");
            // An answer that nobody reads is given up.
            if !seat.is_idle() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            timeout(GOODBYE, connection.as_mut()).await.unwrap_or(Ok(()))
        }
        () = seat.has_to_leave() => {
            tracing::debug!(idle = seat.is_idle(), "a connection that waits for its client gave its place to another");
            return;
        }
        () = async { drop(stopping.wait_for(|is| *is).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        // Clients that go away or speak something else: nothing to act on.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Waits for the first bytes of a connection. Returns `true` if they are those of HTTP/2.
async fn begins_with_preface(stream: &TcpStream) -> bool {
    let mut beginning = [0; PREFACE.len()];
    loop {
        match stream.peek(&mut beginning).await {
            Ok(length)
                if length > 0 && beginning.get(..length).is_some_and(|sent| PREFACE.starts_with(sent)) =>
            {
                if length == PREFACE.len() {
                    return true;
                }
                // The rest is on its way.
                sleep(REST_OF_PREFACE).await;
            }
            _ => return false,
        }
    }
}

/// Tells a client that there is no seat for it, and closes.
async fn refuse(mut stream: TcpStream) {
    let what = "as many connections are open as the server takes, in all or from this address";
    let refused = problem(&Problem::busy(what, AGAIN_SECONDS));
    let mut text = format!("HTTP/1.1 {}\r\nconnection: close\r\n", refused.status());
    for (name, value) in refused.headers() {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n", refused.body().len()));
    let goodbye = async {
        // What was sent is read, so that closing does not reset the connection before the answer is there.
        let mut head = vec![0; 8_192];
        let length = stream.read(&mut head).await?;
        if length > 0 && !head.get(..length).is_some_and(|sent| sent.starts_with(PREFACE)) {
            stream.write_all(text.as_bytes()).await?;
            stream.write_all(refused.body()).await?;
            stream.shutdown().await?;
            while stream.read(&mut head).await? > 0 {}
        }
        Ok::<(), std::io::Error>(())
    };
    let _ = timeout(GOODBYE, goodbye).await;
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
