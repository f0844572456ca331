//! The folders of a job are the same, wherever its commands are entered.

use std::path::Path;

use super::places::Place;
use super::records::good_ones;
use super::world::{Ended, Job};

/// A command that is entered in `folder`.
fn typed(job: &Job, folder: &Path, action: &str, arguments: &[&str]) -> Ended {
    let mut command = job.command(action, arguments);
    Ended::of(command.current_dir(folder).output().unwrap())
}

#[test]
fn a_relative_path_stays_where_it_was_typed() {
    let mut job = Job::new(Place::files(&good_ones(7)), Place::data_folder());
    let (source, store) = (job.from.path.clone().unwrap(), job.to.path.clone().unwrap());
    let (here, elsewhere) = (source.parent().unwrap(), tempfile::tempdir().unwrap());
    let relative = |path: &Path| format!("dir:./{}", path.strip_prefix(here).unwrap().display());
    (job.from.name, job.to.name) = (relative(&source), relative(&store));
    let ran = typed(&job, here, "run", &[]);
    assert_eq!((ran.code, &ran.said["counts"]["copied"]), (Some(0), &7.into()), "{ran:?}");

    // The same words mean other folders there, but not another job.
    let (kept, given) = (format!("dir:{}", source.display()), {
        let path = elsewhere.path().join(source.file_name().unwrap());
        format!("dir:{}", path.display())
    });
    std::fs::create_dir(given.strip_prefix("dir:").unwrap()).unwrap();
    let says_both = |ended: &Ended| {
        assert_ne!(ended.code, Some(0), "{ended:?}");
        assert!(ended.errors.contains(&kept) && ended.errors.contains(&given), "{ended:?}");
    };
    says_both(&typed(&job, elsewhere.path(), "run", &[]));
    says_both(&typed(&job, elsewhere.path(), "verify", &["--from", &job.from.name]));
    assert_eq!(typed(&job, here, "verify", &["--from", &job.from.name]).code, Some(0));

    // A command that names no folder finds the job's.
    assert_eq!(typed(&job, elsewhere.path(), "status", &[]).said["job"]["from"], kept);
    let verified = typed(&job, elsewhere.path(), "verify", &[]);
    assert_eq!((verified.code, &verified.said["verified"]), (Some(0), &7.into()), "{verified:?}");
    let cleaned = typed(&job, elsewhere.path(), "cleanup", &["--keep", "0s", "--confirm", "archive"]);
    assert_eq!((cleaned.code, &cleaned.said["removed"]), (Some(0), &7.into()), "{cleaned:?}");
    let undone = typed(&job, elsewhere.path(), "rollback", &["--confirm", "archive"]);
    assert_eq!(undone.said["only_copy"], 7, "{undone:?}");
}
