//! The contract of `Index`.

use std::collections::{BTreeMap, BTreeSet};

use credlink_adapters::embedded::{EmbeddedError, EmbeddedIndex};
use credlink_adapters::memory::MemoryIndex;
use credlink_core::bounds::{MAX_ITEM_KEY_BYTES, MAX_LEGACY_ID_BYTES};
use credlink_core::message::Replica;
use credlink_core::row::{
    AliasRow, LegacyItemRow, ManifestRow, ProofRow, Reads, ReplicaRow, Row, RowKey, State, Totals,
};
use credlink_service::ports::{Commit, Index, Listing, Write};
use futures_util::future::{join, join_all};

use super::{at, manifest, next, over_every_adapter, proof};
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
    // The engine's indexes follow at once, so that these tests see what they wrote. Those of AWS lag behind, as the
    // port allows; what a listing shows is read from the table either way.
    dynamodb => ((), dynoxide::index().await),
}

/// A tenant of the tests, and another one whose name it begins.
const TENANT: &str = "acme";
const OTHER: &str = "acme2";

fn first(row: impl Into<AnyRow>) -> Write {
    Write { row: row.into().0, expected: None }
}

/// So that tests need not wrap rows.
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
    let key = RowKey::Manifest(manifest.id.clone());
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
    assert_eq!(index.get(&RowKey::Manifest(manifest.id)).await.unwrap(), None);
    assert_eq!(keys(index, &tenant(TENANT), 10).await, names([&a]));
    assert_eq!(keys(index, &Listing::Due(at(1_000)), 10).await, names([&a]));
    assert_eq!(index.totals().await.unwrap(), before);
    // The same amid commits that are done: an adapter may write them together.
    let race = (0..100).map(|number| {
        let other = proof(&format!("other {number}"), OTHER, 1, 2_000);
        let writes = if number % 2 == 0 { vec![first(other)] } else { writes.to_vec() };
        async move { index.commit(&writes).await.unwrap() == Commit::Done }
    });
    assert_eq!(join_all(race).await.into_iter().filter(|done| *done).count(), 50);
    assert_eq!(index.get(&RowKey::Proof(b.id)).await.unwrap(), None);
    assert_eq!(keys(index, &tenant(TENANT), 10).await, names([&a]));
    assert_eq!(keys(index, &Listing::Due(at(1_000)), 10).await, names([&a]));
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
    // Two rows that always change together: a page that shows both shows one revision.
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
            for listing in [tenant(TENANT), Listing::All, Listing::Due(at(5_000))] {
                let page = index.list(&listing, None, 10).await.unwrap().unwrap();
                let seen: BTreeSet<_> =
                    page.items.into_iter().filter_map(Row::proof).map(|row| row.revision).collect();
                assert_eq!(seen.len(), 1, "{seen:?}");
            }
        }
    };
    join(writes, reads).await;
}

async fn a_tenants_live_proofs_are_listed_oldest_first(index: &impl Index) {
    // Created in another order than stored; two in one millisecond; other tenants before, between and behind.
    let rows: Vec<_> = [30, 10, 20, 20, 40].into_iter().enumerate().collect();
    let rows: Vec<_> = rows.into_iter().map(|(n, at)| proof(&n.to_string(), TENANT, at, 1_000)).collect();
    for row in &rows {
        done(index, &[first(row.clone())]).await;
    }
    for (other, created) in [(OTHER, 20), ("acm", 20), ("acme-", 5)] {
        done(index, &[first(proof("other", other, created, 1_000))]).await;
    }
    done(index, &[first(manifest("urn:c2pa:x", 5))]).await;
    let mut expected: Vec<_> = rows.iter().collect();
    expected.sort_by_key(|row| (row.created, row.id.to_string()));
    for limit in [1, 2, 3, 1_000] {
        assert_eq!(keys(index, &tenant(TENANT), limit).await, names(expected.iter().copied()));
    }
    assert_eq!(keys(index, &tenant(OTHER), 2).await.len(), 1);
    assert_eq!(keys(index, &tenant("nobody"), 2).await, Vec::<String>::new());
    // Whatever is not live any more is not listed, and comes back when it lives again.
    let deleting = rows[1].in_state(State::Deleting(at(50)));
    done(index, &[change(Row::Proof(deleting.clone()))]).await;
    expected.remove(0);
    assert_eq!(keys(index, &tenant(TENANT), 2).await, names(expected.iter().copied()));
    let deleted = deleting.in_state(State::Deleted(at(50)));
    done(index, &[change(Row::Proof(deleted.clone()))]).await;
    assert_eq!(keys(index, &tenant(TENANT), 2).await, names(expected.iter().copied()));
    done(index, &[change(next(&deleted, |row| (row.state, row.created) = (State::Live, at(60))))]).await;
    expected.push(&rows[1]);
    assert_eq!(keys(index, &tenant(TENANT), 2).await, names(expected.iter().copied()));
}

async fn a_new_revision_does_not_move_its_proof(index: &impl Index) {
    let rows: Vec<_> = (0..4).map(|n| proof(&n.to_string(), TENANT, n, 1_000)).collect();
    for row in &rows {
        done(index, &[first(row.clone())]).await;
    }
    let page = index.list(&tenant(TENANT), None, 2).await.unwrap().unwrap();
    // One that was seen already, and one that was not yet.
    for row in [&rows[0], &rows[2]] {
        done(index, &[change(next(row, |row| row.created = at(500)))]).await;
    }
    let rest = index.list(&tenant(TENANT), page.next.as_deref(), 10).await.unwrap().unwrap();
    let seen = page.items.iter().chain(&rest.items).map(|row| row.key().to_string()).collect::<Vec<_>>();
    assert_eq!(seen, names(&rows));
    assert_eq!(rest.items[0], index.get(&rest.items[0].key()).await.unwrap().unwrap());
}

async fn a_listing_under_way_shows_every_row_once(index: &impl Index) {
    let rows: Vec<_> = (0..60).map(|n| proof(&n.to_string(), TENANT, n * 10, 100_000)).collect();
    done(index, &rows.iter().cloned().map(first).collect::<Vec<_>>()).await;
    let stays: BTreeSet<_> = names(&rows).into_iter().collect();
    let listing = async {
        for limit in [3, 7, 20, 1] {
            for listing in [tenant(TENANT), Listing::All, Listing::Due(at(200_000))] {
                let seen = keys(index, &listing, limit).await;
                assert_eq!(seen.iter().filter(|key| stays.contains(*key)).count(), stays.len());
                assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "none twice");
            }
        }
    };
    let changes = async {
        for (number, row) in rows.iter().enumerate() {
            let number = i64::try_from(number).unwrap();
            done(index, &[change(next(row, |row| row.created = at(5_000 + number)))]).await;
            let passing = proof(&format!("new {number}"), TENANT, number * 11, 100_000);
            done(index, &[first(passing.clone())]).await;
            if number % 2 == 0 {
                done(index, &[change(Row::Proof(passing.in_state(State::Deleted(at(1)))))]).await;
            }
        }
    };
    join(listing, changes).await;
}

async fn due_rows_are_listed_longest_due_first(index: &impl Index) {
    let expiring: Vec<_> = [50, 20, 70, 20, 30]
        .into_iter()
        .enumerate()
        .map(|(n, at)| proof(&n.to_string(), TENANT, 1, at))
        .collect();
    for row in &expiring {
        done(index, &[first(row.clone())]).await;
    }
    let live = manifest("urn:c2pa:x", 5);
    done(index, &[first(live.clone())]).await;
    let mut expected: Vec<_> = expiring.iter().collect();
    expected.sort_by_key(|row| (row.expires, row.id.to_string()));
    for (by, count) in [(19, 0), (20, 2), (49, 3), (50, 4), (70, 5), (i64::MAX, 5)] {
        for limit in [1, 3, 1_000] {
            let found = keys(index, &Listing::Due(at(by)), limit).await;
            assert_eq!(found, names(expected[..count].iter().copied()), "by {by}");
        }
    }
    // A deletion that is unfinished is due at once; a finished one never; an extension moves the proof.
    let deleting = expiring[2].in_state(State::Deleting(at(10)));
    done(index, &[change(Row::Proof(deleting.clone()))]).await;
    done(index, &[change(Row::Manifest(live.in_state(State::Deleting(at(5)))))]).await;
    done(index, &[change(next(&expiring[4], |row| row.expires = at(90)))]).await;
    let found = keys(index, &Listing::Due(at(25)), 2).await;
    let manifest = RowKey::Manifest(live.id.clone()).to_string();
    let expected = [vec![manifest.clone()], names([&expiring[2], expected[0], expected[1]])].concat();
    assert_eq!(found, expected);
    done(index, &[change(Row::Proof(deleting.in_state(State::Deleted(at(10)))))]).await;
    assert_eq!(keys(index, &Listing::Due(at(19)), 2).await, [manifest]);
    // A cursor of a listing that looks further ahead is at the end of one that does not.
    let ahead = index.list(&Listing::Due(at(1_000)), None, 4).await.unwrap().unwrap();
    let page = index.list(&Listing::Due(at(7)), ahead.next.as_deref(), 10).await.unwrap().unwrap();
    assert!(page.items.is_empty() && page.next.is_none());
}

async fn all_rows_are_listed_once_in_whatever_state(index: &impl Index) {
    let mut expected = Vec::new();
    for number in 0..10 {
        let proof = proof(&number.to_string(), TENANT, number, 100);
        let manifest = manifest(&format!("urn:c2pa:{number}"), 1);
        let deleted = proof.in_state(State::Deleted(at(1)));
        done(index, &[first(proof.clone()), first(manifest.clone())]).await;
        done(index, &[change(Row::Proof(deleted))]).await;
        expected.extend([RowKey::Proof(proof.id).to_string(), RowKey::Manifest(manifest.id).to_string()]);
    }
    expected.sort();
    for limit in [1, 3, 1_000] {
        let mut found = keys(index, &Listing::All, limit).await;
        found.sort();
        assert_eq!(found, expected);
    }
}

async fn what_is_neither_proof_nor_manifest_is_in_no_listing_of_proofs(index: &impl Index) {
    let alias = |id: &str, version, proof| {
        Row::Alias(AliasRow {
            id: id.parse().unwrap(),
            version,
            proof,
            tenant: TENANT.parse().unwrap(),
            withdrawn: None,
        })
    };
    let row = proof("x", TENANT, 1, 100);
    // An id as long and as odd as ids may be.
    let odd = format!("urn:old:{}", "~".repeat(MAX_LEGACY_ID_BYTES - 8));
    let replica =
        Row::Replica(ReplicaRow { replica: Replica::Primary, version: 1, since: at(1), until: at(9) });
    // The item of a record that a legacy source has of this very proof, under the longest key.
    let item = |version, item: &str| {
        Row::LegacyItem(LegacyItemRow { proof: row.id, version, item: item.to_owned() })
    };
    let longest = item(1, &"ü/".repeat(MAX_ITEM_KEY_BYTES / 3));
    let rows = [alias("p-1", 1, row.id), alias(&odd, 1, row.id), replica.clone(), longest.clone()];
    let first = rows.clone().map(|row| Write { row, expected: None });
    done(index, &[first.as_slice(), &[Write { row: Row::Proof(row.clone()), expected: None }]].concat())
        .await;
    for row in &rows {
        assert_eq!(index.get(&row.key()).await.unwrap().as_ref(), Some(row));
    }
    // Another name is never taken over in silence.
    let other = alias("p-1", 1, proof("y", TENANT, 1, 100).id);
    let lost = index.commit(&[Write { row: other.clone(), expected: None }]).await.unwrap();
    assert_eq!(lost, Commit::Lost { write: 0, current: Some(rows[0].clone()) });
    let changed = alias("p-1", 2, proof("y", TENANT, 1, 100).id);
    done(index, &[change(changed.clone())]).await;
    assert_eq!(index.get(&changed.key()).await.unwrap(), Some(changed.clone()));
    let moved = item(2, "old/1.json");
    let lost = index.commit(&[Write { row: item(1, "old/1.json"), expected: None }]).await.unwrap();
    assert_eq!(lost, Commit::Lost { write: 0, current: Some(longest) });
    done(index, &[change(moved.clone())]).await;
    assert_eq!(index.get(&moved.key()).await.unwrap(), Some(moved.clone()));
    let mut expected: Vec<_> = [&changed, &rows[1], &replica, &moved, &Row::Proof(row.clone())]
        .map(|row| row.key().to_string())
        .into();
    expected.sort();
    for limit in [1, 2, 1_000] {
        let mut found = keys(index, &Listing::All, limit).await;
        found.sort();
        assert_eq!(found, expected);
    }
    let only = [RowKey::Proof(row.id).to_string()];
    assert_eq!(keys(index, &tenant(TENANT), 10).await, only);
    assert_eq!(keys(index, &Listing::Due(at(1_000)), 10).await, only);
    assert_eq!(index.totals().await.unwrap(), Row::Proof(row).totals());
}

fn alias(id: &str, owner: &str) -> AliasRow {
    let proof = proof("x", owner, 1, 100).id;
    AliasRow { id: id.parse().unwrap(), version: 1, proof, tenant: owner.parse().unwrap(), withdrawn: None }
}

async fn legacy_ids_are_listed_by_tenant_in_their_order(index: &impl Index) {
    let of = |owner: &str| Listing::Aliases(owner.parse().unwrap());
    let odd = format!("z{}", "~".repeat(MAX_LEGACY_ID_BYTES - 1));
    let ids = ["0", "9-z", "A", "a", "a-1", "p:2", &odd];
    for id in ids.iter().rev() {
        let row = Row::Alias(alias(id, TENANT));
        done(index, &[Write { row, expected: None }, first(proof(id, TENANT, 1, 100))]).await;
    }
    // What belongs to others, or names nothing any more.
    for other in [alias("b", OTHER), AliasRow { withdrawn: Some(at(5)), ..alias("c", TENANT) }] {
        done(index, &[Write { row: Row::Alias(other), expected: None }]).await;
    }
    done(index, &[first(standalone("urn:c2pa:m"))]).await;
    let expected = ids.map(|id| format!("ALIAS#{id}"));
    for limit in [1, 2, 3, 7, 1_000] {
        assert_eq!(keys(index, &of(TENANT), limit).await, expected, "{limit} a page");
    }
    assert_eq!(keys(index, &of(OTHER), 2).await, ["ALIAS#b"]);
    assert!(keys(index, &of("acm"), 2).await.is_empty());
    // One that is taken back leaves the listing, and one that is bound again is in it again.
    let gone = AliasRow { version: 2, withdrawn: Some(at(9)), ..alias("a", TENANT) };
    done(index, &[change(Row::Alias(gone.clone()))]).await;
    assert_eq!(index.get(&RowKey::Alias(gone.id.clone())).await.unwrap(), Some(Row::Alias(gone.clone())));
    assert!(!keys(index, &of(TENANT), 3).await.contains(&"ALIAS#a".to_owned()));
    let bound = AliasRow { version: 3, withdrawn: None, ..gone };
    done(index, &[change(Row::Alias(bound.clone()))]).await;
    assert_eq!(index.get(&RowKey::Alias(bound.id.clone())).await.unwrap(), Some(Row::Alias(bound)));
    assert_eq!(keys(index, &of(TENANT), 3).await, expected);
}

fn standalone(id: &str) -> ManifestRow {
    ManifestRow { standalone: true, tenant: TENANT.parse().unwrap(), ..manifest(id, 5) }
}

async fn manifests_stored_for_themselves_are_listed_by_tenant_in_their_order(index: &impl Index) {
    let of = |owner: &str| Listing::Manifests(owner.parse().unwrap());
    let ids = ["a:1", "contentauth:urn:uuid:2", "urn:c2pa:3", "urn:c2pa:3:x"];
    for id in ids.iter().rev() {
        done(index, &[first(standalone(id))]).await;
    }
    let held = ManifestRow { standalone: false, ..standalone("urn:c2pa:held") };
    let deleted = ManifestRow { state: State::Deleted(at(3)), ..standalone("urn:c2pa:deleted") };
    let other = ManifestRow { tenant: OTHER.parse().unwrap(), ..standalone("urn:c2pa:other") };
    done(index, &[first(held.clone()), first(deleted), first(other)]).await;
    done(index, &[Write { row: Row::Alias(alias("urn:c2pa:alias", TENANT)), expected: None }]).await;
    let mut expected = ids.map(|id| format!("MANIFEST#{id}")).to_vec();
    for limit in [1, 3, 4, 1_000] {
        assert_eq!(keys(index, &of(TENANT), limit).await, expected, "{limit} a page");
    }
    assert_eq!(keys(index, &of(OTHER), 1).await, ["MANIFEST#urn:c2pa:other"]);
    // Stored for itself as well, it joins them; deleted, it leaves.
    let joined = ManifestRow { standalone: true, ..held.in_state(State::Live) };
    done(index, &[change(Row::Manifest(joined))]).await;
    let gone = standalone("a:1").in_state(State::Deleting(at(4)));
    done(index, &[change(Row::Manifest(gone))]).await;
    expected.remove(0);
    expected.push("MANIFEST#urn:c2pa:held".to_owned());
    assert_eq!(keys(index, &of(TENANT), 2).await, expected);
}

async fn a_foreign_cursor_is_none(index: &impl Index) {
    for number in 0..4 {
        let (mine, other) =
            (proof(&number.to_string(), TENANT, number, 10), proof(&number.to_string(), OTHER, number, 10));
        done(index, &[first(mine), first(other)]).await;
        let alias = Row::Alias(alias(&number.to_string(), TENANT));
        done(index, &[Write { row: alias, expected: None }]).await;
        done(index, &[first(standalone(&format!("urn:{number}")))]).await;
    }
    let listings = [
        tenant(TENANT),
        tenant(OTHER),
        Listing::Aliases(TENANT.parse().unwrap()),
        Listing::Manifests(TENANT.parse().unwrap()),
        Listing::Due(at(100)),
        Listing::All,
    ];
    let mut cursors = BTreeMap::new();
    for (number, listing) in listings.iter().enumerate() {
        let cursor = index.list(listing, None, 2).await.unwrap().unwrap().next.unwrap();
        assert!(
            cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)),
            "{cursor}"
        );
        cursors.insert(number, cursor);
    }
    for (number, listing) in listings.iter().enumerate() {
        let foreign = ["", "x", "AAAA", "\u{0}", "ä", "../", "null"].map(str::to_owned);
        let others = cursors.iter().filter(|(other, _)| **other != number).map(|(_, cursor)| cursor.clone());
        for cursor in foreign.into_iter().chain(others) {
            let page = index.list(listing, Some(&cursor), 10).await.unwrap();
            assert_eq!(page, None, "{cursor} in {listing:?}");
        }
    }
}

async fn the_last_page_says_so(index: &impl Index) {
    for number in 0..4 {
        done(index, &[first(proof(&number.to_string(), TENANT, number, 10))]).await;
    }
    for listing in [tenant(TENANT), Listing::Due(at(100)), Listing::All] {
        let page = index.list(&listing, None, 2).await.unwrap().unwrap();
        let page = index.list(&listing, page.next.as_deref(), 2).await.unwrap().unwrap();
        assert_eq!((page.items.len(), page.next), (2, None), "{listing:?}");
    }
}

async fn totals_are_exact(index: &impl Index) {
    let json = proof("json", TENANT, 1, 10);
    let mut c2pa = proof("c2pa", TENANT, 1, 10);
    c2pa.manifest_id = Some("urn:c2pa:x".parse().unwrap());
    let manifest = manifest("urn:c2pa:x", 5_000);
    done(index, &[first(json.clone()), first(c2pa.clone()), first(manifest.clone())]).await;
    let expected = Totals { proofs: 2, manifests: 1, manifest_bytes: 5_100, deleted: 0 };
    assert_eq!(index.totals().await.unwrap(), expected);
    let longer = next(&json, |row| row.manifest_length = 150);
    done(index, &[change(longer)]).await;
    assert_eq!(index.totals().await.unwrap(), Totals { manifest_bytes: 5_150, ..expected });
    let json = current(index, &json).await;
    let gone = [
        change(Row::Proof(json.in_state(State::Deleting(at(1))))),
        change(Row::Manifest(manifest.in_state(State::Deleting(at(1))))),
    ];
    done(index, &gone).await;
    let expected = Totals { proofs: 1, manifests: 0, manifest_bytes: 0, deleted: 1 };
    assert_eq!(index.totals().await.unwrap(), expected);
    // Many at once, some of which lose.
    let race = (0..100)
        .map(|n| async move { index.commit(&[first(proof(&(n % 50).to_string(), OTHER, n, 10))]).await });
    let answers = join_all(race).await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(Commit::Done))).count(), 50);
    let expected = Totals { proofs: 51, manifest_bytes: 5_000, ..expected };
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
    // A commit by somebody who read the row before the reads were counted, and one who makes reads up.
    done(index, &[change(next(&row, |row| row.revision = 2))]).await;
    let second = current(index, &row).await;
    assert_eq!((second.revision, second.version, second.reads), (2, 2, reads(8, 50)));
    done(index, &[change(next(&second, |row| row.reads = reads(1_000, 1_000)))]).await;
    let third = current(index, &row).await;
    assert_eq!((third.version, third.reads), (3, reads(8, 50)));
    // Every way to a row shows them.
    let lost = index.commit(&[first(row.clone())]).await.unwrap();
    assert_eq!(lost, Commit::Lost { write: 0, current: Some(Row::Proof(third.clone())) });
    for listing in [tenant(TENANT), Listing::Due(at(1_000)), Listing::All] {
        let page = index.list(&listing, None, 10).await.unwrap().unwrap();
        assert_eq!(page.items, [Row::Proof(third.clone())]);
    }
    // A first row does not bring reads along either.
    let made_up = ProofRow { reads: reads(9, 9), ..proof("y", TENANT, 1, 100) };
    done(index, &[first(made_up.clone())]).await;
    assert_eq!(current(index, &made_up).await.reads, Reads::default());
    // Counting and committing side by side.
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
    assert!(matches!(error, EmbeddedError::InUse(_)));
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
