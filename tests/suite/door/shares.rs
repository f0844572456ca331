//! The share of the connections that one address may take, and the connections that are left for others.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::clients::{
    GOAWAY, HEADERS, SETTINGS, connect_from, get, http2_data, http2_get, http2_next, http2_post,
    http2_preface, http2_preface_to_read, http2_status,
};
use super::ground::Ground;

/// The beginning of a request with a body.
const UPLOAD: &[u8] = b"POST /v1/proofs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                        content-length: 100\r\n\r\n{";

/// One address gets its share of the seats, and of the places to wait for one. Only its own further connections are
/// closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_that_waits_for_seats_keeps_nobody_out() {
    let ground = Ground::new();
    let mut open = Vec::new();
    for _ in 0..1_536 {
        open.push(connect_and_send_from(2, ground.address(), UPLOAD).await);
    }
    for _ in 0..1_600 {
        open.push(connect_from(2, ground.address()).await);
    }
    for request in 0..40 {
        for _ in 0..40 {
            open.push(connect_from(2, ground.address()).await);
        }
        let mut other = connect_and_send_from(9, ground.address(), &get("/v1/health")).await;
        let mut answer = [0; 12];
        let read = timeout(Duration::from_secs(20), other.read_exact(&mut answer)).await.unwrap();
        assert!(read.is_ok(), "request {request} of another address: {read:?}");
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 200", "request {request}");
    }
}

/// Idle HTTP/2 connections make room for others, and are told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_of_http2_keep_nobody_out() {
    let ground = Ground::new();
    let mut idle = JoinSet::new();
    for connection in 0..128 {
        let client = if connection < 96 { 2 } else { 3 };
        let mut stream = connect_and_send_from(client, ground.address(), &http2_preface()).await;
        http2_next(&mut stream, SETTINGS).await.unwrap();
        idle.spawn(async move { http2_next(&mut stream, GOAWAY).await.is_some() });
    }
    let mut open = Vec::new();
    for client in [4, 2, 5] {
        let (status, stream) = ask(client, ground.address()).await;
        open.push(stream);
        assert_eq!(status, Some(200), "client {client} is answered");
        let heard = timeout(Duration::from_secs(20), idle.join_next()).await.unwrap();
        assert!(heard.unwrap().unwrap(), "whoever leaves for it hears of it");
    }
}

/// Two addresses that hold all HTTP/2 connections make room for others, however often they use their connections and
/// even though they reconnect at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_http2_that_are_used_often_keep_nobody_out() {
    let ground = Ground::new();
    let address = ground.address();
    let mut used = JoinSet::new();
    for connection in 0..128 {
        let client = if connection < 96 { 2 } else { 3 };
        let mut stream = connect_and_send_from(client, address, &http2_preface_to_read()).await;
        http2_next(&mut stream, SETTINGS).await.unwrap();
        used.spawn(use_often(client, address, stream));
    }
    sleep(Duration::from_secs(2)).await;
    for request in 0..3 {
        assert_eq!(ask(9, address).await.0, Some(200), "request {request} of another address");
    }
    used.shutdown().await;
}

/// One address gets its share of the HTTP/2 connections, and others get theirs. A client that waits for a connection in
/// vain is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_does_not_get_all_connections_of_http2() {
    let ground = Ground::new();
    let address = ground.address();
    let begun = [http2_preface(), http2_post(1, "/v1/proofs", 9_000, 1)].concat();
    let mut busy = Vec::new();
    for _ in 0..96 {
        let mut stream = connect_and_send_from(2, address, &begun).await;
        // The client has its place as soon as the server speaks.
        http2_next(&mut stream, SETTINGS).await.unwrap();
        busy.push(stream);
    }
    let sending = tokio::spawn(async move {
        loop {
            for stream in &mut busy {
                stream.write_all(&http2_data(1, b" ")).await.unwrap();
            }
            sleep(Duration::from_millis(500)).await;
        }
    });
    let refused = tokio::spawn(async move {
        let mut stream = connect_and_send_from(2, address, &asked()).await;
        http2_next(&mut stream, GOAWAY).await
    });
    assert_eq!(ask(3, address).await.0, Some(200), "another one has room");
    let goodbye = timeout(Duration::from_secs(20), refused).await.unwrap().unwrap();
    let goodbye = goodbye.expect("who finds no place hears of it");
    // No stream was processed; ENHANCE_YOUR_CALM (RFC 9113, section 7).
    assert_eq!(goodbye[..8], [0, 0, 0, 0, 0, 0, 0, 0xb]);
    // All of the connections are dropped with their task.
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    assert_eq!(ask(2, address).await.0, Some(200));
}

/// The HTTP/2 preface is recognised however it is split.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preface_in_pieces_begins_a_connection() {
    let ground = Ground::new();
    let mut stream = connect_from(2, ground.address()).await;
    stream.set_nodelay(true).unwrap();
    let asked = asked();
    let (pieces, rest) = asked.split_at(24);
    for piece in pieces.chunks(1) {
        stream.write_all(piece).await.unwrap();
        sleep(Duration::from_millis(5)).await;
    }
    stream.write_all(rest).await.unwrap();
    assert_eq!(http2_next(&mut stream, HEADERS).await.map(|head| http2_status(&head)), Some(200));
}

/// Sends HTTP/2 requests continually, and reconnects when a connection ends.
async fn use_often(client: u8, address: SocketAddr, mut stream: TcpStream) {
    loop {
        for request in 0.. {
            // The connection may have ended meanwhile.
            let _ = stream.write_all(&http2_get(2 * request + 1, "/v1/health")).await;
            if timeout(Duration::from_secs(1), http2_next(&mut stream, GOAWAY)).await.is_ok() {
                break;
            }
        }
        stream = connect_and_send_from(client, address, &http2_preface_to_read()).await;
    }
}

fn asked() -> Vec<u8> {
    [http2_preface(), http2_get(1, "/v1/health")].concat()
}

/// The status of an HTTP/2 answer to a client, or `None` if the connection ended without one. The connection stays
/// open.
async fn ask(client: u8, address: SocketAddr) -> (Option<u16>, TcpStream) {
    let mut stream = connect_and_send_from(client, address, &asked()).await;
    let head = timeout(Duration::from_secs(20), http2_next(&mut stream, HEADERS)).await.unwrap();
    (head.map(|head| http2_status(&head)), stream)
}

async fn connect_and_send_from(client: u8, address: SocketAddr, sent: &[u8]) -> TcpStream {
    let mut stream = connect_from(client, address).await;
    // The connection may be refused meanwhile.
    let _ = stream.write_all(sent).await;
    stream
}
