//! Answers that get lost, and answers that ask for a delay.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_aws::http_client;
use credlink_core::row::{ProofRow, Reads, Row, RowKey};
use credlink_dynamodb::DynamoIndex;
use credlink_ports::{Commit, FailureKind, Index as _, Listing, Write};
use credlink_runtime::deadline::within;
use futures_util::future::join;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant};

use super::wire::{Fault, Wire};
use crate::contracts::{at, manifest, next, proof};
use crate::engines::dynoxide::{endpoint, index_at, patient};

fn first(row: &ProofRow) -> Write {
    Write { row: Row::Proof(row.clone()), expected: None }
}

fn second(row: &ProofRow) -> Write {
    Write { row: next(row, |row| row.revision = 2), expected: Some(1) }
}

/// An index whose process has already written its sums with the first commit, so that each further commit is one
/// `UpdateItem`.
async fn warmed_up(wire: &Wire) -> DynamoIndex {
    let index = wire.index().await;
    index.commit(&[first(&proof("first", "warm", 1, 1_000))]).await.unwrap();
    index
}

#[tokio::test]
async fn a_commit_that_was_kept_is_done_whatever_became_of_its_answer() {
    let wire = Wire::new();
    let index = warmed_up(&wire).await;
    let (row, held) = (proof("x", "acme", 1, 1_000), manifest("urn:x", 5));
    wire.fail("UpdateItem", Fault::LoseAnswer);
    assert_eq!(index.commit(&[first(&row)]).await.unwrap(), Commit::Done);
    wire.fail("UpdateItem", Fault::LoseAnswer);
    wire.fail("UpdateItem", Fault::LoseAnswer);
    assert_eq!(index.commit(&[second(&row)]).await.unwrap(), Commit::Done);
    let other = proof("y", "acme", 2, 1_000);
    wire.fail("TransactWriteItems", Fault::LoseAnswer);
    let both = [first(&other), Write { row: Row::Manifest(held), expected: None }];
    assert_eq!(index.commit(&both).await.unwrap(), Commit::Done);
    assert!(wire.is_whole());
    assert_eq!(index.get(&RowKey::Proof(row.id)).await.unwrap().unwrap().version(), 2);
    let totals = index.totals().await.unwrap();
    assert_eq!((totals.proofs, totals.manifests), (3, 1), "each counted once");
}

/// A conflict in the sums says nothing about the attempt before it. If the next one had another token, it would lose against
/// its own row, and the change would be added to the sums once more.
#[tokio::test]
async fn a_commit_that_was_kept_is_done_though_the_next_attempt_meets_a_conflict() {
    let wire = Wire::new();
    let index = wire.index().await;
    wire.fail("TransactWriteItems", Fault::LoseAnswer);
    wire.fail("TransactWriteItems", Fault::Cancel(&["None", "TransactionConflict"]));
    assert_eq!(index.commit(&[first(&proof("x", "acme", 1, 1_000))]).await.unwrap(), Commit::Done);
    assert!(wire.is_whole());
    assert_eq!(index.totals().await.unwrap().proofs, 1);
}

#[tokio::test]
async fn the_same_row_of_another_writer_is_no_commit_of_ours() {
    let wire = Wire::new();
    let index = warmed_up(&wire).await;
    let row = proof("x", "acme", 1, 1_000);
    index.commit(&[first(&row)]).await.unwrap();
    assert!(matches!(index.commit(&[first(&row)]).await.unwrap(), Commit::Lost { write: 0, .. }));
}

#[tokio::test]
async fn a_commit_that_nobody_can_tell_about_any_more_is_a_failure() {
    let wire = Wire::new();
    let index = warmed_up(&wire).await;
    let row = proof("x", "acme", 1, 1_000);
    let third = Write { row: next(&row, |row| row.version = 3), expected: Some(2) };
    // Two further versions of the row are committed between the attempt that was kept and the next attempt.
    let permits = Arc::new(Semaphore::new(0));
    wire.fail("UpdateItem", Fault::LoseAnswer);
    wire.fail("UpdateItem", Fault::Wait(Arc::clone(&permits)));
    let rival = async {
        // The rival bypasses the wire.
        let rival = index_at(endpoint(), index.table(), http_client(), patient()).await;
        while rival.get(&RowKey::Proof(row.id)).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        rival.commit(&[second(&row)]).await.unwrap();
        rival.commit(std::slice::from_ref(&third)).await.unwrap();
        permits.add_permits(1);
    };
    let first = [first(&row)];
    let (answer, ()) = join(index.commit(&first), rival).await;
    let failure = answer.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(failure.message.contains("an attempt had no answer"), "{failure}");
}

#[tokio::test]
async fn throttling_is_waited_out() {
    let wire = Wire::new();
    let index = warmed_up(&wire).await;
    let row = proof("x", "acme", 1, 1_000);
    for _ in 0..6 {
        wire.fail("UpdateItem", Fault::Refuse(400, "ProvisionedThroughputExceededException"));
    }
    assert_eq!(index.commit(&[first(&row)]).await.unwrap(), Commit::Done);
    for _ in 0..6 {
        wire.fail("TransactWriteItems", Fault::Refuse(400, "ThrottlingException"));
    }
    let writes = [second(&row), Write { row: Row::Manifest(manifest("urn:x", 5)), expected: None }];
    assert_eq!(index.commit(&writes).await.unwrap(), Commit::Done);
    wire.fail("GetItem", Fault::Refuse(400, "ProvisionedThroughputExceededException"));
    assert!(index.get(&RowKey::Proof(row.id)).await.unwrap().is_some());
    wire.fail("UpdateItem", Fault::Refuse(400, "TransactionConflictException"));
    index.count_reads(&[(row.id, Reads { count: 1, last: None })]).await.unwrap();
    assert!(wire.is_whole());
}

#[tokio::test]
async fn a_transaction_that_met_another_is_tried_again() {
    let wire = Wire::new();
    let index = wire.index().await;
    let row = proof("x", "acme", 1, 1_000);
    // A conflict in the sums, which every process updates: the commit continues without them.
    wire.fail("TransactWriteItems", Fault::Cancel(&["None", "TransactionConflict"]));
    assert_eq!(index.commit(&[first(&row)]).await.unwrap(), Commit::Done);
    assert_eq!(
        wire.calls().into_iter().collect::<Vec<_>>(),
        [("TransactWriteItems".to_owned(), 1), ("UpdateItem".to_owned(), 1)]
    );
    assert_eq!(index.totals().await.unwrap().proofs, 1, "the change is not lost");
    // A conflict in a row before one whose condition fails: it is not known yet which of them is the first to fail.
    let (other, held) = (proof("y", "acme", 1, 1_000), manifest("urn:x", 5));
    let writes = [second(&row), first(&other), Write { row: Row::Manifest(held), expected: None }];
    let reasons = &["ThrottlingError", "None", "None"];
    wire.fail("TransactWriteItems", Fault::Cancel(reasons));
    wire.fail(
        "TransactWriteItems",
        Fault::Cancel(&["TransactionConflict", "ConditionalCheckFailed", "None"]),
    );
    assert_eq!(index.commit(&writes).await.unwrap(), Commit::Done);
    wire.fail("TransactWriteItems", Fault::Cancel(&["None", "ValidationError", "None"]));
    let third = Write { row: next(&row, |row| row.version = 3), expected: Some(2) };
    let writes = [third, first(&proof("z", "acme", 1, 1_000))];
    assert_eq!(index.commit(&writes).await.unwrap_err().kind, FailureKind::AccessDenied);
    assert!(wire.is_whole());
}

#[tokio::test]
async fn a_commit_ends_by_the_deadline_of_its_request() {
    let wire = Wire::new();
    let index = warmed_up(&wire).await;
    let row = first(&proof("x", "acme", 1, 1_000));
    // An answer that never comes, with limits that would allow a wait of two minutes.
    wire.fail("UpdateItem", Fault::Wait(Arc::new(Semaphore::new(0))));
    let deadline = Instant::now() + Duration::from_millis(200);
    let failure = within(deadline, index.commit(std::slice::from_ref(&row))).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TimedOut, "{failure}");
    assert!(Instant::now() >= deadline);
    assert_eq!(index.commit(&[row]).await.unwrap(), Commit::Done);
}

#[tokio::test]
async fn keys_that_were_not_processed_are_asked_for_again() {
    let wire = Wire::new();
    let index = warmed_up(&wire).await;
    wire.fail("BatchGetItem", Fault::ProcessNothing);
    wire.fail("BatchGetItem", Fault::ProcessNothing);
    let page = index.list(&Listing::Tenant("warm".parse().unwrap()), None, 10).await.unwrap().unwrap();
    assert_eq!(page.items.len(), 1);
    wire.fail("BatchGetItem", Fault::ProcessNothing);
    assert_eq!(index.totals().await.unwrap().proofs, 1);
    assert!(wire.is_whole());
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let wire = Wire::new();
    let index = warmed_up(&wire).await;
    let row = proof("x", "acme", 1, 1_000);
    for (code, kind) in [
        ("AccessDeniedException", FailureKind::AccessDenied),
        ("ValidationException", FailureKind::AccessDenied),
        ("ResourceNotFoundException", FailureKind::Unavailable),
    ] {
        wire.fail("GetItem", Fault::Refuse(400, code));
        assert_eq!(index.get(&RowKey::Proof(row.id)).await.unwrap_err().kind, kind, "{code}");
        wire.fail("UpdateItem", Fault::Refuse(400, code));
        assert_eq!(index.commit(&[first(&row)]).await.unwrap_err().kind, kind, "{code}");
    }
    assert!(wire.is_whole());
    assert_eq!(index.get(&RowKey::Proof(row.id)).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_no_row_is_damage_and_not_absence() {
    let index = Wire::new().index().await;
    let row = proof("x", "acme", 1, 1_000);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let key = RowKey::Proof(row.id);
    let put = index.client().put_item().table_name(index.table());
    put.item("pk", text(&key.to_string())).item("sk", text("ROW")).send().await.unwrap();
    assert_eq!(index.get(&key).await.unwrap_err().kind, FailureKind::Damaged);
    assert_eq!(index.commit(&[first(&row)]).await.unwrap_err().kind, FailureKind::Damaged);
    assert_eq!(index.list(&Listing::All, None, 5).await.unwrap_err().kind, FailureKind::Damaged);
    assert_eq!(index.count_reads(&[(row.id, Reads { count: 1, last: Some(at(1)) })]).await.ok(), Some(()));
}
