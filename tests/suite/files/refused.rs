//! Announcements that are refused, and bytes that are rejected.

use credlink_core::hash::MediaHash;
use http::Method;
use serde_json::json;

use super::checked::run;
use super::client::Client;
use super::pictures::{document, png};
use crate::server::Server;

#[test]
fn announcements_are_checked_before_anything_is_reserved() {
    let server = Server::start();
    let client = Client::new(server.url());
    for (collection, kind, size, more, status, problem) in [
        ("nothing", "image/png", 10, json!({}), 400, "invalid-field"),
        ("item-photo", "image/png", 25_000_001, json!({}), 413, "too-large"),
        ("item-photo", "application/pdf", 10, json!({}), 415, "unsupported-media-type"),
        ("item-photo", "image/png", 0, json!({}), 400, "invalid-field"),
        ("item-photo", "image/png", 10, json!({"position": 0}), 400, "invalid-field"),
        ("verification-document", "image/png", 10, json!({"access": "public"}), 400, "invalid-field"),
        ("item-photo", "image/png", 10, json!({"filename": "../x"}), 400, "invalid-field"),
    ] {
        let answer = client.announce(collection, kind, size, &more);
        assert_eq!((answer.status, answer.problem().as_str()), (status, problem), "{}", answer.json());
    }
}

#[test]
fn bytes_that_are_not_what_was_announced_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::over(folder.path(), &[]);
    let client = Client::new(server.url());
    let picture = png(64, 64, 20);
    let other = json!({"sha256": MediaHash::of(b"other")});
    let rejected =
        |kind: &str, bytes: &[u8], more: &serde_json::Value| client.rejected("item-photo", kind, bytes, more);
    assert_eq!(rejected("image/png", &picture, &other), "hash-mismatch");
    assert_eq!(rejected("image/jpeg", &picture, &json!({})), "type-mismatch");
    assert_eq!(rejected("image/png", b"<html>just text</html>", &json!({})), "type-not-allowed");
    assert_eq!(rejected("image/png", &document(500, 1), &json!({})), "type-not-allowed");
    let ended = client.ended(&client.upload("item-photo", "image/png", &document(500, 1), &json!({})));
    assert_eq!(
        ended["detail"],
        "the collection does not accept files with this content; it accepts `image/jpeg`, `image/png`, `image/webp` or `image/gif`"
    );
    let cut = rejected("image/png", &picture[..picture.len() / 2], &json!({}));
    assert!(["truncated", "undecodable"].contains(&cut.as_str()), "{cut}");
    let mut damaged = picture.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    assert_eq!(rejected("image/png", &damaged, &json!({})), "undecodable");
    // A sound header that promises more than the collection allows, of which nothing is decoded.
    let mut bomb = png(1, 1, 21);
    bomb[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let check = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&check.to_be_bytes());
    assert_eq!(rejected("image/png", &bomb, &json!({})), "too-many-pixels");
    // Nothing of them is left, and nothing is reserved for them.
    assert_eq!(client.get("/v1/files").json()["files"], json!([]));
    let files = client.get("/v1/stats").json()["files"].clone();
    assert_eq!((&files["count"], &files["uploads"]["open"]), (&json!(0), &json!(0)), "{files}");
    assert_eq!((&files["blobs"], &files["uploads"]["open_bytes"]), (&json!(0), &json!(0)), "{files}");
    // Nor in the quota, which has to be the sum of files and of uploads that are under way.
    server.stop();
    let (code, said) = run(folder.path(), &["fsck"]);
    assert_eq!(code, Some(0), "{said}");
}

/// The check of a chunk of a PNG, over its type and its data.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[test]
fn addresses_are_bound_to_upload_length_and_time() {
    let server = Server::start();
    let client = Client::new(server.url());
    let picture = png(30, 30, 22);
    let upload = client.announce("item-photo", "image/png", picture.len(), &json!({})).json();
    let url = upload["put"]["url"].as_str().unwrap();
    let put = |url: &str, bytes: &[u8]| client.send(&Method::PUT, url, &[], bytes);
    let id = upload["id"].as_str().unwrap();
    let other = client.announce("item-photo", "image/png", picture.len(), &json!({})).json();
    let elsewhere = url.replace(id, other["id"].as_str().unwrap());
    assert_eq!(put(&elsewhere, &picture).problem(), "invalid-link");
    assert_eq!(put(&url.replace("expires=", "expires=9"), &picture).problem(), "invalid-link");
    assert_eq!(put(&format!("/v1/uploads/{id}/bytes"), &picture).problem(), "invalid-link");
    assert_eq!(put(&format!("{url}&part=1"), &picture).problem(), "invalid-link");
    assert_eq!(put(&url.replace(id, &"a".repeat(32)), &picture).problem(), "invalid-link");
    assert_eq!(put(url, &picture[1..]).problem(), "invalid-field");
    assert_eq!(put(url, &[&picture[..], b"x"].concat()).problem(), "invalid-field");
    assert_eq!(client.get(&format!("/v1/uploads/{id}")).json()["bytes"], 0);
    assert_eq!(put(url, &picture).status, 204);
}

#[test]
fn quotas_are_exact_and_free_what_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let picture = png(64, 64, 30);
    let bytes = (picture.len() * 2).to_string();
    let server = Server::with(folder.path(), &[], &[("CREDLINK_TENANT_BYTES", &bytes)]);
    let client = Client::new(server.url());
    let announce = || client.announce("item-photo", "image/png", picture.len(), &json!({}));
    let file = client.file("item-photo", "image/png", &picture, &json!({}));
    let upload = announce().json();
    let full = announce();
    assert_eq!((full.status, full.problem().as_str()), (507, "quota-exceeded"));
    assert_eq!(full.json()["taken"], json!(picture.len() * 2));
    // What was announced counts until it is aborted or rejected.
    assert_eq!(client.delete(&format!("/v1/uploads/{}", upload["id"].as_str().unwrap())).status, 204);
    let mut noise = picture.clone();
    noise[60] ^= 1;
    client.rejected("item-photo", "image/png", &noise, &json!({}));
    let second = announce().json();
    assert_eq!(announce().status, 507);
    assert_eq!(client.delete(&format!("/v1/files/{file}")).status, 204);
    let third = announce();
    assert_eq!(third.status, 201);
    assert_eq!(announce().status, 507);
    client.put(&second, &picture);
    client.ended(second["id"].as_str().unwrap());
    assert_eq!(announce().status, 507);
}

#[test]
fn an_owner_who_announces_too_often_is_told_when_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with(folder.path(), &[], &[("CREDLINK_UPLOADS_PER_MINUTE", "3")]);
    let client = Client::new(server.url());
    let announce = || client.announce("item-photo", "image/png", 10, &json!({}));
    for _ in 0..3 {
        assert_eq!(announce().status, 201);
    }
    let refused = announce();
    assert_eq!((refused.status, refused.problem().as_str()), (429, "too-many-requests"));
    let seconds: u32 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&seconds), "{seconds}");
}

#[test]
fn a_server_refuses_collections_that_it_cannot_use() {
    let folder = tempfile::tempdir().unwrap();
    for (collections, says) in [
        ("{", "CREDLINK_COLLECTIONS"),
        ("/nowhere/collections.json", "cannot be read"),
        (
            r#"{"version":1,"collections":{"x":{"version":1,"types":["image/png"],"max_bytes":10,"access":"public","renditions":[{"name":"wide","version":1,"fit":"cover","width":20,"height":10,"formats":[{"format":"jpg"}]}]}}}"#,
            "`collections.x.renditions[0]`",
        ),
        (
            r#"{"version":1,"collections":{"x":{"version":1,"types":["video/mp4"],"max_bytes":2000000000,"access":"public"}}}"#,
            "`collections.x.max_bytes`",
        ),
    ] {
        let said = Server::refuses(folder.path(), &[("CREDLINK_COLLECTIONS", collections)]);
        assert!(said.contains(says), "{said}");
    }
}
