//! The logs of accesses to files, as items of the table that are not rows. The partition key is `ACCESS#file id`, and the
//! sort key is the position of the entry in its log. DynamoDB removes old entries by their time to live, at no cost.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use credlink_aws::Error;
use credlink_core::audit::AuditEntry;
use credlink_core::bounds::AUDIT_KEPT_SECONDS;
use credlink_core::file::FileId;
use credlink_ports::cursor::{access_position, read_access_position};
use credlink_ports::{Failure, Page};

use super::DynamoIndex;
use crate::failure::{NAME, damaged};
use crate::item::{Item, key, number, text};
use crate::table::{ACCESS_KEYS, ENTRY, PARTITION_KEY, SORT_KEY, TIME_TO_LIVE};

impl DynamoIndex {
    /// Appends an entry. An entry that is there already is this one: the answer to an earlier attempt was lost.
    pub(super) async fn append_access(&self, entry: &AuditEntry) -> Result<(), Failure> {
        let json = serde_json::to_string(entry).map_err(|error| damaged(error.to_string()))?;
        let gone = entry.at.plus_seconds(AUDIT_KEPT_SECONDS).milliseconds() / 1_000;
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&partition(&entry.file), &access_position(entry))))
            .update_expression("SET #entry = :entry, #gone = :gone")
            .condition_expression(format!("attribute_not_exists({PARTITION_KEY})"))
            .expression_attribute_names("#entry", ENTRY)
            .expression_attribute_names("#gone", TIME_TO_LIVE)
            .expression_attribute_values(":entry", text(&json))
            .expression_attribute_values(":gone", number(gone));
        match Box::pin(request.customize().config_override(self.timed()).send()).await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(Error::classify(NAME, &error).into()),
            },
        }
    }

    /// Returns a page of the log of a file.
    pub(super) async fn noted_accesses(
        &self,
        file: &FileId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<AuditEntry>>, Failure> {
        if after.is_some_and(|after| read_access_position(after).is_none()) {
            return Ok(None);
        }
        let mut found: Vec<AuditEntry> = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("#partition = :partition AND #sort > :after")
                .expression_attribute_names("#partition", PARTITION_KEY)
                .expression_attribute_names("#sort", SORT_KEY)
                .expression_attribute_values(":partition", text(&partition(file)))
                // Every position begins with a digit, and a digit alone sorts before it.
                .expression_attribute_values(":after", text(after.unwrap_or("0")))
                .limit(i32::try_from(limit + 1 - found.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take());
            let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
            let answer = answer.map_err(|error| Error::classify(NAME, &error))?;
            for item in answer.items.unwrap_or_default() {
                found.push(read(&item)?);
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            let more = found.len() > limit;
            if more || start.is_none() {
                found.truncate(limit);
                let next = found.last().filter(|_| more).map(access_position);
                return Ok(Some(Page { items: found, next }));
            }
        }
    }
}

fn partition(file: &FileId) -> String {
    format!("{ACCESS_KEYS}{file}")
}

fn read(item: &Item) -> Result<AuditEntry, Failure> {
    match item.get(ENTRY) {
        Some(AttributeValue::S(json)) => serde_json::from_str(json)
            .map_err(|error| damaged(format!("an entry of a log of accesses: {error}"))),
        _ => Err(damaged("an item of a log of accesses has no entry".to_owned())),
    }
}
