//! `kill -9` between the steps of an upload: whatever a server acknowledged becomes a file after its restart, quotas stay
//! exact, and nothing is left in quarantine.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::pictures::{measured, png};
use crate::server::Server;

const ROUNDS: u32 = 10;

/// The number of uploads that a folder has bytes of.
fn in_quarantine(folder: &Path) -> usize {
    let uploads = folder.join("uploads/default");
    std::fs::read_dir(uploads).map_or(0, Iterator::count)
}

#[test]
fn an_upload_that_was_acknowledged_becomes_a_file_after_a_sudden_end() {
    let folder = tempfile::tempdir().unwrap();
    let files = (ROUNDS + 1).to_string();
    // The quota is used up to the last file exactly if each upload is counted once.
    let variables = [("CREDLINK_TENANT_FILES", files.as_str())];
    let mut server = Server::with(folder.path(), &[], &variables);
    let mut ids = Vec::new();
    for round in 0..ROUNDS {
        let client = Client::new(server.url());
        let picture = png(900, 700, 200 + round);
        let more = json!({"entity": {"type": "item", "id": "1"}});
        let upload = client.upload("item-photo", "image/png", &picture, &more);
        // A picture of this size takes some tenths of a second: the server ends before, in and after its processing.
        std::thread::sleep(Duration::from_millis(u64::from(round) * 60));
        server.kill();
        server = Server::with(folder.path(), &[], &variables);
        let client = Client::new(server.url());
        let ended = client.ended(&upload);
        assert_eq!(ended["state"], "ready", "round {round}: {ended}");
        let id = ended["file"].as_str().unwrap().to_owned();
        let read = client.get(&format!("/media/{id}/medium.webp"));
        assert_eq!(measured(&read.body).0, 800, "round {round}");
        assert_eq!(client.get(&format!("/media/{id}/original")).body, picture, "round {round}");
        ids.push(id);
        assert_eq!(client.list("item/1/item-photo").0, ids, "round {round}");
    }
    let client = Client::new(server.url());
    assert_eq!(client.announce("item-photo", "image/png", 10, &json!({})).status, 201);
    assert_eq!(client.announce("item-photo", "image/png", 10, &json!({})).status, 507);
    // The bytes of the last upload are removed after its commit.
    let began = std::time::Instant::now();
    while in_quarantine(folder.path()) > 0 && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(in_quarantine(folder.path()), 0);
}

#[test]
fn a_deletion_that_was_cut_off_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::over(folder.path(), &[]);
    for round in 0..6 {
        let client = Client::new(server.url());
        let picture = png(60, 60, 300 + round);
        let id = client.file("item-photo", "image/png", &picture, &json!({}));
        let path = format!("/v1/files/{id}");
        std::thread::scope(|scope| {
            let (client, path) = (client.clone(), path.clone());
            scope.spawn(move || client.try_to_send(&http::Method::DELETE, &path, &[], &[]));
            std::thread::sleep(Duration::from_micros(u64::from(round) * 700));
            server.kill();
        });
        server = Server::over(folder.path(), &[]);
        let client = Client::new(server.url());
        // Deleted, or as if nobody had asked; and deleted once somebody asks again.
        let status = client.get(&path).status;
        assert!([200, 410].contains(&status), "round {round}: {status}");
        assert_eq!(client.delete(&path).status, 204, "round {round}");
        assert_eq!(client.get(&path).status, 410, "round {round}");
    }
}
