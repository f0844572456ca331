//! `kill -9` at random moments of one job, many times: afterwards each proof exists once, and no confirmed item was
//! copied twice. After a rollback, no proof exists, and the job knows that it has withdrawn all of them itself.

use std::time::Duration;

use serde_json::json;

use super::places::Place;
use super::records::good_ones;
use super::world::Job;

/// Number of kills of a job.
const KILLS: usize = 50;
/// Number of records: more than fifty short runs can copy.
const RECORDS: usize = 6_000;

/// A pseudo-random number generator (xorshift64*, Vigna 2016).
fn roll(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

#[test]
fn a_job_that_is_killed_fifty_times_copies_everything_once() {
    let job = Job::new(Place::files(&good_ones(RECORDS)), Place::data_folder());
    let (mut dice, mut killed, mut confirmed) = (0x9e37_79b9_7f4a_7c15_u64, 0, 0);
    while killed < KILLS {
        // A rate-limited run lasts longer than all of these waits, which grow for a machine on which it starts slowly.
        let wait = Duration::from_millis(60 + roll(&mut dice) % (400 + 8 * killed as u64));
        assert!(
            job.killed("run", &["--rate", "300", "--batch-size", "20"], wait),
            "the run ends before it is killed"
        );
        killed += 1;
        // A ledger that a kill left behind must be put in order by a process that may write it. Looking at the job does
        // so too.
        if killed % 10 == 0 {
            let report = job.report();
            let migrated = report["migrated"].as_u64().unwrap_or(0);
            assert!(migrated >= confirmed, "{report}");
            confirmed = migrated;
        }
    }
    let before = job.report()["migrated"].as_u64().unwrap();
    assert!(before > 0, "some runs got that far");
    let ran = job.says("run", &[]);
    let (copied, done) = (&ran["counts"]["copied"], &ran["counts"]["done"]);
    assert_eq!(done, &json!(before), "what was confirmed is not copied again: {ran}");
    assert_eq!(copied.as_u64().unwrap() + before, RECORDS as u64, "{ran}");
    let report = job.report();
    assert_eq!([&report["migrated"], &report["failed"], &report["skipped"]], [RECORDS, 0, 0], "{report}");
    let verified = job.says("verify", &["--deep"]);
    assert_eq!((&verified["verified"], &verified["extra"]), (&json!(RECORDS), &json!(0)), "{verified}");
    // Every proof was created by this job, and the job knows it: a rollback withdraws all of them.
    let undone = job.says("rollback", &["--confirm", "archive"]);
    assert_eq!(undone["withdrawn"], RECORDS, "{undone}");
}

#[test]
fn a_rollback_that_is_killed_time_and_again_knows_what_it_withdrew() {
    const RECORDS: usize = 4_000;
    const KILLS: u64 = 20;
    let job = Job::new(Place::files(&good_ones(RECORDS)), Place::data_folder());
    assert_eq!(job.says("run", &[])["counts"]["copied"], RECORDS);
    let (mut dice, mut killed, mut withdrawn) = (0x9e37_79b9_7f4a_7c15_u64, 0, 0);
    while killed < KILLS {
        let wait = Duration::from_millis(100 + roll(&mut dice) % 400);
        if !job.killed("rollback", &["--confirm", "archive"], wait) {
            break;
        }
        killed += 1;
        withdrawn = job.says("status", &[])["states"]["rolled_back"].as_u64().unwrap_or(0);
    }
    assert!(killed >= 5, "{killed} kills: it was done too soon");
    assert!(withdrawn > 0, "some rollbacks got that far");
    let undone = job.says("rollback", &["--confirm", "archive"]);
    let all = undone["withdrawn"].as_u64().unwrap() + undone["rolled_back"].as_u64().unwrap();
    assert_eq!((all, &undone["touched"]), (RECORDS as u64, &json!(0)), "{undone}");
    // The job may create all of them again.
    assert_eq!(job.says("run", &[])["counts"]["copied"], RECORDS);
}
