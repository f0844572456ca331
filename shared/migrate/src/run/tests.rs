//! A run over fakes: exact after every kill, patient in an outage.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use credlink_ports::migration::ledger::{ItemState, Reason};
use credlink_ports::{Failure, FailureKind};

use super::*;
use crate::testing::{Fault, World, legacy, options, spec};

/// Describes the state of an entry without its instants.
fn gist(state: &ItemState) -> String {
    match state {
        ItemState::Copied(copy) => format!("copied created={} exact={}", copy.created, copy.exact),
        ItemState::Failed { reason, .. } => format!("failed {reason}"),
        ItemState::Skipped { reason, .. } => format!("skipped {reason}"),
        other => format!("{other:?}"),
    }
}

fn gists(world: &World) -> BTreeMap<String, String> {
    world.ledger.all().iter().map(|entry| (entry.key.clone(), gist(&entry.state))).collect()
}

fn made_once(world: &World) {
    assert!(world.destination.made().values().all(|made| *made == 1), "{:?}", world.destination.made());
}

#[tokio::test(start_paused = true)]
async fn every_item_has_its_outcome() {
    let world = World::mixed();
    let run = world.run().await.unwrap();
    assert!(!run.interrupted);
    let counts = &run.counts;
    assert_eq!((counts.listed, counts.copied, counts.duplicates, counts.done), (10, 6, 1, 0));
    assert_eq!(counts.failed, BTreeMap::from([(Reason::InvalidRecord, 1), (Reason::Conflict, 1)]));
    assert_eq!(counts.skipped, BTreeMap::from([(Reason::Expired, 1)]));
    assert_eq!(world.ledger.all().len(), 10);
    insta::assert_debug_snapshot!(gists(&world));
    made_once(&world);
    // A second run retries only the failed items.
    world.destination.asked();
    let again = world.run().await.unwrap().counts;
    assert_eq!((again.listed, again.copied, again.done, again.failures()), (10, 0, 8, 2));
    assert_eq!(world.destination.asked(), ["t3"]);
}

/// Kills a run at each of its calls, before and after the call takes effect, and resumes.
#[tokio::test(start_paused = true)]
async fn a_kill_at_any_call_is_resumed_exactly() {
    let clean = World::mixed();
    clean.run().await.unwrap();
    let (calls, expected, proofs) = (clean.faults.calls(), gists(&clean), clean.destination.proofs());
    assert!(calls > 40, "{calls}");
    for call in 1..=calls {
        for fault in [Fault::KilledBefore, Fault::KilledAfter] {
            let world = World::mixed();
            world.faults.at(call, fault);
            tokio::select! {
                () = world.faults.killed.notified() => {}
                run = world.run() => panic!("{call}: {run:?}"),
            }
            let confirmed: Vec<_> =
                world.ledger.all().into_iter().filter(|entry| entry.state.copy().is_some()).collect();
            world.faults.none();
            world.destination.asked();
            tokio::time::sleep(Duration::from_secs(LEASE_SECONDS)).await;
            world.run().await.unwrap();
            assert_eq!(gists(&world), expected, "{call} {fault:?}");
            assert_eq!(world.destination.proofs(), proofs, "{call} {fault:?}");
            made_once(&world);
            for entry in confirmed {
                assert_eq!(world.ledger.one(&entry.key), entry, "{call} {fault:?}: it was written again");
            }
        }
    }
}

/// Fails each call of a run once, with and without its effect: the run handles it by itself.
#[tokio::test(start_paused = true)]
async fn a_failure_at_any_call_is_survived() {
    let clean = World::mixed();
    clean.run().await.unwrap();
    let (calls, expected, proofs) = (clean.faults.calls(), gists(&clean), clean.destination.proofs());
    for call in 1..=calls {
        for fault in [Fault::Lost(FailureKind::Unavailable), Fault::Kept(FailureKind::TimedOut)] {
            let world = World::mixed();
            world.faults.at(call, fault);
            match world.run().await {
                Ok(run) => assert_eq!((run.counts.copied, run.counts.done), (6, 0), "{call} {fault:?}"),
                // The job itself could not be read, so nothing was started.
                Err(_) => assert_eq!(world.run().await.unwrap().counts.copied, 6, "{call} {fault:?}"),
            }
            assert_eq!(gists(&world), expected, "{call} {fault:?}");
            assert_eq!(world.destination.proofs(), proofs, "{call} {fault:?}");
            made_once(&world);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_run_of_a_job_at_a_time() {
    let world = World::mixed();
    let (spec, options) = (spec(), options());
    let (one, two) =
        tokio::join!(run(&world, &spec, &options, "one", &()), run(&world, &spec, &options, "two", &()),);
    let (one, two) = (one.map(|_| ()), two.map(|_| ()));
    assert!(
        matches!((&one, &two), (Ok(()), Err(RunError::Held(_))) | (Err(RunError::Held(_)), Ok(()))),
        "{one:?} {two:?}"
    );
    made_once(&world);
}

#[tokio::test(start_paused = true)]
async fn a_job_keeps_what_it_moves() {
    let world = World::mixed();
    world.run().await.unwrap();
    for (spec, kept, given) in [
        (JobSpec { from: "dir:x".to_owned(), ..spec() }, "dir:a", "dir:x"),
        (JobSpec { to: "dir:x".to_owned(), ..spec() }, "dir:b", "dir:x"),
        (JobSpec { tenant: "press".parse().unwrap(), ..spec() }, "default", "press"),
    ] {
        let error = run(&world, &spec, &options(), "x", &()).await.unwrap_err().to_string();
        assert!(error.contains(kept) && error.contains(given), "{error}");
    }
    world.run().await.unwrap();
}

/// Records what it is told, and ends an outage at some point.
#[derive(Default)]
struct Seen {
    events: Mutex<Vec<String>>,
    cancel_after: Option<u64>,
    cancelled: std::sync::atomic::AtomicBool,
}

impl Watch for Seen {
    fn progress(&self, counts: &Counts) {
        if self.cancel_after.is_some_and(|after| counts.processed() >= after) {
            self.cancelled.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }

    fn failed(&self, key: &str, reason: Reason, _: &str) {
        self.events.lock().unwrap().push(format!("{key} {reason}"));
    }

    fn paused(&self, failure: &Failure) {
        self.events.lock().unwrap().push(format!("paused: {}", failure.provider));
    }

    fn resumed(&self) {
        self.events.lock().unwrap().push("resumed".to_owned());
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// A world with good items only.
fn good(count: u64) -> World {
    let world = World::new();
    for number in 0..count {
        world.source.put(&format!("{number:04}"), legacy(&format!("g{number}"), number, "{}"));
    }
    world
}

#[tokio::test(start_paused = true)]
async fn an_outage_pauses_and_fails_nothing() {
    for down in ["source", "destination", "ledger write", "ledger entries", "destination take", "source read"]
    {
        for count in [1, 40] {
            let (world, seen) = (good(count), Seen::default());
            let outage = async {
                tokio::task::yield_now().await;
                world.faults.down(down, FailureKind::Unavailable);
                tokio::time::sleep(Duration::from_secs(600)).await;
                world.faults.none();
            };
            let (options, spec) = (options(), spec());
            let (run, ()) = tokio::join!(run(&world, &spec, &options, "x", &seen), outage);
            let run = run.unwrap_or_else(|error| panic!("{down} {count}: {error}"));
            let events = seen.events.into_inner().unwrap();
            if down.contains(' ') && count == 1 {
                continue;
            }
            assert_eq!((run.counts.copied, run.counts.failures()), (count, 0), "{down} {count}");
            assert_eq!(events.len(), 2, "{down} {count}: {events:?}");
            assert!(events[0].starts_with("paused") && events[1] == "resumed", "{events:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_outage_ends_the_run_and_fails_nothing() {
    let (world, seen) = (good(40), Seen::default());
    let outage = async {
        tokio::task::yield_now().await;
        world.faults.down("destination", FailureKind::TimedOut);
    };
    let (options, spec) = (options(), spec());
    let (ended, ()) = tokio::join!(run(&world, &spec, &options, "x", &seen), outage);
    let Err(RunError::Ended { failure, counts }) = ended else { panic!("{ended:?}") };
    assert_eq!((failure.kind, counts.failures()), (FailureKind::TimedOut, 0));
    assert!(world.ledger.all().iter().all(|entry| !matches!(entry.state, ItemState::Failed { .. })));
    world.faults.none();
    assert_eq!(world.run().await.unwrap().counts.copied, 40);
    made_once(&world);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_never_comes_fails_alone() {
    for (key, reason) in [(FailureKind::Unavailable, "unavailable"), (FailureKind::Damaged, "damaged")] {
        let (world, seen) = (good(40), Seen::default());
        world.faults.key("0007", key);
        let (options, spec) = (options(), spec());
        let run = run(&world, &spec, &options, "x", &seen).await.unwrap();
        assert_eq!((run.counts.copied, run.counts.failures()), (39, 1));
        assert_eq!(seen.events.into_inner().unwrap(), [format!("0007 {reason}")]);
        world.faults.none();
        assert_eq!(world.run().await.unwrap().counts.copied, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_has_to_mend_ends_the_run_at_once() {
    for kind in [FailureKind::OutOfSpace, FailureKind::AccessDenied] {
        let world = good(40);
        world.faults.down("destination take", kind);
        let began = tokio::time::Instant::now();
        let ended = world.run().await;
        let Err(RunError::Ended { failure, counts }) = ended else { panic!("{ended:?}") };
        assert_eq!((failure.kind, counts.failures()), (kind, 0));
        assert!(began.elapsed() < Duration::from_secs(1));
        world.faults.none();
        assert_eq!(world.run().await.unwrap().counts.copied, 40);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_finishes_what_is_in_flight() {
    let world = good(40);
    let seen = Seen { cancel_after: Some(6), ..Seen::default() };
    let (options, spec) = (options(), spec());
    let run = run(&world, &spec, &options, "x", &seen).await.unwrap();
    assert!(run.interrupted && run.counts.copied < 40);
    assert!(world.ledger.all().iter().all(|entry| matches!(entry.state, ItemState::Copied(_))));
    assert_eq!(world.ledger.all().len() as u64, run.counts.copied);
    assert_eq!(world.run().await.unwrap().counts.copied, 40 - run.counts.copied);
}

#[tokio::test(start_paused = true)]
async fn what_vanishes_is_said_so() {
    let world = good(10);
    let parts = &world;
    let vanish = async {
        tokio::task::yield_now().await;
        world.source.take("0001");
    };
    let (spec, options) = (spec(), options());
    let (run, ()) = tokio::join!(run(parts, &spec, &options, "x", &()), vanish);
    let run = run.unwrap();
    assert!(run.counts.copied == 9, "{:?}", run.counts);
}

/// A multi-threaded executor needs the future of a run to be `Send`.
#[tokio::test(start_paused = true)]
async fn a_run_can_go_to_another_thread() {
    let ran = tokio::spawn(async {
        let world = good(3);
        run(&world, &spec(), &options(), "x", &()).await.unwrap().counts.copied
    });
    assert_eq!(ran.await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_item_that_nobody_may_read_fails_alone() {
    let world = good(40);
    world.faults.key("0007", FailureKind::AccessDenied);
    let counts = world.run().await.unwrap().counts;
    assert_eq!((counts.copied, counts.failures()), (39, 1));
    world.faults.none();
    // All items fail, so the source is the cause.
    let world = good(40);
    world.faults.at(4, Fault::Lost(FailureKind::Unavailable));
    world.faults.down("source", FailureKind::AccessDenied);
    assert!(world.run().await.is_err());
    assert!(world.ledger.all().iter().all(|entry| !matches!(entry.state, ItemState::Failed { .. })));
}

/// With one item at a time, no other call shows that it is an outage: items fail until there are enough to count as
/// one.
#[tokio::test(start_paused = true)]
async fn an_outage_of_writes_is_seen_by_one_at_a_time() {
    let (world, seen) = (good(20), Seen::default());
    let outage = async {
        tokio::task::yield_now().await;
        world.faults.down("destination take", FailureKind::Unavailable);
        tokio::time::sleep(Duration::from_secs(900)).await;
        world.faults.none();
    };
    let (options, spec) = (CopyOptions { concurrency: 1, ..options() }, spec());
    let (run, ()) = tokio::join!(run(&world, &spec, &options, "x", &seen), outage);
    let counts = run.unwrap().counts;
    assert_eq!((counts.copied, counts.failures()), (18, 2), "{counts:?}");
    assert_eq!(world.run().await.unwrap().counts.copied, 2);
}

/// Items of one proof are in different batches of one run, and exactly one of them created it.
#[tokio::test(start_paused = true)]
async fn equal_items_take_turns() {
    for seed in 1..=100 {
        let world = World::new();
        for key in ["a", "b", "c", "d"] {
            world.source.put(key, legacy("p", 1, "{}"));
        }
        world.faults.shuffle(seed);
        let options = CopyOptions { batch_size: 1, ..options() };
        let run = run(&world, &spec(), &options, "x", &()).await.unwrap();
        assert_eq!((run.counts.copied, run.counts.duplicates), (1, 3), "{seed}");
    }
}

/// Three items that are unavailable at the same time look like an outage. The others show that it is not.
#[tokio::test(start_paused = true)]
async fn several_items_that_never_come_stop_nobody() {
    let (world, seen) = (good(60), Seen::default());
    world.faults.key("7", FailureKind::Unavailable);
    let options = CopyOptions { concurrency: 40, batch_size: 10, ..options() };
    let began = tokio::time::Instant::now();
    let run = run(&world, &spec(), &options, "x", &seen).await.unwrap();
    assert_eq!((run.counts.copied, run.counts.failures()), (54, 6));
    assert!(began.elapsed() < Duration::from_secs(600), "{:?}", began.elapsed());
}

/// The unavailable items are all that is left.
#[tokio::test(start_paused = true)]
async fn items_that_never_come_at_the_end_fail_alone() {
    let world = good(40);
    for number in 0..5 {
        world.source.put(&format!("last-{number}-z"), legacy(&format!("z{number}"), 100 + number, "{}"));
    }
    world.faults.key("z", FailureKind::Unavailable);
    let began = tokio::time::Instant::now();
    for copied in [40, 0] {
        let run = world.run().await.unwrap();
        assert_eq!((run.counts.copied, run.counts.failures()), (copied, 5));
    }
    assert!(began.elapsed() < Duration::from_secs(600), "{:?}", began.elapsed());
    world.faults.none();
    assert_eq!(world.run().await.unwrap().counts.copied, 5);
}

#[tokio::test(start_paused = true)]
async fn an_outage_can_be_cancelled() {
    let (world, seen) = (good(40), Seen::default());
    let cancel = async {
        tokio::task::yield_now().await;
        world.faults.down("destination", FailureKind::Unavailable);
        tokio::time::sleep(Duration::from_secs(300)).await;
        seen.cancelled.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let began = tokio::time::Instant::now();
    let (options, spec) = (options(), spec());
    let (run, ()) = tokio::join!(run(&world, &spec, &options, "x", &seen), cancel);
    assert!(run.unwrap().interrupted && began.elapsed() < Duration::from_secs(340));
    assert!(world.ledger.all().iter().all(|entry| !matches!(entry.state, ItemState::Failed { .. })));
}
