//! Bookmarks: where work that is done in several runs goes on, as an item of the table. `JOB#name` is its key.

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_service::ports::Failure;

use super::table::{PARTITION_KEY, SORT_KEY};
use super::{DynamoIndex, NAME, damaged};
use crate::aws::Error;

/// The sort key of a bookmark.
const BOOKMARK: &str = "BOOKMARK";
/// The attribute that holds the text.
const POSITION: &str = "position";

impl DynamoIndex {
    /// The text that was kept last under this name.
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
        let answer = request.customize().config_override(self.timed()).send().await;
        let Some(item) = answer.map_err(|error| Error::classify(NAME, &error))?.item else { return Ok(None) };
        match item.get(POSITION) {
            Some(AttributeValue::S(text)) => Ok(Some(text.clone())),
            _ => Err(damaged(format!("the bookmark {name} has no text"))),
        }
    }

    /// Keeps a text under this name, in place of the one before; `None` removes it.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub async fn keep_bookmark(&self, name: &str, text: Option<&str>) -> Result<(), Failure> {
        let (partition, sort) = (key(name), AttributeValue::S(BOOKMARK.to_owned()));
        match text {
            Some(text) => {
                let request = self
                    .client
                    .put_item()
                    .table_name(&self.table)
                    .item(PARTITION_KEY, partition)
                    .item(SORT_KEY, sort)
                    .item(POSITION, AttributeValue::S(text.to_owned()));
                let answer = request.customize().config_override(self.timed()).send().await;
                answer.map_err(|error| Error::classify(NAME, &error))?;
            }
            None => {
                let request = self
                    .client
                    .delete_item()
                    .table_name(&self.table)
                    .key(PARTITION_KEY, partition)
                    .key(SORT_KEY, sort);
                let answer = request.customize().config_override(self.timed()).send().await;
                answer.map_err(|error| Error::classify(NAME, &error))?;
            }
        }
        Ok(())
    }
}

fn key(name: &str) -> AttributeValue {
    AttributeValue::S(format!("JOB#{name}"))
}
