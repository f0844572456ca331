//! A ledger in the table, beyond its contract: answers that get lost or ask for a delay, and how a scan of the rows
//! treats its entries.

use std::sync::Arc;

use credlink_aws::http_client;
use credlink_core::row::Row;
use credlink_dynamodb::DynamoIndex;
use credlink_dynamodb::ledger::TableLedger;
use credlink_ports::migration::Ledger as _;
use credlink_ports::migration::ledger::{Entry, ItemState};
use credlink_ports::{FailureKind, Index as _, Listing, Write};
use credlink_runtime::clock::SystemClock;
use futures_util::future::join;
use tokio::sync::Semaphore;

use super::wire::{Fault, Wire};
use crate::contracts::{at, proof};
use crate::engines::dynoxide::{endpoint, index_at, patient};

fn entry(key: &str, version: u64) -> Entry {
    let (key, item) = (key.to_owned(), "tag".to_owned());
    Entry {
        key,
        item,
        size: 1,
        version,
        updated: at(1),
        begun: None,
        withdrawing: None,
        state: ItemState::Planned,
    }
}

fn ledger(index: &DynamoIndex) -> TableLedger<SystemClock> {
    TableLedger::new(index, &"job".parse().unwrap(), SystemClock)
}

#[tokio::test]
async fn an_entry_that_was_kept_is_written_whatever_became_of_its_answer() {
    let wire = Wire::new();
    let ledger = ledger(&wire.index().await);
    wire.fail("UpdateItem", Fault::LoseAnswer);
    assert_eq!(ledger.write(&[entry("a", 1)]).await.unwrap(), [true]);
    for fault in [Fault::Refuse(400, "ThrottlingException"), Fault::LoseAnswer, Fault::LoseAnswer] {
        wire.fail("UpdateItem", fault);
    }
    assert_eq!(ledger.write(&[entry("a", 2)]).await.unwrap(), [true]);
    // An identical entry by another writer does not count as this writer's own.
    assert_eq!(ledger.write(&[entry("a", 2)]).await.unwrap(), [false]);
    wire.fail("UpdateItem", Fault::Refuse(400, "AccessDeniedException"));
    assert_eq!(ledger.write(&[entry("b", 1)]).await.unwrap_err().kind, FailureKind::AccessDenied);
    wire.fail("BatchGetItem", Fault::ProcessNothing);
    let found = ledger.entries(&["a".to_owned(), "b".to_owned()]).await.unwrap();
    assert_eq!(found, [Some(entry("a", 2)), None]);
    assert!(wire.is_whole());
}

#[tokio::test]
async fn an_entry_that_nobody_can_tell_about_any_more_is_a_failure() {
    let wire = Wire::new();
    let index = wire.index().await;
    let mine = ledger(&index);
    let permits = Arc::new(Semaphore::new(0));
    wire.fail("UpdateItem", Fault::LoseAnswer);
    wire.fail("UpdateItem", Fault::Wait(Arc::clone(&permits)));
    let rival = async {
        // The rival bypasses the wire.
        let rival = ledger(&index_at(endpoint(), index.table(), http_client(), patient()).await);
        while rival.entries(&["a".to_owned()]).await.unwrap() == [None] {
            tokio::task::yield_now().await;
        }
        assert_eq!(rival.write(&[entry("a", 2)]).await.unwrap(), [true]);
        permits.add_permits(1);
    };
    let first = entry("a", 1);
    let (written, ()) = join(mine.write(std::slice::from_ref(&first)), rival).await;
    assert_eq!(written.unwrap_err().kind, FailureKind::Unavailable);
}

/// A job may have as many entries as the table has rows, and a scan of the rows does not read them.
#[tokio::test]
async fn a_scan_passes_over_a_job_in_one_call() {
    let wire = Wire::new();
    let index = wire.index().await;
    let row = Row::Proof(proof("x", "acme", 5, 10));
    index.commit(&[Write { row: row.clone(), expected: None }]).await.unwrap();
    let ledger = ledger(&index);
    let entries: Vec<_> = (0..500).map(|number| entry(&format!("{number}"), 1)).collect();
    assert_eq!(ledger.write(&entries).await.unwrap(), vec![true; 500]);
    wire.calls();
    assert_eq!(index.list(&Listing::All, None, 1).await.unwrap().unwrap().items, [row]);
    // The row, the sums, the job's entries, and what comes after each.
    assert!(wire.calls()["Scan"] <= 5);
}
