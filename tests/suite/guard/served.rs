//! The binary over a folder, with an index that was lost, restored to an earlier instant, or taken from another folder.
//!
//! The server's own cleanup begins a minute after its start. Here the library does the same work after the server has
//! ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use credlink_auth::gate::Gate;
use credlink_auth::tokens::Trusted;
use credlink_core::hash::Digest;
use credlink_core::testing::manifest_store;
use credlink_deployment::data_folder::index_path;
use credlink_deployment::local::open;
use credlink_embedded::index::EmbeddedIndex;
use credlink_ports::Clock as _;
use credlink_service::ServiceSettings;
use credlink_service::cleanup::{Limits, cleanup};
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::http::ask::{media, proof_path};
use crate::server::Server;

/// A commit that is made after the index was copied.
type Commit = fn(&Server);

/// Every object file, except the store's mark.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Digest> {
    let (mut tree, mut folders) = (BTreeMap::new(), vec![folder.join("objects")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.components().any(|part| part.as_os_str() == "store") {
                let digest = Digest::of(&fs::read(&path).unwrap());
                tree.insert(path, digest);
            }
        }
    }
    tree
}

/// The body that stores a proof with its own C2PA manifest.
fn manifest(name: &str, number: u32) -> Value {
    let hex = media(name).digest().to_string();
    let id = format!("urn:c2pa:{}-0000-4000-8000-{number:012x}", &hex[..8]);
    let bytes = BASE64.encode(&manifest_store(&id, media(name).digest()));
    json!({"media_hash": media(name).to_string(), "manifest_base64": bytes, "manifest_type": "application/c2pa"})
}

fn store(server: &Server, name: &str) {
    let (status, answer) = server.post("/v1/proofs", &manifest(name, 0));
    assert_eq!(status, 201, "{answer}");
}

fn replace(server: &Server, name: &str, number: u32) {
    let mut body = manifest(name, number);
    body.as_object_mut().unwrap().remove("media_hash");
    let (status, answer) = server.replace(&proof_path(name), &body);
    assert_eq!(status, 200, "{answer}");
}

/// Reads each file's record, and the manifest that the record names.
fn read(server: &Server, names: &[&str]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let one = |name: &&str| {
        let record = server.get_bytes(&proof_path(name));
        let id: Value = serde_json::from_slice(&record).unwrap();
        let id = id["manifest"]["id"].as_str().unwrap().to_owned();
        (record, server.get_bytes(&format!("/v1/manifests/{id}")))
    };
    names.iter().map(one).collect()
}

/// Cleans up as a server would, and removes even young orphans. Returns the reason if cleanup was stopped.
fn clean_up(folder: &Path) -> Option<String> {
    let settings = ServiceSettings::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let service = open(folder, Gate::Trusted(Trusted), settings).unwrap();
        let deadline = service.ports().clock.now().plus_seconds(600);
        let report =
            cleanup(&service, Limits { any_age: true, ..Limits::until(deadline) }, None).await.unwrap();
        // A row that is behind its record may be completed, which destroys nothing.
        assert_eq!((report.deleted, report.failed), (0, 0), "{report:?}");
        report.stopped
    })
}

/// Starts a server over `folder`, and asserts that everything is served, nothing is deleted, and health states the
/// reason. Returns `true` if stores are accepted.
fn doubted(folder: &Path, names: &[&str], served: &[(Vec<u8>, Vec<u8>)], words: &str) -> bool {
    let before = tree(folder);
    let mut server = Server::over(folder, &[]);
    assert_eq!(read(&server, names), served);
    let health: Value = serde_json::from_slice(&server.get_bytes("/v1/health")).unwrap();
    assert_eq!(health["status"], "degraded", "{health}");
    assert!(health["problems"][0].as_str().unwrap().contains(words), "{health}");
    let metrics = String::from_utf8(server.get_bytes("/metrics")).unwrap();
    assert!(metrics.lines().any(|line| line.starts_with("credlink_stopped{") && line.ends_with(" 1")));
    for name in names {
        let (status, problem) = server.delete_in_words(&proof_path(name));
        assert_eq!(status, 503, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    let (status, answer) = server.post("/v1/proofs/batch-delete", &json!({"ids": []}));
    assert_eq!(status, 503, "{answer}");
    assert_eq!(tree(folder), before, "nothing changed");
    let (status, answer) = server.post("/v1/proofs", &manifest("one more", 0));
    assert!([201, 503].contains(&status), "{answer}");
    assert_eq!(read(&server, names), served);
    server.stop();
    let kept = tree(folder);
    assert!(before.iter().all(|(path, digest)| kept.get(path) == Some(digest)));
    assert!(clean_up(folder).is_some_and(|reason| reason.contains(words)));
    assert_eq!(tree(folder), kept, "nothing is removed");
    let mut server = Server::over(folder, &[]);
    assert_eq!(read(&server, names), served, "after a cleanup");
    server.stop();
    status == 201
}

#[test]
fn a_server_makes_no_index_over_objects() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::over(folder.path(), &[]);
    ["a", "b"].iter().for_each(|name| store(&server, name));
    let served = read(&server, &["a", "b"]);
    server.stop();
    let index = fs::read(index_path(folder.path())).unwrap();
    fs::remove_file(index_path(folder.path())).unwrap();
    let before = tree(folder.path());
    let said = Server::refuses(folder.path(), &[]);
    let rebuild = format!("credlink rebuild --data-dir {}", folder.path().display());
    assert!(said.contains("the index was lost") && said.contains(&rebuild), "{said}");
    assert!(!index_path(folder.path()).exists());
    assert_eq!(tree(folder.path()), before);
    // The index was moved away, and is put back.
    fs::write(index_path(folder.path()), index).unwrap();
    let server = Server::over(folder.path(), &[]);
    assert_eq!(read(&server, &["a", "b"]), served);
    assert_eq!(server.delete(&proof_path("a")), 204);
}

#[test]
fn an_index_from_before_the_last_commits_is_known_as_older() {
    let commits: [(&str, Commit); 4] = [
        ("a store", |server| store(server, "b")),
        ("a replacement", |server| replace(server, "a", 1)),
        ("two replacements", |server| [1, 2].iter().for_each(|number| replace(server, "a", *number))),
        ("many", |server| {
            (0..20).for_each(|number| store(server, &format!("file {number}")));
            replace(server, "a", 1);
        }),
    ];
    for (name, commit) in commits {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::over(folder.path(), &[]);
        store(&server, "a");
        server.stop();
        let earlier = fs::read(index_path(folder.path())).unwrap();
        let mut server = Server::over(folder.path(), &[]);
        commit(&server);
        let names = if name == "a store" { &["a", "b"][..] } else { &["a"] };
        let served = read(&server, names);
        server.stop();
        fs::write(index_path(folder.path()), earlier).unwrap();
        let takes_stores = doubted(folder.path(), names, &served, "The index is older than the store");
        assert!(takes_stores, "{name}");
    }
}

#[test]
fn an_index_of_another_folder_and_an_empty_one_take_nothing() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (folder, names) in [(folder.path(), ["a", "b"]), (other.path(), ["c", "d"])] {
        let mut server = Server::over(folder, &[]);
        names.iter().for_each(|name| store(&server, name));
        server.stop();
    }
    let mut server = Server::over(folder.path(), &[]);
    let served = read(&server, &["a", "b"]);
    server.stop();
    let own = fs::read(index_path(folder.path())).unwrap();
    fs::copy(index_path(other.path()), index_path(folder.path())).unwrap();
    assert!(!doubted(folder.path(), &["a", "b"], &served, "The index belongs to another store"));
    fs::remove_file(index_path(folder.path())).unwrap();
    drop(EmbeddedIndex::open(index_path(folder.path())).unwrap());
    assert!(!doubted(folder.path(), &["a", "b"], &served, "The index is a new one"));
    // With its own index, everything is as before.
    fs::write(index_path(folder.path()), own).unwrap();
    let server = Server::over(folder.path(), &[]);
    assert_eq!(read(&server, &["a", "b"]), served);
    assert_eq!(server.delete(&proof_path("a")), 204);
}

#[test]
fn a_server_does_not_start_without_the_objects_of_its_index() {
    let (folder, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::over(folder.path(), &[]);
    store(&server, "a");
    let served = read(&server, &["a"]);
    server.stop();
    let (objects, kept) = (folder.path().join("objects"), away.path().join("objects"));
    fs::rename(&objects, &kept).unwrap();
    let said = Server::refuses(folder.path(), &[]);
    assert!(said.contains("the objects were lost, or their disk is not mounted"), "{said}");
    assert!(!objects.exists(), "nothing is made");
    let elsewhere = away.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let said = Server::refuses(
        folder.path(),
        &[("STORAGE_PROVIDER", "folder"), ("STORAGE_FOLDER", elsewhere.to_str().unwrap())],
    );
    // The folder knows where its objects were, before they are taken for lost.
    assert!(said.contains("was last used with objects in the data folder"), "{said}");
    assert!(said.contains(elsewhere.to_str().unwrap()), "{said}");
    fs::rename(&kept, &objects).unwrap();
    let server = Server::over(folder.path(), &[]);
    assert_eq!(read(&server, &["a"]), served);
}

/// The file of an object in a folder's shards.
fn file(folder: &Path, top: &str, name: &str) -> PathBuf {
    let shards = fs::read_dir(folder.join("objects").join(top)).unwrap();
    let found = shards.map(|shard| shard.unwrap().path().join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{top}/{name}"))
}

#[test]
fn a_store_is_not_acknowledged_by_a_row_whose_record_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::over(folder.path(), &[]);
    store(&server, "a");
    let path = proof_path("a");
    fs::remove_file(file(folder.path(), "proofs", path.rsplit('/').next().unwrap())).unwrap();
    let (status, problem) = server.post("/v1/proofs", &manifest("a", 0));
    assert_eq!(status, 502, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("was lost"), "{problem}");
    // The owner of the proof deletes what is left of it, and stores it again.
    assert_eq!(server.delete(&path), 204);
    let (status, answer) = server.post("/v1/proofs", &manifest("a", 0));
    assert_eq!(status, 201, "{answer}");
    read(&server, &["a"]);
}

#[test]
fn a_damaged_mark_stops_what_it_has_to_and_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::over(folder.path(), &[]);
    store(&server, "a");
    let served = read(&server, &["a"]);
    server.stop();
    let mark = file(folder.path(), "store", "identity");
    for damaged in [&b""[..], b"nonsense"] {
        fs::write(&mark, damaged).unwrap();
        let mut server = Server::over(folder.path(), &[]);
        assert_eq!(read(&server, &["a"]), served, "reading goes on");
        for (status, problem) in
            [server.post("/v1/proofs", &manifest("b", 0)), server.delete_in_words(&proof_path("a"))]
        {
            assert_eq!(status, 503, "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains("could not be checked"), "{problem}");
        }
        server.stop();
        let rebuild = |confirm: &[&str]| {
            let mut command = std::process::Command::new(crate::server::binary());
            let ended = command.arg("rebuild").args(confirm).arg("--data-dir").arg(folder.path()).output();
            let ended = ended.unwrap();
            (ended.status.code(), String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap())
        };
        let (code, said) = rebuild(&[]);
        assert!(code == Some(2) && said.contains("--confirm makes the mark anew"), "{code:?} {said}");
        let (code, said) = rebuild(&["--confirm"]);
        assert!(code == Some(0) && said.contains("belong together"), "{code:?} {said}");
        let mut server = Server::over(folder.path(), &[]);
        assert_eq!(read(&server, &["a"]), served);
        server.stop();
    }
    let server = Server::over(folder.path(), &[]);
    store(&server, "b");
    assert_eq!(server.delete(&proof_path("a")), 204);
}

/// A record without a row, as left by a store that was cut off: once the next server meets it, it is listed, replaced
/// and read alike. Under a server that runs its changes to completion, reads need not look for such records.
#[test]
fn a_record_that_a_crash_left_is_taken_up_by_who_reads_it() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::over(folder.path(), &[]);
    store(&server, "a");
    server.stop();
    let mut elsewhere = Server::over(other.path(), &[]);
    store(&elsewhere, "b");
    elsewhere.stop();
    let id = proof_path("b").rsplit('/').next().unwrap().to_owned();
    for from in tree(other.path()).into_keys() {
        let to = folder.path().join(from.strip_prefix(other.path()).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
    let server = Server::over(folder.path(), &[]);
    let listed = |server: &Server| {
        let list: Value = serde_json::from_slice(&server.get_bytes("/v1/proofs")).unwrap();
        list["proofs"].as_array().unwrap().iter().any(|proof| proof["id"] == id.as_str())
    };
    assert!(!listed(&server));
    read(&server, &["b"]);
    assert!(listed(&server), "the read took it up");
}
