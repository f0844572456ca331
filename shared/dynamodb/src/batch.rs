//! Reads of many items by their keys.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Config;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use credlink_aws::{Error, ErrorKind, Limits};
use credlink_ports::Failure;
use credlink_runtime::deadline::within;
use futures_util::stream::{StreamExt as _, TryStreamExt as _, iter};

use crate::attempts::Attempts;
use crate::failure::{NAME, damaged};
use crate::item::Item;

/// The maximum number of keys in one `BatchGetItem`.
const MAX_BATCH: usize = 100;
/// The number of batches that are read concurrently.
const BATCHES_AT_ONCE: usize = 4;

/// A table, and the time limits of calls to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach<'a> {
    pub(crate) client: &'a Client,
    pub(crate) table: &'a str,
    pub(crate) limits: &'a Limits,
}

impl Reach<'_> {
    /// Returns the items under these keys, which must be distinct, in no particular order. Absent items are left out.
    ///
    /// # Errors
    /// DynamoDB failed.
    pub(crate) async fn items(self, keys: Vec<Item>) -> Result<Vec<Item>, Failure> {
        let batches: Vec<Vec<Item>> = keys.chunks(MAX_BATCH).map(<[Item]>::to_vec).collect();
        let batches = iter(batches).map(|batch| self.batch(batch)).buffer_unordered(BATCHES_AT_ONCE);
        Ok(batches.try_collect::<Vec<_>>().await?.concat())
    }

    async fn batch(self, mut keys: Vec<Item>) -> Result<Vec<Item>, Failure> {
        let mut attempts = Attempts::new(self.limits);
        let mut items = Vec::with_capacity(keys.len());
        loop {
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let wanted = wanted.map_err(|error| damaged(error.to_string()))?;
            let request = self.client.batch_get_item().request_items(self.table, wanted);
            let timed = Config::builder().timeout_config(self.limits.timeouts());
            let send = async { Box::pin(request.customize().config_override(timed).send()).await };
            let answer = within(attempts.until(), send).await;
            let answer = answer.map_err(|error| Error::classify(NAME, &error))?;
            items.extend(answer.responses.unwrap_or_default().remove(self.table).unwrap_or_default());
            let rest = answer.unprocessed_keys.unwrap_or_default().remove(self.table);
            keys = rest.map(|rest| rest.keys).unwrap_or_default();
            if keys.is_empty() {
                return Ok(items);
            }
            if !attempts.again(ErrorKind::Throttled).await {
                let message = format!("{} rows were not read in time", keys.len());
                return Err(Error::new(NAME, ErrorKind::Throttled, message).into());
            }
        }
    }
}
