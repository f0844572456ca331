//! Serving beside a legacy source by the binary.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::ask::{media, proof_path};
use crate::server::Server;

use super::{legacy, migrated};

/// Repeats the request until the answer has this status.
fn until(server: &Server, path: &str, status: u16) -> Vec<u8> {
    let began = Instant::now();
    loop {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let mut answer = config.build().new_agent().get(format!("{}{path}", server.url())).call().unwrap();
        if answer.status() == status {
            return answer.body_mut().read_to_vec().unwrap();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{path}: {}", answer.status());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_server_migrates_what_is_asked_for_and_goes_back() {
    let (data, records) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let text = legacy("a", "p-1");
    std::fs::write(records.path().join("p-1.json"), &text).unwrap();
    let place = format!("dir:{}", records.path().display());
    let on = [("CREDLINK_LEGACY_SOURCE", &*place)];
    let off = [on[0], ("CREDLINK_CLOUD_STORAGE", "off")];
    let server = Server::with(data.path(), &[], &on);
    assert_eq!(until(&server, &proof_path("a"), 200), migrated(&text));
    let began = Instant::now();
    let proofs = || server.get_bytes("/v1/stats");
    let proofs = || serde_json::from_slice::<Value>(&proofs()).unwrap()["proofs"].clone();
    while proofs() != json!(1) {
        assert!(began.elapsed() < Duration::from_secs(60), "it is never migrated");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.get_bytes(&proof_path("a")), migrated(&text));
    drop(server);

    let server = Server::with(data.path(), &[], &off);
    let (status, _) =
        server.post("/v1/proofs", &json!({"media_hash": media("b").to_string(), "manifest": {}}));
    // Until the whole source has been read, it is not known whether the proof exists.
    if status == 503 {
        until(&server, &proof_path("c"), 404);
        assert_eq!(
            server.post("/v1/proofs", &json!({"media_hash": media("b").to_string(), "manifest": {}})).0,
            201
        );
    }
    let answer = until(&server, &proof_path("b"), 200);
    assert_eq!(server.delete(&proof_path("b")), 503);
    drop(server);

    let server = Server::with(data.path(), &[], &on);
    assert_eq!(until(&server, &proof_path("b"), 200), answer);
}

#[test]
fn what_is_no_legacy_source_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::over(folder.path(), &[]));
    let own = format!("dir:{}", folder.path().display());
    let other = tempfile::tempdir().unwrap();
    for (variables, says) in [
        (vec![("CREDLINK_LEGACY_SOURCE", "/old")], "allowed is dir:PATH"),
        (vec![("CREDLINK_LEGACY_SOURCE", "dir:/no/such/folder")], "cannot be opened"),
        (vec![("CREDLINK_LEGACY_SOURCE", &*own)], "it has to hold legacy records"),
        (vec![("CREDLINK_LEGACY_SOURCE", "credlink:http://127.0.0.1:1")], "dir:PATH, jsonl:FILE"),
        (
            vec![("CREDLINK_LEGACY_SOURCE", "jsonl:a"), ("CREDLINK_CLOUD_STORAGE", "off")],
            "a dump is read only",
        ),
        (vec![("CREDLINK_CLOUD_STORAGE", "off")], "CREDLINK_LEGACY_SOURCE is not set"),
        (vec![("CREDLINK_CLOUD_STORAGE", "no")], "`on` or `off`"),
        (vec![("CREDLINK_LEGACY_TENANT", "../x"), ("CREDLINK_LEGACY_SOURCE", "dir:/")], "a tenant is"),
    ] {
        let said = Server::refuses(other.path(), &variables);
        assert!(said.contains(says), "{variables:?}: {said}");
    }
}
