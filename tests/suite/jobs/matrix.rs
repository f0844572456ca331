//! From every source to every store: every good record arrives, and every broken one is counted with its reason.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::places::Place;
use super::records::{Legacy, good_ones, records};
use super::world::Job;

/// Number of records in the matrix of the engines: more than a page of a listing has.
const MANY: usize = 1_200;
/// Number of records where one of those engines is in between again.
const FEW: usize = 200;

/// Moves `records`, and checks every count.
fn moves(from: Place, to: Place, records: &[Legacy]) {
    let job = Job::new(from, to);
    let good = records.iter().filter(|record| record.reason.is_none()).count();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in records.iter().filter_map(|record| record.reason) {
        *reasons.entry(reason).or_default() += 1;
    }
    let broken: usize = reasons.values().sum();
    let planned = job.ends("plan", &[]);
    assert_eq!(planned.said["would_copy"], good, "{planned:?}");
    let code = if broken == 0 { 0 } else { 7 };
    let ran = job.ends("run", &[]);
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert_eq!(ran.said["counts"]["copied"], good, "{ran:?}");
    assert_eq!(ran.said["counts"]["failed"], json!(reasons), "{ran:?}");
    let report = job.report();
    assert_eq!(
        [&report["total"], &report["migrated"], &report["failed"], &report["skipped"]],
        [records.len(), good, broken, 0],
        "{report}"
    );
    let failures = report["failures"].as_array().unwrap();
    assert_eq!(failures.len(), broken);
    for record in records.iter().filter(|record| record.reason.is_some()) {
        let named = |failure: &&Value| failure["reason"] == record.reason.unwrap();
        assert!(failures.iter().filter(named).count() > 0, "{} is not in {report}", record.id);
    }
    // Everything that was copied is there, and nothing else.
    let verified = job.ends("verify", &["--deep"]);
    let said = &verified.said;
    assert_eq!(
        [&said["verified"], &said["missing"], &said["corrupted"], &said["encoding_differs"], &said["extra"]],
        [good, broken, 0, 0, 0],
        "{verified:?}"
    );
    // A second run copies nothing.
    let again = job.ends("run", &[]);
    assert_eq!((&again.said["counts"]["copied"], &again.said["counts"]["done"]), (&json!(0), &json!(good)));
}

macro_rules! matrix {
    ($($name:ident: $count:ident, $from:expr => $to:expr;)+) => {$(
        #[test]
        fn $name() {
            let runtime = Runtime::new().unwrap();
            let records = records($count);
            let from: fn(&Runtime, &[Legacy]) -> Place = $from;
            let to: fn(&Runtime) -> Place = $to;
            moves(from(&runtime, &records), to(&runtime), &records);
        }
    )+};
}

matrix! {
    from_files_to_a_folder: MANY, |_, records| Place::files(records) => |_| Place::data_folder();
    from_files_to_s3: MANY, |_, records| Place::files(records) => Place::s3;
    from_files_to_r2: MANY, |_, records| Place::files(records) => Place::r2;
    from_s3_to_a_folder: MANY, Place::s3_objects => |_| Place::data_folder();
    from_s3_to_s3: MANY, Place::s3_objects => Place::s3;
    from_s3_to_r2: MANY, Place::s3_objects => Place::r2;
    from_r2_to_a_folder: MANY, Place::r2_objects => |_| Place::data_folder();
    from_r2_to_s3: MANY, Place::r2_objects => Place::s3;
    from_r2_to_r2: MANY, Place::r2_objects => Place::r2;
    from_a_dump_to_a_folder: MANY, |_, records| Place::dump(records, false) => |_| Place::data_folder();
    from_a_gzipped_dump_to_s3: FEW, |_, records| Place::dump(records, true) => Place::s3;
    from_a_gzipped_dump_to_r2: FEW, |_, records| Place::dump(records, true) => Place::r2;
    from_files_to_a_server: FEW, |_, records| Place::files(records) => |_| Place::served();
    from_s3_to_a_server: FEW, Place::s3_objects => |_| Place::served();
    from_r2_to_a_server: FEW, Place::r2_objects => |_| Place::served();
    from_a_dump_to_a_server: FEW, |_, records| Place::dump(records, false) => |_| Place::served();
}

/// A CredLink is a source too: records that were moved once are moved on. If its index is read as well, each legacy ID
/// is an item of its own, which has already arrived with its proof.
#[test]
fn from_a_server_and_from_stores_to_everything() {
    let runtime = Runtime::new().unwrap();
    let records = good_ones(FEW);
    for (first, names, stores) in [
        (
            Place::served(),
            FEW,
            [Place::data_folder(), Place::s3(&runtime), Place::r2(&runtime), Place::served()],
        ),
        (
            Place::data_folder(),
            FEW,
            [Place::data_folder(), Place::s3(&runtime), Place::r2(&runtime), Place::served()],
        ),
        (
            Place::s3(&runtime),
            0,
            [Place::data_folder(), Place::s3(&runtime), Place::r2(&runtime), Place::served()],
        ),
        (
            Place::r2(&runtime),
            0,
            [Place::data_folder(), Place::s3(&runtime), Place::r2(&runtime), Place::served()],
        ),
    ] {
        let fill = Job::new(Place::files(&records), first);
        fill.says("run", &[]);
        let mut from = fill.to;
        for store in stores {
            let job = Job::new(from, store);
            let ran = job.says("run", &[]);
            let counts = &ran["counts"];
            assert_eq!((&counts["copied"], &counts["duplicates"]), (&json!(FEW), &json!(names)), "{ran}");
            let verified = job.says("verify", &["--deep"]);
            let found = (&verified["verified"], &verified["extra"]);
            assert_eq!(found, (&json!(FEW + names), &json!(0)), "{verified}");
            from = job.from;
        }
    }
}
