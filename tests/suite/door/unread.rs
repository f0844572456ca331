//! Answers that are never read.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::time::{sleep, timeout};

use super::clients::{connect, connect_and_send, get, http2_get, http2_preface};
use super::ground::Ground;

/// Longer than a connection that waits for its client may keep its place while others wait for it.
const A_WHILE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_do_not_read_hold_little_memory_and_nobody_up() {
    let ground = Ground::new();
    let address = ground.address();
    for connections in [1, 200, 2_048] {
        let open = connect_and_send(address, connections, &get(&ground.manifest)).await;
        sleep(A_WHILE).await;
        ground.holds(&format!("{connections} connections that read no manifest"));
        drop(open);
    }
    let pipelined = get("/v1/openapi.json").repeat(100);
    let open = connect_and_send(address, 2_048, &pipelined).await;
    sleep(A_WHILE).await;
    ground.holds("2048 connections that read none of a hundred answers");
    drop(open);
}

/// Content that answers share is in memory only once. These answers share nothing, so no cache helps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_manifests_that_nobody_reads_hold_little_memory_and_nobody_up() {
    let ground = Ground::new();
    let manifests = ground.store_large(40);
    for query in ["", "?form=stored"] {
        let mut open = Vec::new();
        for connection in 0..120 {
            let path = format!("{}{query}", manifests[connection % manifests.len()]);
            open.extend(connect_and_send(ground.address(), 1, &get(&path)).await);
        }
        sleep(A_WHILE).await;
        ground.holds(&format!("120 connections that read none of 40 manifests, {query:?}"));
        drop(open);
    }
}

/// An answer reserves its memory before the server waits for the rest of an unwanted body.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_requests_whose_bodies_do_not_come_hold_little_memory_and_nobody_up() {
    let ground = Ground::new();
    let manifests = ground.store_large(60);
    let mut open = Vec::new();
    for manifest in &manifests {
        let asked = format!(
            "GET {manifest}?form=stored HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n"
        );
        open.extend(connect_and_send(ground.address(), 2, asked.as_bytes()).await);
    }
    sleep(A_WHILE).await;
    ground.holds("120 connections that ask for 60 manifests, with a body that does not come");
    drop(open);
}

/// While the visibility of a manifest changes, readers see that the change is not written yet, but they do not all
/// write it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_a_manifest_that_is_being_withdrawn_hold_little_memory() {
    let ground = Ground::new();
    let manifest = ground.store_large(1).remove(0);
    let asked = format!("HEAD {manifest}?form=stored HTTP/1.1\r\nhost: localhost\r\n\r\n").repeat(50);
    let open = connect_and_send(ground.address(), 100, asked.as_bytes()).await;
    for visibility in ["private", "public", "private"] {
        let path = format!("{manifest}/visibility");
        let (status, answer) = ground.server.put(&path, &json!({ "visibility": visibility }));
        assert_eq!(status, 204, "{answer}");
    }
    ground.holds_at_work("100 connections that ask for a manifest that is being withdrawn");
    drop(open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_without_a_window_hold_little_memory_and_nobody_up() {
    let ground = Ground::new();
    let address = ground.address();
    for connections in [1, 64, 2_048] {
        let mut sent = http2_preface();
        for stream in 0..200 {
            sent.extend(http2_get(2 * stream + 1, &ground.manifest));
        }
        let open = connect_and_send(address, connections, &sent).await;
        sleep(A_WHILE).await;
        ground.holds(&format!("{connections} connections of HTTP/2 whose windows are empty"));
        drop(open);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_do_not_take_all_places() {
    let ground = Ground::new();
    let open = connect_and_send(ground.address(), 2_048, b"").await;
    sleep(Duration::from_secs(1)).await;
    ground.holds("2048 connections that ask nothing");
    drop(open);
    let open = connect_and_send(ground.address(), 2_048, b"GET /v1/health HTTP/1.1\r\nhost: loc").await;
    sleep(Duration::from_secs(1)).await;
    ground.holds("2048 heads without an end");
    drop(open);
}

/// The timeout is 30 s: a client that reads nothing for that long is cut off, in either version.
#[tokio::test]
async fn an_answer_that_makes_no_progress_ends_its_connection() {
    let ground = Ground::new();
    let http1 = get(&ground.manifest);
    let http2 = [http2_preface(), http2_get(1, &ground.manifest)].concat();
    let began = Instant::now();
    // Both stall side by side.
    let stalled = [http1, http2].map(|sent| {
        let address = ground.address();
        tokio::spawn(async move {
            let mut open = connect_and_send(address, 1, &sent).await;
            sleep(Duration::from_secs(33)).await;
            let mut rest = Vec::new();
            // The connection ends, in whatever way, and long before the answer does.
            let read = timeout(Duration::from_secs(5), open[0].read_to_end(&mut rest)).await;
            assert!(read.is_ok(), "the connection is still open");
            rest.len()
        })
    });
    let reading = connect(ground.address()).await;
    drop(reading);
    for stalled in stalled {
        assert!(stalled.await.unwrap() < 2_000_000, "after {:?}", began.elapsed());
    }
}
