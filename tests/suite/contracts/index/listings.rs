//! The content of an index's listings, and how listings continue while the index changes.

use std::collections::{BTreeMap, BTreeSet};

use credlink_core::bounds::{MAX_ITEM_KEY_BYTES, MAX_LEGACY_ID_BYTES};
use credlink_core::repair_mark::RepairMark;
use credlink_core::replica::Replica;
use credlink_core::row::{AliasRow, LegacyItemRow, ManifestRow, ReplicaRow, Row, RowKey, State};
use credlink_ports::{Commit, Index, Listing, Write};
use futures_util::future::join;

use super::{OTHER, TENANT, change, done, first, keys, names, tenant};
use crate::contracts::{at, due, manifest, next, proof};

pub async fn a_tenants_live_proofs_are_listed_oldest_first(index: &impl Index) {
    // The order of creation differs from the order of storage, two proofs share a millisecond, and the names of other
    // tenants sort before, between and after.
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
    // A proof that is no longer live is not listed, and is listed again when it is live again.
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

pub async fn a_new_revision_does_not_move_its_proof(index: &impl Index) {
    let rows: Vec<_> = (0..4).map(|n| proof(&n.to_string(), TENANT, n, 1_000)).collect();
    for row in &rows {
        done(index, &[first(row.clone())]).await;
    }
    let page = index.list(&tenant(TENANT), None, 2).await.unwrap().unwrap();
    // One row that was already seen, and one that was not.
    for row in [&rows[0], &rows[2]] {
        done(index, &[change(next(row, |row| row.created = at(500)))]).await;
    }
    let rest = index.list(&tenant(TENANT), page.next.as_deref(), 10).await.unwrap().unwrap();
    let seen = page.items.iter().chain(&rest.items).map(|row| row.key().to_string()).collect::<Vec<_>>();
    assert_eq!(seen, names(&rows));
    assert_eq!(rest.items[0], index.get(&rest.items[0].key()).await.unwrap().unwrap());
}

pub async fn a_listing_under_way_shows_every_row_once(index: &impl Index) {
    let rows: Vec<_> = (0..60).map(|n| proof(&n.to_string(), TENANT, n * 10, 100_000)).collect();
    done(index, &rows.iter().cloned().map(first).collect::<Vec<_>>()).await;
    let stays: BTreeSet<_> = names(&rows).into_iter().collect();
    let listing = async {
        for limit in [3, 7, 20, 1] {
            for listing in [tenant(TENANT), Listing::All, Listing::Due(due(200_000))] {
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

pub async fn due_rows_are_listed_longest_due_first(index: &impl Index) {
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
            let found = keys(index, &Listing::Due(due(by)), limit).await;
            assert_eq!(found, names(expected[..count].iter().copied()), "by {by}");
        }
    }
    // An unfinished deletion is due at once and a finished one never. An extension moves the proof.
    let deleting = expiring[2].in_state(State::Deleting(at(10)));
    done(index, &[change(Row::Proof(deleting.clone()))]).await;
    done(index, &[change(Row::Manifest(live.in_state(State::Deleting(at(5)))))]).await;
    done(index, &[change(next(&expiring[4], |row| row.expires = at(90)))]).await;
    let found = keys(index, &Listing::Due(due(25)), 2).await;
    let manifest = RowKey::Manifest(live.manifest_key()).to_string();
    let expected = [vec![manifest.clone()], names([&expiring[2], expected[0], expected[1]])].concat();
    assert_eq!(found, expected);
    done(index, &[change(Row::Proof(deleting.in_state(State::Deleted(at(10)))))]).await;
    assert_eq!(keys(index, &Listing::Due(due(19)), 2).await, [manifest]);
    // A cursor of a listing that looks further ahead is past the end of a listing that does not.
    let ahead = index.list(&Listing::Due(due(1_000)), None, 4).await.unwrap().unwrap();
    let page = index.list(&Listing::Due(due(7)), ahead.next.as_deref(), 10).await.unwrap().unwrap();
    assert!(page.items.is_empty() && page.next.is_none());
}

pub async fn all_rows_are_listed_once_in_whatever_state(index: &impl Index) {
    let mut expected = Vec::new();
    for number in 0..10 {
        let proof = proof(&number.to_string(), TENANT, number, 100);
        let manifest = manifest(&format!("urn:c2pa:{number}"), 1);
        let deleted = proof.in_state(State::Deleted(at(1)));
        done(index, &[first(proof.clone()), first(manifest.clone())]).await;
        done(index, &[change(Row::Proof(deleted))]).await;
        expected.extend([
            RowKey::Proof(proof.id).to_string(),
            RowKey::Manifest(manifest.manifest_key()).to_string(),
        ]);
    }
    expected.sort();
    for limit in [1, 3, 1_000] {
        let mut found = keys(index, &Listing::All, limit).await;
        found.sort();
        assert_eq!(found, expected);
    }
}

pub async fn what_is_neither_proof_nor_manifest_is_in_no_listing_of_proofs(index: &impl Index) {
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
    // An ID as long and as unusual as IDs may be.
    let odd = format!("urn:old:{}", "~".repeat(MAX_LEGACY_ID_BYTES - 8));
    let replica = Row::Replica(ReplicaRow {
        replica: Replica::Primary,
        version: 1,
        since: at(1),
        until: at(9),
        raised: 1,
        repairs: [RepairMark::new(at(1), 1)].into(),
    });
    // The item of a record that a legacy source holds for this very proof, under the longest key.
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
    // An alias is never silently bound to another proof.
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
    assert_eq!(keys(index, &Listing::Due(due(1_000)), 10).await, only);
    assert_eq!(index.totals().await.unwrap(), Row::Proof(row).totals());
}

fn alias(id: &str, owner: &str) -> AliasRow {
    let proof = proof("x", owner, 1, 100).id;
    AliasRow { id: id.parse().unwrap(), version: 1, proof, tenant: owner.parse().unwrap(), withdrawn: None }
}

pub async fn legacy_ids_are_listed_by_tenant_in_their_order(index: &impl Index) {
    let of = |owner: &str| Listing::Aliases(owner.parse().unwrap());
    let odd = format!("z{}", "~".repeat(MAX_LEGACY_ID_BYTES - 1));
    let ids = ["0", "9-z", "A", "a", "a-1", "p:2", &odd];
    for id in ids.iter().rev() {
        let row = Row::Alias(alias(id, TENANT));
        done(index, &[Write { row, expected: None }, first(proof(id, TENANT, 1, 100))]).await;
    }
    // Aliases that belong to other tenants, or no longer name anything.
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
    // An alias that is withdrawn leaves the listing, and is listed again once it is bound again.
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

pub async fn manifests_stored_for_themselves_are_listed_by_tenant_in_their_order(index: &impl Index) {
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
    let mut expected = ids.map(|id| format!("MANIFEST#{id}/{TENANT}")).to_vec();
    for limit in [1, 3, 4, 1_000] {
        assert_eq!(keys(index, &of(TENANT), limit).await, expected, "{limit} a page");
    }
    assert_eq!(keys(index, &of(OTHER), 1).await, [format!("MANIFEST#urn:c2pa:other/{OTHER}")]);
    // A manifest that is now also stored for itself joins the listing, and leaves it once it is deleted.
    let joined = ManifestRow { standalone: true, ..held.in_state(State::Live) };
    done(index, &[change(Row::Manifest(joined))]).await;
    let gone = standalone("a:1").in_state(State::Deleting(at(4)));
    done(index, &[change(Row::Manifest(gone))]).await;
    expected.remove(0);
    expected.push("MANIFEST#urn:c2pa:held/acme".to_owned());
    assert_eq!(keys(index, &of(TENANT), 2).await, expected);
}

pub async fn a_foreign_cursor_is_none(index: &impl Index) {
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
        Listing::Due(due(100)),
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

pub async fn the_last_page_says_so(index: &impl Index) {
    for number in 0..4 {
        done(index, &[first(proof(&number.to_string(), TENANT, number, 10))]).await;
    }
    for listing in [tenant(TENANT), Listing::Due(due(100)), Listing::All] {
        let page = index.list(&listing, None, 2).await.unwrap().unwrap();
        let page = index.list(&listing, page.next.as_deref(), 2).await.unwrap().unwrap();
        assert_eq!((page.items.len(), page.next), (2, None), "{listing:?}");
    }
}
