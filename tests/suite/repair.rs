//! Repair, case by case: the objects on both sides, the row, and the result. And the worker that runs repairs.

mod long;

use std::collections::BTreeMap;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::encoding::as_it_came;
use credlink_core::file::FileType;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::identity::Mark;
use credlink_core::message::{Message, Work};
use credlink_core::object::{Attributes, Facts, MediaKey, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::repair_mark::RepairMark;
use credlink_core::replica::Replica;
use credlink_core::row::{BlobRow, ManifestRow, Row, RowKey, State, StoreRow};
use credlink_core::rules::replica_lag;
use credlink_core::store_id::StoreId;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_core::tombstone;
use credlink_deployment::work::Dispatcher;
use credlink_deployment::work::drain::{Limits, Report};
use credlink_disk::folder::Folder;
use credlink_ports::doubles::ManualClock;
use credlink_ports::doubles::faults::{FaultPlan, Faulty, Flavour};
use credlink_ports::doubles::{MemoryIndex, MemoryObjects, MemoryQueue};
use credlink_ports::{Condition, Index as _, LongObjects, Objects, Put, Queue as _, Write};
use credlink_replication::replicate::{Outcome, Unrepaired, Walked, replicate, run, walk};

use crate::buckets;

fn at() -> Timestamp {
    Timestamp::from_milliseconds(5_000)
}

/// The content of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    Nothing,
    /// The manifest, in this generation.
    Manifest(u32),
    /// The tombstone of this generation's deletion.
    Tombstone(u32),
    /// The attributes of the manifest, over other bytes.
    Damaged,
}
use Has::{Damaged, Manifest, Nothing, Tombstone};

fn key() -> ObjectKey {
    ObjectKey::Manifest("urn:c2pa:x".parse().unwrap())
}

fn object(has: Has) -> Option<(Bytes, Attributes)> {
    // A manifest that was deleted before is stored in another form.
    let content = |generation: u32, bytes: &'static [u8]| {
        let at_rest = as_it_came(bytes, generation);
        let facts = Facts {
            sha256: Digest::of(b"content"),
            length: 7,
            coding: at_rest.coding,
            tenant: Tenant::default(),
            visibility: Visibility::Public,
            created: at(),
            expires: None,
            generation,
            tombstone: false,
            void: false,
        };
        let attributes = facts.attributes(&key(), BTreeMap::new());
        (Bytes::from(at_rest.bytes.into_owned()), attributes)
    };
    match has {
        Nothing => None,
        Manifest(generation) => Some(content(generation, b"content")),
        Damaged => Some(content(0, b"c0ntent")),
        Tombstone(last) => {
            let (body, attributes) = tombstone::Tombstone::new(at(), last).object(&key(), &Tenant::default());
            Some((body.into(), attributes))
        }
    }
}

async fn side(has: Has) -> MemoryObjects {
    let objects = MemoryObjects::new();
    if let Some((body, attributes)) = object(has) {
        let put = objects.put(&key(), body, &attributes, Condition::Absent).await.unwrap();
        assert!(matches!(put, Put::Stored(_)));
    }
    objects
}

fn live() -> ManifestRow {
    ManifestRow {
        id: "urn:c2pa:x".parse().unwrap(),
        version: 1,
        state: State::Live,
        tenant: Tenant::default(),
        sha256: Digest::of(b"content"),
        length: 7,
        holders: 0,
        standalone: true,
        imported: false,
        generation: 0,
        visibility: Visibility::Public,
        void: false,
    }
}

async fn index(state: Option<(State, u32)>) -> MemoryIndex {
    let index = MemoryIndex::new();
    if let Some((state, generation)) = state {
        let row = Row::Manifest(ManifestRow { state, generation, ..live() });
        index.commit(&[Write { row, expected: None }]).await.unwrap();
    }
    index
}

#[tokio::test]
async fn each_case_comes_to_what_the_row_says() {
    let live = |generation| Some((State::Live, generation));
    let (deleting, deleted) = (Some((State::Deleting(at()), 0)), Some((State::Deleted(at()), 0)));
    let retry = || Err("has to come again");
    let lost = || Err("the index names");
    for (row, here, there, expected, left) in [
        (None, Nothing, Nothing, Ok(Outcome::Nothing), Nothing),
        (None, Manifest(0), Nothing, Ok(Outcome::Copied), Manifest(0)),
        (None, Nothing, Manifest(0), Ok(Outcome::AlreadyThere), Manifest(0)),
        (None, Tombstone(0), Manifest(0), Ok(Outcome::Undecided), Manifest(0)),
        (live(0), Manifest(0), Nothing, Ok(Outcome::Copied), Manifest(0)),
        (live(0), Manifest(0), Manifest(0), Ok(Outcome::AlreadyThere), Manifest(0)),
        (live(0), Nothing, Manifest(0), Ok(Outcome::AlreadyThere), Manifest(0)),
        (live(1), Manifest(1), Tombstone(0), Ok(Outcome::Copied), Manifest(1)),
        (live(1), Manifest(1), Manifest(0), Ok(Outcome::Copied), Manifest(1)),
        (live(1), Tombstone(0), Manifest(1), Ok(Outcome::AlreadyThere), Manifest(1)),
        (live(1), Manifest(0), Tombstone(0), lost(), Tombstone(0)),
        (live(0), Nothing, Nothing, lost(), Nothing),
        (live(0), Damaged, Nothing, lost(), Nothing),
        (deleting, Manifest(0), Manifest(0), retry(), Manifest(0)),
        (deleting, Tombstone(0), Manifest(0), Ok(Outcome::Marked), Tombstone(0)),
        (deleting, Manifest(0), Tombstone(0), retry(), Tombstone(0)),
        (deleted, Tombstone(0), Manifest(0), Ok(Outcome::Marked), Tombstone(0)),
        (deleted, Tombstone(0), Nothing, Ok(Outcome::Marked), Tombstone(0)),
        (deleted, Manifest(0), Manifest(0), Ok(Outcome::Marked), Tombstone(0)),
        (deleted, Nothing, Tombstone(0), Ok(Outcome::AlreadyThere), Tombstone(0)),
        // A store of the next life is in flight.
        (deleted, Tombstone(0), Manifest(1), retry(), Manifest(1)),
    ] {
        let case = format!("{row:?}, {here:?}, {there:?}");
        let (from, to, index) = (side(here).await, side(there).await, index(row).await);
        // A second repair changes nothing.
        for again in [false, true] {
            let now = to.head(&key()).await.unwrap().map_or(at(), |head| head.modified);
            let done = replicate(&from, &to, &index, &key(), now).await;
            match (&done, &expected) {
                (Ok(outcome), Ok(expected)) => {
                    let settled = matches!(outcome, Outcome::AlreadyThere | Outcome::Undecided);
                    assert!(outcome == expected || again && settled, "{case}: {outcome:?}");
                }
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{case}: {error}"),
                // The deletion is not complete before its row says so.
                (Err(_), Ok(Outcome::Marked)) if again && row == deleting => {}
                _ => panic!("{case}: {done:?}"),
            }
            let found = to.get(&key()).await.unwrap().map(|object| (object.body, object.head.attributes));
            // A tombstone that is made from a row carries that row.
            let of_row = index.get(&key().row()).await.unwrap().as_ref().and_then(tombstone::Tombstone::of);
            let made = of_row.map(|(marker, tenant)| marker.object(&key(), &tenant));
            let made = made.map(|(body, attributes)| (Bytes::from(body), attributes));
            let is_made = matches!(left, Tombstone(_)) && found == made;
            assert!(is_made || found == object(left), "{case}: {found:?}");
        }
    }
}

/// A store reached only one provider, and its row may still follow: the object is copied a while later, and never
/// removed.
#[tokio::test]
async fn what_one_provider_has_alone_of_a_next_life_is_copied() {
    for (here, there) in [(Manifest(1), Tombstone(0)), (Tombstone(0), Manifest(1))] {
        let (from, to) = (side(here).await, side(there).await);
        let index = index(Some((State::Deleted(at()), 0))).await;
        let stored = from.head(&key()).await.unwrap().unwrap().modified;
        let early = replicate(&from, &to, &index, &key(), stored).await;
        assert!(early.is_err_and(|error| error.to_string().contains("has to come again")));
        let later = stored.plus_seconds(credlink_core::bounds::ORPHAN_AGE_SECONDS + 1);
        assert_eq!(replicate(&from, &to, &index, &key(), later).await.unwrap(), Outcome::Copied);
        for side in [&from, &to] {
            let object = side.get(&key()).await.unwrap().unwrap();
            assert_eq!(Some((object.body, object.head.attributes)), self::object(Manifest(1)));
        }
        assert_eq!(replicate(&from, &to, &index, &key(), later).await.unwrap(), Outcome::AlreadyThere);
    }
}

/// The row is from before a second life and its deletion, which one provider missed.
#[tokio::test]
async fn what_was_deleted_since_the_row_is_marked() {
    for (here, there) in [(Manifest(1), Tombstone(1)), (Tombstone(1), Manifest(1))] {
        let (from, to) = (side(here).await, side(there).await);
        let index = index(Some((State::Deleted(at()), 0))).await;
        let now = from.head(&key()).await.unwrap().unwrap().modified;
        assert_eq!(replicate(&from, &to, &index, &key(), now).await.unwrap(), Outcome::Marked);
        for side in [&from, &to] {
            let object = side.get(&key()).await.unwrap().unwrap();
            assert_eq!(Some((object.body, object.head.attributes)), self::object(Tombstone(1)));
        }
    }
}

#[tokio::test]
async fn an_earlier_record_without_a_row_is_copied() {
    let key = ObjectKey::Revision(ProofId::derive(&Tenant::default(), &MediaHash::of(b"x")), 1);
    let (from, to) = (MemoryObjects::new(), MemoryObjects::new());
    let (body, attributes) = object(Manifest(0)).unwrap();
    from.put(&key, body, &attributes, Condition::Absent).await.unwrap();
    let done = replicate(&from, &to, &MemoryIndex::new(), &key, at()).await.unwrap();
    assert_eq!(done, Outcome::Copied);
    assert_eq!(to.get(&key).await.unwrap().unwrap().body, "content");
}

/// Two processes made the mark at once: one was first at one provider, and the other at the other.
#[tokio::test]
async fn of_two_copies_of_the_same_write_the_one_that_was_decided_on_stays() {
    let side = async |identity: &str, epoch: u64| {
        let objects = MemoryObjects::new();
        let (body, attributes) = Mark::of(&StoreRow::new(StoreId::of(identity), epoch, at())).object();
        objects.put(&ObjectKey::Identity, body.into(), &attributes, Condition::Absent).await.unwrap();
        objects
    };
    let read = async |objects: &MemoryObjects| {
        let object = objects.get(&ObjectKey::Identity).await.unwrap().unwrap();
        (object.body, object.head.attributes)
    };
    for (there, outcome) in [
        (side("other", 2).await, Outcome::Copied),
        (side("other", 1).await, Outcome::Copied),
        (side("one", 2).await, Outcome::AlreadyThere),
        (side("other", 3).await, Outcome::AlreadyThere),
    ] {
        let (from, before) = (side("one", 2).await, read(&there).await);
        let done = replicate(&from, &there, &MemoryIndex::new(), &ObjectKey::Identity, at()).await.unwrap();
        assert_eq!(done, outcome);
        let expected = if outcome == Outcome::Copied { read(&from).await } else { before };
        assert_eq!(read(&there).await, expected);
    }
}

#[tokio::test]
async fn the_worker_settles_what_is_done_and_leaves_the_rest() {
    let clock = ManualClock::at(at());
    let queue = MemoryQueue::with_clock(clock.clone());
    let (from, to) = (side(Manifest(0)).await, side(Nothing).await);
    let send = async |key: ObjectKey| {
        let work = Work::Replicate { to: Replica::Fallback, keys: vec![key], mark: None };
        queue.send(&Message { request_id: "r".to_owned(), work }, 0).await.unwrap();
    };
    let run = async |index: &MemoryIndex| {
        Dispatcher::repairing(&from, &to, index, &clock).drain(&queue, Limits::default()).await.unwrap()
    };
    queue.push_text("no message");
    send(key()).await;
    send(key()).await;
    let lost = index(Some((State::Live, 0))).await;
    assert_eq!(run(&lost).await, Report { received: 3, done: 2, left: 1, poisoned: 1 });
    assert_eq!(to.get(&key()).await.unwrap().unwrap().body, "content");
    assert_eq!(run(&lost).await, Report::default());
    // The message is hidden until then.
    clock.advance_seconds(121);
    assert_eq!(run(&lost).await, Report { received: 1, done: 0, left: 1, poisoned: 1 });
}

/// The flag of the fallback is cleared once the last message that keeps it set is done, however often a message is
/// delivered.
#[tokio::test]
async fn the_worker_lowers_the_flag_with_the_last_repair() {
    let clock = ManualClock::at(at());
    let queue = MemoryQueue::with_clock(clock.clone());
    let (from, to) = (side(Manifest(0)).await, side(Nothing).await);
    let (good, plan) = (index(Some((State::Live, 0))).await, FaultPlan::none());
    let raise = async |chance| {
        let mark = RepairMark::new(at(), chance);
        let before = good.get(&RowKey::Replica(Replica::Fallback)).await.unwrap().and_then(Row::replica);
        let row = replica_lag::raise(Replica::Fallback, before.as_ref(), Some(mark), at()).unwrap();
        let expected = before.map(|row| row.version);
        good.commit(&[Write { row: Row::Replica(row), expected }]).await.unwrap();
        mark
    };
    let send = async |key: ObjectKey, mark| {
        let work = Work::Replicate { to: Replica::Fallback, keys: vec![key], mark: Some(mark) };
        queue.send(&Message { request_id: "r".to_owned(), work }, 0).await.unwrap();
    };
    let left = async || {
        let row =
            good.get(&RowKey::Replica(Replica::Fallback)).await.unwrap().and_then(Row::replica).unwrap();
        assert_eq!(replica_lag::stands(&row, at()), !row.repairs.is_empty());
        row.repairs.len()
    };
    let run = async |plan: FaultPlan| {
        let index = Faulty::new(good.clone(), plan);
        Dispatcher::repairing(&from, &to, &index, &clock).drain(&queue, Limits::default()).await.unwrap()
    };
    let (first, second, lost) = (raise(1).await, raise(2).await, raise(3).await);
    // Sent twice, as a queue may deliver it.
    send(key(), first).await;
    send(key(), first).await;
    assert_eq!(run(plan.clone()).await.done, 2);
    assert_eq!(left().await, 2);
    // The index fails after the repair: the message stays, and so does its repair mark.
    send(key(), second).await;
    let failed = run(FaultPlan::at(1, Flavour::Lost)).await;
    assert_eq!((failed, left().await), (Report { received: 1, done: 0, left: 1, poisoned: 0 }, 2));
    clock.advance_seconds(121);
    assert_eq!(run(plan.clone()).await.done, 1);
    assert_eq!(left().await, 1);
    // An impossible repair keeps the flag set: neither provider has this manifest.
    let other = ObjectKey::Manifest("urn:c2pa:y".parse().unwrap());
    let row = Row::Manifest(ManifestRow { id: "urn:c2pa:y".parse().unwrap(), ..live() });
    good.commit(&[Write { row, expected: None }]).await.unwrap();
    send(other.clone(), lost).await;
    assert_eq!((run(plan.clone()).await.poisoned, left().await), (1, 1));
    // An operator restores the manifest, and sends the message again.
    let (body, attributes) = object(Manifest(0)).unwrap();
    from.put(&other, body, &attributes, Condition::Absent).await.unwrap();
    clock.advance_seconds(121);
    assert_eq!((run(plan).await.done, left().await), (1, 0));
}

/// Bytes in quarantine are at one provider alone, and no reader reaches them. Files and their bytes are copied like proofs.
#[tokio::test]
async fn what_is_in_quarantine_stays_where_it_is() {
    let clock = ManualClock::at(at());
    let queue = MemoryQueue::with_clock(clock.clone());
    let (from, to) = (MemoryObjects::new(), MemoryObjects::new());
    let (file, blob, upload) = ("a".repeat(32), "b".repeat(32), "c".repeat(32));
    let keys =
        [format!("files/{file}"), format!("media/{blob}/original"), format!("media/{blob}/large-1.webp")];
    let keys = keys.map(|key| key.parse::<ObjectKey>().unwrap());
    for key in &keys {
        let facts = Facts::of(b"{}", Tenant::default(), Visibility::Public, at());
        let attributes = facts.attributes(key, BTreeMap::new());
        from.put(key, Bytes::from_static(b"{}"), &attributes, Condition::Absent).await.unwrap();
    }
    let quarantined: ObjectKey = format!("uploads/default/{upload}").parse().unwrap();
    let attributes = Attributes { content_type: "image/jpeg".to_owned(), ..Attributes::default() };
    from.put(&quarantined, Bytes::from_static(b"?"), &attributes, Condition::Absent).await.unwrap();
    let walked = walk(&from, Replica::Fallback, &queue, "r", None, || true).await.unwrap();
    assert_eq!(walked, Walked { queued: 3, foreign: 0, resume: None });
    // A message that names it does no harm.
    let work = Work::Replicate { to: Replica::Fallback, keys: vec![quarantined.clone()], mark: None };
    queue.send(&Message { request_id: "r".to_owned(), work }, 0).await.unwrap();
    let report = Dispatcher::repairing(&from, &to, &MemoryIndex::new(), &clock)
        .drain(&queue, Limits::default())
        .await
        .unwrap();
    assert_eq!((report.left, report.poisoned), (0, 0));
    for key in &keys {
        let (one, other) = (from.get(key).await.unwrap().unwrap(), to.get(key).await.unwrap().unwrap());
        assert_eq!((one.body, one.head.attributes), (other.body, other.head.attributes), "{key}");
    }
    assert_eq!(to.get(&quarantined).await.unwrap(), None);
}

#[tokio::test]
async fn a_walk_queues_everything_and_goes_on_where_it_stopped() {
    let clock = ManualClock::at(at());
    let queue = MemoryQueue::with_clock(clock.clone());
    let (from, to) = (MemoryObjects::new(), MemoryObjects::new());
    let (body, attributes) = object(Manifest(0)).unwrap();
    for number in 0..1_025 {
        let key = ObjectKey::Manifest(format!("urn:c2pa:{number}").parse().unwrap());
        from.put(&key, body.clone(), &attributes, Condition::Absent).await.unwrap();
    }
    let first = walk(&from, Replica::Fallback, &queue, "r", None, || false).await.unwrap();
    assert_eq!((first.queued, first.foreign), (1_000, 0));
    assert!(first.resume.is_some());
    let rest = walk(&from, Replica::Fallback, &queue, "r", first.resume, || true).await.unwrap();
    assert_eq!(rest, Walked { queued: 25, foreign: 0, resume: None });
    let report = Dispatcher::repairing(&from, &to, &MemoryIndex::new(), &clock)
        .drain(&queue, Limits::default())
        .await
        .unwrap();
    assert_eq!((report.done, report.left), (52, 0));
    let count = async |objects: &MemoryObjects| {
        let first = objects.list("", None, 1_000).await.unwrap();
        first.items.len() + objects.list("", first.next.as_deref(), 1_000).await.unwrap().items.len()
    };
    assert_eq!(count(&to).await, 1_025);
}
