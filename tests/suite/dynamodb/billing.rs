//! The cost of an operation, in calls.

use std::collections::BTreeMap;

use credlink_core::row::{Reads, Row, RowKey};
use credlink_ports::{Commit, Index as _, Listing, Write};

use super::wire::Wire;
use crate::contracts::{at, due, manifest, next, proof};

fn calls(calls: &[(&str, u32)]) -> BTreeMap<String, u32> {
    calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_store_is_one_read_and_one_write() {
    let wire = Wire::new();
    let index = wire.index().await;
    for number in 0..5 {
        let row = proof(&number.to_string(), "acme", number, 1_000);
        assert_eq!(index.get(&RowKey::Proof(row.id)).await.unwrap(), None);
        let write = Write { row: Row::Proof(row.clone()), expected: None };
        assert_eq!(index.commit(&[write]).await.unwrap(), Commit::Done);
        // The sums are written with the first commit, and are not due again for a while.
        let write = if number == 0 { "TransactWriteItems" } else { "UpdateItem" };
        assert_eq!(wire.calls(), calls(&[("GetItem", 1), (write, 1)]));
        assert!(index.get(&RowKey::Proof(row.id)).await.unwrap().is_some());
        assert_eq!(wire.calls(), calls(&[("GetItem", 1)]), "a duplicate");
    }
}

#[tokio::test]
async fn a_commit_that_follows_on_what_was_seen_is_one_call() {
    let wire = Wire::new();
    let index = wire.index().await;
    let (row, held) = (proof("x", "acme", 1, 1_000), manifest("urn:x", 5));
    let writes = [
        Write { row: Row::Proof(row.clone()), expected: None },
        Write { row: Row::Manifest(held.clone()), expected: None },
    ];
    index.commit(&writes).await.unwrap();
    assert_eq!(wire.calls(), calls(&[("TransactWriteItems", 1)]));
    // Known because this very process wrote it.
    let second = next(&row, |row| row.revision = 2);
    index.commit(&[Write { row: second.clone(), expected: Some(1) }]).await.unwrap();
    assert_eq!(wire.calls(), calls(&[("UpdateItem", 1)]));
    // Known from a lost commit.
    let Commit::Lost { .. } = index.commit(&[Write { row: second, expected: Some(1) }]).await.unwrap() else {
        panic!("the row has version 2")
    };
    wire.calls();
    let third = Row::Proof(credlink_core::row::ProofRow { version: 3, ..row });
    index.commit(&[Write { row: third, expected: Some(2) }]).await.unwrap();
    assert_eq!(wire.calls(), calls(&[("UpdateItem", 1)]));
    index.totals().await.unwrap();
    assert_eq!(wire.calls(), calls(&[("BatchGetItem", 1)]));
}

#[tokio::test]
async fn nothing_but_the_listing_of_everything_scans() {
    let wire = Wire::new();
    let index = wire.index().await;
    let row = proof("x", "acme", 1, 1_000);
    index.get(&RowKey::Proof(row.id)).await.unwrap();
    index.commit(&[Write { row: Row::Proof(row.clone()), expected: None }]).await.unwrap();
    index.count_reads(&[(row.id, Reads { count: 1, last: Some(at(5)) })]).await.unwrap();
    index.totals().await.unwrap();
    index.flush().await.unwrap();
    wire.calls();
    for (listing, queries) in [(Listing::Tenant("acme".parse().unwrap()), 1), (Listing::Due(due(5_000)), 4)] {
        assert_eq!(index.list(&listing, None, 10).await.unwrap().unwrap().items.len(), 1);
        assert_eq!(wire.calls(), calls(&[("Query", queries), ("BatchGetItem", 1)]));
    }
    index.list(&Listing::All, None, 10).await.unwrap();
    assert_eq!(wire.calls(), calls(&[("Scan", 1)]));
}
