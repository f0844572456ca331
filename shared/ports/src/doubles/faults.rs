//! Failing calls, on a plan: for tests that fail every write, or every read, of a flow in turn.
//!
//! A write can fail in two ways, and a caller cannot tell which: nothing happened, or it happened and the answer got
//! lost. A flow that is right survives both, at each of its writes. A read that fails is a failure, and never absence.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    Checksummed, Failure, FailureKind, Index, Medium, Objects, Replicas, forward_checksummed, forward_index,
    forward_medium, forward_objects, forward_replicas,
};

/// In which way a write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Nothing is done, and an error is answered.
    Lost,
    /// It is done, and an error is answered.
    Kept,
}

/// Which calls fail. Clones are one plan: objects and index that share it count their calls together.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    writes: RangeInclusive<u64>,
    reads: RangeInclusive<u64>,
    flavour: Flavour,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    writes: AtomicU64,
    reads: AtomicU64,
}

/// The number of no call: they are counted from 1.
const NONE: RangeInclusive<u64> = 0..=0;

impl FaultPlan {
    /// Nothing fails. For counting the calls of a flow.
    #[must_use]
    pub fn none() -> Self {
        Self::new(NONE, NONE, Flavour::Lost)
    }

    /// The `n`-th write fails, counted from 1 over `put`, `delete` and `commit`.
    #[must_use]
    pub fn at(n: u64, flavour: Flavour) -> Self {
        Self::new(n..=n, NONE, flavour)
    }

    /// The `n`-th write fails, and every one after it.
    #[must_use]
    pub fn from(n: u64, flavour: Flavour) -> Self {
        Self::new(n..=u64::MAX, NONE, flavour)
    }

    /// The `n`-th read fails, counted from 1 over `get`, `head`, `list` and `totals`.
    #[must_use]
    pub fn read_at(n: u64) -> Self {
        Self::new(NONE, n..=n, Flavour::Lost)
    }

    /// The `n`-th read fails, and every one after it.
    #[must_use]
    pub fn reads_from(n: u64) -> Self {
        Self::new(NONE, n..=u64::MAX, Flavour::Lost)
    }

    /// The same plan, with its counting begun anew.
    #[must_use]
    pub fn anew(self) -> Self {
        Self { seen: Arc::default(), ..self }
    }

    fn new(writes: RangeInclusive<u64>, reads: RangeInclusive<u64>, flavour: Flavour) -> Self {
        Self { writes, reads, flavour, seen: Arc::default() }
    }

    /// Writes seen so far, failed ones among them.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.seen.writes.load(Ordering::SeqCst)
    }

    /// Reads seen so far, failed ones among them.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.seen.reads.load(Ordering::SeqCst)
    }

    async fn write<T>(&self, write: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let number = self.seen.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if !self.writes.contains(&number) {
            return write.await;
        }
        if self.flavour == Flavour::Kept {
            write.await?;
        }
        Err(failed(format!("write {number} failed as planned ({:?})", self.flavour)))
    }

    async fn read<T>(&self, read: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let number = self.seen.reads.fetch_add(1, Ordering::SeqCst) + 1;
        if self.reads.contains(&number) {
            return Err(failed(format!("read {number} failed as planned")));
        }
        read.await
    }
}

fn failed(message: String) -> Failure {
    Failure { provider: "faulty", kind: FailureKind::Unavailable, message }
}

/// An adapter whose calls fail on a plan.
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

/// Passes a call on as the plan says. What queues repairs or counts reads is no write of the flow's own.
macro_rules! planned {
    (now $self:ident, $inner:ident => $call:expr) => {{
        let $inner = &$self.inner;
        $call
    }};
    (read $self:ident, $inner:ident => $call:expr) => {{
        let $inner = &$self.inner;
        $self.plan.read($call).await
    }};
    (write $self:ident, $inner:ident => $call:expr) => {{
        let $inner = &$self.inner;
        $self.plan.write($call).await
    }};
    ($unplanned:ident $self:ident, $inner:ident => $call:expr) => {{
        let $inner = &$self.inner;
        $call.await
    }};
}

forward_objects!(impl[T: Objects] for Faulty<T>, by planned);
forward_replicas!(impl[T: Replicas] for Faulty<T>, by planned);
forward_medium!(impl[T: Medium] for Faulty<T>, by planned);
forward_checksummed!(impl[T: Checksummed] for Faulty<T>, by planned);
forward_index!(impl[T: Index] for Faulty<T>, by planned);

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use credlink_core::object::{Attributes, ObjectKey};

    use super::*;
    use crate::Condition;
    use crate::doubles::{MemoryIndex, MemoryObjects};

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

    #[tokio::test]
    async fn the_planned_read_fails_and_is_no_absence() {
        let key = ObjectKey::Manifest("urn:a".parse().unwrap());
        let run = async |plan: FaultPlan| {
            let objects = Faulty::new(MemoryObjects::new(), plan.clone());
            let index = Faulty::new(MemoryIndex::new(), plan.clone());
            let answered = [
                objects.head(&key).await.is_ok(),
                objects.list("", None, 1).await.is_ok(),
                index.totals().await.is_ok(),
            ];
            (answered, plan.reads(), plan.writes())
        };
        assert_eq!(run(FaultPlan::read_at(2)).await, ([true, false, true], 3, 0));
        assert_eq!(run(FaultPlan::reads_from(2)).await, ([true, false, false], 3, 0));
        assert_eq!(run(FaultPlan::at(1, Flavour::Lost)).await, ([true; 3], 3, 0));
    }
}
