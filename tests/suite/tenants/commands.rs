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
    let data = text(folder.path());
    let picture = folder.path().join("photo.jpg");
    std::fs::write(&picture, b"no picture").unwrap();
    std::fs::write(folder.path().join("photo.jpg.json"), b"{}").unwrap();
    drop(Server::with(folder.path(), &[], &SEVERAL));
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
            for part in ["several tenants (CREDLINK_TENANTS)", "CREDLINK_TENANTS says one here"] {
                assert!(said.contains(part), "{arguments:?}: {said}");
            }
        }
        let done = run(arguments, &SEVERAL);
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    }
    // The server that has one tenant says so, and then the variable is not needed.
    drop(Server::over(folder.path(), &[]));
    assert!(run(&["list", "--data-dir", data], &[]).status.success());
}

/// A migration names its places, and has no variables of the server: it goes by what the folder says of itself.
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
    let moved = |job: &str, from: &str, to: &str| {
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
        let ran = run(&arguments, &[]);
        assert!(ran.status.success(), "{ran:?}");
    };
    moved("in", &from, &to);
    {
        let server = Server::with(&data, &[], &SEVERAL);
        assert_eq!(server.get_bytes("/v1/tenants/acme/manifests/urn:c2pa:moved"), store);
        assert_eq!(server.get_bytes("/v1/manifests/urn:c2pa:moved"), store, "the first claimant has it");
    }
    moved("out", &to, &back);
}
