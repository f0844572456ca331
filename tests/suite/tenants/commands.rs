//! Commands over the folder of a server that has several tenants: they work as that server does, or not at all.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credlink_core::hash::MediaHash;
use credlink_core::testing::manifest_store;
use serde_json::json;

use crate::server::{Server, binary};

const SEVERAL: [(&str, &str); 1] = [("CREDLINK_TENANTS", "several")];

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).env_remove("CREDLINK_TENANTS").env_remove("CREDLINK_TABLE");
    command.envs(variables.iter().copied()).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_command_without_the_variable_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let data = text(&path);
    let picture = folder.path().join("photo.jpg");
    std::fs::write(&picture, b"no picture").unwrap();
    std::fs::write(folder.path().join("photo.jpg.json"), b"{}").unwrap();
    drop(Server::with(&path, &[], &SEVERAL));
    for arguments in [
        &["list", "--data-dir", data][..],
        &["put", text(&picture), "--data-dir", data],
        &["fsck", "--data-dir", data],
        &["cleanup", "--data-dir", data],
    ] {
        for variables in [&[][..], &[("CREDLINK_TENANTS", "one")]] {
            let refused = run(arguments, variables);
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(!refused.status.success(), "{arguments:?}");
            for part in ["several tenants (CREDLINK_TENANTS=several)", "here it would be with one tenant."] {
                assert!(said.contains(part), "{arguments:?}: {said}");
            }
        }
        let done = run(arguments, &SEVERAL);
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    }
    // A server without the variable is refused too. A server with one tenant declares it, and then the variable is not
    // needed.
    let refused = Server::refuses(&path, &[]);
    assert!(refused.contains("was last used with several tenants"), "{refused}");
    drop(Server::with(&path, &[], &[("CREDLINK_TENANTS", "one")]));
    assert!(run(&["list", "--data-dir", data], &[]).status.success());
}

/// A migration names its places and does not have the server's variables, so it follows what the folder records about
/// itself.
#[test]
fn a_migration_claims_the_plain_addresses_that_the_server_has() {
    let folder = tempfile::tempdir().unwrap();
    let (old, data, jobs) =
        (folder.path().join("old"), folder.path().join("data"), folder.path().join("jobs"));
    std::fs::create_dir(&old).unwrap();
    let media = MediaHash::of(b"a picture");
    let store = manifest_store("urn:c2pa:moved", media.digest());
    let record = json!({
        "proofId": "p-1", "imageHash": media.to_string(), "manifest": STANDARD.encode(&store), "signature": "c2ln",
        "timestamp": 1_767_225_600_000_u64,
    });
    std::fs::write(old.join("p-1.json"), record.to_string()).unwrap();
    drop(Server::with(&data, &[], &SEVERAL));
    let (from, to, back) = (
        format!("dir:{}", old.display()),
        format!("dir:{}", data.display()),
        format!("dir:{}", folder.path().join("next").display()),
    );
    let moved = |job: &str, from: &str, to: &str, variables: &[(&str, &str)]| {
        let arguments = [
            "migrate",
            "run",
            "--job",
            job,
            "--jobs-dir",
            text(&jobs),
            "--tenant",
            "acme",
            "--from",
            from,
            "--to",
            to,
        ];
        let ran = run(&arguments, variables);
        assert!(ran.status.success(), "{ran:?}");
    };
    moved("in", &from, &to, &[]);
    {
        let server = Server::with(&data, &[], &SEVERAL);
        assert_eq!(server.get_bytes("/v1/tenants/acme/manifests/urn:c2pa:moved"), store);
        assert_eq!(server.get_bytes("/v1/manifests/urn:c2pa:moved"), store, "the first claimant has it");
    }
    // A new folder records nothing about itself.
    moved("out", &to, &back, &SEVERAL);
}

/// Sends a request of a caller, and returns the status and the body.
fn ask(server: &Server, caller: &str, method: &str, path: &str, body: &[u8], kind: &str) -> (u16, Vec<u8>) {
    let mut request = http::Request::builder().method(method).uri(format!("{}{path}", server.url()));
    if !caller.is_empty() {
        request = request.header("authorization", format!("Bearer the token of {caller}"));
    }
    let request = request.header("content-type", kind).body(body.to_vec()).unwrap();
    let config = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true);
    let mut answer = ureq::Agent::from(config.build()).run(request).unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_vec().unwrap())
}

/// A plain address serves the same tenant as at the source, whichever tenant is copied first or stores under the ID
/// later.
#[test]
fn a_migration_leaves_plain_addresses_whose_they_are() {
    let root = tempfile::tempdir().unwrap();
    let (from, to, jobs) = (root.path().join("from"), root.path().join("to"), root.path().join("jobs"));
    let tokens = root.path().join("tokens");
    std::fs::write(&tokens, super::token_file()).unwrap();
    let over = |folder: &Path| Server::with(folder, &["--tokens", text(&tokens)], &SEVERAL);
    let ids: Vec<String> = (0..6).map(|number| format!("urn:c2pa:plain-{number}")).collect();
    let bytes = |id: &str, tenant: &str| manifest_store(id, MediaHash::of(tenant.as_bytes()).digest());
    let store = |server: &Server, id: &str, tenant: &str| {
        ask(server, tenant, "POST", "/v1/manifests", &bytes(id, tenant), "application/c2pa").0
    };
    let put = |server: &Server, caller: &str, path: &str, body: serde_json::Value| {
        ask(server, caller, "PUT", path, body.to_string().as_bytes(), "application/json").0
    };
    let (given, withdrawn) = (&ids[4], &ids[5]);
    let server = over(&from);
    for id in &ids {
        assert_eq!(store(&server, id, "bad"), 201);
        if id != withdrawn {
            assert_eq!(store(&server, id, "acme"), 201);
        }
    }
    let front = format!("/v1/manifests/{given}/front");
    assert_eq!(put(&server, "operator", &front, json!({"tenant": "acme"})), 200);
    let visibility = format!("/v1/manifests/{withdrawn}/visibility");
    assert_eq!(put(&server, "bad", &visibility, json!({"visibility": "private"})), 204);
    drop(server);

    let (source, target) = (format!("dir:{}", text(&from)), format!("dir:{}", text(&to)));
    let arguments =
        ["migrate", "run", "--job", "plain", "--jobs-dir", text(&jobs), "--from", &source, "--to", &target];
    let ran = run(&arguments, &SEVERAL);
    assert!(ran.status.success(), "{ran:?}");

    let server = over(&to);
    for id in &ids {
        let served = ask(&server, "", "GET", &format!("/v1/manifests/{id}"), b"", "text/plain");
        match id {
            id if id == given => assert_eq!(served, (200, bytes(id, "acme"))),
            id if id == withdrawn => assert_eq!(served.0, 404),
            id => assert_eq!(served, (200, bytes(id, "bad")), "it was the first, though copied last"),
        }
    }
    assert_eq!(store(&server, withdrawn, "acme"), 201);
    assert_eq!(ask(&server, "", "GET", &format!("/v1/manifests/{withdrawn}"), b"", "text/plain").0, 404);
}
