//! Bookmarks: the positions of work that is done in several runs, as items of the table with the key `JOB#name`.
//!
//! Removing a bookmark leaves an item without a text, so that cleanup needs no permission to delete rows.

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_aws::Error;
use credlink_ports::Failure;

use super::DynamoIndex;
use crate::failure::{NAME, damaged};
use crate::table::{PARTITION_KEY, SORT_KEY};

/// The sort key of a bookmark.
const BOOKMARK: &str = "BOOKMARK";
/// The attribute that holds the text.
const POSITION: &str = "position";

impl DynamoIndex {
    /// Returns the text that was last stored under this name.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn bookmark(&self, name: &str) -> Result<Option<String>, Failure> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, key(name))
            .key(SORT_KEY, AttributeValue::S(BOOKMARK.to_owned()))
            .consistent_read(true);
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        let Some(item) = answer.map_err(|error| Error::classify(NAME, &error))?.item else { return Ok(None) };
        match item.get(POSITION) {
            None => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text.clone())),
            Some(_) => Err(damaged(format!("the bookmark {name} has no text"))),
        }
    }

    /// Stores a text under this name, and replaces the previous one. `None` removes it.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn keep_bookmark(&self, name: &str, text: Option<&str>) -> Result<(), Failure> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, key(name))
            .key(SORT_KEY, AttributeValue::S(BOOKMARK.to_owned()))
            .expression_attribute_names("#position", POSITION);
        let request = match text {
            Some(text) => request
                .update_expression("SET #position = :text")
                .expression_attribute_values(":text", AttributeValue::S(text.to_owned())),
            None => request.update_expression("REMOVE #position"),
        };
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        answer.map_err(|error| Error::classify(NAME, &error))?;
        Ok(())
    }
}

fn key(name: &str) -> AttributeValue {
    AttributeValue::S(format!("JOB#{name}"))
}
