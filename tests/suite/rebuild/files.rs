//! fsck over a folder whose files are damaged from the first byte on reports each of them, not only the first.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use credlink_core::hash::Digest;
use serde_json::json;

use crate::server::{Server, binary};

#[test]
fn every_damaged_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::over(folder.path(), &[]);
    let mut damaged = Vec::new();
    for name in ["a", "b", "c"] {
        let request =
            json!({"media_hash": Digest::of(name.as_bytes()).to_string(), "manifest": {"of": name}});
        let (status, answer) = server.post("/v1/proofs", &request);
        assert_eq!(status, 201, "{answer}");
        damaged.push(answer["id"].as_str().unwrap().to_owned());
    }
    server.stop();
    let whole = damaged.pop().unwrap();
    for id in &damaged {
        let file = folder.path().join("objects/proofs").join(&id[..2]).join(id);
        fs::File::options().write(true).open(file).unwrap().write_all_at(b"nonsense", 0).unwrap();
    }
    let checked = Command::new(binary()).args(["fsck", "--data-dir"]).arg(folder.path()).output().unwrap();
    let said = String::from_utf8(checked.stdout).unwrap();
    for id in &damaged {
        let line = said.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{id}: {said}"));
        assert!(line.contains("BROKEN") && line.contains("does not begin as an object"), "{line}");
    }
    assert!(!said.contains(&whole), "{said}");
    assert_eq!(checked.status.code(), Some(6), "{said}");
}
