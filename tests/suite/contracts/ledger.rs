//! The contract of `Ledger`. `alone` has what only one adapter has.

use credlink_core::bounds::MAX_ITEM_KEY_BYTES;
use credlink_core::hash::Digest;
use credlink_core::tenant::Tenant;
use credlink_deployment::migration::ledger::AnyLedger;
use credlink_dynamodb::ledger::TableLedger;
use credlink_embedded::ledger::FileLedger;
use credlink_ports::FailureKind;
use credlink_ports::doubles::ManualClock;
use credlink_ports::migration::Ledger;
use credlink_ports::migration::ledger::CopiedItem as Copied;
use credlink_ports::migration::ledger::{
    Entry, ItemState, Job, JobName, LEDGER_VERSION, Order, Reason, StoredObject,
};
use credlink_ports::migration::target::Target;
use futures_util::future::join_all;

use super::{at, over_every_adapter, proof_id};
use crate::engines::dynoxide;

mod alone;

over_every_adapter! {
    {
        a_job_is_kept_as_it_was_said,
        entries_come_back_exactly,
        entries_come_in_the_order_of_the_keys,
        versions_decide,
        of_fifty_writers_one_holds,
        counting_up_together_loses_no_step,
        writers_of_different_items_all_hold,
        pages_have_the_order_of_the_bytes_and_its_reverse,
        a_listing_under_way_shows_every_entry_once,
        the_last_page_says_so,
        odd_keys_are_kept_as_they_are,
        what_is_no_key_is_refused,
        one_holder_has_the_job,
        what_is_removed_is_not_there_and_may_be_written_anew,
    }
    file => {
        let directory = tempfile::tempdir().unwrap();
        let ledger = FileLedger::open(directory.path(), &name(), ManualClock::at(at(1_000))).unwrap();
        (directory, AnyLedger::File(ledger))
    },
    table => {
        let index = dynoxide::index().await;
        let ledger = TableLedger::new(&index, &name(), ManualClock::at(at(1_000)));
        (index, AnyLedger::Table(ledger))
    },
}

fn name() -> JobName {
    "archive-2019".parse().unwrap()
}

fn job() -> Job {
    Job {
        version: LEDGER_VERSION,
        name: name(),
        from: "s3://old/\"prefix\"/ü".to_owned(),
        to: "dir:/new".to_owned(),
        tenant: Tenant::default(),
        keep_tenants: false,
        from_tenant: None,
        created: at(1_000),
        listed: None,
        elapsed_ms: 0,
        queued: true,
        left_behind: None,
        removing: false,
    }
}

fn entry(key: &str, version: u64, state: ItemState) -> Entry {
    Entry {
        key: key.to_owned(),
        item: format!("tag of {key}"),
        size: 7,
        version,
        updated: at(2_000),
        begun: None,
        withdrawing: None,
        state,
    }
}

fn planned(key: &str) -> Entry {
    entry(key, 1, ItemState::Planned)
}

fn copied(key: &str, version: u64) -> Entry {
    let copy = Copied {
        target: Target::Proof(proof_id(key)),
        legacy: Some("p-1".parse().unwrap()),
        source: Digest::of(key.as_bytes()),
        created: true,
        exact: true,
        objects: vec![StoredObject {
            key: format!("proofs/{}", proof_id(key)),
            content: Digest::of(b"content"),
            stored: None,
            crc64nvme: Some(u64::MAX),
            coding: Some("gzip".to_owned()),
            private: false,
        }],
    };
    entry(key, version, ItemState::Copied(copy))
}

fn failed(key: &str, version: u64, detail: &str) -> Entry {
    let state = ItemState::Failed { reason: Reason::InvalidRecord, detail: detail.to_owned() };
    entry(key, version, state)
}

async fn written(ledger: &impl Ledger, entries: &[Entry]) {
    assert_eq!(ledger.write(entries).await.unwrap(), vec![true; entries.len()]);
}

/// The keys of a listing, page by page.
async fn keys(ledger: &impl Ledger, order: Order, limit: usize) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = ledger.list(order, after.as_deref(), limit).await.unwrap();
        assert!(page.items.len() <= limit && (page.items.len() == limit || page.next.is_none()));
        keys.extend(page.items.into_iter().map(|entry| entry.key));
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
}

async fn a_job_is_kept_as_it_was_said(ledger: &impl Ledger) {
    assert_eq!(ledger.job().await.unwrap(), None);
    ledger.keep_job(&job()).await.unwrap();
    assert_eq!(ledger.job().await.unwrap(), Some(job()));
    let done = Job { listed: Some(at(9_000)), elapsed_ms: 8_000, ..job() };
    ledger.keep_job(&done).await.unwrap();
    assert_eq!(ledger.job().await.unwrap(), Some(done));
    assert_eq!(keys(ledger, Order::Forward, 10).await, Vec::<String>::new(), "a job is no entry");
}

async fn entries_come_back_exactly(ledger: &impl Ledger) {
    let copying = ItemState::Copying { target: Target::Proof(proof_id("b")) };
    let all = [
        planned("a"),
        entry("b", 1, copying),
        copied("c", 1),
        failed("d", 1, "no \"JSON\": \u{1F5BC}\u{0}\n"),
        // The largest number that both JSON and DynamoDB can represent.
        Entry { size: u64::MAX, item: String::new(), ..planned("e") },
    ];
    written(ledger, &all).await;
    let names: Vec<_> = all.iter().map(|entry| entry.key.clone()).collect();
    assert_eq!(ledger.entries(&names).await.unwrap(), all.clone().map(Some));
    assert_eq!(ledger.list(Order::Forward, None, 10).await.unwrap().items, all);
}

async fn entries_come_in_the_order_of_the_keys(ledger: &impl Ledger) {
    let all: Vec<_> = (0..250).map(|number| planned(&format!("{number:03}"))).collect();
    written(ledger, &all).await;
    // In reverse order, with every other key missing and one key requested twice.
    let mut names: Vec<String> = (0..500).rev().map(|number| format!("{number:03}")).collect();
    names.push("007".to_owned());
    let found = ledger.entries(&names).await.unwrap();
    let expected = |name: &String| all.iter().find(|entry| entry.key == *name).cloned();
    assert_eq!(found, names.iter().map(expected).collect::<Vec<_>>());
    assert_eq!(ledger.entries(&[]).await.unwrap(), []);
}

async fn versions_decide(ledger: &impl Ledger) {
    assert_eq!(ledger.write(&[]).await.unwrap(), Vec::<bool>::new());
    // There is no entry yet.
    let (zero, second) = (entry("a", 0, ItemState::Planned), copied("a", 2));
    assert_eq!(ledger.write(&[zero, second.clone()]).await.unwrap(), [false, false]);
    assert_eq!(ledger.entries(&["a".to_owned()]).await.unwrap(), [None]);
    written(ledger, &[planned("a")]).await;
    // Only one of the three conditions holds, and each write is decided on its own.
    let answers = ledger.write(&[planned("a"), planned("b"), copied("a", 3)]).await.unwrap();
    assert_eq!(answers, [false, true, false]);
    written(ledger, std::slice::from_ref(&second)).await;
    assert_eq!(ledger.write(std::slice::from_ref(&second)).await.unwrap(), [false], "the same once more");
    let after = ledger.entries(&["a".to_owned(), "b".to_owned()]).await.unwrap();
    assert_eq!(after, [Some(second), Some(planned("b"))]);
    // Two writes to one item in one call are applied in order.
    written(ledger, &[copied("a", 3), failed("a", 4, "x")]).await;
    assert_eq!(ledger.entries(&["a".to_owned()]).await.unwrap(), [Some(failed("a", 4, "x"))]);
}

async fn of_fifty_writers_one_holds(ledger: &impl Ledger) {
    for version in 1..=3 {
        let writers = (0..50).map(|writer| async move {
            let mine = failed("contended", version, &format!("writer {writer}"));
            (ledger.write(std::slice::from_ref(&mine)).await.unwrap() == [true]).then_some(mine)
        });
        let held: Vec<_> = join_all(writers).await.into_iter().flatten().collect();
        assert_eq!(held.len(), 1, "{held:?}");
        assert_eq!(ledger.entries(&["contended".to_owned()]).await.unwrap(), [held.into_iter().next()]);
    }
}

async fn counting_up_together_loses_no_step(ledger: &impl Ledger) {
    let key = ["counted".to_owned()];
    let counters = (0..8).map(|_| async {
        for _ in 0..10 {
            loop {
                let before = ledger.entries(&key).await.unwrap().remove(0);
                let version = before.map_or(0, |entry| entry.version) + 1;
                if ledger.write(&[failed("counted", version, "x")]).await.unwrap() == [true] {
                    break;
                }
            }
        }
    });
    join_all(counters).await;
    assert_eq!(ledger.entries(&key).await.unwrap().remove(0).unwrap().version, 80);
}

async fn writers_of_different_items_all_hold(ledger: &impl Ledger) {
    let writers = (0..20).map(|writer| async move {
        let mine: Vec<_> = (0..25).map(|number| planned(&format!("{writer:02}/{number:02}"))).collect();
        written(ledger, &mine).await;
    });
    join_all(writers).await;
    assert_eq!(keys(ledger, Order::Forward, 1_000).await.len(), 500);
}

async fn pages_have_the_order_of_the_bytes_and_its_reverse(ledger: &impl Ledger) {
    let mut all: Vec<String> =
        (0..2_496).map(|number| format!("path/{}.json", number * 7_919 % 10_007)).collect();
    all.extend(["A", "Z", "ä", "\u{1F5BC}"].map(str::to_owned));
    for chunk in all.chunks(100) {
        written(ledger, &chunk.iter().map(|key| planned(key)).collect::<Vec<_>>()).await;
    }
    all.sort_unstable();
    for limit in [999, 1_000] {
        assert_eq!(keys(ledger, Order::Forward, limit).await, all);
    }
    all.reverse();
    for limit in [624, 1_000] {
        assert_eq!(keys(ledger, Order::Backward, limit).await, all);
    }
}

async fn a_listing_under_way_shows_every_entry_once(ledger: &impl Ledger) {
    let all: Vec<_> = (0..60).map(|number| planned(&format!("{number:02}"))).collect();
    written(ledger, &all).await;
    let (mut found, mut after, mut pages) = (Vec::new(), None::<String>, 0);
    loop {
        let page = ledger.list(Order::Forward, after.as_deref(), 20).await.unwrap();
        found.extend(page.items.into_iter().map(|entry| entry.key).filter(|key| key.len() == 2));
        // A concurrent write moves no entry.
        written(ledger, &[planned(&format!("00 {pages}")), copied(&format!("{pages:02}"), 2)]).await;
        written(ledger, &[copied(&format!("{:02}", 59 - pages), 2)]).await;
        (after, pages) = (page.next, pages + 1);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, all.into_iter().map(|entry| entry.key).collect::<Vec<_>>());
}

async fn the_last_page_says_so(ledger: &impl Ledger) {
    assert_eq!(ledger.list(Order::Backward, None, 10).await.unwrap().next, None);
    written(ledger, &[planned("a"), planned("b"), planned("c"), planned("d")]).await;
    for (order, last) in [(Order::Forward, "d"), (Order::Backward, "a")] {
        let page = ledger.list(order, None, 2).await.unwrap();
        let page = ledger.list(order, page.next.as_deref(), 2).await.unwrap();
        assert_eq!((page.items.len(), page.items[1].key.as_str(), page.next), (2, last, None));
        let page = ledger.list(order, Some(last), 2).await.unwrap();
        assert!(page.items.is_empty() && page.next.is_none());
    }
}

async fn odd_keys_are_kept_as_they_are(ledger: &impl Ledger) {
    let longest = "k".repeat(MAX_ITEM_KEY_BYTES);
    let wide = format!("{}xy", "\u{1F5BC}\u{fc}".repeat(MAX_ITEM_KEY_BYTES / 6));
    let odd = [
        " ",
        "\u{0}",
        "\n",
        "\"",
        "\\",
        "#",
        "a//b",
        "../x",
        "ITEM#1",
        "JOB",
        "LEASE",
        "%2F",
        "é",
        "e\u{301}",
        "\u{feff}x",
        "\u{10ffff}",
        longest.as_str(),
        wide.as_str(),
        "line 7",
    ];
    written(ledger, &odd.map(planned)).await;
    let names = odd.map(str::to_owned);
    assert_eq!(ledger.entries(&names).await.unwrap(), odd.map(|key| Some(planned(key))));
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    for limit in [1, 1_000] {
        assert_eq!(keys(ledger, Order::Forward, limit).await, sorted);
    }
    written(ledger, &odd.map(|key| copied(key, 2))).await;
}

async fn what_is_no_key_is_refused(ledger: &impl Ledger) {
    for key in [String::new(), "k".repeat(MAX_ITEM_KEY_BYTES + 1)] {
        let failure = ledger.write(&[planned("good"), planned(&key)]).await.unwrap_err();
        assert!(failure.message.contains("1 to 1024 bytes"), "{failure}");
        assert_eq!(ledger.entries(&[key]).await.unwrap_err().kind, FailureKind::Damaged);
    }
    assert_eq!(
        ledger.entries(&["good".to_owned()]).await.unwrap(),
        [None],
        "it is seen before anything is written"
    );
}

async fn one_holder_has_the_job(ledger: &impl Ledger) {
    assert!(ledger.claim("a", 60).await.unwrap());
    assert!(!ledger.claim("b", 60).await.unwrap());
    assert!(ledger.claim("a", 60).await.unwrap(), "it keeps it");
    ledger.release("b").await.unwrap();
    assert!(!ledger.claim("b", 60).await.unwrap(), "only its holder lets it go");
    ledger.release("a").await.unwrap();
    ledger.release("a").await.unwrap();
    let claims = join_all((0..20).map(|number| async move { ledger.claim(&format!("{number}"), 60).await }));
    let claims = claims.await.into_iter().filter(|claimed| *claimed == Ok(true)).count();
    assert_eq!(claims, 1);
}

/// The behaviour that depends on the clock.
async fn a_lease_ends(ledger: &impl Ledger, clock: &ManualClock) {
    assert!(ledger.claim("a", 60).await.unwrap());
    clock.advance_seconds(59);
    assert!(!ledger.claim("b", 60).await.unwrap());
    assert!(ledger.claim("a", 60).await.unwrap(), "for another minute");
    clock.advance_seconds(59);
    assert!(!ledger.claim("b", 60).await.unwrap());
    clock.advance_seconds(1);
    assert!(ledger.claim("b", 60).await.unwrap());
    assert!(!ledger.claim("a", 60).await.unwrap(), "who was too slow has lost it");
    ledger.release("a").await.unwrap();
    assert!(!ledger.claim("c", 60).await.unwrap());
}

/// The named entries are removed, and the job's own entry is removed with the job. A later write starts again at
/// version 1.
async fn what_is_removed_is_not_there_and_may_be_written_anew(ledger: &impl Ledger) {
    ledger.keep_job(&job()).await.unwrap();
    written(ledger, &["a", "b", "c"].map(planned)).await;
    ledger.remove_entries(&["a".to_owned(), "c".to_owned(), "nobody's".to_owned()]).await.unwrap();
    assert_eq!(keys(ledger, Order::Forward, 10).await, ["b"]);
    assert_eq!(ledger.job().await.unwrap(), Some(job()), "the job itself is there until it is removed");
    assert!(!ledger.remove_job("x").await.unwrap(), "nobody has the job");
    assert!(ledger.claim("x", 60).await.unwrap());
    assert!(!ledger.remove_job("y").await.unwrap(), "another one has it");
    assert_eq!(ledger.job().await.unwrap(), Some(job()));
    assert!(ledger.remove_job("x").await.unwrap());
    assert!(!ledger.remove_job("x").await.unwrap(), "it is gone, and who has it as well");
    assert!(ledger.claim("y", 60).await.unwrap(), "nobody has it");
    ledger.release("y").await.unwrap();
    assert_eq!(ledger.job().await.unwrap(), None);
    written(ledger, &[planned("a")]).await;
    ledger.keep_job(&job()).await.unwrap();
    assert_eq!(keys(ledger, Order::Forward, 10).await, ["a", "b"]);
}

#[tokio::test]
async fn leases_go_by_the_clock() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(at(1_000)));
    a_lease_ends(&FileLedger::open(directory.path(), &name(), clock.clone()).unwrap(), &clock).await;
    let index = dynoxide::index().await;
    a_lease_ends(&TableLedger::new(&index, &name(), clock.clone()), &clock).await;
}
