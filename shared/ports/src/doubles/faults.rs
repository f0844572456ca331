//! Calls that fail according to a plan, for tests that fail every write, or every read, of a flow in turn.
//!
//! A write can fail in two ways, and the caller cannot tell which: it had no effect, or it took effect and the answer
//! was lost. A correct flow survives both, at each of its writes. A failed read is a failure, and never absence.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    Checksummed, Failure, FailureKind, Index, Medium, Objects, Replicas, forward_checksummed, forward_index,
    forward_medium, forward_objects, forward_replicas,
};

/// The two ways in which a write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// The write has no effect, and an error is returned.
    Lost,
    /// The write takes effect, and an error is returned.
    Kept,
}

/// A plan of the calls that fail. Clones share their counts, so objects and an index with the same plan count their
/// calls together.
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

/// A range that contains no call, since calls are counted from 1.
const NONE: RangeInclusive<u64> = 0..=0;

impl FaultPlan {
    /// Creates a plan in which nothing fails, for counting the calls of a flow.
    #[must_use]
    pub fn none() -> Self {
        Self::new(NONE, NONE, Flavour::Lost)
    }

    /// Creates a plan in which the `n`-th write fails, counted from 1 over `put`, `delete` and `commit`.
    #[must_use]
    pub fn at(n: u64, flavour: Flavour) -> Self {
        Self::new(n..=n, NONE, flavour)
    }

    /// Creates a plan in which the `n`-th write and all later ones fail.
    #[must_use]
    pub fn from(n: u64, flavour: Flavour) -> Self {
        Self::new(n..=u64::MAX, NONE, flavour)
    }

    /// Creates a plan in which the `n`-th read fails, counted from 1 over `get`, `head`, `list` and `totals`.
    #[must_use]
    pub fn read_at(n: u64) -> Self {
        Self::new(NONE, n..=n, Flavour::Lost)
    }

    /// Creates a plan in which the `n`-th read and all later ones fail.
    #[must_use]
    pub fn reads_from(n: u64) -> Self {
        Self::new(NONE, n..=u64::MAX, Flavour::Lost)
    }

    /// Returns the same plan with new counts.
    #[must_use]
    pub fn anew(self) -> Self {
        Self { seen: Arc::default(), ..self }
    }

    fn new(writes: RangeInclusive<u64>, reads: RangeInclusive<u64>, flavour: Flavour) -> Self {
        Self { writes, reads, flavour, seen: Arc::default() }
    }

    /// Returns the number of writes so far, including failed ones.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.seen.writes.load(Ordering::SeqCst)
    }

    /// Returns the number of reads so far, including failed ones.
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

/// An adapter whose calls fail according to a plan.
#[derive(Debug, Clone)]
pub struct Faulty<T> {
    inner: T,
    plan: FaultPlan,
}

impl<T> Faulty<T> {
    /// Wraps `inner`, whose calls fail according to `plan`.
    pub const fn new(inner: T, plan: FaultPlan) -> Self {
        Self { inner, plan }
    }

    /// Returns the wrapped adapter, for inspection without faults.
    pub const fn inner(&self) -> &T {
        &self.inner
    }
}

/// Passes on a call as the plan says. Calls that queue repairs or count reads are not counted, because they are not
/// writes of the flow itself.
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

forward_objects!(impl[T: Objects] for Faulty<T>, by planned, one by one);
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

    /// Makes two puts and a delete under `plan`. Returns which of them succeeded, and the keys that exist afterwards.
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
