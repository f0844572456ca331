use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use credlink_core::message::{Message, Work};
use credlink_ports::FailureKind;
use credlink_ports::migration::jobs::{AllowedRequest, BeginOutcome};
use credlink_ports::migration::jobs::{RemovalOutcome, Unfinished};

use super::*;
use crate::enqueue::{EnqueueOptions, Enqueued, close, enqueue};
use crate::error::RunError;
use crate::job_spec::{JobSpec, open};
use crate::jobs::{begin, ensure, progress};
use crate::removal::remove;
use crate::rollback::{RollbackOptions, rollback};
use crate::testing::{Fault, Sent, StoredProof, World, legacy, options, spec};

async fn sent(world: &World, queue: &Sent, after: Option<String>) -> Result<Enqueued, Failure> {
    let name = spec().name;
    let options = EnqueueOptions { job: &name, batch_size: 4, request_id: "r" };
    enqueue(&world.source, &world.ledger, queue, &world.time, options, after, |_| true).await
}

async fn copied(world: &World, keys: &[String]) -> Queued {
    copy_queued(world, keys, &options(), &()).await.unwrap()
}

/// From end to end: listed items are sent, and sent items are copied once, however often they are sent.
#[tokio::test(start_paused = true)]
async fn what_was_sent_twice_is_copied_once() {
    let world = World::mixed();
    let queue = Sent::default();
    let enqueued = sent(&world, &queue, None).await.unwrap();
    assert_eq!((enqueued.done, &enqueued.resume), (0, &None));
    assert!(world.ledger.all().iter().all(|entry| entry.state == ItemState::Planned && entry.version == 1));
    assert_eq!(world.ledger.all().len(), 10);
    let lots = queue.lots();
    assert!(lots.iter().all(|lot| (1..=4).contains(&lot.len())));
    let mut sums = Counts::default();
    for keys in &lots {
        let queued = copied(&world, keys).await;
        assert_eq!((queued.open.as_slice(), queued.interrupted), ([].as_slice(), false));
        sums.add(&queued.counts);
    }
    // Five good items, and the first of each pair. A failed item may have come twice, because a page begins with the
    // last item of the page before it.
    assert_eq!((sums.copied, sums.duplicates, sums.skips()), (6, 1, 1));
    let before = world.ledger.all();
    let is_failed = |entry: &&Entry| matches!(entry.state, ItemState::Failed { .. });
    assert_eq!(before.iter().filter(is_failed).count(), 2);
    for keys in &lots {
        let again = copied(&world, keys).await;
        assert_eq!((again.counts.copied, again.open.len()), (0, 0));
    }
    let done = |entry: &Entry| !matches!(entry.state, ItemState::Failed { .. });
    let kept = |entries: Vec<Entry>| entries.into_iter().filter(done).collect::<Vec<_>>();
    assert_eq!(kept(world.ledger.all()), kept(before), "what was done is not written again");

    // Another run sends the failed items, and none that are done.
    let queue = Sent::default();
    let enqueued = sent(&world, &queue, None).await.unwrap();
    let keys: BTreeSet<String> = queue.lots().concat().into_iter().collect();
    let failed = world.ledger.all().into_iter().filter(|entry| !done(entry)).map(|entry| entry.key);
    assert_eq!(keys, failed.collect());
    assert!(enqueued.done >= 8, "{enqueued:?}");
}

#[tokio::test(start_paused = true)]
async fn a_listing_goes_on_where_it_was_left() {
    let world = World::mixed();
    let (whole, queue) = (Sent::default(), Sent::default());
    sent(&world, &whole, None).await.unwrap();
    let name = spec().name;
    let options = EnqueueOptions { job: &name, batch_size: 100, request_id: "r" };
    let (mut after, mut pages) = (None, 0);
    loop {
        let page =
            enqueue(&world.source, &world.ledger, &queue, &world.time, options, after, |_| false).await;
        (after, pages) = (page.unwrap().resume, pages + 1);
        if after.is_none() {
            break;
        }
    }
    assert!(pages > 2);
    let keys = |queue: &Sent| queue.lots().concat().into_iter().collect::<BTreeSet<_>>();
    assert_eq!(keys(&queue), keys(&whole));
}

/// A fault at any call while a page is sent: the items that a message names are in the ledger, and another listing
/// sends the rest.
#[tokio::test(start_paused = true)]
async fn what_is_sent_is_in_the_ledger() {
    for refuses in 0..3 {
        let world = World::mixed();
        let queue = Sent { refuses: Some(refuses), ..Sent::default() };
        assert_eq!(sent(&world, &queue, None).await.unwrap_err().provider, "queue");
        for key in queue.lots().concat() {
            assert_eq!(world.ledger.one(&key).state, ItemState::Planned);
        }
        let again = Sent::default();
        sent(&world, &again, None).await.unwrap();
        assert_eq!(again.lots().concat().into_iter().collect::<BTreeSet<_>>().len(), 10);
    }
    let world = World::mixed();
    world.faults.down("ledger write", FailureKind::Unavailable);
    let queue = Sent::default();
    assert!(sent(&world, &queue, None).await.is_err());
    assert_eq!(queue.lots().len(), 0, "nothing is sent that is not written down");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_changed_or_went_is_dealt_with_as_it_is() {
    let world = World::new();
    let keys = ["a", "b", "c", "d"].map(str::to_owned);
    for (number, key) in keys.iter().enumerate() {
        world.source.put(key, legacy(&format!("i{number}"), number as u64, "{}"));
    }
    sent(&world, &Sent::default(), None).await.unwrap();
    assert_eq!(copied(&world, &keys[..2]).await.counts.copied, 2);
    // One copied item disappears. Of the items that were not copied, one disappears and one is read as it is now. One
    // item was never listed.
    world.source.take("a");
    world.source.take("c");
    world.source.put("d", legacy("i3", 30, "{}"));
    world.source.put("e", legacy("i4", 4, "{}"));
    let all = ["a", "b", "c", "d", "e"].map(str::to_owned);
    let queued = copied(&world, &all).await;
    assert_eq!((queued.counts.done, queued.counts.copied, queued.open.len()), (2, 2, 0), "{queued:?}");
    assert!(matches!(world.ledger.one("a").state, ItemState::Copied(_)), "it was copied, and stays so");
    assert!(matches!(world.ledger.one("c").state, ItemState::Failed { reason: Reason::Vanished, .. }));
}

/// A rollback was killed after one deletion and before another. Both items are sent again, and one is copied.
#[tokio::test(start_paused = true)]
async fn what_a_rollback_was_about_to_delete_is_sent_again() {
    let world = World::mixed();
    sent(&world, &Sent::default(), None).await.unwrap();
    let keys = ["good-0", "good-1", "good-2"].map(str::to_owned);
    assert_eq!(copied(&world, &keys).await.counts.copied, 3);
    let at = world.time.now();
    for key in &keys[..2] {
        let entry = world.ledger.one(key);
        world.ledger.put(Entry { version: entry.version + 1, withdrawing: Some(at), ..entry });
    }
    let deleted = *world.ledger.one("good-0").state.copy().unwrap().target.proof().unwrap();
    world.destination.put(deleted, StoredProof::Deleted(at));
    let queue = Sent::default();
    sent(&world, &queue, None).await.unwrap();
    let named = queue.lots().concat();
    assert_eq!(keys.each_ref().map(|key| named.contains(key)), [true, true, false]);
    let again = copied(&world, &keys).await.counts;
    assert_eq!((again.copied, again.done), (1, 2));
    assert!(keys.iter().all(|key| world.ledger.one(key).withdrawing.is_none()));
}

#[tokio::test(start_paused = true)]
async fn what_may_work_later_stays_open_and_what_never_works_does_not() {
    let world = World::mixed();
    sent(&world, &Sent::default(), None).await.unwrap();
    world.faults.key("good-1", FailureKind::Unavailable);
    let keys = ["good-0", "good-1", "broken"].map(str::to_owned);
    let queued = copied(&world, &keys).await;
    assert_eq!(queued.open, ["good-1"]);
    assert!(queued.why.starts_with("`good-1`: "), "{}", queued.why);
    assert!(matches!(
        world.ledger.one("broken").state,
        ItemState::Failed { reason: Reason::InvalidRecord, .. }
    ));
    let whole = World::mixed();
    sent(&whole, &Sent::default(), None).await.unwrap();
    whole.faults.down("destination", FailureKind::AccessDenied);
    let ended = copy_queued(&whole, &keys, &options(), &()).await.unwrap_err();
    assert_eq!(ended.failure.kind, FailureKind::AccessDenied);
    assert_eq!(whole.ledger.one("good-0").state, ItemState::Planned, "no item fails of an outage");
    give_up(&whole.ledger, &whole.time, &keys, &ended.failure).await.unwrap();
    let given_up = whole.ledger.one("good-0");
    assert!(matches!(given_up.state, ItemState::Failed { reason: Reason::Unavailable, .. }), "{given_up:?}");
    give_up(&whole.ledger, &whole.time, &keys, &ended.failure).await.unwrap();
    assert_eq!(whole.ledger.one("good-0"), given_up, "once is enough");
}

/// Cancels copying after this many checks.
struct After(AtomicUsize);

impl Watch for After {
    fn is_cancelled(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) == 0
    }
}

#[tokio::test(start_paused = true)]
async fn what_time_did_not_suffice_for_stays_open() {
    let world = World::new();
    let keys: Vec<String> = (0..60).map(|number| format!("{number:02}")).collect();
    for (number, key) in keys.iter().enumerate() {
        world.source.put(key, legacy(&format!("i{number}"), number as u64, "{}"));
    }
    sent(&world, &Sent::default(), None).await.unwrap();
    let queued = copy_queued(&world, &keys, &options(), &After(AtomicUsize::new(1))).await.unwrap();
    assert!(queued.interrupted);
    assert_eq!(queued.open.len() as u64, 60 - queued.counts.copied);
    assert_eq!(queued.counts.copied, 25, "one lot");
    let rest = copied(&world, &queued.open).await;
    assert_eq!((rest.counts.copied, rest.open.len()), (35, 0));
}

#[test]
fn a_lot_is_bounded_by_items_and_bytes() {
    let sizes = |sizes: &[u64]| {
        let item = |size: &u64| Item { key: "k".to_owned(), size: *size, version: String::new() };
        let items: Vec<Item> = sizes.iter().map(item).collect();
        lots(&items).into_iter().map(<[Item]>::len).collect::<Vec<_>>()
    };
    assert_eq!(sizes(&[]), [0; 0]);
    assert_eq!(sizes(&[1; 60]), [25, 25, 10]);
    assert_eq!(sizes(&[10_000_000; 3]), [1, 1, 1]);
    assert_eq!(sizes(&[8_000_000; 3]), [2, 1]);
    assert_eq!(sizes(&[1, 99_000_000, u64::MAX, 1]), [1, 1, 1, 1]);
}

fn request() -> AllowedRequest {
    AllowedRequest {
        name: spec().name,
        from: "s3://old".to_owned(),
        tenant: spec().tenant,
        keep_tenants: false,
        from_tenant: None,
        batch_size: 7,
        request_id: "r-1".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_begun_once_and_run_again() {
    let world = World::new();
    let queue = Sent::default();
    let begin = async |request: &AllowedRequest| {
        begin(&world.ledger, &queue, &world.time, request, "s3://new").await.unwrap()
    };
    assert_eq!(progress(&world.ledger, None).await.unwrap(), None);
    let BeginOutcome::Queued(job) = begin(&request()).await else { panic!("it is new") };
    assert_eq!(
        (job.from.as_str(), job.to.as_str(), job.listed, job.queued),
        ("s3://old", "s3://new", None, true)
    );
    let sent = queue.messages.lock().unwrap()[0].clone();
    let Work::Enumerate { run, .. } = &sent.work else { panic!("{sent:?}") };
    assert_ne!(*run, sent.request_id, "no client chooses who has the job");
    let work = Work::Enumerate { job: spec().name, run: run.clone(), after: None, batch_size: 7 };
    assert_eq!(sent, Message { request_id: "r-1".to_owned(), work });
    close(&world.ledger, &world.time, &Enqueued::default()).await.unwrap();
    assert!(progress(&world.ledger, None).await.unwrap().unwrap().listed.is_some());
    let BeginOutcome::Queued(again) = begin(&request()).await else { panic!("it is the same") };
    assert_eq!((again.created, again.listed), (job.created, None));
    for other in [
        AllowedRequest { from: "s3://older".to_owned(), ..request() },
        AllowedRequest { tenant: "acme".parse().unwrap(), ..request() },
        AllowedRequest { keep_tenants: true, ..request() },
    ] {
        assert!(matches!(begin(&other).await, BeginOutcome::Differs(_)));
        assert!(world.ledger.claim("a run", 60).await.unwrap(), "nothing was claimed");
        // The answer is the same while a run holds the job.
        assert!(matches!(begin(&other).await, BeginOutcome::Differs(_)));
        world.ledger.release("a run").await.unwrap();
    }
    world.ledger.claim("r-1", 60).await.unwrap();
    assert_eq!(
        begin(&request()).await,
        BeginOutcome::Held,
        "who sends the id of a run shares nothing with it"
    );
    assert_eq!(queue.messages.lock().unwrap().len(), 2);
}

/// A request that is killed at any of its calls is completed by repeating it.
#[tokio::test(start_paused = true)]
async fn a_request_that_was_cut_off_can_be_made_again() {
    for call in 0..4 {
        for fault in [Fault::Lost(FailureKind::Unavailable), Fault::Kept(FailureKind::Unavailable)] {
            let world = World::new();
            world.faults.at(call, fault);
            let queue = Sent::default();
            let _ = begin(&world.ledger, &queue, &world.time, &request(), "s3://new").await;
            let again = begin(&world.ledger, &queue, &world.time, &request(), "s3://new").await.unwrap();
            assert!(matches!(again, BeginOutcome::Queued(_)), "call {call}, {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn progress_counts_every_state_page_by_page() {
    let world = World::mixed();
    let queue = Sent::default();
    let _ = begin(&world.ledger, &queue, &world.time, &request(), "s3://new").await.unwrap();
    sent(&world, &queue, None).await.unwrap();
    copied(&world, &["good-0", "good-1", "broken", "expired"].map(str::to_owned)).await;
    let told = progress(&world.ledger, None).await.unwrap().unwrap();
    insta::assert_snapshot!("progress", serde_json::to_string_pretty(&told).unwrap());
    let rest = progress(&world.ledger, Some("good-0")).await.unwrap().unwrap();
    assert_eq!((rest.items.total, rest.items.copied, rest.items.planned), (4, 1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_over_is_removed_and_its_name_is_free() {
    let world = World::mixed();
    let queue = Sent::default();
    let remove = async |abandon| remove(&world.ledger, &world.time, abandon, || true).await.unwrap();
    assert_eq!(remove(false).await, RemovalOutcome::Absent);
    let begun = begin(&world.ledger, &queue, &world.time, &request(), "s3://new").await.unwrap();
    assert!(matches!(begun, BeginOutcome::Queued(_)), "it is new");
    assert!(matches!(remove(false).await, RemovalOutcome::Unfinished(Unfinished::NotListed)));
    let listed = sent(&world, &queue, None).await.unwrap();
    close(&world.ledger, &world.time, &listed).await.unwrap();
    assert!(matches!(remove(false).await, RemovalOutcome::Unfinished(Unfinished::Waiting(_))));
    let keys: Vec<String> = world.ledger.all().into_iter().map(|entry| entry.key).collect();
    copied(&world, &keys).await;

    world.ledger.claim("a run", 60).await.unwrap();
    for abandon in [false, true] {
        assert_eq!(remove(abandon).await, RemovalOutcome::Held);
    }
    world.ledger.release("a run").await.unwrap();
    assert_eq!(world.ledger.all().len(), keys.len(), "nothing is gone yet");
    assert_eq!(remove(false).await, RemovalOutcome::Done);
    assert_eq!((world.ledger.all(), progress(&world.ledger, None).await.unwrap()), (vec![], None));

    let other = AllowedRequest { from: "s3://other".to_owned(), ..request() };
    let begun = begin(&world.ledger, &queue, &world.time, &other, "s3://new").await.unwrap();
    assert!(matches!(begun, BeginOutcome::Queued(job) if job.from == "s3://other"));
    assert_eq!(remove(true).await, RemovalOutcome::Done, "it is abandoned");
}

/// Entries that a ledger no longer has would be mistaken for work that was never done.
#[tokio::test(start_paused = true)]
async fn a_job_that_was_removed_in_part_does_nothing_but_go() {
    let world = World::mixed();
    let queue = Sent::default();
    let begin = async || begin(&world.ledger, &queue, &world.time, &request(), "s3://new").await.unwrap();
    let _ = begin().await;
    sent(&world, &queue, None).await.unwrap();
    let mut pages = 0;
    let short = || {
        pages += 1;
        pages < 2
    };
    assert_eq!(remove(&world.ledger, &world.time, true, short).await.unwrap(), RemovalOutcome::Partly(2));
    assert_eq!(begin().await, BeginOutcome::Removing);
    assert_eq!(
        ensure(&world.ledger, &world.time, &request(), "s3://new").await.unwrap(),
        BeginOutcome::Removing
    );
    let spec = JobSpec::from(&world.ledger.job().await.unwrap().unwrap());
    let (parts, options) = (&world, RollbackOptions::default());
    let refused = open(&world.ledger, &world.time, &spec).await.unwrap_err();
    assert!(matches!(&refused, RunError::Removing(name) if *name == spec.name), "{refused}");
    let refused = rollback(parts, &spec.name, &options, "a rollback", &()).await.unwrap_err();
    assert!(matches!(refused, RunError::Removing(_)), "{refused}");
    assert!(progress(&world.ledger, None).await.unwrap().unwrap().removing);
    // The removal began as that of a job to be abandoned, and resumes as such.
    assert_eq!(remove(&world.ledger, &world.time, false, || true).await.unwrap(), RemovalOutcome::Done);
    assert!(matches!(begin().await, BeginOutcome::Queued(_)));
}

/// A worker that has a message of a job when the job is removed still records what it did. The next job of that name
/// must not adopt this entry, since it may come from elsewhere.
#[tokio::test(start_paused = true)]
async fn what_was_written_behind_a_removal_is_no_part_of_the_next_job() {
    let world = World::mixed();
    let queue = Sent::default();
    let begin = async || begin(&world.ledger, &queue, &world.time, &request(), "s3://new").await.unwrap();
    let _ = begin().await;
    sent(&world, &queue, None).await.unwrap();
    let late = Entry { version: 1, ..world.ledger.all().remove(0) };
    assert_eq!(remove(&world.ledger, &world.time, true, || true).await.unwrap(), RemovalOutcome::Done);
    assert_eq!(world.ledger.write(&[late]).await.unwrap(), [true]);
    assert_eq!(begin().await, BeginOutcome::Removing);
    assert_eq!(remove(&world.ledger, &world.time, false, || true).await.unwrap(), RemovalOutcome::Done);
    assert_eq!(remove(&world.ledger, &world.time, false, || true).await.unwrap(), RemovalOutcome::Absent);
    assert!(matches!(begin().await, BeginOutcome::Queued(_)));
}

/// A removal that runs out of time or is killed at any of its calls is completed by repeating it.
#[tokio::test(start_paused = true)]
async fn a_removal_goes_on_where_it_was_cut_off() {
    for is_short in [false, true] {
        let calls = removal_that_fails(is_short, None).await;
        assert!(calls > 15, "{calls} calls");
        for call in 1..=calls {
            for fault in [Fault::Lost(FailureKind::Unavailable), Fault::Kept(FailureKind::Unavailable)] {
                removal_that_fails(is_short, Some((call, fault))).await;
            }
        }
    }
}

/// Makes a removal in which a call fails, in one go or after one that had time for a single page, and repeats it.
/// Returns the number of calls.
async fn removal_that_fails(is_short: bool, fault: Option<(usize, Fault)>) -> usize {
    let world = World::mixed();
    let queue = Sent::default();
    let begin = async || begin(&world.ledger, &queue, &world.time, &request(), "s3://new").await.unwrap();
    let _ = begin().await;
    sent(&world, &queue, None).await.unwrap();
    let remove =
        async |go_on: &mut dyn FnMut() -> bool| remove(&world.ledger, &world.time, true, go_on).await;
    if is_short {
        let before = world.ledger.all().len();
        let mut pages = 0;
        let mut one_page = || {
            pages += 1;
            pages < 2
        };
        assert_eq!(remove(&mut one_page).await.unwrap(), RemovalOutcome::Partly(2));
        assert_eq!(world.ledger.all().len(), before - 2);
    }
    world.faults.none();
    if let Some((call, fault)) = fault {
        world.faults.at(call, fault);
    }
    let first = remove(&mut || true).await;
    let calls = world.faults.calls();
    world.faults.none();
    tokio::time::advance(std::time::Duration::from_secs(3_600)).await;
    if fault.is_none() {
        assert_eq!(first.unwrap(), RemovalOutcome::Done);
    } else {
        let again = remove(&mut || true).await.unwrap();
        assert!(matches!(again, RemovalOutcome::Done | RemovalOutcome::Absent), "{fault:?}: {again:?}");
    }
    assert_eq!(
        (world.ledger.all(), progress(&world.ledger, None).await.unwrap()),
        (vec![], None),
        "{fault:?}"
    );
    assert!(matches!(begin().await, BeginOutcome::Queued(_)), "{fault:?}: its name is free");
    calls
}

/// Another holder gets the job while it is being removed: the removal reports that, and removes nothing more.
#[tokio::test(start_paused = true)]
async fn a_removal_that_loses_its_claim_ends() {
    let world = World::mixed();
    let queue = Sent::default();
    let _ = begin(&world.ledger, &queue, &world.time, &request(), "s3://new").await.unwrap();
    sent(&world, &queue, None).await.unwrap();
    let mut left = 0;
    let slow = || {
        left += 1;
        if left == 2 {
            world.ledger.give_to("another");
        }
        true
    };
    assert_eq!(remove(&world.ledger, &world.time, true, slow).await.unwrap(), RemovalOutcome::Held);
    assert_eq!(world.ledger.all().len(), 8, "what came after stays");
    assert!(world.ledger.job().await.unwrap().is_some());
}

/// A listing that has lost its claim does not recreate a job that was removed meanwhile.
#[tokio::test(start_paused = true)]
async fn a_listing_does_not_bring_a_removed_job_back() {
    let world = World::mixed();
    let queue = Sent::default();
    let _ = begin(&world.ledger, &queue, &world.time, &request(), "s3://new").await.unwrap();
    let listed = sent(&world, &queue, None).await.unwrap();
    let mut pages = 0;
    let short = || {
        pages += 1;
        pages < 2
    };
    assert_eq!(remove(&world.ledger, &world.time, true, short).await.unwrap(), RemovalOutcome::Partly(2));
    close(&world.ledger, &world.time, &listed).await.unwrap();
    assert!(world.ledger.job().await.unwrap().is_some_and(|job| job.removing && job.listed.is_none()));
    assert_eq!(remove(&world.ledger, &world.time, false, || true).await.unwrap(), RemovalOutcome::Done);
    close(&world.ledger, &world.time, &listed).await.unwrap();
    assert_eq!(world.ledger.job().await.unwrap(), None);
}
