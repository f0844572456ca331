//! The contract of `Index`.

mod files;
mod listings;

use std::collections::BTreeSet;

use credlink_core::object::ObjectKey;
use credlink_core::row::{ManifestRow, ProofRow, Reads, Row, RowKey, State, Totals};
use credlink_embedded::OpenError;
use credlink_embedded::index::{EmbeddedError, EmbeddedIndex};
use credlink_ports::doubles::MemoryIndex;
use credlink_ports::{Commit, Index, Intent, Listing, Page, Write};
use futures_util::future::{join, join_all};

use files::*;
use listings::*;

use super::{at, due, manifest, next, over_every_adapter, proof};
use crate::engines::dynoxide;

over_every_adapter! {
    {
        a_row_is_read_exactly,
        an_absent_row_is_none,
        expectations_decide,
        of_fifty_first_rows_one_is_done,
        of_fifty_changes_one_is_done,
        counting_up_together_loses_no_step,
        a_commit_is_done_wholly_or_not_at_all,
        the_first_write_that_does_not_hold_is_named,
        a_hundred_rows_make_one_commit,
        readers_see_whole_commits,
        a_tenants_live_proofs_are_listed_oldest_first,
        a_new_revision_does_not_move_its_proof,
        a_listing_under_way_shows_every_row_once,
        due_rows_are_listed_longest_due_first,
        all_rows_are_listed_once_in_whatever_state,
        what_is_neither_proof_nor_manifest_is_in_no_listing_of_proofs,
        legacy_ids_are_listed_by_tenant_in_their_order,
        manifests_stored_for_themselves_are_listed_by_tenant_in_their_order,
        a_foreign_cursor_is_none,
        the_last_page_says_so,
        every_row_of_files_reads_back_in_every_state,
        live_files_are_listed_by_tenant_owner_and_collection,
        a_listing_of_files_goes_on_behind_its_cursor,
        accesses_are_logged_for_each_file_in_their_order,
        totals_are_exact,
        reads_and_commits_leave_each_other_alone,
        reads_of_absent_rows_are_passed_over,
        a_commit_of_nothing_is_done,
    }
    memory => ((), MemoryIndex::new()),
    embedded => {
        let directory = tempfile::tempdir().unwrap();
        let index = EmbeddedIndex::open(directory.path().join("index")).unwrap();
        (directory, index)
    },
    // The engine's indexes are updated at once, so that these tests see what they wrote. Those of AWS lag behind, as
    // the port allows. Either way the content of a listing is read from the table.
    dynamodb => ((), dynoxide::index().await),
}

over_every_adapter! {
    { old_accesses_go_when_new_ones_come }
    memory_log => ((), MemoryIndex::new()),
    embedded_log => {
        let directory = tempfile::tempdir().unwrap();
        let index = EmbeddedIndex::open(directory.path().join("index")).unwrap();
        (directory, index)
    },
}

over_every_adapter! {
    { intents_are_shown_in_their_order_from_an_instant_on }
    memory_shared => ((), MemoryIndex::new()),
    dynamodb_shared => ((), dynoxide::index().await),
}

/// A tenant of the tests, whose name is a prefix of the name of another tenant, `OTHER`.
const TENANT: &str = "acme";
const OTHER: &str = "acme2";

fn first(row: impl Into<AnyRow>) -> Write {
    Write { row: row.into().0, expected: None }
}

/// Spares the tests from wrapping rows.
struct AnyRow(Row);

impl From<ProofRow> for AnyRow {
    fn from(row: ProofRow) -> Self {
        Self(Row::Proof(row))
    }
}

impl From<ManifestRow> for AnyRow {
    fn from(row: ManifestRow) -> Self {
        Self(Row::Manifest(row))
    }
}

fn change(row: Row) -> Write {
    Write { expected: Some(row.version() - 1), row }
}

async fn done(index: &impl Index, writes: &[Write]) {
    assert_eq!(index.commit(writes).await.unwrap(), Commit::Done);
}

async fn current(index: &impl Index, row: &ProofRow) -> ProofRow {
    index.get(&RowKey::Proof(row.id)).await.unwrap().and_then(Row::proof).unwrap()
}

/// The keys of a listing, page by page.
async fn keys(index: &impl Index, listing: &Listing, limit: usize) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = index.list(listing, after.as_deref(), limit).await.unwrap().unwrap();
        assert!(page.items.len() <= limit);
        keys.extend(page.items.iter().map(|row| row.key().to_string()));
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
}

fn names<'a>(rows: impl IntoIterator<Item = &'a ProofRow>) -> Vec<String> {
    rows.into_iter().map(|row| RowKey::Proof(row.id).to_string()).collect()
}

fn tenant(name: &str) -> Listing {
    Listing::Tenant(name.parse().unwrap())
}

async fn a_row_is_read_exactly(index: &impl Index) {
    let mut proof = proof("x", TENANT, 5, 10);
    proof.manifest_id = Some("urn:c2pa:X:y_z".parse().unwrap());
    proof.signature_sha256 = Some(proof.record_sha256);
    proof.manifest_length = u64::MAX / 2;
    let mut manifest = manifest("urn:c2pa:X:y_z", 7);
    manifest.state = State::Deleting(at(3));
    manifest.generation = u32::MAX;
    done(index, &[first(proof.clone()), first(manifest.clone())]).await;
    assert_eq!(index.get(&RowKey::Proof(proof.id)).await.unwrap(), Some(Row::Proof(proof)));
    let key = RowKey::Manifest(manifest.manifest_key());
    assert_eq!(index.get(&key).await.unwrap(), Some(Row::Manifest(manifest)));
}

async fn an_absent_row_is_none(index: &impl Index) {
    assert_eq!(index.get(&RowKey::Proof(proof("x", TENANT, 1, 2).id)).await.unwrap(), None);
    assert_eq!(index.get(&RowKey::Manifest("urn:x".parse().unwrap())).await.unwrap(), None);
    assert_eq!(keys(index, &Listing::All, 10).await, Vec::<String>::new());
    assert_eq!(index.totals().await.unwrap(), Totals::default());
}

async fn expectations_decide(index: &impl Index) {
    let row = proof("x", TENANT, 1, 10);
    let second = next(&row, |row| row.revision = 2);
    let lost = index.commit(&[change(second.clone())]).await.unwrap();
    assert_eq!(lost, Commit::Lost { write: 0, current: None });
    done(index, &[first(row.clone())]).await;
    let lost = index.commit(&[first(row.clone())]).await.unwrap();
    assert_eq!(lost, Commit::Lost { write: 0, current: Some(Row::Proof(row.clone())) });
    done(index, &[change(second.clone())]).await;
    let lost = index.commit(&[change(next(&row, |row| row.revision = 7))]).await.unwrap();
    assert_eq!(lost, Commit::Lost { write: 0, current: Some(second.clone()) });
    assert_eq!(index.get(&RowKey::Proof(row.id)).await.unwrap(), Some(second));
}

async fn of_fifty_first_rows_one_is_done(index: &impl Index) {
    let race =
        (0..50).map(|racer| async move { index.commit(&[first(proof("x", TENANT, racer, 100))]).await });
    let answers: Vec<_> = join_all(race).await.into_iter().map(Result::unwrap).collect();
    let winner = answers.iter().position(|answer| *answer == Commit::Done).unwrap();
    let stands = proof("x", TENANT, i64::try_from(winner).unwrap(), 100);
    for (racer, answer) in answers.iter().enumerate() {
        if racer != winner {
            assert_eq!(*answer, Commit::Lost { write: 0, current: Some(Row::Proof(stands.clone())) });
        }
    }
}

async fn of_fifty_changes_one_is_done(index: &impl Index) {
    let mut row = proof("x", TENANT, 1, 100);
    done(index, &[first(row.clone())]).await;
    for _ in 0..5 {
        let race = (0..50).map(|racer| {
            let change = change(next(&row, |row| row.revision = racer));
            async move { (racer, index.commit(&[change]).await.unwrap()) }
        });
        let answers = join_all(race).await;
        let winners: Vec<_> = answers.iter().filter(|(_, answer)| *answer == Commit::Done).collect();
        assert_eq!(winners.len(), 1);
        row = current(index, &row).await;
        assert_eq!(row.revision, winners[0].0);
    }
}

async fn counting_up_together_loses_no_step(index: &impl Index) {
    let row = proof("x", TENANT, 1, 100);
    done(index, &[first(ProofRow { revision: 0, ..row.clone() })]).await;
    let steps = (0..20).map(|_| async {
        for _ in 0..5 {
            loop {
                let now = current(index, &row).await;
                let step = change(next(&now, |row| row.revision += 1));
                if index.commit(&[step]).await.unwrap() == Commit::Done {
                    break;
                }
            }
        }
    });
    join_all(steps).await;
    let row = current(index, &row).await;
    assert_eq!((row.revision, row.version), (100, 101));
}

async fn a_commit_is_done_wholly_or_not_at_all(index: &impl Index) {
    let (a, b) = (proof("a", TENANT, 1, 100), proof("b", TENANT, 2, 100));
    done(index, &[first(a.clone())]).await;
    let before = index.totals().await.unwrap();
    let manifest = manifest("urn:x", 5);
    let writes = [first(b.clone()), first(manifest.clone()), first(a.clone())];
    let lost = index.commit(&writes).await.unwrap();
    assert_eq!(lost, Commit::Lost { write: 2, current: Some(Row::Proof(a.clone())) });
    assert_eq!(index.get(&RowKey::Proof(b.id)).await.unwrap(), None);
    assert_eq!(index.get(&RowKey::Manifest(manifest.manifest_key())).await.unwrap(), None);
    assert_eq!(keys(index, &tenant(TENANT), 10).await, names([&a]));
    assert_eq!(keys(index, &Listing::Due(due(1_000)), 10).await, names([&a]));
    assert_eq!(index.totals().await.unwrap(), before);
    // The same amid commits that succeed: an adapter may write them together.
    let race = (0..100).map(|number| {
        let other = proof(&format!("other {number}"), OTHER, 1, 2_000);
        let writes = if number % 2 == 0 { vec![first(other)] } else { writes.to_vec() };
        async move { index.commit(&writes).await.unwrap() == Commit::Done }
    });
    assert_eq!(join_all(race).await.into_iter().filter(|done| *done).count(), 50);
    assert_eq!(index.get(&RowKey::Proof(b.id)).await.unwrap(), None);
    assert_eq!(keys(index, &tenant(TENANT), 10).await, names([&a]));
    assert_eq!(keys(index, &Listing::Due(due(1_000)), 10).await, names([&a]));
    assert_eq!(index.totals().await.unwrap().proofs, before.proofs + 50);
}

async fn the_first_write_that_does_not_hold_is_named(index: &impl Index) {
    let rows: Vec<_> = (0..5).map(|n| proof(&n.to_string(), TENANT, n, 100)).collect();
    done(index, &[first(rows[3].clone()), first(rows[4].clone())]).await;
    let writes: Vec<_> = rows.iter().cloned().map(first).collect();
    let lost = index.commit(&writes).await.unwrap();
    assert_eq!(lost, Commit::Lost { write: 3, current: Some(Row::Proof(rows[3].clone())) });
    let missing = change(next(&rows[0], |_| {}));
    let lost = index.commit(&[first(rows[1].clone()), missing, writes[4].clone()]).await.unwrap();
    assert_eq!(lost, Commit::Lost { write: 1, current: None });
}

async fn a_hundred_rows_make_one_commit(index: &impl Index) {
    let writes: Vec<_> = (0..100).map(|n| first(proof(&n.to_string(), TENANT, n, 1_000))).collect();
    done(index, &writes).await;
    assert_eq!(keys(index, &Listing::All, 1_000).await.len(), 100);
    assert_eq!(index.totals().await.unwrap().proofs, 100);
}

async fn readers_see_whole_commits(index: &impl Index) {
    // Two rows that always change together: a page that shows both shows the same revision of both.
    let (a, b) = (proof("a", TENANT, 1, 1_000), proof("b", TENANT, 2, 1_000));
    done(index, &[first(a.clone()), first(b.clone())]).await;
    let writes = async {
        for revision in 2..60 {
            let (a, b) = (current(index, &a).await, current(index, &b).await);
            let step = |row: &ProofRow| change(next(row, |row| row.revision = revision));
            done(index, &[step(&a), step(&b)]).await;
        }
    };
    let reads = async {
        for _ in 0..60 {
            for listing in [tenant(TENANT), Listing::All, Listing::Due(due(5_000))] {
                let page = index.list(&listing, None, 10).await.unwrap().unwrap();
                let seen: BTreeSet<_> =
                    page.items.into_iter().filter_map(Row::proof).map(|row| row.revision).collect();
                assert_eq!(seen.len(), 1, "{seen:?}");
            }
        }
    };
    join(writes, reads).await;
}

async fn totals_are_exact(index: &impl Index) {
    let json = proof("json", TENANT, 1, 10);
    let mut c2pa = proof("c2pa", TENANT, 1, 10);
    c2pa.manifest_id = Some("urn:c2pa:x".parse().unwrap());
    let manifest = manifest("urn:c2pa:x", 5_000);
    done(index, &[first(json.clone()), first(c2pa.clone()), first(manifest.clone())]).await;
    let expected = Totals { proofs: 2, manifests: 1, manifest_bytes: 5_100, deleted: 0, ..Totals::default() };
    assert_eq!(index.totals().await.unwrap(), expected);
    let longer = next(&json, |row| row.manifest_length = 150);
    done(index, &[change(longer)]).await;
    assert_eq!(index.totals().await.unwrap(), Totals { manifest_bytes: 5_150, ..expected.clone() });
    let json = current(index, &json).await;
    let gone = [
        change(Row::Proof(json.in_state(State::Deleting(at(1))))),
        change(Row::Manifest(manifest.in_state(State::Deleting(at(1))))),
    ];
    done(index, &gone).await;
    let expected = Totals { proofs: 1, manifests: 0, manifest_bytes: 0, deleted: 1, ..Totals::default() };
    assert_eq!(index.totals().await.unwrap(), expected);
    // Many commits at once, some of which lose.
    let race = (0..100)
        .map(|n| async move { index.commit(&[first(proof(&(n % 50).to_string(), OTHER, n, 10))]).await });
    let answers = join_all(race).await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(Commit::Done))).count(), 50);
    let expected = Totals { proofs: 51, manifest_bytes: 5_000, ..expected.clone() };
    assert_eq!(index.totals().await.unwrap(), expected);
}

async fn reads_and_commits_leave_each_other_alone(index: &impl Index) {
    let row = proof("x", TENANT, 1, 100);
    done(index, &[first(row.clone())]).await;
    let reads = |count, last| Reads { count, last: Some(at(last)) };
    index.count_reads(&[(row.id, reads(3, 50))]).await.unwrap();
    index.count_reads(&[(row.id, reads(4, 20)), (row.id, reads(1, 30))]).await.unwrap();
    let counted = current(index, &row).await;
    assert_eq!(counted, ProofRow { reads: reads(8, 50), ..row.clone() }, "and nothing else has changed");
    // One commit by a caller that read the row before the reads were counted, and one by a caller that invents reads.
    done(index, &[change(next(&row, |row| row.revision = 2))]).await;
    let second = current(index, &row).await;
    assert_eq!((second.revision, second.version, second.reads), (2, 2, reads(8, 50)));
    done(index, &[change(next(&second, |row| row.reads = reads(1_000, 1_000)))]).await;
    let third = current(index, &row).await;
    assert_eq!((third.version, third.reads), (3, reads(8, 50)));
    // Every way to obtain a row includes its reads.
    let lost = index.commit(&[first(row.clone())]).await.unwrap();
    assert_eq!(lost, Commit::Lost { write: 0, current: Some(Row::Proof(third.clone())) });
    for listing in [tenant(TENANT), Listing::Due(due(1_000)), Listing::All] {
        let page = index.list(&listing, None, 10).await.unwrap().unwrap();
        assert_eq!(page.items, [Row::Proof(third.clone())]);
    }
    // A first row cannot set its reads either.
    let made_up = ProofRow { reads: reads(9, 9), ..proof("y", TENANT, 1, 100) };
    done(index, &[first(made_up.clone())]).await;
    assert_eq!(current(index, &made_up).await.reads, Reads::default());
    // Counting and committing concurrently.
    let two = [(made_up.id, Reads { count: 2, last: None })];
    let counting = join_all((0..50).map(|_| async { index.count_reads(&two).await.unwrap() }));
    let committing = async {
        for _ in 0..20 {
            let now = current(index, &made_up).await;
            done(index, &[change(next(&now, |row| row.revision += 1))]).await;
        }
    };
    join(counting, committing).await;
    let end = current(index, &made_up).await;
    assert_eq!((end.reads.count, end.version), (100, 21));
}

async fn reads_of_absent_rows_are_passed_over(index: &impl Index) {
    let (there, absent) = (proof("x", TENANT, 1, 100), proof("y", TENANT, 1, 100));
    done(index, &[first(there.clone())]).await;
    let one = Reads { count: 1, last: None };
    index.count_reads(&[(absent.id, one), (there.id, one)]).await.unwrap();
    assert_eq!(current(index, &there).await.reads, one);
    assert_eq!(index.get(&RowKey::Proof(absent.id)).await.unwrap(), None);
    done(index, &[first(absent.clone())]).await;
    assert_eq!(current(index, &absent).await.reads, Reads::default());
    index.count_reads(&[]).await.unwrap();
}

async fn a_commit_of_nothing_is_done(index: &impl Index) {
    done(index, &[]).await;
}

#[tokio::test]
async fn an_embedded_index_survives_its_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index");
    let row = proof("x", TENANT, 1, 100);
    let index = EmbeddedIndex::open(&path).unwrap();
    done(&index, &[first(row.clone()), first(manifest("urn:x", 3))]).await;
    index.count_reads(&[(row.id, Reads { count: 2, last: Some(at(9)) })]).await.unwrap();
    let error = EmbeddedIndex::open(&path).unwrap_err();
    assert!(matches!(error, EmbeddedError(OpenError::InUse { .. })));
    assert!(error.to_string().ends_with("is used by another process; is a `credlink serve` running on it?"));
    let (before, totals) = (current(&index, &row).await, index.totals().await.unwrap());
    drop(index);
    let index = EmbeddedIndex::open(&path).unwrap();
    assert_eq!(current(&index, &row).await, before);
    assert_eq!((before.reads.count, index.totals().await.unwrap()), (2, totals));
    assert_eq!(keys(&index, &Listing::All, 1).await.len(), 2);
    assert_eq!(keys(&index, &tenant(TENANT), 1).await.len(), 1);
}

#[tokio::test]
async fn an_embedded_index_refuses_what_no_caller_may_ask() {
    let directory = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(directory.path().join("index")).unwrap();
    for (writes, reason) in breaches() {
        let failure = index.commit(&writes).await.unwrap_err();
        assert!(failure.message.contains(reason), "{failure}");
    }
    assert_eq!(keys(&index, &Listing::All, 10).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_memory_index_panics_on_what_no_caller_may_ask() {
    for (writes, reason) in breaches() {
        let commit = tokio::spawn(async move { MemoryIndex::new().commit(&writes).await });
        let panic = commit.await.unwrap_err().into_panic();
        assert!(panic.downcast_ref::<String>().unwrap().contains(reason));
    }
}

fn breaches() -> [(Vec<Write>, &'static str); 4] {
    let row = proof("x", TENANT, 1, 100);
    let second = next(&row, |_| {});
    [
        (vec![first(row.clone()), first(row.clone())], "two writes to the row PROOF#"),
        (vec![Write { row: second.clone(), expected: None }], "does not follow on None"),
        (vec![Write { row: second, expected: Some(2) }], "of version 2 does not follow on Some(2)"),
        ((0..101).map(|n| first(proof(&n.to_string(), TENANT, 1, 2))).collect(), "101 writes in one commit"),
    ]
}

async fn intents_are_shown_in_their_order_from_an_instant_on(index: &impl Index) {
    // More intents than fit on a page, several of one instant, and one that is noted twice.
    let intent = |number: i64| Intent {
        at: at(1_000_000 + number / 3),
        key: ObjectKey::Record(super::proof_id(&number.to_string())),
    };
    let mut intents: Vec<Intent> = (0..100).map(intent).collect();
    let hold = ObjectKey::Hold("urn:c2pa:held".parse().unwrap(), 2);
    intents.push(Intent { at: at(1_000_100), key: hold });
    for intent in intents.iter().rev().chain(&intents[..1]) {
        index.intend(&intent.key, intent.at).await.unwrap();
    }
    intents.sort_by_key(|intent| (intent.at, intent.key.to_string()));
    let page = async |from, after: Option<&str>, limit| index.intents(from, after, limit).await.unwrap();
    for (from, shown) in [(0, &intents[..]), (1_000_010, &intents[30..]), (1_000_101, &[])] {
        assert_eq!(page(at(from), None, 1_000).await, Page { items: shown.to_vec(), next: None });
    }
    let (mut shown, mut after) = (Vec::new(), None);
    loop {
        let page = page(at(0), after.as_deref(), 7).await;
        assert!(page.items.len() <= 7);
        shown.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(shown, intents);
    // Intents are not rows.
    assert_eq!(index.list(&Listing::All, None, 10).await.unwrap().unwrap().items, []);
    assert_eq!(index.totals().await.unwrap(), Totals::default());
}
