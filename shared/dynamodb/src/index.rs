//! The index over a table: one call for each request of the port.

mod accesses;
mod bookmark;
mod commit;
mod intents;
mod listing;
mod reads;
mod recount;
mod totals;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Builder, Config};
use aws_smithy_types::retry::RetryConfig;
use credlink_aws::{Error, Limits};
use credlink_core::audit::AuditEntry;
use credlink_core::file::FileId;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::time::Timestamp;
use credlink_ports::cursor::Cursor;
use credlink_ports::{Commit, Failure, FailureKind, Index, Intent, Listing, Page, Write};

use crate::batch::Reach;
use crate::failure::{NAME, damaged};
use crate::item;
use crate::table::{self, ROW};
use totals::{INTERVAL, Known, Unwritten};

pub use recount::Recount;

/// The settings of a [`DynamoIndex`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamoSettings {
    /// The table's name.
    pub table: String,
    /// The endpoint of DynamoDB, if it is not the region's, such as `http://127.0.0.1:8000`.
    pub endpoint: Option<String>,
    /// The time limits of calls.
    pub limits: Limits,
}

/// An index in a DynamoDB table.
#[derive(Debug)]
pub struct DynamoIndex {
    client: Client,
    table: String,
    limits: Limits,
    known: Known,
    unwritten: Unwritten,
}

impl DynamoIndex {
    /// Creates an index in the table that `settings` name, with the region and the credentials of `config`.
    #[must_use]
    pub fn new(config: &SdkConfig, settings: DynamoSettings) -> Self {
        let DynamoSettings { table, endpoint, limits } = settings;
        let mut config = Builder::from(config).retry_config(limits.retry()).timeout_config(limits.timeouts());
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        let (known, unwritten) = (Known::default(), Unwritten::new(INTERVAL));
        Self { client: Client::from_conf(config.build()), table, limits, known, unwritten }
    }

    /// Sets the interval at which sums are written along with commits, which is ten seconds by default.
    #[must_use]
    pub fn writing_sums_every(mut self, interval: Duration) -> Self {
        self.unwritten = Unwritten::new(interval);
        self
    }

    /// Checks that the table can be used. For the start of a program.
    ///
    /// # Errors
    /// The problem, and how to fix it.
    pub async fn check(&self) -> Result<(), Error> {
        table::check(&self.client, &self.table).await
    }

    /// Returns the client, for inspection by tests.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the table's name.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns what other items of the table share with this index: the client, the table's name, and the time limits.
    pub(crate) fn reach(&self) -> (&Client, &str, Limits) {
        (&self.client, &self.table, self.limits)
    }

    /// Returns the configuration of a call, with timeouts within the deadline of the current request.
    fn timed(&self) -> Builder {
        Config::builder().timeout_config(self.limits.timeouts())
    }

    /// Returns the configuration of a call that is retried here and not by the SDK.
    fn once(&self) -> Builder {
        self.timed().retry_config(RetryConfig::disabled())
    }

    /// Returns the items under these keys, in no particular order. Absent items are left out.
    async fn items(&self, keys: Vec<item::Item>) -> Result<Vec<item::Item>, Failure> {
        Reach { client: &self.client, table: &self.table, limits: &self.limits }.items(keys).await
    }

    /// Reads an item, and remembers the contribution of its row to the sums.
    fn read(&self, item: &item::Item) -> Result<Row, Failure> {
        let row = item::parse(item).map_err(|error| damaged(error.to_string()))?;
        self.known.remember(&row);
        Ok(row)
    }
}

impl Index for DynamoIndex {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item::key(&key.to_string(), ROW)))
            .consistent_read(true);
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        let answer = answer.map_err(|error| Error::classify(NAME, &error))?;
        answer.item.map(|item| self.read(&item)).transpose()
    }

    async fn commit(&self, writes: &[Write]) -> Result<Commit, Failure> {
        self.commit_rows(writes).await
    }

    async fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<Row>>, Failure> {
        let after = match after.map(|text| Cursor::read(text, listing)) {
            Some(None) => return Ok(None),
            after => after.flatten(),
        };
        self.page(listing, after, limit).await
    }

    async fn intend(&self, key: &ObjectKey, at: Timestamp) -> Result<(), Failure> {
        self.note_intent(key, at).await
    }

    async fn intents(
        &self,
        from: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Intent>, Failure> {
        self.noted_intents(from, after, limit).await
    }

    async fn note_access(&self, entry: &AuditEntry) -> Result<(), Failure> {
        self.append_access(entry).await
    }

    async fn accesses(
        &self,
        file: &FileId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<AuditEntry>>, Failure> {
        self.noted_accesses(file, after, limit).await
    }

    async fn count_reads(&self, reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        self.add_reads(reads).await
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        Ok(self.stored_sums().await?.plus(&self.unwritten.sums()).totals())
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        None
    }
}
