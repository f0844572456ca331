//! The function behind the queue, killed at random moments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use credlink_ports::migration::ledger::{Entry, ItemState};
use serde_json::json;

use super::{Operator, assert_migrated, entries, event, failed, old_bucket, receive, settle};
use crate::buckets;
use crate::clouds::functions::Functions;
use crate::clouds::ground::Ground;
use crate::clouds::migrate::TIME_LIMIT;
use crate::engines::runtime::Function;

/// Fifty kills at random moments of one job: nothing is lost, nothing is created twice, and confirmed entries stay as
/// they are.
#[tokio::test]
async fn a_function_that_is_killed_time_and_again_migrates_all_the_same() {
    const RECORDS: usize = 1_000;
    const KILLS: usize = 50;
    let ground = Arc::new(Ground::plain().await);
    let old = buckets::s3().await;
    let bucket = old.settings().bucket.clone();
    old_bucket(&bucket, RECORDS).await;
    let operator = Operator(Functions::reading(&ground, &format!("s3://{bucket}/old/=default")));
    let body = json!({"name": "killed", "from": format!("s3://{bucket}/old/"), "batch_size": 5});
    assert_eq!(operator.begin(body).await.0, 202);

    let mut confirmed: BTreeMap<String, Entry> = BTreeMap::new();
    let (mut kills, mut idle) = (0, 0);
    // The function is killed within this many milliseconds: fewer if it was done before the last kill, more if it was
    // not.
    let mut limit = 700;
    while idle < 3 {
        let messages = receive(&ground, Duration::from_secs(2)).await;
        if messages.is_empty() {
            // The messages of a killed function become visible again.
            tokio::time::sleep(Duration::from_secs(1)).await;
            idle += 1;
            continue;
        }
        idle = 0;
        let function = Function::start("migrate", &ground.variables("migrate"));
        let answer = function.invoke_within(TIME_LIMIT, event(&messages));
        let moment = Duration::from_millis(uuid::Uuid::new_v4().as_u128() as u64 % limit);
        let answer =
            if kills < KILLS { tokio::time::timeout(moment, answer).await.ok() } else { Some(answer.await) };
        let Some(answer) = answer else {
            kills += 1;
            limit += limit / 20;
            drop(function);
            continue;
        };
        limit = (limit * 2 / 3).max(50);
        let answer = answer.unwrap();
        let failed = failed(&answer);
        for message in &messages {
            if !failed.contains(&message.message_id().unwrap()) {
                settle(&ground, message).await;
            }
        }
        for entry in entries(&ground, "killed").await {
            if matches!(entry.state, ItemState::Copied(_)) {
                let before = confirmed.entry(entry.key.clone()).or_insert_with(|| entry.clone());
                assert_eq!(*before, entry, "what was confirmed was copied again");
            }
        }
    }
    assert_eq!(kills, KILLS, "the job was done too soon");
    let items = &operator.progress("killed").await["items"];
    assert_eq!(
        (&items["total"], &items["copied"]),
        (&json!(RECORDS), &json!(RECORDS - RECORDS / 100)),
        "{items}"
    );
    assert_eq!(items["failed"], json!({"invalid-record": RECORDS / 100}));
    for entry in entries(&ground, "killed").await {
        if let ItemState::Copied(copy) = &entry.state {
            assert!(copy.created && copy.exact, "this job made it, whatever killed it: {entry:?}");
        }
    }
    assert_migrated(&ground, RECORDS).await;
}
