//! Files that a real clamd scans for malware.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Client;
use super::pictures::{document, png};
use crate::engines::clamd;
use crate::server::Server;

/// A document that contains malware.
fn infected() -> Vec<u8> {
    [document(2_000, 1), clamd::malware(), document(2_000, 2)].concat()
}

#[test]
fn malware_is_rejected_and_the_rest_becomes_files() {
    let folder = tempfile::tempdir().unwrap();
    let clamd = clamd::Server::start(folder.path());
    let data = tempfile::tempdir().unwrap();
    let server = Server::with(data.path(), &[], &[("CREDLINK_CLAMD", &clamd.address())]);
    let client = Client::new(server.url());
    let kind = "application/pdf";
    assert_eq!(client.rejected("verification-document", kind, &infected(), &json!({})), "malware");
    client.file("verification-document", kind, &document(2_000, 3), &json!({}));
    client.file("item-photo", "image/png", &png(600, 400, 4), &json!({}));
    // It is longer than this clamd takes, and nothing is published unchecked.
    let reason = client.rejected("verification-document", kind, &document(3_000_000, 5), &json!({}));
    assert_eq!(reason, "not-scanned");
}

#[test]
fn without_a_scanner_nothing_is_looked_for() {
    let server = Server::start();
    let client = Client::new(server.url());
    client.file("verification-document", "application/pdf", &infected(), &json!({}));
}

#[test]
fn nothing_is_published_while_the_scanner_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", clamd::Server::socket(folder.path()).display());
    let variables = [("CREDLINK_CLAMD", address.as_str())];
    let mut server = Server::with(data.path(), &[], &variables);
    let client = Client::new(server.url());
    let kind = "application/pdf";
    let clean = client.upload("verification-document", kind, &document(2_000, 6), &json!({}));
    let bad = client.upload("verification-document", kind, &infected(), &json!({}));
    let state = |client: &Client, id: &str| client.get(&format!("/v1/uploads/{id}")).json()["state"].clone();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!((state(&client, &clean), state(&client, &bad)), (json!("received"), json!("received")));
    // The server tries again by itself, and a later server does too.
    let clamd = clamd::Server::start(folder.path());
    let begun = Instant::now();
    while !matches!(state(&client, &clean), Value::String(state) if state == "ready") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", state(&client, &clean));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(client.ended(&bad)["reason"], "malware");
    drop(clamd);
    let late = client.upload("verification-document", kind, &infected(), &json!({}));
    server.kill();
    let _clamd = clamd::Server::start(folder.path());
    let server = Server::with(data.path(), &[], &variables);
    assert_eq!(Client::new(server.url()).ended(&late)["reason"], "malware");
}

#[test]
fn an_address_that_is_none_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let said = Server::refuses(folder.path(), &[("CREDLINK_CLAMD", "localhost")]);
    assert!(said.contains("CREDLINK_CLAMD: clamd's address is"), "{said}");
}
