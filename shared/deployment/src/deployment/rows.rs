//! Rows in a table of DynamoDB, or in a file of this machine.

use std::time::Duration;

use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::time::Timestamp;
use credlink_ports::{Commit, Failure, FailureKind, Index, Intent, Listing, Page, Write};

use tokio::time::Instant;

use credlink_aws::Error;
use credlink_aws::dynamodb::DynamoIndex;

use crate::embedded::EmbeddedIndex;

/// The index that was chosen.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of them in a process")]
pub enum Rows {
    /// A table.
    DynamoDb(DynamoIndex),
    /// A file.
    Embedded(EmbeddedIndex),
}

impl Rows {
    /// Checks that it can be used.
    ///
    /// # Errors
    /// An error that says what is wrong, and what would mend it.
    pub async fn check(&self) -> Result<(), Error> {
        match self {
            Self::DynamoDb(index) => index.check().await,
            Self::Embedded(_) => Ok(()),
        }
    }
}

impl Rows {
    /// Returns the bookmark of this name: the place where work that is done in several runs goes on.
    ///
    /// # Errors
    /// The index failed.
    pub async fn bookmark(&self, name: &str) -> Result<Option<String>, Failure> {
        match self {
            Self::DynamoDb(index) => index.bookmark(name).await,
            Self::Embedded(index) => index.bookmark(name).await,
        }
    }

    /// Keeps a bookmark: the place where work goes on, or `None` if the work is done.
    ///
    /// # Errors
    /// The index failed.
    pub async fn keep_bookmark(&self, name: &str, text: Option<&str>) -> Result<(), Failure> {
        match self {
            Self::DynamoDb(index) => index.keep_bookmark(name, text).await,
            Self::Embedded(index) => index.keep_bookmark(name, text).await,
        }
    }

    /// Sets the sums right where they may have drifted, for so many milliseconds. Returns the place to go on from,
    /// or `None` at the end. If `resume` is no such place, the work starts over.
    ///
    /// # Errors
    /// The index failed.
    pub async fn recount(&self, resume: Option<&str>, milliseconds: u64) -> Result<Option<String>, Failure> {
        let Self::DynamoDb(index) = self else { return Ok(None) };
        let deadline = Instant::now() + Duration::from_millis(milliseconds);
        let counted = match index.recount(resume, deadline).await {
            Err(failure) if failure.kind == FailureKind::Damaged && resume.is_some() => {
                index.recount(None, deadline).await?
            }
            counted => counted?,
        };
        Ok(counted.resume)
    }

    /// Writes what this process has not yet written of sums.
    ///
    /// # Errors
    /// The index failed.
    pub async fn flush(&self) -> Result<(), Failure> {
        match self {
            Self::DynamoDb(index) => index.flush().await,
            Self::Embedded(_) => Ok(()),
        }
    }
}

macro_rules! chosen {
    ($self:ident, $index:ident => $call:expr) => {
        match $self {
            Self::DynamoDb($index) => $call,
            Self::Embedded($index) => $call,
        }
    };
}

impl Index for Rows {
    fn name(&self) -> &'static str {
        chosen!(self, index => index.name())
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        chosen!(self, index => Box::pin(index.get(key)).await)
    }

    async fn commit(&self, writes: &[Write]) -> Result<Commit, Failure> {
        chosen!(self, index => Box::pin(index.commit(writes)).await)
    }

    async fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<Row>>, Failure> {
        chosen!(self, index => Box::pin(index.list(listing, after, limit)).await)
    }

    async fn intend(&self, key: &ObjectKey, at: Timestamp) -> Result<(), Failure> {
        chosen!(self, index => Box::pin(index.intend(key, at)).await)
    }

    async fn intents(
        &self,
        from: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Intent>, Failure> {
        chosen!(self, index => Box::pin(index.intents(from, after, limit)).await)
    }

    async fn count_reads(&self, reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        chosen!(self, index => Box::pin(index.count_reads(reads)).await)
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        chosen!(self, index => Box::pin(index.totals()).await)
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        chosen!(self, index => index.write_failure().await)
    }
}
