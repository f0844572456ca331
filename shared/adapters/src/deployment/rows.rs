//! Rows in a table of DynamoDB, or in a file of this machine.

use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_service::ports::{Commit, Failure, Index, Listing, Page, Write};

use crate::aws::Error;
use crate::dynamodb::DynamoIndex;
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
    /// Whether it can be used.
    ///
    /// # Errors
    /// What is wrong, and what would mend it.
    pub async fn check(&self) -> Result<(), Error> {
        match self {
            Self::DynamoDb(index) => index.check().await,
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
        chosen!(self, index => index.get(key).await)
    }

    async fn commit(&self, writes: &[Write]) -> Result<Commit, Failure> {
        chosen!(self, index => index.commit(writes).await)
    }

    async fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<Row>>, Failure> {
        chosen!(self, index => index.list(listing, after, limit).await)
    }

    async fn count_reads(&self, reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        chosen!(self, index => index.count_reads(reads).await)
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        chosen!(self, index => index.totals().await)
    }
}
