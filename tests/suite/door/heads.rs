//! Request heads in large numbers, and with large numbers of headers.

use std::time::Duration;

use credlink_core::bounds::MAX_TARGET_BYTES;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::clients::{
    HEADERS, connect, connect_from, http2_get_with, http2_get_with_headers, http2_next, http2_preface,
    http2_status,
};
use super::ground::Ground;

/// The memory that HTTP/2 takes for heads before they can be counted is bounded by the limits of connections and
/// requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_of_many_headers_hold_little_memory_and_nobody_up() {
    let ground = Ground::new();
    for headers in [90, 400, 620, 740] {
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

/// In either version a request may have at most 100 headers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_of_too_many_headers_is_refused() {
    let ground = Ground::new();
    for (headers, status) in [(100, 200), (101, 431)] {
        // One of them is `host`, which is not a header in HTTP/2.
        let more: Vec<_> = (1..headers).map(|number| (format!("x-{number}"), "a".to_owned())).collect();
        assert_eq!(http1_status(&ground, "/v1/health", &more).await, status, "{headers} headers of HTTP/1.1");
        let asked = http2_get_with(headers, 1, "/v1/health");
        assert_eq!(status_of_http2(&ground, &asked).await, status, "{headers} headers of HTTP/2");
    }
}

/// An HTTP/1.1 head that does not end is held in memory, and may have 32 KiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_long_is_refused() {
    let ground = Ground::new();
    let headers = |bytes: usize| {
        (0..4).map(|number| (format!("x-{number}"), "a".repeat(bytes / 4))).collect::<Vec<_>>()
    };
    assert_eq!(http1_status(&ground, "/v1/health", &headers(31 * 1_024)).await, 200);
    let mut stream = connect(ground.address()).await;
    // The end is never sent, and the answer does not wait for it.
    let asked = format!("GET /v1/health HTTP/1.1\r\nhost: localhost\r\nx: {}", "a".repeat(33 * 1_024));
    let _ = stream.write_all(asked.as_bytes()).await;
    let mut answer = vec![0; 12];
    timeout(Duration::from_secs(20), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 431");
}

/// The longest target and the longest token fit into one request, in either version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_target_and_the_longest_token_go_together() {
    let ground = Ground::new();
    let path = "/v1/health?";
    let target = format!("{path}{}", "x".repeat(MAX_TARGET_BYTES - path.len()));
    let short = |number: usize| (format!("x-{number}"), "of a proxy".to_owned());
    let mut headers = vec![("authorization".to_owned(), format!("Bearer {}", "t".repeat(8_192)))];
    headers.extend((0..50).map(short));
    let of_http1 = http1_status(&ground, &target, &headers).await;
    assert!(![414, 431].contains(&of_http1), "{of_http1}");
    let asked = http2_get_with_headers(1, &target, &headers);
    assert_eq!(status_of_http2(&ground, &asked).await, of_http1);
}

async fn http1_status(ground: &Ground, target: &str, headers: &[(String, String)]) -> u16 {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut stream = connect(ground.address()).await;
    let asked = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).strip_prefix("HTTP/1.1 ").unwrap().parse().unwrap()
}

async fn status_of_http2(ground: &Ground, asked: &[u8]) -> u16 {
    let mut stream = connect(ground.address()).await;
    stream.write_all(&[&http2_preface(), asked].concat()).await.unwrap();
    http2_status(&http2_next(&mut stream, HEADERS).await.unwrap())
}
