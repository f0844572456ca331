//! The index on DynamoDB: one table, and one call a request.
//!
//! * **`get`** is one strongly consistent `GetItem`.
//! * **`commit`** of one write is one conditional `UpdateItem`, of several one `TransactWriteItems`. Conflicts and
//!   throttling are tried again until [`Limits::operation`] or the request's deadline. A commit that was kept although
//!   its answer got lost is recognised by its token, and told as done (`commit`).
//! * **`list`** asks an index for keys, and the table for their rows, which are therefore never older than the listing.
//!   A page is no snapshot: the indexes follow the table within a second or so, and of a commit that is under way a page
//!   may show one row as before and another as after. Only [`Listing::All`] scans, which no request path does.
//! * **`totals`** costs no commit a call of its own. A process adds up what its commits change and writes it along with
//!   one of them, at most every ten seconds. So the sums lag by ten seconds for each busy process, lose what a process
//!   that was killed had not written yet, and are set right by [`DynamoIndex::recount`] (`totals`, `recount`).
//! * **Read counts** are attributes of their own, which commits leave alone. A count whose answer gets lost may be
//!   counted twice.
//!
//! Nothing is done at construction: connections and credentials come with the first call. How items look is in
//! `item`, how the table is laid out in [`table`].
//!
//! A tenant's listing is one partition of its index, which takes 1,000 new proofs a second; more than that is throttled
//! by DynamoDB, and so slowed down, not lost.

pub(crate) mod attempts;
pub(crate) mod batch;
mod bookmark;
mod commit;
mod intents;
pub(crate) mod item;
pub mod ledger;
mod listing;
mod reads;
mod recount;
pub mod table;
mod totals;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Builder, Config};
use aws_smithy_types::retry::RetryConfig;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::time::Timestamp;
use credlink_ports::{Commit, Failure, FailureKind, Index, Intent, Listing, Page, Write};

use credlink_ports::cursor::Cursor;
use table::ROW;
use totals::{INTERVAL, Known, Ledger};

use crate::{Error, Limits};

pub use recount::Recount;

/// The name that operators know this index by.
const NAME: &str = "dynamodb";

/// Which table, where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The table's name.
    pub table: String,
    /// Where DynamoDB is, if not where the region says: `http://127.0.0.1:8000`.
    pub endpoint: Option<String>,
    /// How long calls may take.
    pub limits: Limits,
}

/// An index in a table of DynamoDB.
#[derive(Debug)]
pub struct DynamoIndex {
    client: Client,
    table: String,
    limits: Limits,
    known: Known,
    ledger: Ledger,
}

impl DynamoIndex {
    /// The index in the table that `settings` name, by the region and the credentials of `config`.
    #[must_use]
    pub fn new(config: &SdkConfig, settings: Settings) -> Self {
        let Settings { table, endpoint, limits } = settings;
        let mut config = Builder::from(config).retry_config(limits.retry()).timeout_config(limits.timeouts());
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        let (known, ledger) = (Known::default(), Ledger::new(INTERVAL));
        Self { client: Client::from_conf(config.build()), table, limits, known, ledger }
    }

    /// The same index, which writes sums along with its commits at most once in `interval`, and not in ten seconds.
    #[must_use]
    pub fn writing_sums_every(mut self, interval: Duration) -> Self {
        self.ledger = Ledger::new(interval);
        self
    }

    /// Whether the table can be used: to be asked when a program starts.
    ///
    /// # Errors
    /// What is wrong, and what would mend it.
    pub async fn check(&self) -> Result<(), Error> {
        table::check(&self.client, &self.table).await
    }

    /// The client, for what a test wants to look at.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The table's name.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// What else in the table needs of this index: the client, the table's name, and how long calls may take.
    pub(crate) fn reach(&self) -> (&Client, &str, Limits) {
        (&self.client, &self.table, self.limits)
    }

    /// What a call keeps to: the deadline of the request at hand.
    fn timed(&self) -> Builder {
        Config::builder().timeout_config(self.limits.timeouts())
    }

    /// The same for calls that are tried again here, and not by the SDK.
    fn once(&self) -> Builder {
        self.timed().retry_config(RetryConfig::disabled())
    }

    /// Reads an item, and remembers what its row adds to the sums.
    fn read(&self, item: &item::Item) -> Result<Row, Failure> {
        let row = item::parse(item).map_err(|error| damaged(error.to_string()))?;
        self.known.remember(&row);
        Ok(row)
    }
}

/// The failure that something which is no row of ours is.
fn damaged(message: String) -> Failure {
    Failure { provider: NAME, kind: FailureKind::Damaged, message }
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

    async fn count_reads(&self, reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        self.add_reads(reads).await
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        Ok(self.stored_sums().await?.plus(self.ledger.pending()).totals())
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        None
    }
}
