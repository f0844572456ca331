//! An index in a DynamoDB table, or in a file of this machine.

use std::sync::Arc;
use std::time::Duration;

use credlink_ports::{Failure, FailureKind, forward_index, on_variant};
use tokio::time::Instant;

use credlink_aws::Error;

use crate::dynamodb::DynamoIndex;
use crate::embedded::EmbeddedIndex;

/// The index that was chosen. Clones share one index.
#[derive(Debug, Clone)]
pub enum AnyIndex {
    /// A DynamoDB table.
    DynamoDb(Arc<DynamoIndex>),
    /// A file of this machine.
    Embedded(Arc<EmbeddedIndex>),
}

impl AnyIndex {
    /// Checks that the index can be used.
    ///
    /// # Errors
    /// Returns an error that says what is wrong and how to mend it.
    pub async fn check(&self) -> Result<(), Error> {
        match self {
            Self::DynamoDb(index) => index.check().await,
            Self::Embedded(_) => Ok(()),
        }
    }

    /// Returns the bookmark with this name: the place from which work that takes several runs continues.
    ///
    /// # Errors
    /// Returns an error if the index fails.
    pub async fn bookmark(&self, name: &str) -> Result<Option<String>, Failure> {
        match self {
            Self::DynamoDb(index) => index.bookmark(name).await,
            Self::Embedded(index) => index.bookmark(name).await,
        }
    }

    /// Stores a bookmark: the place from which work continues, or `None` if the work is done.
    ///
    /// # Errors
    /// Returns an error if the index fails.
    pub async fn keep_bookmark(&self, name: &str, text: Option<&str>) -> Result<(), Failure> {
        match self {
            Self::DynamoDb(index) => index.keep_bookmark(name, text).await,
            Self::Embedded(index) => index.keep_bookmark(name, text).await,
        }
    }

    /// Corrects sums that may have drifted, for the given number of milliseconds. Returns the place to continue from,
    /// or `None` at the end. If `resume` is not a valid place, the work starts over.
    ///
    /// # Errors
    /// Returns an error if the index fails.
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

    /// Writes the changes to sums that this process still holds in memory.
    ///
    /// # Errors
    /// Returns an error if the index fails.
    pub async fn flush(&self) -> Result<(), Failure> {
        match self {
            Self::DynamoDb(index) => index.flush().await,
            Self::Embedded(_) => Ok(()),
        }
    }
}

// Boxed: the future of an SDK call takes many kilobytes, and would make every future around it as large.
macro_rules! chosen {
    (now $self:ident, $index:ident => $call:expr) => {
        on_variant!($self, DynamoDb | Embedded, $index => $call)
    };
    ($kind:ident $self:ident, $index:ident => $call:expr) => {
        on_variant!($self, DynamoDb | Embedded, $index => Box::pin($call).await)
    };
}

forward_index!(impl[] for AnyIndex, by chosen);
