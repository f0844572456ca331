//! Intents, as items of the table that are not rows. The partition key is `INTENT#n`, and the sort key is the instant
//! and the object's key. DynamoDB removes them after some days by their time to live, at no cost.

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_aws::Error;
use credlink_core::hash::Digest;
use credlink_core::object::ObjectKey;
use credlink_core::time::Timestamp;
use credlink_ports::limits::milliseconds;
use credlink_ports::{Failure, Intent, Page};
use futures_util::future::try_join_all;

use super::DynamoIndex;
use crate::failure::{NAME, damaged};
use crate::item::{instant, key, number, text};
use crate::table::{INTENT_KEYS, PARTITION_KEY, SORT_KEY, TIME_TO_LIVE};

/// The number of partitions of intents. One accepts 1,000 writes per second, and all writes of a moment go to the same
/// end of it. The number is part of the format. It may grow, but only after every program that cleans up knows the new
/// one.
const SHARDS: u8 = 4;

/// The time for which an intent is kept, in seconds: 7 days, so that a cleanup that was down for some days still finds
/// them all.
const KEPT_SECONDS: u64 = 7 * 86_400;

impl DynamoIndex {
    /// Records an intent. The same intent recorded twice is one item.
    pub(super) async fn note_intent(&self, object: &ObjectKey, at: Timestamp) -> Result<(), Failure> {
        let object = object.to_string();
        let shard = Digest::of(object.as_bytes()).as_bytes()[0] % SHARDS;
        let gone = at.plus_seconds(KEPT_SECONDS).milliseconds() / 1_000;
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&partition(shard), &sort(&object, at))))
            .update_expression("SET #gone = :gone")
            .expression_attribute_names("#gone", TIME_TO_LIVE)
            .expression_attribute_values(":gone", number(gone));
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        answer.map_err(|error| Error::classify(NAME, &error))?;
        Ok(())
    }

    /// Returns a page of the intents from an instant on, or after the sort key of one of them.
    pub(super) async fn noted_intents(
        &self,
        from: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Intent>, Failure> {
        // An instant alone sorts before the same instant with a key.
        let after = after.map_or_else(|| instant(milliseconds(from)), str::to_owned);
        let after = after.as_str();
        let shards =
            (0..SHARDS).map(|shard| async move { self.shard(&partition(shard), after, limit).await });
        let mut found: Vec<String> = try_join_all(shards).await?.into_iter().flatten().collect();
        found.sort_unstable();
        found.truncate(limit);
        let next = found.last().filter(|_| found.len() == limit).cloned();
        Ok(Page { items: found.iter().filter_map(|sort| read(sort)).collect(), next })
    }

    /// Returns the first `limit` sort keys of a partition after `after`.
    async fn shard(&self, partition: &str, after: &str, limit: usize) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("#partition = :partition AND #sort > :after")
                .expression_attribute_names("#partition", PARTITION_KEY)
                .expression_attribute_names("#sort", SORT_KEY)
                .expression_attribute_values(":partition", text(partition))
                .expression_attribute_values(":after", text(after))
                .limit(i32::try_from(limit - found.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take());
            let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
            let answer = answer.map_err(|error| Error::classify(NAME, &error))?;
            for mut item in answer.items.unwrap_or_default() {
                match item.remove(SORT_KEY) {
                    Some(AttributeValue::S(sort)) => found.push(sort),
                    _ => return Err(damaged(format!("an item of {partition} has no sort key"))),
                }
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() || found.len() >= limit {
                return Ok(found);
            }
        }
    }
}

fn partition(shard: u8) -> String {
    format!("{INTENT_KEYS}{shard}")
}

fn sort(object: &str, at: Timestamp) -> String {
    format!("{}#{object}", instant(milliseconds(at)))
}

/// Reads an intent from its sort key. A malformed one is skipped, and is removed after some days.
fn read(sort: &str) -> Option<Intent> {
    let read = sort.split_once('#').and_then(|(at, key)| {
        let at = Timestamp::from_milliseconds(at.parse().ok()?);
        Some(Intent { at, key: key.parse().ok()? })
    });
    if read.is_none() {
        tracing::warn!(sort, "this is no intent, and is passed over");
    }
    read
}
