//! The counts of files: in the statistics, on the command line and for Prometheus.

use std::process::Command;

use serde_json::{Value, json};

use super::client::Client;
use super::pictures::{document, png};
use crate::server::{Server, binary};

#[test]
fn files_are_counted_by_collection_content_and_reason() {
    let server = Server::start();
    let client = Client::new(server.url());
    let stats = || client.get("/v1/stats").json();
    assert_eq!((stats().get("files"), stats().get("oldest_pending")), (None, None));
    let (picture, text) = (png(400, 300, 1), document(2_000, 1));
    let one = client.file("item-photo", "image/png", &picture, &json!({}));
    client.file("item-photo", "image/png", &picture, &json!({}));
    client.file("temp", "application/pdf", &text, &json!({}));
    assert_eq!(client.rejected("temp", "image/png", &text, &json!({})), "type-mismatch");
    assert_eq!(client.rejected("item-photo", "image/png", &text, &json!({})), "type-not-allowed");
    let announced = client.announce("temp", "application/pdf", 70, &json!({})).json();
    let files = &stats()["files"];
    let bytes = 2 * picture.len() + text.len();
    assert_eq!((&files["count"], &files["bytes"]), (&json!(3), &json!(bytes)));
    assert_eq!(
        files["collections"],
        json!({
            "item-photo": {"count": 2, "bytes": 2 * picture.len()},
            "temp": {"count": 1, "bytes": text.len()},
        })
    );
    assert_eq!((&files["blobs"], &files["blob_bytes"]), (&json!(2), &json!(picture.len() + text.len())));
    assert_eq!(files["saved_bytes"], json!(picture.len()));
    let renditions = client.get(&format!("/v1/files/{one}")).json()["renditions"].as_array().unwrap().clone();
    let rendition_bytes: u64 = renditions.iter().map(|made| made["bytes"].as_u64().unwrap()).sum();
    assert_eq!(files["renditions"], json!(renditions.len()));
    assert_eq!(files["rendition_bytes"], json!(rendition_bytes));
    assert_eq!(
        files["uploads"],
        json!({
            "open": 1, "open_bytes": 70, "ready": 3, "expired": 0,
            "rejected": {"type-mismatch": 1, "type-not-allowed": 1},
        })
    );
    assert_eq!(stats()["oldest_pending"], announced["created"]);
    assert_eq!(stats().get("oldest_received"), None);

    let said = Command::new(binary()).args(["stats", "--url", server.url()]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    for line in [
        &format!("files      3; {bytes} bytes"),
        &format!("  item-photo             2; {} bytes", 2 * picture.len()),
        &format!("{} saved because files share them", picture.len()),
        "uploads    1 under way (70 bytes), 3 became files, 0 expired, 2 rejected",
        "  type-mismatch          1",
        "oldest upload that waits for bytes: announced",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }

    let metrics = String::from_utf8(server.get_bytes("/metrics")).unwrap();
    for line in [
        "credlink_uploads_announced_total 6",
        "credlink_uploads_ready_total 3",
        "credlink_uploads_rejected_total{reason=\"type-mismatch\"} 1",
        "credlink_uploads_rejected_total{reason=\"malware\"} 0",
        "credlink_uploads_expired_total 0",
        "credlink_finalise_ms_count 3",
    ] {
        assert!(metrics.lines().any(|said| said == line), "{line}: {metrics}");
    }

    // What is deleted counts no more, and what was rejected always will.
    for id in client.get("/v1/files").json()["files"].as_array().unwrap() {
        assert_eq!(client.delete(&format!("/v1/files/{}", id["id"].as_str().unwrap())).status, 204);
    }
    assert_eq!(client.delete(&format!("/v1/uploads/{}", announced["id"].as_str().unwrap())).status, 204);
    let files: &Value = &stats()["files"];
    assert_eq!((&files["count"], &files["bytes"], files.get("collections")), (&json!(0), &json!(0), None));
    assert_eq!((&files["saved_bytes"], &files["uploads"]["open"]), (&json!(0), &json!(0)));
    assert_eq!(
        files["uploads"]["rejected"],
        json!({"aborted": 1, "type-mismatch": 1, "type-not-allowed": 1})
    );
    assert_eq!(stats().get("oldest_pending"), None);
}
