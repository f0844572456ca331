//! Adapters that are chosen at run time. One concrete type for all of them lets a test spawn the futures of a service.
//!
//! Every call yields before and after, so that tasks interleave even where an adapter never waits.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use credlink_aws::dynamodb::DynamoIndex;
use credlink_core::object::{Attributes, Head, Object, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::time::Timestamp;
use credlink_disk::folder::Folder;
use credlink_embedded::index::EmbeddedIndex;
use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
use credlink_ports::{
    Commit, Condition, Copied, Failure, Index, Intent, Listed, Listing, Objects, Page, Put, Write,
};

/// Objects in memory or in a folder.
pub enum EitherObjects {
    Memory(MemoryObjects),
    Folder(Folder),
}

/// Rows in memory, in a file or on DynamoDB.
pub enum EitherIndex {
    Memory(MemoryIndex),
    Embedded(EmbeddedIndex),
    Dynamo(Box<DynamoIndex>),
}

/// Lets other tasks run, none to three times: with a fixed pattern they might march in step.
async fn give_way() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    for _ in 0..call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62 {
        tokio::task::yield_now().await;
    }
}

/// Calls the chosen adapter, and yields before and after.
macro_rules! either {
    ($self:ident, $($variant:ident)|+, $adapter:ident => $call:expr) => {{
        give_way().await;
        let answer = match $self {
            $(Self::$variant($adapter) => $call.await,)+
        };
        give_way().await;
        answer
    }};
}

impl Objects for EitherObjects {
    fn name(&self) -> &'static str {
        match self {
            Self::Memory(objects) => objects.name(),
            Self::Folder(objects) => objects.name(),
        }
    }

    fn is_at_hand(&self) -> bool {
        true
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        either!(self, Memory | Folder, objects => objects.get(key))
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        either!(self, Memory | Folder, objects => objects.head(key))
    }

    async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Failure> {
        either!(self, Memory | Folder, objects => objects.put(key, body, attributes, condition))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        either!(self, Memory | Folder, objects => objects.delete(key))
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        either!(self, Memory | Folder, objects => objects.list(prefix, after, limit))
    }
}

impl Index for EitherIndex {
    fn name(&self) -> &'static str {
        match self {
            Self::Memory(index) => index.name(),
            Self::Embedded(index) => index.name(),
            Self::Dynamo(index) => index.name(),
        }
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        either!(self, Memory | Embedded | Dynamo, index => index.get(key))
    }

    async fn commit(&self, writes: &[Write]) -> Result<Commit, Failure> {
        either!(self, Memory | Embedded | Dynamo, index => index.commit(writes))
    }

    async fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<Row>>, Failure> {
        either!(self, Memory | Embedded | Dynamo, index => index.list(listing, after, limit))
    }

    async fn intend(&self, key: &ObjectKey, at: Timestamp) -> Result<(), Failure> {
        either!(self, Memory | Embedded | Dynamo, index => index.intend(key, at))
    }

    async fn intents(
        &self,
        from: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Intent>, Failure> {
        either!(self, Memory | Embedded | Dynamo, index => index.intents(from, after, limit))
    }

    async fn count_reads(&self, reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        either!(self, Memory | Embedded | Dynamo, index => index.count_reads(reads))
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        either!(self, Memory | Embedded | Dynamo, index => index.totals())
    }
}

impl Copied for EitherObjects {}
