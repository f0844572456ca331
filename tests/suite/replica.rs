//! `credlink serve` over a folder, with a bucket as its replica: how a server on one machine uses a second provider and
//! the embedded queue.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::buckets;
use crate::engines::proxy::{Fault, Proxy};
use crate::engines::{ministack, unique};
use crate::server::Server;

/// The time that the server may take to repair, on a machine that is building at the same time. The server waits 30 s
/// before it tries.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_replica_missed_is_brought_there() {
    let bucket = unique("replica");
    buckets::make(&bucket).await;
    let proxy = Proxy::to(ministack::endpoint().trim_start_matches("http://").parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let url = proxy.url();
    let variables = [
        ("STORAGE_FALLBACK_PROVIDER", "s3"),
        ("STORAGE_BUCKET", bucket.as_str()),
        ("STORAGE_REGION", ministack::REGION),
        ("STORAGE_ENDPOINT", url.as_str()),
        ("STORAGE_TIMEOUT", "2000"),
        ("AWS_ACCESS_KEY_ID", ministack::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", ministack::SECRET),
    ];
    let server = Server::with(folder.path(), &[], &variables);
    let store = |name: &str| {
        let hash = credlink_core::hash::Digest::of(name.as_bytes()).to_string();
        let (status, stored) =
            server.post("/v1/proofs", &json!({"media_hash": hash, "manifest": {"name": name}}));
        assert_eq!(status, 201, "{stored}");
        stored["id"].as_str().unwrap().to_owned()
    };
    let replica = buckets::open(buckets::s3_settings(&bucket));
    let both = store("both");
    assert!(replica.exists(&format!("proofs/{both}")).await.unwrap());

    proxy.set(Fault::Refuse);
    let missed = store("missed");
    assert!(!replica.exists(&format!("proofs/{missed}")).await.unwrap());
    let health: serde_json::Value = serde_json::from_slice(&server.get_bytes("/v1/health")).unwrap();
    let roles: Vec<_> =
        health["providers"].as_array().unwrap().iter().map(|one| one["role"].clone()).collect();
    assert_eq!(roles, ["primary", "fallback", "index"]);

    proxy.set(Fault::Pass);
    let began = Instant::now();
    while !replica.exists(&format!("proofs/{missed}")).await.unwrap() {
        assert!(began.elapsed() < PATIENCE, "the replica never got what it missed");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let read = server.get_bytes(&format!("/v1/proofs/{missed}"));
    let copied = replica.download(&format!("proofs/{missed}"), None).await.unwrap().unwrap();
    assert_eq!(copied.head.attributes.metadata["sha256"], credlink_core::hash::Digest::of(&read).to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_replica_is_filled() {
    let bucket = unique("filled");
    buckets::make(&bucket).await;
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::over(folder.path(), &[]);
    let hash = credlink_core::hash::Digest::of(b"old").to_string();
    let (status, stored) =
        server.post("/v1/proofs", &json!({"media_hash": hash, "manifest": {"name": "old"}}));
    assert_eq!(status, 201, "{stored}");
    server.kill();
    let variables = [
        ("STORAGE_FALLBACK_PROVIDER", "s3"),
        ("STORAGE_BUCKET", bucket.as_str()),
        ("STORAGE_REGION", ministack::REGION),
        ("STORAGE_ENDPOINT", ministack::endpoint()),
        ("AWS_ACCESS_KEY_ID", ministack::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", ministack::SECRET),
    ];
    let mut command = std::process::Command::new(crate::server::binary());
    command.args(["--json", "storage", "replicate", "fallback", "--data-dir"]).arg(folder.path());
    let said = command.envs(variables).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&said.stdout).expect("it is done");
    assert_eq!(
        (&said["queued"], &said["foreign"]),
        (&json!(2), &json!(0)),
        "the record and the mark: {said}"
    );
    let _server = Server::with(folder.path(), &[], &variables);
    let replica = buckets::open(buckets::s3_settings(&bucket));
    let key = format!("proofs/{}", stored["id"].as_str().unwrap());
    let began = Instant::now();
    while !replica.exists(&key).await.unwrap() {
        assert!(began.elapsed() < PATIENCE, "the replica was not filled");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[test]
fn a_bucket_that_is_not_there_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [
        ("STORAGE_PROVIDER", "s3"),
        ("STORAGE_BUCKET", "no-such-bucket"),
        ("STORAGE_REGION", ministack::REGION),
        ("STORAGE_ENDPOINT", ministack::endpoint()),
        ("AWS_ACCESS_KEY_ID", ministack::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", ministack::SECRET),
    ];
    let said = Server::refuses(folder.path(), &variables);
    assert!(said.contains("no-such-bucket"), "{said}");
    let said = Server::refuses(folder.path(), &[("STORAGE_PROVIDER", "ftp")]);
    assert!(said.contains("STORAGE_PROVIDER is `ftp`; allowed is s3, r2 or folder"), "{said}");
}
