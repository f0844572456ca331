//! The ledger of a queued job, as items of the index's table that no listing of rows shows.
//!
//! | `pk` | `sk` | holds |
//! |---|---|---|
//! | `JOB#name` | `JOB` | the job |
//! | `JOB#name` | `LEASE` | the holder of the job's lease, and the end of the lease by that holder's clock |
//! | `JOB#name#ITEMS` | the item's key, which may be as long as a sort key | an entry |
//!
//! An entry is written with one conditional update, so that a ledger needs no permission that rows do not need. An
//! attempt whose answer is lost may have taken effect. Each write has its own token, by which the next attempt
//! recognises it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Builder, Config};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{Delete, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use aws_smithy_types::retry::RetryConfig;
use credlink_aws::{Error, ErrorKind, Limits};
use credlink_ports::limits::milliseconds;
use credlink_ports::migration::Ledger;
use credlink_ports::migration::form;
use credlink_ports::migration::ledger::{Entry, Job, JobName, Order};
use credlink_ports::{Clock, Failure, Page};
use credlink_runtime::deadline::within;
use futures_util::stream::{StreamExt as _, TryStreamExt as _, iter};
use uuid::Uuid;

use crate::DynamoIndex;
use crate::attempts::Attempts;
use crate::batch::Reach;
use crate::failure::NAME;
use crate::item::{Item, key, number, text, unsigned};
use crate::table::{FORMAT, MAX_ITEM_BYTES, PARTITION_KEY, SORT_KEY, TOKEN};

/// The version of the format, and the only one that exists.
const FORMAT_VERSION: u64 = 1;
/// The maximum length of an entry's JSON with its key, in bytes. The other attributes take less than 1,024.
const MAX_CONTENT_BYTES: usize = MAX_ITEM_BYTES - 1_024;
/// The number of entries that are written concurrently.
const AT_ONCE: usize = 16;

/// The sort key of the job.
const JOB: &str = "JOB";
/// The sort key of the lease.
const LEASE: &str = "LEASE";
/// The attribute with an entry's version.
const VERSION: &str = "version";
/// The attribute with the JSON of a job or an entry.
const CONTENT: &str = "content";
/// The attribute with the holder of the lease.
const HOLDER: &str = "holder";
/// The attribute with the end of the lease, in milliseconds.
const UNTIL: &str = "until";

/// A ledger in the index's table.
#[derive(Debug, Clone)]
pub struct TableLedger<K> {
    client: Client,
    table: String,
    limits: Limits,
    job: String,
    items: String,
    clock: K,
}

impl<K: Clock> TableLedger<K> {
    /// Creates the ledger of `job` in the table of `index`.
    #[must_use]
    pub fn new(index: &DynamoIndex, job: &JobName, clock: K) -> Self {
        let (client, table, limits) = index.reach();
        Self {
            client: client.clone(),
            table: table.to_owned(),
            limits,
            job: format!("JOB#{job}"),
            items: format!("JOB#{job}#ITEMS"),
            clock,
        }
    }

    /// Returns the configuration of a call, with timeouts within the deadline of the current request.
    fn timed(&self) -> Builder {
        Config::builder().timeout_config(self.limits.timeouts())
    }

    /// Writes an entry if its version is one more than that of the stored entry. Returns `true` if it was written.
    async fn put(&self, entry: &Entry) -> Result<bool, Failure> {
        let Some(before) = entry.version.checked_sub(1) else { return Ok(false) };
        let token = Uuid::new_v4().simple().to_string();
        let values = Self::values(entry, &token)?;
        let mut attempts = Attempts::new(&self.limits);
        let mut unanswered = false;
        loop {
            let request = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(key(&self.items, &entry.key)))
                .update_expression(
                    "SET #format = :format, #token = :token, #version = :version, #content = :content",
                )
                .set_expression_attribute_names(Some(names()))
                .set_expression_attribute_values(Some(values.clone()))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            let request = match before {
                0 => request.condition_expression(format!("attribute_not_exists({PARTITION_KEY})")),
                before => request
                    .condition_expression("#version = :before")
                    .expression_attribute_values(":before", number(before)),
            };
            let once = self.timed().retry_config(RetryConfig::disabled());
            let send = async { Box::pin(request.customize().config_override(once).send()).await };
            let error = match within(attempts.until(), send).await {
                Ok(_) => return Ok(true),
                Err(error) => error,
            };
            if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
                let current = failed.item().filter(|item| !item.is_empty());
                let is_mine = |item: &Item| item.get(TOKEN) == Some(&text(&token));
                let version = |item: &Item| item.get(VERSION).and_then(|version| unsigned(version).ok());
                if unanswered && current.and_then(version) > Some(entry.version) {
                    let message = "an attempt had no answer, and the entry was written again since";
                    return Err(Error::new(NAME, ErrorKind::Unavailable, message).into());
                }
                return Ok(current.is_some_and(is_mine));
            }
            let error = Error::classify(NAME, &error);
            unanswered |= error.kind != ErrorKind::Throttled;
            if !attempts.again(error.kind).await {
                return Err(error.into());
            }
        }
    }

    fn values(entry: &Entry, token: &str) -> Result<Item, Failure> {
        let content = form::json(NAME, entry)?;
        if content.len() + entry.key.len() > MAX_CONTENT_BYTES {
            let what = format!("the entry of `{}` takes more than {MAX_CONTENT_BYTES} bytes", entry.key);
            return Err(form::damaged(NAME, what));
        }
        Ok(Item::from([
            (":format".to_owned(), number(FORMAT_VERSION)),
            (":token".to_owned(), text(token)),
            (":version".to_owned(), number(entry.version)),
            (":content".to_owned(), text(&content)),
        ]))
    }
}

impl<K: Clock> TableLedger<K> {
    /// Removes an item, if it exists.
    async fn delete(&self, partition: &str, sort: &str) -> Result<(), Failure> {
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key(partition, sort)));
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        answer.map(drop).map_err(|error| Error::classify(NAME, &error).into())
    }
}

/// Returns `true` if a transaction was cancelled because its condition did not hold.
fn is_held_by_another(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { return false };
    cancelled.cancellation_reasons().iter().any(|reason| reason.code() == Some("ConditionalCheckFailed"))
}

/// Returns the names of an entry's attributes.
fn names() -> HashMap<String, String> {
    [FORMAT, TOKEN, VERSION, CONTENT].map(|name| (format!("#{name}"), name.to_owned())).into()
}

/// Returns the JSON of an item, after checking its format.
fn content<'i>(item: &'i Item, what: &str) -> Result<&'i str, Failure> {
    let damaged = |why: &str| form::damaged(NAME, format!("{what}: {why}"));
    match item.get(FORMAT).map(unsigned) {
        Some(Ok(FORMAT_VERSION)) => {}
        Some(Ok(other)) => {
            return Err(damaged(&format!("its format is {other}; this program reads {FORMAT_VERSION}")));
        }
        _ => return Err(damaged("it has no format")),
    }
    let content = item.get(CONTENT).and_then(|content| content.as_s().ok());
    content.map(String::as_str).ok_or_else(|| damaged("it has no content"))
}

fn entry(item: &Item) -> Result<Entry, Failure> {
    let key = item.get(SORT_KEY).and_then(|key| key.as_s().ok());
    let key = key.ok_or_else(|| form::damaged(NAME, "an entry has no key".to_owned()))?;
    let json = content(item, key)?;
    let version = item.get(VERSION).and_then(|version| unsigned(version).ok()).unwrap_or_default();
    form::entry(NAME, key, version, json.as_bytes())
}

impl<K: Clock> Ledger for TableLedger<K> {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn job(&self) -> Result<Option<Job>, Failure> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(&self.job, JOB)));
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        let answer = answer.map_err(|error| Error::classify(NAME, &error))?;
        let job = |item: Item| form::job(NAME, content(&item, &self.job)?.as_bytes());
        answer.item.map(job).transpose()
    }

    async fn keep_job(&self, job: &Job) -> Result<(), Failure> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&self.job, JOB)))
            .update_expression("SET #format = :format, #content = :content")
            .expression_attribute_names("#format", FORMAT)
            .expression_attribute_names("#content", CONTENT)
            .expression_attribute_values(":format", number(FORMAT_VERSION))
            .expression_attribute_values(":content", text(&form::json(NAME, job)?));
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        answer.map_err(|error| Error::classify(NAME, &error))?;
        Ok(())
    }

    async fn claim(&self, holder: &str, seconds: u64) -> Result<bool, Failure> {
        let now = self.clock.now();
        let until = now.plus_seconds(seconds);
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&self.job, LEASE)))
            .update_expression("SET #holder = :holder, #until = :until")
            .condition_expression("attribute_not_exists(#holder) OR #holder = :holder OR #until <= :now")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":holder", text(holder))
            .expression_attribute_values(":until", number(milliseconds(until)))
            .expression_attribute_values(":now", number(milliseconds(now)));
        match Box::pin(request.customize().config_override(self.timed()).send()).await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(Error::classify(NAME, &error).into()),
        }
    }

    // The item stays without a holder, because removing it would require a permission to delete items.
    async fn release(&self, holder: &str) -> Result<(), Failure> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&self.job, LEASE)))
            .update_expression("REMOVE #holder, #until")
            .condition_expression("#holder = :holder")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":holder", text(holder));
        match Box::pin(request.customize().config_override(self.timed()).send()).await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(Error::classify(NAME, &error).into()),
        }
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Option<Entry>>, Failure> {
        for key in keys {
            form::check_key(NAME, key)?;
        }
        let wanted: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
        let wanted = wanted.into_iter().map(|sort| key(&self.items, sort)).collect();
        let reach = Reach { client: &self.client, table: &self.table, limits: &self.limits };
        let mut found = HashMap::new();
        for item in reach.items(wanted).await? {
            let entry = entry(&item)?;
            found.insert(entry.key.clone(), entry);
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn write(&self, entries: &[Entry]) -> Result<Vec<bool>, Failure> {
        // Concurrently, except for entries of one item: each of those follows on the one before it.
        let mut items: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, entry) in entries.iter().enumerate() {
            form::check_key(NAME, &entry.key)?;
            items.entry(&entry.key).or_default().push(number);
        }
        let writes = iter(items.into_values().map(|numbers| async move {
            let mut written = Vec::with_capacity(numbers.len());
            for number in numbers {
                let Some(entry) = entries.get(number) else { continue };
                written.push((number, self.put(entry).await?));
            }
            Ok::<_, Failure>(written)
        }));
        let mut written: Vec<_> = writes.buffer_unordered(AT_ONCE).try_concat().await?;
        written.sort_unstable();
        Ok(written.into_iter().map(|(_, written)| written).collect())
    }

    async fn list(&self, order: Order, after: Option<&str>, limit: usize) -> Result<Page<Entry>, Failure> {
        let mut page = Page::default();
        let mut start = after.map(|after| key(&self.items, after));
        loop {
            // One item more than the page holds tells whether there is another page.
            let more = limit.saturating_add(1).saturating_sub(page.items.len());
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("#partition = :partition")
                .expression_attribute_names("#partition", PARTITION_KEY)
                .expression_attribute_values(":partition", text(&self.items))
                .scan_index_forward(order == Order::Forward)
                .limit(i32::try_from(more).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take());
            let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
            let answer = answer.map_err(|error| Error::classify(NAME, &error))?;
            for item in answer.items.unwrap_or_default() {
                page.items.push(entry(&item)?);
            }
            if page.items.len() > limit {
                page.items.truncate(limit);
                page.next = page.items.last().map(|entry| entry.key.clone());
                return Ok(page);
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(page);
            }
        }
    }

    async fn remove_entries(&self, keys: &[String]) -> Result<(), Failure> {
        let deletions = iter(keys.to_vec()).map(|sort| async move { self.delete(&self.items, &sort).await });
        deletions.buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn remove_job(&self, holder: &str) -> Result<bool, Failure> {
        let delete = |sort| Delete::builder().table_name(&self.table).set_key(Some(key(&self.job, sort)));
        let lease = delete(LEASE)
            .condition_expression("#holder = :holder")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_values(":holder", text(holder));
        let mut request = self.client.transact_write_items();
        for delete in [lease, delete(JOB)] {
            let delete = delete.build().map_err(|error| form::damaged(NAME, error.to_string()))?;
            request = request.transact_items(TransactWriteItem::builder().delete(delete).build());
        }
        match Box::pin(request.customize().config_override(self.timed()).send()).await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(is_held_by_another) => Ok(false),
            Err(error) => Err(Error::classify(NAME, &error).into()),
        }
    }
}
