//! An index in a table of DynamoDB, or in a file of this machine.

use std::sync::Arc;
use std::time::Duration;

use credlink_ports::{Failure, FailureKind, forward_index, on_variant};
use tokio::time::Instant;

use credlink_aws::Error;
use credlink_aws::dynamodb::DynamoIndex;

use crate::embedded::EmbeddedIndex;

/// The index that was chosen. Clones are one index.
#[derive(Debug, Clone)]
pub enum AnyIndex {
    /// A table.
    DynamoDb(Arc<DynamoIndex>),
    /// A file.
    Embedded(Arc<EmbeddedIndex>),
}

impl AnyIndex {
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

// A call of an SDK is a future of many kilobytes: in a box, it does not make every future around it as large.
macro_rules! chosen {
    (now $self:ident, $index:ident => $call:expr) => {
        on_variant!($self, DynamoDb | Embedded, $index => $call)
    };
    ($kind:ident $self:ident, $index:ident => $call:expr) => {
        on_variant!($self, DynamoDb | Embedded, $index => Box::pin($call).await)
    };
}

forward_index!(impl[] for AnyIndex, by chosen);
