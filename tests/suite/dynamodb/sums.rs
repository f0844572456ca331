//! Sums that several processes update, that are lost with a process, and that are then corrected.

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_aws::http_client;
use credlink_core::row::{Row, Totals};
use credlink_dynamodb::DynamoIndex;
use credlink_ports::{Commit, Index as _, Write};
use tokio::time::{Duration, Instant};

use crate::contracts::{manifest, proof};
use crate::engines::dynoxide::{endpoint, index, index_at, patient};

/// The index of another process over the same table.
async fn another(index: &DynamoIndex) -> DynamoIndex {
    index_at(endpoint(), index.table(), http_client(), patient()).await
}

async fn store(index: &DynamoIndex, name: &str) {
    let row = Row::Proof(proof(name, "acme", 1, 1_000));
    index.commit(&[Write { row, expected: None }]).await.unwrap();
}

#[tokio::test]
async fn each_process_writes_what_it_changed_with_its_first_commit_and_at_its_end() {
    let a = index().await;
    let (b, reader) = (another(&a).await, another(&a).await);
    store(&a, "1").await;
    store(&b, "2").await;
    assert_eq!(reader.totals().await.unwrap().proofs, 2, "a process that stores seldom keeps nothing back");
    store(&a, "3").await;
    store(&b, "4").await;
    assert_eq!(a.totals().await.unwrap().proofs, 3, "what it stored itself it knows at once");
    assert_eq!(reader.totals().await.unwrap().proofs, 2);
    a.flush().await.unwrap();
    b.flush().await.unwrap();
    b.flush().await.unwrap();
    for index in [&a, &b, &reader] {
        assert_eq!(index.totals().await.unwrap().proofs, 4);
    }
}

#[tokio::test]
async fn a_lost_commit_changes_no_sum_and_keeps_none_back() {
    let a = index().await;
    let (b, reader) = (another(&a).await, another(&a).await);
    store(&a, "1").await;
    let row = Row::Proof(proof("1", "acme", 1, 1_000));
    let lost = b.commit(&[Write { row, expected: None }]).await.unwrap();
    assert!(matches!(lost, Commit::Lost { .. }));
    assert_eq!(b.totals().await.unwrap().proofs, 1);
    store(&b, "2").await;
    assert_eq!(
        reader.totals().await.unwrap().proofs,
        2,
        "the first commit that is done takes its sums along"
    );
}

#[tokio::test]
async fn a_recount_sets_right_what_got_lost() {
    let index = index().await;
    let mut writes = vec![Write { row: Row::Manifest(manifest("urn:x", 50)), expected: None }];
    for number in 0..99 {
        writes.push(Write { row: Row::Proof(proof(&number.to_string(), "acme", 1, 1_000)), expected: None });
    }
    index.commit(&writes).await.unwrap();
    for number in 0..1_200 {
        if number % 100 == 0 {
            let rows = (number..number + 100).map(|n| proof(&format!("more {n}"), "acme", 1, 1_000));
            let writes: Vec<_> = rows.map(|row| Write { row: Row::Proof(row), expected: None }).collect();
            index.commit(&writes).await.unwrap();
        }
    }
    let expected =
        Totals { proofs: 1_299, manifests: 1, manifest_bytes: 129_950, deleted: 0, ..Totals::default() };
    assert_eq!(index.totals().await.unwrap(), expected);
    // A process that was killed held changes that no other process knows, and another process wrote its changes twice.
    let reader = another(&index).await;
    assert_eq!(reader.totals().await.unwrap(), Totals::default());
    let wrong = reader.client().update_item().table_name(reader.table());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let wrong = wrong.key("pk", text("STATS#03")).key("sk", text("SUM")).update_expression("ADD deleted :n");
    wrong.expression_attribute_values(":n", AttributeValue::N("7".to_owned())).send().await.unwrap();
    // No time at all, so each call handles one page.
    let now = Instant::now();
    let first = reader.recount(None, now).await.unwrap();
    assert_eq!(first.rows, 1_000);
    let later = now + Duration::from_secs(600);
    let last = reader.recount(first.resume.as_deref(), later).await.unwrap();
    assert_eq!((last.rows, last.resume), (1_300, None));
    assert_eq!(reader.totals().await.unwrap(), expected);
    let again = reader.recount(None, later).await.unwrap();
    assert_eq!((again.rows, reader.totals().await.unwrap()), (1_300, expected));
    assert!(reader.recount(Some("AAAA"), later).await.unwrap_err().message.contains("no recount"));
}
