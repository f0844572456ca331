//! Items that change at the source after they were copied: the advice of `verify` works.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::places::Place;
use super::records::{good, good_ones, media};
use super::world::Job;
use crate::server::Server;

const RECORDS: usize = 8;

/// The file of a legacy record.
fn file(folder: &Path, number: usize) -> PathBuf {
    let (id, deep) = (good(number).id, "deep/".repeat(number % 3));
    folder.join(format!("{}/{deep}{id}.json", number % 7))
}

/// Replaces a part of a record that occurs in it once.
fn change(folder: &Path, number: usize, from: &str, to: &str) {
    let text = good(number).text;
    assert_eq!(text.matches(from).count(), 1, "{text}");
    std::fs::write(file(folder, number), text.replace(from, to)).unwrap();
}

/// The outdated items, each with its advice.
fn outdated(verified: &Value) -> Vec<(String, String)> {
    let findings = verified["findings"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |finding: &Value| (text(&finding["item"]), text(&finding["detail"]));
    findings.iter().filter(|finding| finding["class"] == "outdated").map(of).collect()
}

#[test]
fn what_changed_at_a_legacy_source_is_settled_as_verify_advises() {
    let job = Job::new(Place::files(&good_ones(RECORDS)), Place::data_folder());
    let (source, store) = (job.from.path.clone().unwrap(), job.to.path.clone().unwrap());
    job.says("run", &[]);
    // Another manifest, another member that is merely kept, and another media file.
    let other = json!({"proofId": good(2).id, "imageHash": media(2).to_string(), "manifest": {"n": 1}, "timestamp": 1_767_225_600_000_u64});
    std::fs::write(file(&source, 2), other.to_string()).unwrap();
    change(&source, 4, "\"timestamp\":17", "\"timestamp\":16");
    std::fs::write(file(&source, 3), good(100).text).unwrap();
    let verified = job.ends("verify", &[]);
    assert_eq!((verified.code, &verified.said["outdated"]), (Some(7), &3.into()), "{verified:?}");
    let changed = good(2).proof.unwrap();
    for (item, detail) in outdated(&verified.said) {
        assert!(
            detail.contains("run the job again, and where that is a conflict, replace"),
            "{item}: {detail}"
        );
    }

    let again = job.ends("run", &[]);
    assert_eq!(again.said["counts"]["failed"], json!({"conflict": 1}), "{again:?}");
    let verified = job.ends("verify", &[]);
    let left = outdated(&verified.said);
    assert!(left.len() == 1 && left[0].0.contains(&good(2).id), "{verified:?}");
    assert!(left[0].1.contains(&format!("replace {changed} first (PUT)")), "{left:?}");

    let put = json!({"manifest": {"n": 1}});
    assert_eq!(Server::over(&store, &[]).replace(&format!("/v1/proofs/{changed}"), &put).0, 200);
    job.says("run", &[]);
    let verified = job.says("verify", &[]);
    assert_eq!((&verified["verified"], &verified["outdated"]), (&RECORDS.into(), &0.into()), "{verified}");
    // The run loses no version: the replaced one is an earlier revision.
    let revisions = Server::over(&store, &[]).get_bytes(&format!("/v1/proofs/{changed}/1"));
    assert!(!revisions.is_empty());
}

#[test]
fn what_a_credlink_replaced_at_the_source_is_taken_over_by_the_next_run() {
    let job = Job::new(Place::data_folder(), Place::data_folder());
    let (source, store) = (job.from.path.clone().unwrap(), job.to.path.clone().unwrap());
    let store_one = |server: &Server, number: u32| {
        let hash = credlink_core::hash::MediaHash::of(&number.to_be_bytes());
        let stored =
            server.post("/v1/proofs", &json!({"media_hash": hash.to_string(), "manifest": {"n": number}}));
        format!("/v1/proofs/{}", stored.1["id"].as_str().unwrap())
    };
    let path = {
        let server = Server::over(&source, &[]);
        store_one(&server, 1);
        store_one(&server, 2)
    };
    job.says("run", &[]);
    assert_eq!(Server::over(&source, &[]).replace(&path, &json!({"manifest": {"n": 3}})).0, 200);
    let verified = job.ends("verify", &[]);
    assert_eq!((verified.code, &verified.said["outdated"]), (Some(7), &1.into()), "{verified:?}");
    job.says("run", &[]);
    assert_eq!(job.says("verify", &[])["verified"], 2);
    let read = |folder: &Path| Server::over(folder, &[]).get_bytes(&path);
    assert_eq!(read(&source), read(&store));
}
