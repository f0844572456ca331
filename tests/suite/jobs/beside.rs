//! A CredLink with more than proofs: the IDs of duplicates, which are only in its index, and a manifest that was stored
//! for itself. Both migrate with the proofs, from its API and from its data folder, to a folder and to another API.

use credlink_core::hash::Digest;
use credlink_core::testing::manifest_store;
use serde_json::{Value, json};

use super::places::Place;
use super::records::{Legacy, good_ones, media};
use super::world::Job;
use crate::server::Server;

const ALONE: &str = "urn:c2pa:0f000000-0000-4000-8000-000000000001";
const HELD: &str = "/v1/manifests/urn:c2pa:00000000-0000-4000-8000-000000000000";

/// Thirty records. The first five have duplicates under two more IDs each.
fn with_twins() -> Vec<Legacy> {
    let mut all = good_ones(30);
    for number in 0..5 {
        for twin in ["twin", "double"] {
            let record = all[number].clone();
            let id = format!("{twin}-{number}");
            let text = record.text.replacen(&record.id, &id, 1);
            all.push(Legacy { id, text, ..record });
        }
    }
    all
}

/// The data folder of a CredLink with all of these, and with a manifest that no proof holds.
fn origin(records: &[Legacy]) -> Place {
    let first = Job::new(Place::files(records), Place::data_folder());
    let ran = first.says("run", &[]);
    assert_eq!((&ran["counts"]["copied"], &ran["counts"]["duplicates"]), (&json!(30), &json!(10)), "{ran}");
    let server = Server::over(first.to.path.as_deref().unwrap(), &[]);
    let store = manifest_store(ALONE, &Digest::of(b"a film"));
    assert_eq!(server.post_bytes("/v1/manifests", "application/c2pa", &store).0, 201);
    drop(server);
    first.to
}

/// Asserts that every ID leads to its proof, and that the manifest is there.
fn has_all(server: &Server, records: &[Legacy]) {
    for record in records {
        let led = server.leads_to(&format!("/v1/proofs/{}", record.id));
        assert_eq!(led, record.proof.unwrap().to_string(), "{}", record.id);
    }
    let store = manifest_store(ALONE, &Digest::of(b"a film"));
    assert_eq!(server.get_bytes(&format!("/v1/manifests/{ALONE}")), store);
}

/// The ID that the record of a proof names. The other two are only in the index.
fn carried(server: &Server, record: &Legacy) -> String {
    let bytes = server.get_bytes(&format!("/v1/proofs/{}", record.proof.unwrap()));
    let record: Value = serde_json::from_slice(&bytes).unwrap();
    record["legacy"]["id"].as_str().unwrap().to_owned()
}

fn status(server: &Server, path: &str) -> u16 {
    let agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().new_agent();
    agent.get(format!("{}{path}", server.url())).call().unwrap().status().as_u16()
}

/// Runs the job, and asserts that it moves thirty proofs, forty IDs and one manifest.
fn moves(job: &Job) {
    let planned = job.says("plan", &[]);
    assert_eq!((&planned["items"], &planned["would_copy"]), (&json!(71), &json!(71)), "{planned}");
    let ran = job.says("run", &["--batch-size", "7"]);
    // The ID that a record names arrives with its proof.
    let counts = &ran["counts"];
    assert_eq!((&counts["copied"], &counts["duplicates"]), (&json!(41), &json!(30)), "{ran}");
    assert!(ran.get("left_behind").is_none(), "{ran}");
    let found = job.says("verify", &["--deep"]);
    assert_eq!((&found["verified"], &found["extra"]), (&json!(71), &json!(0)), "{found}");
}

#[test]
fn every_id_and_every_manifest_travels_from_an_api_to_another() {
    let records = with_twins();
    let data = origin(&records);
    let there = Server::over(data.path.as_deref().unwrap(), &[]);
    let mut from = data;
    from.name = format!("credlink:{}", there.url());
    let folder = tempfile::tempdir().unwrap();
    let here = Server::over(folder.path(), &[]);
    let mut to = Place::data_folder();
    to.name = format!("credlink:{}", here.url());
    let job = Job::new(from, to);
    moves(&job);
    has_all(&here, &records);

    // Verification finds a lost ID and a lost manifest. A run restores nothing that was confirmed.
    let proof = records[3].proof.unwrap();
    let ids = ["twin-3", "double-3"];
    let lost = *ids.iter().find(|id| ***id != carried(&here, &records[3])).unwrap();
    assert_eq!(here.delete(&format!("/v1/aliases/{lost}?proof={proof}")), 204);
    let found = job.ends("verify", &[]);
    assert_eq!((found.code, &found.said["missing"]), (Some(7), &json!(1)), "{found:?}");
    assert_eq!(found.said["findings"][0]["item"], format!("/aliases/{lost}"));
    let bound = json!({"proof": proof}).to_string();
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let put = agent.put(format!("{}/v1/aliases/{lost}", here.url()));
    assert_eq!(put.header("content-type", "application/json").send(bound).unwrap().status(), 201);
    assert_eq!(job.says("verify", &[])["verified"], 71);

    // A rollback withdraws exactly what the job brought.
    let own = json!({"media_hash": media(9_999).to_string(), "manifest": {"own": true}});
    let own = here.post("/v1/proofs", &own).1["id"].as_str().unwrap().to_owned();
    let undone = job.says("rollback", &["--confirm", "archive"]);
    assert_eq!((&undone["withdrawn"], &undone["failed"]), (&json!(41), &json!(0)), "{undone}");
    for (path, expected) in [
        (format!("/v1/proofs/{lost}"), 404),
        (format!("/v1/proofs/{proof}"), 410),
        (format!("/v1/manifests/{ALONE}"), 410),
        (HELD.to_owned(), 410),
        (format!("/v1/proofs/{own}"), 200),
    ] {
        assert_eq!(status(&here, &path), expected, "{path}");
    }
    has_all(&there, &records);
    let again = job.says("run", &[]);
    assert_eq!(again["counts"]["copied"], 41, "{again}");
    has_all(&here, &records);
}

#[test]
fn every_id_and_every_manifest_travels_from_a_data_folder() {
    let records = with_twins();
    // Some of it is there before: two proofs with their duplicates, and a manifest that only a proof holds.
    let before = Job::new(Place::files(&[&records[..2], &records[30..34]].concat()), Place::data_folder());
    before.says("run", &[]);
    let job = Job::new(origin(&records), before.to);
    let ran = job.says("run", &[]);
    assert_eq!((&ran["counts"]["copied"], &ran["counts"]["duplicates"]), (&json!(35), &json!(36)), "{ran}");
    assert_eq!(job.says("verify", &[])["verified"], 71);
    let data = job.to.path.clone().unwrap();
    let named: Vec<String> = {
        let server = Server::over(&data, &[]);
        has_all(&server, &records);
        records.iter().map(|record| carried(&server, record)).collect()
    };
    assert_eq!(fsck(&data), Some(0));

    let undone = job.says("rollback", &["--confirm", "archive"]);
    assert_eq!((&undone["withdrawn"], &undone["not_ours"]), (&json!(35), &json!(36)), "{undone}");
    let server = Server::over(&data, &[]);
    for (record, named) in records.iter().zip(named) {
        let path = format!("/v1/proofs/{}", record.id);
        let was_before = records[..2].iter().any(|first| first.proof == record.proof);
        if was_before || record.id == named {
            assert_eq!(server.leads_to(&path), record.proof.unwrap().to_string(), "{path}");
        } else {
            assert_eq!(status(&server, &path), 404, "{path}");
        }
        let proof = status(&server, &format!("/v1/proofs/{}", record.proof.unwrap()));
        assert_eq!(proof, if was_before { 200 } else { 410 }, "{path}");
    }
    assert_eq!((status(&server, HELD), status(&server, &format!("/v1/manifests/{ALONE}"))), (200, 410));
    drop(server);
    assert_eq!(fsck(&data), Some(0));
}

fn fsck(data: &std::path::Path) -> Option<i32> {
    let mut command = std::process::Command::new(crate::server::binary());
    command.args(["--data-dir"]).arg(data).arg("fsck").output().unwrap().status.code()
}

#[test]
fn objects_alone_say_what_they_leave_behind() {
    let records = with_twins();
    let data = origin(&records);
    std::fs::remove_file(data.path.as_deref().unwrap().join("index.redb")).unwrap();
    let job = Job::new(data, Place::data_folder());
    let says = |said: &Value| {
        let what = said["left_behind"].as_str().or(said["leftBehind"].as_str());
        what.unwrap_or_default().contains("credlink:URL")
    };
    assert!(says(&job.says("plan", &[])));
    let ran = job.says("run", &[]);
    assert_eq!((&ran["counts"]["copied"], says(&ran)), (&json!(31), true), "{ran}");
    assert!(says(&job.report()), "{}", job.report());
    let server = Server::over(job.to.path.as_deref().unwrap(), &[]);
    assert_eq!(status(&server, &format!("/v1/manifests/{ALONE}")), 200);
    let named = carried(&server, &records[3]);
    for id in ["proof-000003", "twin-3", "double-3"] {
        let expected = if id == named { 308 } else { 404 };
        assert_eq!(status(&server, &format!("/v1/proofs/{id}")), expected, "{id}");
    }
}
