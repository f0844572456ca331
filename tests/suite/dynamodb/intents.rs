//! Intents in the table, beyond their contract: how a scan of the rows treats them, and how long they are kept.

use credlink_core::object::ObjectKey;
use credlink_core::row::Row;
use credlink_ports::{Index as _, Listing, Write};

use super::wire::Wire;
use crate::contracts::{at, proof, proof_id};

/// There may be as many intents as rows. DynamoDB removes them by their time to live, and a scan does not read them.
#[tokio::test]
async fn a_scan_passes_over_intents_and_each_has_an_end() {
    let wire = Wire::new();
    let index = wire.index().await;
    let row = Row::Proof(proof("x", "acme", 5, 10));
    index.commit(&[Write { row: row.clone(), expected: None }]).await.unwrap();
    for number in 0..200 {
        let key = ObjectKey::Record(proof_id(&number.to_string()));
        index.intend(&key, at(1_000)).await.unwrap();
    }
    wire.calls();
    assert_eq!(index.list(&Listing::All, None, 1).await.unwrap().unwrap().items, [row]);
    // The row, the sums, four partitions of intents, and what comes after each.
    assert!(wire.calls()["Scan"] <= 8);
    let scanned = index.client().scan().table_name(index.table()).send().await.unwrap();
    let intents = scanned.items().iter().filter(|item| {
        item["pk"].as_s().unwrap().starts_with("INTENT#") && item["ttl"].as_n().unwrap() == "604801"
    });
    assert_eq!(intents.count(), 200);
}
