//! Rollback and cleanup touch only what belongs to the job.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::runtime::Runtime;

use super::places::Place;
use super::records::{good, good_ones, media, records};
use super::world::Job;
use crate::server::Server;

/// Every file under a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_rollback_takes_back_what_its_job_made_and_nobody_touched() {
    let all = good_ones(120);
    // Fifty proofs are there before the job, and its source holds forty of them too.
    let before = Job::new(Place::files(&all[..50]), Place::data_folder());
    before.says("run", &[]);
    let job = Job::new(Place::files(&all[10..]), before.to);
    let source = job.from.path.clone().unwrap();
    let data = job.to.path.clone().unwrap();
    let ran = job.says("run", &[]);
    assert_eq!((&ran["counts"]["copied"], &ran["counts"]["duplicates"]), (&json!(70), &json!(40)), "{ran}");

    // Another caller replaces one of the job's proofs, deletes another, and stores one of its own.
    let (replaced, deleted, kept) = (all[60].proof.unwrap(), all[61].proof.unwrap(), all[5].proof.unwrap());
    let stored = {
        let server = Server::over(&data, &[]);
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let put = agent.put(format!("{}/v1/proofs/{replaced}", server.url()));
        let put = put.header("if-match", "*").header("content-type", "application/json");
        assert_eq!(put.send(r#"{"manifest":{"new":1}}"#).unwrap().status(), 200);
        assert_eq!(server.delete(&format!("/v1/proofs/{deleted}")), 204);
        let own = json!({"media_hash": media(9_999).to_string(), "manifest": {"own": true}});
        server.post("/v1/proofs", &own).1["id"].as_str().unwrap().to_owned()
    };
    let (source_before, mut others) = (files(&source), Vec::new());
    {
        let server = Server::over(&data, &[]);
        for proof in all[..50].iter().map(|record| record.proof.unwrap().to_string()) {
            others.push((proof.clone(), server.get_bytes(&format!("/v1/proofs/{proof}"))));
        }
        for proof in [replaced.to_string(), stored] {
            others.push((proof.clone(), server.get_bytes(&format!("/v1/proofs/{proof}"))));
        }
    }

    let refused = job.ends("rollback", &["--confirm", "other"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.errors.contains("`other` is not the job's name"), "{refused:?}");
    let undone = job.says("rollback", &["--confirm", "archive"]);
    assert_eq!(undone["withdrawn"], 68, "{undone}");

    assert_eq!(files(&source), source_before, "the source is as it was");
    let server = Server::over(&data, &[]);
    for (proof, bytes) in others {
        assert_eq!(server.get_bytes(&format!("/v1/proofs/{proof}")), bytes, "{proof}");
    }
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let status = |path: &str| agent.get(format!("{}{path}", server.url())).call().unwrap().status().as_u16();
    for record in all[50..].iter().filter(|record| record.proof != Some(replaced)) {
        assert_eq!(status(&format!("/v1/proofs/{}", record.proof.unwrap())), 410, "{}", record.id);
    }
    // The legacy IDs of proofs that stay still lead to them.
    let read = |id: &str| {
        let answer = agent.get(format!("{}/v1/proofs/{id}", server.url())).call();
        answer.unwrap().body_mut().read_to_vec().unwrap()
    };
    assert_eq!(status(&format!("/v1/proofs/{}", all[5].id)), 200);
    assert_eq!(read(&kept.to_string()), read(&all[5].id));
    drop(server);

    // The same job restores what it withdrew, but not what another caller deleted.
    let again = job.ends("run", &[]);
    assert_eq!(again.said["counts"]["copied"], 68, "{again:?}");
    let server = Server::over(&data, &[]);
    let status = |path: &str| agent.get(format!("{}{path}", server.url())).call().unwrap().status().as_u16();
    for record in &all {
        let expected = if record.proof == Some(deleted) { 410 } else { 200 };
        assert_eq!(status(&format!("/v1/proofs/{}", record.id)), expected, "{}", record.id);
    }
}

/// Cleans up a job of 200 records, some of which must stay.
fn cleans_up(job: &Job, change: impl FnOnce(), left: impl FnOnce() -> Vec<String>) {
    job.ends("run", &[]);
    let early = job.ends("cleanup", &["--keep", "0s", "--confirm", "archive"]);
    assert_eq!(early.said["removed"], 0, "nothing is verified yet: {early:?}");
    job.ends("verify", &[]);
    change();
    let young = job.ends("cleanup", &["--confirm", "archive"]);
    assert_eq!(young.said["removed"], 0, "nothing was verified thirty days ago: {young:?}");
    let asked = job.ends("cleanup", &["--keep", "0s"]);
    assert_eq!(asked.code, Some(2), "{asked:?}");
    assert!(asked.errors.contains("--confirm archive"), "{asked:?}");
    let cleaned = job.ends("cleanup", &["--keep", "0s", "--confirm", "archive"]);
    // Two broken records, one that changed, and one that was added later.
    let mut expected = vec!["proof-000050", "proof-000150", "proof-000007", "proof-009999"];
    expected.sort_unstable();
    let mut left = left();
    left.sort();
    assert_eq!(left, expected, "{cleaned:?}");
    assert_eq!(cleaned.said["removed"], 197, "{cleaned:?}");
}

fn stem(path: &str) -> String {
    Path::new(path).file_stem().unwrap().to_string_lossy().into_owned()
}

#[test]
fn a_cleanup_of_a_folder_removes_what_was_verified() {
    let job = Job::new(Place::files(&records(200)), Place::data_folder());
    let source = job.from.path.clone().unwrap();
    let change = || {
        let changed = files(&source).into_keys().find(|path| path.ends_with("proof-000007.json")).unwrap();
        std::fs::write(changed, good(8_888).text).unwrap();
        std::fs::write(source.join("proof-009999.json"), good(9_999).text).unwrap();
    };
    let left = || files(&source).into_keys().map(|path| stem(&path.to_string_lossy())).collect();
    cleans_up(&job, change, left);
    let verified = job.ends("verify", &["--deep"]);
    assert_eq!(verified.said["corrupted"], 0, "the store is as it was: {verified:?}");
}

#[test]
fn a_cleanup_of_a_bucket_removes_what_was_verified() {
    let runtime = Runtime::new().unwrap();
    let job = Job::new(Place::s3_objects(&runtime, &records(200)), Place::s3(&runtime));
    let bucket = job.from.bucket.clone().unwrap();
    let upload = |key: &str, text: String| {
        let attributes = credlink_core::object::Attributes::default();
        let body = credlink_s3::Body::whole(text.into());
        runtime.block_on(bucket.upload(key, &attributes, None, body)).unwrap();
    };
    // An object outside the prefix does not concern the job.
    upload("other/proof-000001.json", good(1).text);
    let change = || {
        upload("old/proofs/proof-000007.json", good(8_888).text);
        upload("old/proofs/proof-009999.json", good(9_999).text);
    };
    let list = |prefix: &str| {
        use credlink_ports::Objects as _;
        let page = runtime.block_on(bucket.list(prefix, None, 1_000)).unwrap();
        page.items.into_iter().map(|item| item.key).collect::<Vec<_>>()
    };
    cleans_up(&job, change, || list("old/").iter().map(|key| stem(key)).collect());
    assert_eq!(list("other/"), ["other/proof-000001.json"]);
}
