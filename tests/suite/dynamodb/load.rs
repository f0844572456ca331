//! Many concurrent commits, and many rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use credlink_core::row::{ProofRow, Row, RowKey};
use credlink_ports::{Commit, Index as _, Listing, Write};
use futures_util::future::join_all;

use crate::contracts::{due, next, proof};
use crate::engines::dynoxide;

/// A hundred tasks, each of which replaces two of ten rows with their next versions and retries until it succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_meet_are_all_done_in_the_end() {
    let index = Arc::new(dynoxide::index().await);
    let rows: Arc<Vec<ProofRow>> =
        Arc::new((0..10).map(|n| proof(&n.to_string(), "acme", n, 1_000)).collect());
    let writes: Vec<_> =
        rows.iter().map(|row| Write { row: Row::Proof(row.clone()), expected: None }).collect();
    assert_eq!(index.commit(&writes).await.unwrap(), Commit::Done);
    let tasks = (0..100_usize).map(|task| {
        let (index, rows) = (Arc::clone(&index), Arc::clone(&rows));
        tokio::spawn(async move {
            loop {
                let mut writes = Vec::new();
                for row in [&rows[task % 10], &rows[(task + 1 + task / 10 % 9) % 10]] {
                    let now = index.get(&RowKey::Proof(row.id)).await.unwrap().unwrap().proof().unwrap();
                    let expected = Some(now.version);
                    writes.push(Write { row: next(&now, |row| row.revision += 1), expected });
                }
                if index.commit(&writes).await.unwrap() == Commit::Done {
                    return;
                }
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let mut steps = 0;
    for row in rows.iter() {
        let row = index.get(&RowKey::Proof(row.id)).await.unwrap().unwrap().proof().unwrap();
        assert_eq!(u64::from(row.revision), row.version);
        steps += row.revision - 1;
    }
    assert_eq!(steps, 200);
    assert_eq!(index.totals().await.unwrap().proofs, 10);
}

#[tokio::test]
async fn pages_of_many_rows_have_each_of_them_once() {
    let index = dynoxide::index().await;
    let mut expected = BTreeSet::new();
    for hundred in 0..25 {
        let rows = (0..100).map(|n| proof(&format!("{hundred} {n}"), "acme", n * 25 + hundred, 10_000 + n));
        let writes: Vec<_> = rows.map(|row| Write { row: Row::Proof(row), expected: None }).collect();
        expected.extend(writes.iter().map(|write| write.row.key().to_string()));
        assert_eq!(index.commit(&writes).await.unwrap(), Commit::Done);
    }
    for listing in [Listing::Tenant("acme".parse().unwrap()), Listing::Due(due(20_000)), Listing::All] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = index.list(&listing, after.as_deref(), 1_000).await.unwrap().unwrap();
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found.len(), 2_500, "{listing:?}");
        assert_eq!(found.iter().map(|row| row.key().to_string()).collect::<BTreeSet<_>>(), expected);
        match listing {
            Listing::Tenant(_) => {
                let order = |row: &Row| row.clone().proof().map(|row| row.created);
                assert!(found.is_sorted_by_key(order));
            }
            Listing::Due(_) => assert!(found.is_sorted_by_key(|row| row.due())),
            Listing::Aliases(_) | Listing::Manifests(_) | Listing::Files(..) | Listing::All => {}
        }
    }
    assert_eq!(index.totals().await.unwrap().proofs, 2_500);
}
