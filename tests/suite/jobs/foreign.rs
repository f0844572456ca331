//! A store whose address answers with the 404 of something else: that is not an absence (guarantee 7), and no job takes
//! it for one.

use serde_json::json;

use super::places::Place;
use super::records::good_ones;
use super::world::Job;
use crate::gateway;
use crate::server::Server;

#[test]
fn a_job_does_not_take_a_foreign_404_for_absence() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::over(folder.path(), &[]);
    let url = server.url().to_owned();
    let job = Job::new(Place::files(&good_ones(3)), Place::api(&url));
    assert_eq!(job.says("run", &[])["counts"]["copied"], json!(3));

    // The same address leads elsewhere.
    server.stop();
    gateway::listen(url.trim_start_matches("http://").parse().unwrap());
    let foreign = "the answer is not CredLink's";
    let verified = job.ends("verify", &["--deep"]);
    assert_ne!(verified.code, Some(0), "{verified:?}");
    let said = format!("{verified:?}");
    assert!(said.contains(foreign) && !said.contains("is not there"), "{said}");
    let undone = job.ends("rollback", &["--confirm", "archive"]);
    assert_ne!(undone.code, Some(0), "{undone:?}");
    assert!(format!("{undone:?}").contains(foreign), "{undone:?}");
    let planned = Job::new(Place::files(&good_ones(3)), Place::api(&url)).ends("plan", &[]);
    assert_ne!(planned.code, Some(0), "{planned:?}");

    // The server is back: nothing was withdrawn, and everything is there.
    let server = Server::over(folder.path(), &[]);
    for record in good_ones(3) {
        server.get_bytes(&format!("/v1/proofs/{}", record.proof.unwrap()));
    }
}

#[test]
fn a_source_with_a_foreign_404_holds_nothing_that_is_known() {
    let job = Job::new(Place::api(&gateway::start()), Place::data_folder());
    for action in ["plan", "run"] {
        let ended = job.ends(action, &[]);
        assert_ne!(ended.code, Some(0), "{action}: {ended:?}");
    }
}
