//! `plan` predicts what `run` does, even if the store already holds something.

use serde_json::json;

use super::places::Place;
use super::records::good_ones;
use super::world::Job;

fn foresees(store: fn() -> Place) {
    let mut records = good_ones(20);
    let before = Job::new(Place::files(&records[..10]), store());
    before.says("run", &[]);
    // Another manifest, another signature, and another date for the same manifest.
    let mut change = |number: usize, from: &str, to: &str| {
        assert_eq!(records[number].text.matches(from).count(), 1);
        records[number].text = records[number].text.replace(from, to);
    };
    change(2, "\"score\" : 1.0", "\"score\" : 2.0");
    change(4, "\"signature\":\"", "\"signature\":\"AAAA");
    change(7, "\"timestamp\":17", "\"timestamp\":16");
    let job = Job::new(Place::files(&records), before.to);

    let planned = job.ends("plan", &[]);
    let said = &planned.said;
    assert_eq!(planned.code, Some(7), "{planned:?}");
    assert_eq!((&said["would_copy"], &said["already"], &said["behind"]), (&json!(10), &json!(8), &json!(0)));
    assert_eq!(said["invalid"], json!({"conflict": 2}), "{said}");
    for (number, how) in
        [(2, "a manifest whose SHA-256 is"), (4, "the same manifest, and with another signature")]
    {
        let named = |problem: &&serde_json::Value| {
            problem["item"].as_str().unwrap().contains(&records[number].id)
                && problem["detail"].as_str().unwrap().contains(how)
        };
        assert_eq!(said["problems"].as_array().unwrap().iter().filter(named).count(), 1, "{said}");
    }
    let ran = job.ends("run", &[]);
    let counts = &ran.said["counts"];
    assert_eq!((&counts["copied"], &counts["duplicates"]), (&json!(10), &json!(8)), "{ran:?}");
    assert_eq!(counts["failed"], json!({"conflict": 2}), "{ran:?}");
}

#[test]
fn a_plan_into_a_folder_foresees_conflicts() {
    foresees(Place::data_folder);
}

#[test]
fn a_plan_into_a_running_credlink_foresees_conflicts() {
    foresees(Place::served);
}

/// The store has only the first revision of a proof.
#[test]
fn a_plan_tells_what_is_behind() {
    use crate::server::Server;

    let job = Job::new(Place::data_folder(), Place::data_folder());
    let source = job.from.path.clone().unwrap();
    let path = {
        let server = Server::over(&source, &[]);
        let media = super::records::media(1).to_string();
        let stored = server.post("/v1/proofs", &json!({"media_hash": media, "manifest": {"n": 1}}));
        format!("/v1/proofs/{}", stored.1["id"].as_str().unwrap())
    };
    job.says("run", &[]);
    assert_eq!(job.says("plan", &[])["already"], 1);
    assert_eq!(Server::over(&source, &[]).replace(&path, &json!({"manifest": {"n": 2}})).0, 200);
    let planned = job.says("plan", &[]);
    assert_eq!(
        (&planned["already"], &planned["behind"], &planned["calls"]["puts"]),
        (&json!(0), &json!(1), &json!(2))
    );
    job.says("run", &[]);
    assert_eq!(job.says("plan", &[])["already"], 1);
}
