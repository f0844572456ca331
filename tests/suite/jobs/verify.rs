//! `verify` finds each planted fault, and reports no other.

use std::path::Path;

use credlink_core::object::{Head, ObjectKey};
use credlink_s3::{Body, S3Objects};
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::places::Place;
use super::records::{Legacy, good_ones};
use super::world::Job;

const RECORDS: usize = 60;

/// Reads the objects of a store, and replaces or removes them behind CredLink's back.
struct Planted<'a> {
    runtime: &'a Runtime,
    bucket: &'a S3Objects,
}

impl Planted<'_> {
    fn read(&self, key: &str) -> (Head, Vec<u8>) {
        let download = self.runtime.block_on(self.bucket.download(key, None)).unwrap().unwrap();
        let bytes: Vec<bytes::Bytes> = self.runtime.block_on(download.body.try_collect()).unwrap();
        (download.head, bytes.concat())
    }

    fn write(&self, key: &str, change: impl FnOnce(&mut Head, &mut Vec<u8>)) {
        let (mut head, mut bytes) = self.read(key);
        change(&mut head, &mut bytes);
        let body = Body::whole(bytes.into());
        self.runtime.block_on(self.bucket.upload(key, &head.attributes, None, body)).unwrap();
    }

    fn remove(&self, key: &str) {
        let deletion = self.runtime.block_on(self.bucket.remove_all(&[key.to_owned()]));
        assert_eq!(deletion.deleted, 1);
    }
}

fn record(records: &[Legacy], number: usize) -> String {
    ObjectKey::Record(records[number].proof.unwrap()).to_string()
}

fn manifest(number: usize) -> String {
    let id = format!("urn:c2pa:{number:08x}-0000-4000-8000-000000000000");
    ObjectKey::Manifest(id.parse().unwrap()).to_string()
}

/// The counts of a verification.
fn counts(said: &Value) -> [u64; 5] {
    ["verified", "missing", "corrupted", "encoding_differs", "extra"]
        .map(|class| said[class].as_u64().unwrap_or(u64::MAX))
}

fn finds_every_fault(to: Place, runtime: &Runtime, arguments: &[&str]) {
    let records = good_ones(RECORDS);
    let job = Job::new(Place::files(&records), to);
    job.says("run", &[]);
    assert_eq!(counts(&job.says("verify", arguments)), [RECORDS as u64, 0, 0, 0, 0]);
    let bucket = job.to.bucket.clone().unwrap();
    let planted = Planted { runtime, bucket: &bucket };
    // Records 0, 5, 10, … have their own C2PA manifests.
    planted.remove(&record(&records, 1));
    planted.remove(&manifest(5));
    planted.write(&record(&records, 2), |_, bytes| bytes[20] ^= 1);
    planted.write(&manifest(10), |_, bytes| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
    });
    planted.write(&record(&records, 3), |_, bytes| bytes.truncate(bytes.len() / 2));
    // A record is gzip, and a manifest is not; their headers say the opposite.
    for (key, is_packed) in [(record(&records, 4), true), (manifest(15), false)] {
        assert_eq!(planted.read(&key).0.attributes.content_encoding.is_some(), is_packed, "{key}");
        let said = (!is_packed).then(|| "gzip".to_owned());
        planted.write(&key, |head, _| head.attributes.content_encoding.clone_from(&said));
    }
    let verified = job.ends("verify", arguments);
    assert_eq!(verified.code, Some(7), "{verified:?}");
    assert_eq!(counts(&verified.said), [RECORDS as u64 - 7, 2, 3, 2, 0], "{verified:?}");
    for (number, class) in [
        (1, "missing"),
        (5, "missing"),
        (2, "corrupted"),
        (10, "corrupted"),
        (3, "corrupted"),
        (4, "encoding_differs"),
        (15, "encoding_differs"),
    ] {
        let findings = verified.said["findings"].as_array().unwrap();
        let is_it = |finding: &&Value| {
            finding["class"] == class
                && finding["item"].as_str().is_some_and(|item| item.contains(&records[number].id))
        };
        assert_eq!(findings.iter().filter(is_it).count(), 1, "{number} {class}: {findings:?}");
    }
}

#[test]
fn faults_in_s3_are_found_by_checksum() {
    let runtime = Runtime::new().unwrap();
    finds_every_fault(Place::s3(&runtime), &runtime, &[]);
}

#[test]
fn faults_in_s3_are_found_by_content() {
    let runtime = Runtime::new().unwrap();
    finds_every_fault(Place::s3(&runtime), &runtime, &["--deep"]);
}

#[test]
fn faults_in_r2_are_found() {
    let runtime = Runtime::new().unwrap();
    finds_every_fault(Place::r2(&runtime), &runtime, &[]);
}

#[test]
fn faults_in_a_folder_are_found() {
    let records = good_ones(RECORDS);
    let job = Job::new(Place::files(&records), Place::data_folder());
    job.says("run", &[]);
    let objects = job.to.path.clone().unwrap().join("objects");
    let path = |number: usize| find(&objects, &records[number].proof.unwrap().to_string());
    std::fs::remove_file(path(1)).unwrap();
    let mut bytes = std::fs::read(path(2)).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(path(2), &bytes).unwrap();
    let bytes = std::fs::read(path(3)).unwrap();
    std::fs::write(path(3), &bytes[..bytes.len() - 9]).unwrap();
    let verified = job.ends("verify", &[]);
    assert_eq!(counts(&verified.said), [RECORDS as u64 - 3, 1, 2, 0, 0], "{verified:?}");
}

/// The only file whose path contains `name`.
fn find(folder: &Path, name: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains(name) {
                return path;
            }
        }
    }
    panic!("{name} is not in {}", folder.display())
}

#[test]
fn a_sample_is_the_same_each_time() {
    let job = Job::new(Place::files(&good_ones(400)), Place::data_folder());
    job.says("run", &[]);
    let sampled = job.says("verify", &["--sample", "25"]);
    let verified = sampled["verified"].as_u64().unwrap();
    assert!((50..150).contains(&verified), "{sampled}");
    assert_eq!(job.says("verify", &["--sample", "25"])["verified"], json!(verified));
}
