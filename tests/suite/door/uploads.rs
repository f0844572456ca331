//! Bodies that do not arrive completely.

use std::time::Duration;

use credlink_core::bounds::MAX_BODY_BYTES;
use tokio::time::sleep;

use super::clients::{connect_and_send, http2_post, http2_preface};
use super::ground::Ground;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_stop_hold_little_memory_and_nobody_up() {
    let ground = Ground::new();
    let head = format!(
        "POST /v1/proofs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {MAX_BODY_BYTES}\r\n\r\n"
    );
    let upload = [head.as_bytes(), vec![b' '; MAX_BODY_BYTES - 1].as_slice()].concat();
    for connections in [1, 100, 2_048] {
        let open = connect_and_send(ground.address(), connections, &upload).await;
        sleep(Duration::from_secs(3)).await;
        ground.holds(&format!("{connections} uploads that stop before their end"));
        drop(open);
    }
}

/// The bytes that each of sixteen streams sends: together as much as the server lets a connection send (RFC 9113,
/// section 6.9.2).
const SENT: usize = 65_535 / 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_stop_hold_little_memory_and_nobody_up() {
    let ground = Ground::new();
    for connections in [1, 100, 2_048] {
        let mut sent = http2_preface();
        for stream in 0..16 {
            sent.extend(http2_post(2 * stream + 1, "/v1/proofs", MAX_BODY_BYTES, SENT));
        }
        let open = connect_and_send(ground.address(), connections, &sent).await;
        sleep(Duration::from_secs(3)).await;
        ground.holds(&format!("{connections} connections of 16 uploads by HTTP/2 that stop"));
        drop(open);
    }
}

/// A change of visibility is a few bytes long, and makes the server read and rewrite a whole manifest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_withdrawals_at_once_hold_little_memory() {
    let ground = Ground::new();
    let manifests = ground.store_large(24);
    let url = ground.server.url().to_owned();
    let changes = manifests.into_iter().map(|path| {
        let target = format!("{url}{path}/visibility");
        std::thread::spawn(move || {
            let config = ureq::Agent::config_builder().http_status_as_error(false);
            let put =
                ureq::Agent::from(config.build()).put(target).header("content-type", "application/json");
            put.send(r#"{"visibility":"private"}"#).unwrap().status().as_u16()
        })
    });
    let changes: Vec<_> = changes.collect();
    for change in changes {
        assert_eq!(change.join().unwrap(), 204);
    }
    ground.holds_at_work("24 withdrawals of large manifests at once");
}

/// Only other uploads stand in the way of an upload: one that sends its whole body gets room as soon as there is some.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_finds_room_beside_those_that_stop() {
    let ground = Ground::new();
    // 47 of these take the whole allowance of one address for long bodies, and the others wait.
    let head = "POST /v1/proofs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 1000000\r\n\r\n";
    let open = connect_and_send(ground.address(), 100, head.as_bytes()).await;
    sleep(Duration::from_millis(500)).await;
    let media_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let body = serde_json::json!({ "media_hash": media_hash, "manifest": { "a": 1 } });
    let (status, answer) = ground.server.post("/v1/proofs", &body);
    assert_eq!(status, 201, "a small one finds room at once: {answer}");
    let large = serde_json::json!({ "media_hash": media_hash, "manifest": { "a": "x".repeat(900_000) } });
    let (status, answer) = ground.server.post("/v1/proofs", &large);
    assert_eq!((status, &answer["type"]), (503, &"urn:credlink:problem:busy".into()), "{answer}");
    drop(open);
    let (status, answer) = ground.server.post("/v1/proofs", &large);
    assert_eq!(status, 200, "{answer}");
}
