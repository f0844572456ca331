//! Manifests that their owner has withdrawn: a manifest that is private at the source is private at the store, from
//! every source to every store, in the first run and in the next.
//!
//! The servers require no credentials, so that every caller reads everything. The `Cache-Control` of a manifest tells
//! who may read it.

use std::collections::BTreeMap;
use std::path::Path;

use credlink_core::hash::MediaHash;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::places::Place;
use super::world::Job;
use crate::server::Server;

/// The manifests of the source by name, each with its readers.
const MANIFESTS: [(&str, &str); 7] = [
    ("open", "public"),
    ("held", "private"),
    ("earlier", "private"),
    ("private", "private"),
    ("shown", "public"),
    ("alone", "private"),
    ("alone-open", "public"),
];

fn id(name: &str) -> String {
    format!("urn:c2pa:{name}")
}

fn content(name: &str) -> Vec<u8> {
    manifest_store(&id(name), MediaHash::of(name.as_bytes()).digest())
}

fn proof(name: &str) -> String {
    format!("/v1/proofs/{}", ProofId::derive(&Tenant::default(), &MediaHash::of(name.as_bytes())))
}

fn body(name: &str, visibility: &str) -> Value {
    json!({
        "media_hash": MediaHash::of(name.as_bytes()), "manifest_base64": BASE64.encode(&content(name)),
        "visibility": visibility,
    })
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().new_agent()
}

/// Makes a manifest public or private, and returns the status.
fn make(server: &Server, name: &str, visibility: &str) -> u16 {
    let put = agent().put(format!("{}/v1/manifests/{}/visibility", server.url(), id(name)));
    let body = json!({"visibility": visibility}).to_string();
    put.header("content-type", "application/json").send(body).unwrap().status().as_u16()
}

fn store_alone(server: &Server, name: &str) {
    assert_eq!(server.post_bytes("/v1/manifests", "application/c2pa", &content(name)).0, 201);
}

/// The readers of a manifest whose bytes are there, or else the status.
fn readers(server: &Server, name: &str) -> String {
    let mut response = agent().get(format!("{}/v1/manifests/{}", server.url(), id(name))).call().unwrap();
    if response.status() != 200 {
        return response.status().as_u16().to_string();
    }
    let said = response.headers()["cache-control"].to_str().unwrap().to_owned();
    assert_eq!(response.body_mut().read_to_vec().unwrap(), content(name));
    said.split(',').next().unwrap().to_owned()
}

fn all_readers(server: &Server) -> BTreeMap<String, String> {
    MANIFESTS.iter().map(|(name, _)| ((*name).to_owned(), readers(server, name))).collect()
}

fn expected() -> BTreeMap<String, String> {
    MANIFESTS.iter().map(|(name, readers)| ((*name).to_owned(), (*readers).to_owned())).collect()
}

/// A data folder with a public proof, one whose manifest was withdrawn, one whose earlier manifest was withdrawn, a
/// private proof, a private one whose manifest was published, a manifest by itself that was withdrawn, and one that was
/// not.
fn origin() -> Place {
    let place = Place::data_folder();
    let server = Server::over(place.path.as_deref().unwrap(), &[]);
    for (name, visibility) in [
        ("open", "public"),
        ("held", "public"),
        ("earlier", "public"),
        ("private", "private"),
        ("shown", "private"),
    ] {
        assert_eq!(server.post("/v1/proofs", &body(name, visibility)).0, 201, "{name}");
    }
    assert_eq!(server.replace(&proof("earlier"), &json!({"manifest": {"later": true}})).0, 200);
    store_alone(&server, "alone");
    store_alone(&server, "alone-open");
    for (name, visibility) in
        [("held", "private"), ("earlier", "private"), ("shown", "public"), ("alone", "private")]
    {
        assert_eq!(make(&server, name, visibility), 204, "{name}");
    }
    assert_eq!(all_readers(&server), expected());
    drop(server);
    place
}

fn over(place: &Place) -> Server {
    Server::over(place.path.as_deref().unwrap(), &[])
}

/// The API of a server that runs over a place.
fn api(server: &Server) -> Place {
    Place::api(server.url())
}

/// Runs and verifies the job: each item is copied, and matches its copy.
fn moves(job: &Job) {
    let ran = job.says("run", &[]);
    assert_eq!((&ran["counts"]["copied"], &ran["counts"]["duplicates"]), (&json!(7), &json!(0)), "{ran}");
    for arguments in [&[][..], &["--deep"]] {
        let found = job.says("verify", arguments);
        assert_eq!((&found["verified"], &found["changed"]), (&json!(7), &json!(0)), "{found}");
    }
}

fn fsck(data: &Path) -> Option<i32> {
    let mut command = std::process::Command::new(crate::server::binary());
    command.arg("--data-dir").arg(data).arg("fsck").output().unwrap().status.code()
}

#[test]
fn what_is_private_stays_private_from_folder_to_folder() {
    let job = Job::new(origin(), Place::data_folder());
    moves(&job);
    assert_eq!(all_readers(&over(&job.to)), expected());
    assert_eq!(fsck(job.to.path.as_deref().unwrap()), Some(0));

    // An item that is restored after a rollback is as private as before.
    let undone = job.says("rollback", &["--confirm", "archive"]);
    assert_eq!((&undone["withdrawn"], &undone["failed"]), (&json!(7), &json!(0)), "{undone}");
    moves(&job);
    assert_eq!(all_readers(&over(&job.to)), expected());
}

#[test]
fn what_is_private_stays_private_from_api_to_api() {
    let (from, to) = (origin(), Place::data_folder());
    let (there, here) = (over(&from), over(&to));
    let job = Job::new(api(&there), api(&here));
    moves(&job);
    assert_eq!(all_readers(&here), expected());
    let undone = job.says("rollback", &["--confirm", "archive"]);
    assert_eq!((&undone["withdrawn"], &undone["failed"]), (&json!(7), &json!(0)), "{undone}");
    moves(&job);
    assert_eq!(all_readers(&here), expected());
}

#[test]
fn what_is_private_stays_private_through_objects_and_buckets() {
    let from = origin();
    std::fs::remove_file(from.path.as_deref().unwrap().join("index.redb")).unwrap();
    let runtime = Runtime::new().unwrap();
    let s3 = Job::new(from, Place::s3(&runtime));
    moves(&s3);
    let r2 = Job::new(s3.to, Place::r2(&runtime));
    moves(&r2);
    let here = Server::start();
    let last = Job::new(r2.to, api(&here));
    moves(&last);
    assert_eq!(all_readers(&here), expected());
}

/// Asserts that a withdrawal at the source after the copy is applied by the next run, or by the run after a deep
/// verification if the source's listing does not show it.
fn follows(job: &Job, withdraw: impl Fn(&str), now: impl Fn(&str) -> String, is_told: bool) {
    withdraw("alone-open");
    withdraw("open");
    let expected = if is_told { 2 } else { 1 };
    let ran = job.says("run", &[]);
    let counts = &ran["counts"];
    assert_eq!(
        counts["copied"].as_u64().unwrap() + counts["duplicates"].as_u64().unwrap(),
        expected,
        "{ran}"
    );
    assert_eq!(now("alone-open"), "private");
    if !is_told {
        assert_eq!(now("open"), "public", "its proof is as it was");
        let found = job.ends("verify", &["--deep"]);
        assert_eq!((found.code, &found.said["outdated"]), (Some(7), &json!(1)), "{found:?}");
        let why = found.said["findings"].to_string();
        assert!(why.contains("the same content for other readers") && !why.contains("SHA-256"), "{why}");
        job.says("run", &[]);
    }
    assert_eq!(now("open"), "private");
    assert_eq!(job.says("verify", &["--deep"])["verified"], 7);
    let again = job.says("run", &[]);
    assert_eq!(again["counts"]["done"], 7, "{again}");
}

#[test]
fn a_later_withdrawal_follows_from_folder_to_folder() {
    let job = Job::new(origin(), Place::data_folder());
    moves(&job);
    let withdraw = |name: &str| assert_eq!(make(&over(&job.from), name, "private"), 204);
    follows(&job, withdraw, |name| readers(&over(&job.to), name), true);
    assert_eq!(fsck(job.to.path.as_deref().unwrap()), Some(0));
}

#[test]
fn a_later_withdrawal_follows_from_api_to_api() {
    let (from, to) = (origin(), Place::data_folder());
    let (there, here) = (over(&from), over(&to));
    let job = Job::new(api(&there), api(&here));
    moves(&job);
    follows(&job, |name| assert_eq!(make(&there, name, "private"), 204), |name| readers(&here, name), false);
}

#[test]
fn a_later_withdrawal_follows_from_objects_alone() {
    let from = origin();
    let objects = from.path.clone().unwrap();
    let index = objects.join("index.redb");
    let kept = tempfile::tempdir().unwrap();
    let away = kept.path().join("index.redb");
    let move_index = |from: &Path, to: &Path| {
        std::fs::copy(from, to).unwrap();
        std::fs::remove_file(from).unwrap();
    };
    move_index(&index, &away);
    let job = Job::new(from, Place::data_folder());
    moves(&job);
    let withdraw = |name: &str| {
        move_index(&away, &index);
        assert_eq!(make(&over(&job.from), name, "private"), 204);
        move_index(&index, &away);
    };
    follows(&job, withdraw, |name| readers(&over(&job.to), name), false);
}

/// Asserts that a run withdraws public items of the store, and publishes nothing.
fn never_publishes(job: &Job, at: impl Fn(&dyn Fn(&Server))) {
    at(&|server| {
        // A proof that is already there, and two manifests by themselves.
        assert_eq!(server.post("/v1/proofs", &body("held", "public")).0, 201);
        store_alone(server, "alone");
        store_alone(server, "alone-open");
        assert_eq!(make(server, "alone-open", "private"), 204);
        // The same picture as in a private proof of the source.
        assert_eq!(server.post("/v1/proofs", &body("private", "public")).0, 201);
    });
    let ran = job.ends("run", &[]);
    let failed = &ran.said["counts"]["failed"];
    assert_eq!((&failed["refused"], &failed["conflict"]), (&json!(1), &json!(1)), "{ran:?}");
    at(&|server| {
        for name in ["held", "alone", "alone-open", "earlier"] {
            assert_eq!(readers(server, name), "private", "{name}");
        }
        assert_eq!(readers(server, "private"), "public", "a conflict changes nothing");
        let found: Value = serde_json::from_slice(&server.get_bytes(&proof("private"))).unwrap();
        assert_eq!(found["tenant"], "default");
        assert!(found.get("visibility").is_none_or(|said| said == "public"), "no proof is replaced: {found}");
    });
    let report = job.report().to_string();
    for part in ["PUT /v1/manifests", "it is public"] {
        assert!(report.contains(part), "{part}: {report}");
    }
}

#[test]
fn nothing_is_published_in_a_folder() {
    let job = Job::new(origin(), Place::data_folder());
    never_publishes(&job, |look| look(&over(&job.to)));
}

#[test]
fn nothing_is_published_behind_an_api() {
    let (from, to) = (origin(), Place::data_folder());
    let (there, here) = (over(&from), over(&to));
    let job = Job::new(api(&there), api(&here));
    never_publishes(&job, |look| look(&here));
}

/// Asserts that a manifest that its owner publishes at the store after a run is reported, and left as it is.
fn tells_what_is_published(job: &Job, publish: impl FnOnce(&dyn Fn(&Server))) {
    moves(job);
    publish(&|server| {
        for name in ["held", "alone"] {
            assert_eq!(make(server, name, "public"), 204);
        }
    });
    for arguments in [&[][..], &["--deep"]] {
        let found = job.says("verify", arguments);
        assert_eq!((&found["verified"], &found["changed"]), (&json!(5), &json!(2)), "{found}");
        assert!(found["findings"].to_string().contains("was copied as private, and is public"), "{found}");
    }
}

#[test]
fn what_is_published_at_the_store_since_is_told_behind_an_api() {
    let (from, to) = (origin(), Place::data_folder());
    let (there, here) = (over(&from), over(&to));
    tells_what_is_published(&Job::new(api(&there), api(&here)), |publish| publish(&here));
}

#[test]
fn what_is_published_at_the_store_since_is_told_in_a_folder() {
    let job = Job::new(origin(), Place::data_folder());
    tells_what_is_published(&job, |publish| publish(&over(&job.to)));
}
