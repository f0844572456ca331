//! Failing writes, on a plan: for tests that fail every write of a flow in turn.
//!
//! A write can fail in two ways, and a caller cannot tell which: nothing happened, or it happened and the answer got
//! lost. A flow that is right survives both, at each of its writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use credlink_core::object::{Attributes, Head, Object, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_service::ports::{
    Commit, Condition, Failure, FailureKind, Index, Listed, Listing, Objects, Page, Put, Write,
};

/// In which way a write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Nothing is done, and an error is answered.
    Lost,
    /// It is done, and an error is answered.
    Kept,
}

/// Which writes fail. Clones are one plan: objects and index that share it count their writes together.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    first: u64,
    last: u64,
    flavour: Flavour,
    writes: Arc<AtomicU64>,
}

impl FaultPlan {
    /// No write fails. For counting the writes of a flow.
    #[must_use]
    pub fn none() -> Self {
        Self::between(1, 0, Flavour::Lost)
    }

    /// The `n`-th write fails, counted from 1 over `put`, `delete` and `commit`.
    #[must_use]
    pub fn at(n: u64, flavour: Flavour) -> Self {
        Self::between(n, n, flavour)
    }

    /// The `n`-th write fails, and every one after it.
    #[must_use]
    pub fn from(n: u64, flavour: Flavour) -> Self {
        Self::between(n, u64::MAX, flavour)
    }

    fn between(first: u64, last: u64, flavour: Flavour) -> Self {
        Self { first, last, flavour, writes: Arc::default() }
    }

    /// Writes seen so far, failed ones among them.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    async fn write<T>(&self, write: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if !(self.first..=self.last).contains(&number) {
            return write.await;
        }
        if self.flavour == Flavour::Kept {
            write.await?;
        }
        Err(Failure {
            provider: "faulty",
            kind: FailureKind::Unavailable,
            message: format!("write {number} failed as planned ({:?})", self.flavour),
        })
    }
}

/// An adapter whose writes fail on a plan.
#[derive(Debug, Clone)]
pub struct Faulty<T> {
    inner: T,
    plan: FaultPlan,
}

impl<T> Faulty<T> {
    /// Wraps `inner`.
    pub const fn new(inner: T, plan: FaultPlan) -> Self {
        Self { inner, plan }
    }

    /// What is wrapped, to look at without faults.
    pub const fn inner(&self) -> &T {
        &self.inner
    }
}

impl<T: Objects> Objects for Faulty<T> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        self.inner.get(key).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        self.inner.head(key).await
    }

    async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Failure> {
        self.plan.write(self.inner.put(key, body, attributes, condition)).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        self.plan.write(self.inner.delete(key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        self.inner.list(prefix, after, limit).await
    }
}

impl<T: Index> Index for Faulty<T> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        self.inner.get(key).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<Commit, Failure> {
        self.plan.write(self.inner.commit(writes)).await
    }

    async fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<Row>>, Failure> {
        self.inner.list(listing, after, limit).await
    }

    async fn count_reads(&self, reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        self.inner.count_reads(reads).await
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        self.inner.totals().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryIndex, MemoryObjects};

    /// Two puts and a delete under `plan`: which of them were answered, and which keys stand there afterwards.
    async fn run(plan: &FaultPlan) -> (Vec<bool>, Vec<String>) {
        let objects = Faulty::new(MemoryObjects::new(), plan.clone());
        let key = |name: &str| ObjectKey::Manifest(format!("urn:{name}").parse().unwrap());
        let attributes = Attributes::default();
        let mut answered = Vec::new();
        for name in ["a", "b"] {
            let put = objects.put(&key(name), Bytes::new(), &attributes, Condition::Absent).await;
            answered.push(put.is_ok());
        }
        answered.push(objects.delete(&key("a")).await.is_ok());
        let page = objects.inner().list("", None, 10).await.unwrap();
        (answered, page.items.into_iter().map(|item| item.key).collect())
    }

    #[tokio::test]
    async fn the_planned_write_fails_in_the_planned_way() {
        let (a, b) = ("manifests/urn%3Aa".to_owned(), "manifests/urn%3Ab".to_owned());
        let none = FaultPlan::none();
        assert_eq!(run(&none).await, (vec![true, true, true], vec![b.clone()]));
        assert_eq!(none.writes(), 3);
        assert_eq!(run(&FaultPlan::at(2, Flavour::Lost)).await, (vec![true, false, true], vec![]));
        assert_eq!(run(&FaultPlan::at(2, Flavour::Kept)).await, (vec![true, false, true], vec![b.clone()]));
        assert_eq!(run(&FaultPlan::at(3, Flavour::Lost)).await.1, [a.clone(), b]);
        assert_eq!(run(&FaultPlan::from(2, Flavour::Lost)).await, (vec![true, false, false], vec![a]));
    }

    #[tokio::test]
    async fn objects_and_index_count_together() {
        let plan = FaultPlan::at(2, Flavour::Lost);
        let objects = Faulty::new(MemoryObjects::new(), plan.clone());
        let index = Faulty::new(MemoryIndex::new(), plan.clone());
        objects.delete(&ObjectKey::Manifest("urn:a".parse().unwrap())).await.unwrap();
        assert!(index.commit(&[]).await.is_err());
        assert!(index.commit(&[]).await.is_ok());
        assert_eq!(plan.writes(), 3);
    }
}
