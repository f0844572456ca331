//! Cases of one adapter of the ledger: files and their versions, and items of a table.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_core::row::Row;
use credlink_dynamodb::ledger::TableLedger;
use credlink_embedded::OpenError;
use credlink_embedded::ledger::{FileLedger, LedgerError, ledger_path};
use credlink_ports::doubles::ManualClock;
use credlink_ports::migration::Ledger as _;
use credlink_ports::migration::ledger::{Job, JobName, Order};
use credlink_ports::{FailureKind, Index as _, Listing, Write};
use credlink_runtime::clock::SystemClock;

use super::super::{at, due, proof};
use super::{copied, job, keys, name, planned, written};
use crate::engines::dynoxide;

#[tokio::test]
async fn a_file_survives_its_process() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("new/jobs");
    let other: JobName = "other".parse().unwrap();
    let error = FileLedger::look(&folder, &name(), SystemClock).unwrap_err();
    assert!(matches!(&error, LedgerError::NoSuchJob { .. }), "{error}");
    let ledger = FileLedger::open(&folder, &name(), SystemClock).unwrap();
    ledger.keep_job(&job()).await.unwrap();
    written(&ledger, &[planned("a"), copied("b", 1)]).await;
    assert!(ledger.claim("killed", 1_000_000).await.unwrap());
    // No other process can run or read the job meanwhile, but another job has its own file.
    for error in [
        FileLedger::open(&folder, &name(), SystemClock).unwrap_err(),
        FileLedger::look(&folder, &name(), SystemClock).unwrap_err(),
    ] {
        assert!(matches!(&error, LedgerError::InUse { .. }), "{error}");
        assert!(error.to_string().starts_with("another process runs the job `archive-2019` ("), "{error}");
    }
    drop(FileLedger::open(&folder, &other, SystemClock).unwrap());
    // A kill would leave exactly what is on the disk now.
    let killed = directory.path().join("killed");
    std::fs::create_dir(&killed).unwrap();
    std::fs::copy(ledger_path(&folder, &name()), ledger_path(&killed, &name())).unwrap();
    drop(ledger);
    for folder in [&folder, &killed] {
        let looked = FileLedger::look(folder, &name(), SystemClock).unwrap();
        assert_eq!(looked.job().await.unwrap(), Some(job()));
        assert_eq!(
            looked.list(Order::Forward, None, 10).await.unwrap().items,
            [planned("a"), copied("b", 1)]
        );
        drop(looked);
        let ledger = FileLedger::open(folder, &name(), SystemClock).unwrap();
        assert!(ledger.claim("next", 60).await.unwrap(), "the lease ended with its process");
        written(&ledger, &[copied("a", 2)]).await;
        assert_eq!(ledger.write(&[copied("b", 1)]).await.unwrap(), [false]);
    }
    let (one, two) = (
        FileLedger::look(&folder, &name(), SystemClock).unwrap(),
        FileLedger::look(&folder, &name(), SystemClock).unwrap(),
    );
    assert_eq!(one.entries(&["a".to_owned()]).await.unwrap(), two.entries(&["a".to_owned()]).await.unwrap());
    assert_eq!(one.write(&[planned("c")]).await.unwrap_err().kind, FailureKind::AccessDenied);
    assert_eq!(one.claim("x", 1).await.unwrap_err().kind, FailureKind::AccessDenied);
}

#[tokio::test]
async fn what_another_version_wrote_is_refused_in_words() {
    let later = Job { version: 2, ..job() };
    let directory = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(directory.path(), &name(), SystemClock).unwrap();
    ledger.keep_job(&later).await.unwrap();
    let words = "the job has version 2; this program reads 1";
    assert!(ledger.job().await.unwrap_err().message.contains(words));
    drop(ledger);
    let path = ledger_path(directory.path(), &name());
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let about = redb::TableDefinition::<&str, &[u8]>::new("about");
    transaction.open_table(about).unwrap().insert("version", b"7".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    for error in [
        FileLedger::open(directory.path(), &name(), SystemClock).unwrap_err(),
        FileLedger::look(directory.path(), &name(), SystemClock).unwrap_err(),
    ] {
        assert!(
            error.to_string().ends_with("has tables of version 7; this program reads version 1"),
            "{error}"
        );
    }
    std::fs::write(&path, "no database").unwrap();
    let error = FileLedger::open(directory.path(), &name(), SystemClock).unwrap_err();
    assert!(matches!(&error, LedgerError::File(OpenError::Failed { .. })), "{error}");

    let index = dynoxide::index().await;
    let ledger = TableLedger::new(&index, &name(), SystemClock);
    ledger.keep_job(&later).await.unwrap();
    assert!(ledger.job().await.unwrap_err().message.contains(words));
    written(&ledger, &[planned("a")]).await;
    change(&index, "JOB#archive-2019#ITEMS", "a", "SET #format = :two", AttributeValue::N("2".into())).await;
    let failure = ledger.entries(&["a".to_owned()]).await.unwrap_err();
    assert!(failure.message.contains("a: its format is 2; this program reads 1"), "{failure}");
    assert_eq!(ledger.list(Order::Forward, None, 1).await.unwrap_err(), failure);
}

async fn change(
    index: &credlink_dynamodb::DynamoIndex,
    partition: &str,
    sort: &str,
    expression: &str,
    value: AttributeValue,
) {
    let request = index.client().update_item().table_name(index.table());
    let request = request
        .key("pk", AttributeValue::S(partition.to_owned()))
        .key("sk", AttributeValue::S(sort.to_owned()))
        .update_expression(expression)
        .expression_attribute_names("#format", "format")
        .expression_attribute_values(":two", value);
    request.send().await.unwrap();
}

#[tokio::test]
async fn items_have_one_form() {
    let index = dynoxide::index().await;
    let ledger = TableLedger::new(&index, &name(), ManualClock::at(at(1_000)));
    ledger.keep_job(&job()).await.unwrap();
    ledger.claim("holder", 60).await.unwrap();
    written(&ledger, &[copied("path/a.json", 1)]).await;
    let items = index.client().scan().table_name(index.table()).send().await.unwrap().items.unwrap();
    let text = |item: &std::collections::HashMap<String, AttributeValue>| {
        let item: BTreeMap<_, _> = item.iter().filter(|(name, _)| *name != "token").collect();
        item.iter().map(|(name, value)| format!("{name}: {value:?}\n")).collect::<String>()
    };
    let mut items: Vec<_> = items.iter().map(text).collect();
    items.sort();
    insta::assert_snapshot!("ledger_items", items.join("\n"));
}

/// Removing a job leaves none of its items behind, and removes nothing of another job.
#[tokio::test]
async fn a_job_that_is_removed_leaves_nothing_behind() {
    let index = dynoxide::index().await;
    let jobs = ["a", "a-b"].map(|job| TableLedger::new(&index, &job.parse().unwrap(), SystemClock));
    for ledger in &jobs {
        ledger.keep_job(&job()).await.unwrap();
        ledger.claim("x", 60).await.unwrap();
        let entries: Vec<_> = (0..30).map(|number| planned(&format!("{number}"))).collect();
        written(ledger, &entries).await;
    }
    let [removed, other] = &jobs;
    removed.remove_entries(&["0".to_owned(), "nobody's".to_owned()]).await.unwrap();
    assert_eq!(keys(removed, Order::Forward, 1_000).await.len(), 29);
    removed.remove_entries(&keys(removed, Order::Forward, 1_000).await).await.unwrap();
    assert!(removed.remove_job("x").await.unwrap());
    assert_eq!((removed.job().await.unwrap(), keys(removed, Order::Forward, 1_000).await), (None, vec![]));
    assert!(removed.claim("y", 60).await.unwrap(), "nobody has it");
    assert!(removed.remove_job("y").await.unwrap());
    let items = index.client().scan().table_name(index.table()).send().await.unwrap().items.unwrap();
    assert_eq!(items.len(), 32, "a job, its lease and its entries: those of the other");
    assert_eq!(other.job().await.unwrap(), Some(job()));
}

/// Jobs, their leases and their entries are in the same table as the rows, and appear in no listing and no sum.
#[tokio::test]
async fn rows_and_ledgers_leave_each_other_alone() {
    let index = dynoxide::index().await;
    let row = proof("x", "acme", 5, 10);
    let before = Write { row: Row::Proof(row.clone()), expected: None };
    index.commit(&[before]).await.unwrap();
    let jobs = ["a", "b", "c"].map(|job| TableLedger::new(&index, &job.parse().unwrap(), SystemClock));
    for ledger in &jobs {
        ledger.keep_job(&job()).await.unwrap();
        ledger.claim("x", 60).await.unwrap();
        let entries: Vec<_> = (0..300).map(|number| planned(&format!("{number}"))).collect();
        written(ledger, &entries).await;
    }
    index.keep_bookmark("a", Some("text")).await.unwrap();
    for listing in [Listing::All, Listing::Tenant("acme".parse().unwrap()), Listing::Due(due(10))] {
        for limit in [1, 1_000] {
            let page = index.list(&listing, None, limit).await.unwrap().unwrap();
            assert_eq!((page.items, page.next), (vec![Row::Proof(row.clone())], None), "{listing:?}");
        }
    }
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    let counted = index.recount(None, deadline).await.unwrap();
    assert_eq!((counted.rows, counted.resume), (1, None));
    assert_eq!(index.totals().await.unwrap(), Row::Proof(row).totals());
    assert_eq!(index.bookmark("a").await.unwrap().as_deref(), Some("text"));
    for ledger in &jobs {
        assert_eq!(ledger.job().await.unwrap(), Some(job()));
        assert_eq!(keys(ledger, Order::Backward, 1_000).await.len(), 300);
    }
}
