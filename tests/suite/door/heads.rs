//! Heads: many, and of many headers.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::clients::{connect, connect_from, http2_get_with, http2_preface};
use super::ground::Ground;

/// What HTTP/2 has read before anybody can count it is bounded by the connections and the requests that there may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_of_many_headers_hold_little_memory_and_nobody_up() {
    let ground = Ground::new();
    for headers in [90, 400, 620] {
        let mut sent = http2_preface();
        for stream in 0..16 {
            sent.extend(http2_get_with(headers, 2 * stream + 1, "/v1/health"));
        }
        let mut open = Vec::new();
        for connection in 0..1_200_u16 {
            let client = 2 + u8::try_from(connection % 12).unwrap();
            let mut stream = connect_from(client, ground.address()).await;
            let _ = timeout(Duration::from_millis(20), stream.write_all(&sent)).await;
            open.push(stream);
        }
        sleep(Duration::from_secs(2)).await;
        ground.holds(&format!("1200 connections of HTTP/2 with 16 heads of {headers} headers"));
        drop(open);
    }
}

/// One address has its share of the connections of HTTP/2, and others have theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_does_not_get_all_connections_of_http2() {
    let ground = Ground::new();
    let asked = [http2_preface(), http2_get_with(0, 1, "/v1/health")].concat();
    let is_answered = async |client: u8| {
        let mut stream = connect_from(client, ground.address()).await;
        stream.write_all(&asked).await.unwrap();
        let mut first = [0; 9];
        let read = timeout(Duration::from_secs(10), stream.read_exact(&mut first)).await;
        (read.unwrap().is_ok(), stream)
    };
    let mut open = Vec::new();
    for _ in 0..96 {
        let (answered, stream) = is_answered(2).await;
        assert!(answered, "connection {}", open.len());
        open.push(stream);
    }
    assert!(!is_answered(2).await.0, "as many as one address may have");
    assert!(is_answered(3).await.0, "another one has room");
    drop(open);
    // As soon as the server has noticed that they are closed.
    let begun = std::time::Instant::now();
    while !is_answered(2).await.0 {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

/// In either version a request has at most 100 headers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_of_too_many_headers_is_refused() {
    let ground = Ground::new();
    let more: String = (0..101).map(|number| format!("x-{number}: a\r\n")).collect();
    let mut stream = connect(ground.address()).await;
    let asked = format!("GET /v1/health HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 431");
}
