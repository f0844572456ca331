//! `kill -9` of `credlink rebuild`, twenty times in one rebuild: over a folder, and over S3, R2 and DynamoDB. The same
//! command resumes each time, and in the end every row is there.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use credlink_disk::folder::Folder;
use credlink_embedded::index::EmbeddedIndex;
use credlink_ports::doubles::ManualClock;
use credlink_ports::{Clock as _, Index as _, Ports};
use credlink_runtime::clock::SystemClock;
use credlink_service::Service;
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::full::{Client, fill, fill_for_one, rows};
use super::memory::{over, similar};
use crate::engines::dynoxide;
use crate::outages::site::{Site, with_stack};
use crate::server::binary;

const KILLS: u64 = 20;
/// Number of stores in flight.
const AT_ONCE: usize = 32;

/// Stores so many proofs that twenty short runs do not finish.
async fn fill_up<P: Ports>(service: &Service<P>, proofs: usize) {
    let client = Client(service);
    stream::iter(0..proofs)
        .for_each_concurrent(AT_ONCE, |number| {
            let client = &client;
            async move { client.store(&format!("one of many: {number}"), json!({}), 201).await }
        })
        .await;
}

/// Kills a rebuild twenty times, and then lets it resume and finish. fsck finds nothing afterwards.
///
/// Each run but the first is killed some time after it said that it resumes the one before it, so that the kills do not
/// depend on how busy the machine is. The moments of the kills differ by up to `spread`.
fn kill_and_end(folder: &Path, variables: &[(&str, String)], spread: Duration) {
    let command = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        command.args(arguments).arg("--data-dir").arg(folder).envs(variables);
        command
    };
    let rebuild = || command(&["rebuild", "--confirm"]);
    let mut resumed = 0;
    let mut wait = Duration::from_millis(100);
    for kill in 0..KILLS {
        let mut child = rebuild().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (resumes, resumption) = mpsc::channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut said = String::new();
            for line in errors.lines() {
                let line = line.unwrap();
                if line.contains("this goes on with the rebuild that was begun") {
                    let _ = resumes.send(());
                }
                said.push_str(&line);
            }
            said
        });
        let resumed_now = resumption.recv_timeout(wait).is_ok();
        // Until a run had the time to leave a bookmark, the next one has nothing to resume, and says nothing.
        wait = if resumed_now { Duration::from_secs(60) } else { wait * 2 };
        std::thread::sleep(spread * u32::try_from(kill * 7 % KILLS).unwrap() / 20);
        let ended = child.try_wait().unwrap();
        // Sends SIGKILL to the process by its own ID.
        let _ = child.kill();
        child.wait().unwrap();
        let said = reader.join().unwrap();
        assert_eq!(ended, None, "run {kill} ended before it was killed: {said}");
        resumed += u64::from(resumed_now);
    }
    let ended = rebuild().output().unwrap();
    let said = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
    assert!(ended.status.success(), "{said}");
    assert!(said.contains("index and store belong together"), "{said}");
    assert!(resumed > KILLS / 2, "{resumed} runs went on where another one was killed");
    let checked = command(&["fsck"]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[tokio::test]
async fn a_folders_index_comes_back_in_spite_of_twenty_kills() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index.redb");
    // The program uses the clock of this machine.
    let clock = ManualClock::at(SystemClock.now());
    let open = |folder: &Path| {
        over(
            Folder::open(folder).unwrap(),
            EmbeddedIndex::open(folder.join("index.redb")).unwrap(),
            clock.clone(),
        )
    };
    let (before, totals) = {
        let service = open(folder.path());
        fill(&service).await;
        fill_up(&service, 6_000).await;
        service.tick().await.unwrap();
        (rows(service.ports().index()).await, service.ports().index().totals().await.unwrap())
    };
    std::fs::remove_file(&index).unwrap();
    kill_and_end(folder.path(), &[], Duration::from_millis(100));
    let service = open(folder.path());
    similar(&before, &rows(service.ports().index()).await);
    assert_eq!(service.ports().index().totals().await.unwrap(), totals);
}

#[test]
fn a_table_comes_back_in_spite_of_twenty_kills() {
    with_stack(async || {
        let mut site = Site::new().await;
        let before = {
            let process = site.process().await;
            process.service().standing().await;
            fill_for_one(process.service()).await;
            fill_up(process.service(), 1_000).await;
            process.service().tick().await.unwrap();
            rows(process.0.rows()).await
        };
        // If the machine is busy, the fallback may have missed some of so many stores.
        site.repair("before the first kill").await;
        site.table = dynoxide::index().await.table().to_owned();
        let folder = tempfile::tempdir().unwrap();
        kill_and_end(folder.path(), &site.variables(), Duration::from_millis(300));
        let process = site.process().await;
        similar(&before, &rows(process.0.rows()).await);
        assert_eq!(process.service().standing().await.doubts, []);
    });
}
