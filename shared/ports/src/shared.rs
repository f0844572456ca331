//! A port behind an [`Arc`] is that port: two providers as one share index and queue with the service.

use std::sync::Arc;

use bytes::Bytes;
use credlink_core::message::Message;
use credlink_core::object::{Attributes, Facts, Head, Object, ObjectKey, StoredTag};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::time::Timestamp;

use super::{
    Checksum, Commit, Condition, Delivery, Failure, FailureKind, Index, Intent, Listed, Listing, Objects,
    Page, ProviderState, Put, Queue, Write,
};

impl<T: Objects + ?Sized> Objects for Arc<T> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn is_at_hand(&self) -> bool {
        (**self).is_at_hand()
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        (**self).get(key).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        (**self).head(key).await
    }

    async fn head_with_checksum(&self, key: &ObjectKey) -> Result<Option<(Head, Option<Checksum>)>, Failure> {
        (**self).head_with_checksum(key).await
    }

    async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Failure> {
        (**self).put(key, body, attributes, condition).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        (**self).delete(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        (**self).list(prefix, after, limit).await
    }

    async fn confirm(&self, key: &ObjectKey, expected: &Facts) -> Result<(), Failure> {
        (**self).confirm(key, expected).await
    }

    async fn get_instead(&self, key: &ObjectKey, damaged: &StoredTag) -> Result<Option<Object>, Failure> {
        (**self).get_instead(key, damaged).await
    }

    fn providers(&self) -> Vec<ProviderState> {
        (**self).providers()
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        (**self).write_failure().await
    }
}

impl<T: Index + ?Sized> Index for Arc<T> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        (**self).get(key).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<Commit, Failure> {
        (**self).commit(writes).await
    }

    async fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<Row>>, Failure> {
        (**self).list(listing, after, limit).await
    }

    async fn intend(&self, key: &ObjectKey, at: Timestamp) -> Result<(), Failure> {
        (**self).intend(key, at).await
    }

    async fn intents(
        &self,
        from: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Intent>, Failure> {
        (**self).intents(from, after, limit).await
    }

    async fn count_reads(&self, reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        (**self).count_reads(reads).await
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        (**self).totals().await
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        (**self).write_failure().await
    }
}

impl<T: Queue + ?Sized> Queue for Arc<T> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    async fn send(&self, message: &Message, delay_seconds: u32) -> Result<(), Failure> {
        (**self).send(message, delay_seconds).await
    }

    async fn receive(&self, most: usize, hidden_seconds: u32) -> Result<Vec<Delivery>, Failure> {
        (**self).receive(most, hidden_seconds).await
    }

    async fn settle(&self, receipt: &str) -> Result<(), Failure> {
        (**self).settle(receipt).await
    }

    async fn depth(&self) -> Result<u64, Failure> {
        (**self).depth().await
    }
}
