//! Futures that stop at a chosen call of a port: for crashes, and for interleavings.
//!
//! Nothing here needs a runtime. The memory adapters never wait, so a pending future has stopped at its gate.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use credlink_core::object::{Attributes, Head, Object, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::time::Timestamp;
use credlink_ports::{
    Checksum, Commit, Condition, Copied, Failure, Index, Intent, Listed, Listing, Objects, Page, Put, Write,
};

/// Lets a number of calls through. Clones are one gate.
#[derive(Debug, Clone)]
pub struct Gate(Rc<State>);

#[derive(Debug)]
struct State {
    passed: Cell<u64>,
    limit: Cell<u64>,
    /// The calls that have stopped at the gate: futures that run concurrently inside one future are polled only when
    /// they are woken.
    waiting: RefCell<Vec<Waker>>,
    /// Set if a call also stops after it has taken effect, before its caller knows.
    twice: bool,
}

impl Gate {
    /// A gate that lets everything through.
    pub fn open() -> Self {
        Self::new(u64::MAX, false)
    }

    /// A gate that stops each call but the first `limit`.
    pub fn before(limit: u64) -> Self {
        Self::new(limit, false)
    }

    /// A gate that each call passes twice: before and after it takes effect.
    pub fn around(limit: u64) -> Self {
        Self::new(limit, true)
    }

    fn new(limit: u64, twice: bool) -> Self {
        Self(Rc::new(State {
            passed: Cell::new(0),
            limit: Cell::new(limit),
            waiting: RefCell::default(),
            twice,
        }))
    }

    /// Stops each call from now on but the next `limit`.
    pub fn stop_after(&self, limit: u64) {
        self.0.limit.set(self.0.passed.get() + limit);
    }

    /// Lets everything through from now on.
    pub fn lift(&self) {
        self.0.limit.set(u64::MAX);
        self.0.waiting.take().into_iter().for_each(Waker::wake);
    }

    async fn pass(&self) {
        let state = &self.0;
        poll_fn(|context| {
            if state.passed.get() >= state.limit.get() {
                state.waiting.borrow_mut().push(context.waker().clone());
                return Poll::Pending;
            }
            state.passed.set(state.passed.get() + 1);
            Poll::Ready(())
        })
        .await;
    }

    async fn call<T>(&self, call: impl Future<Output = T>) -> T {
        self.pass().await;
        let answer = call.await;
        if self.0.twice {
            self.pass().await;
        }
        answer
    }

    /// Runs `future` until it ends or stops at this gate.
    pub fn run<F: Future>(&self, mut future: Pin<&mut F>) -> Option<F::Output> {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..1_000 {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
            if self.0.passed.get() >= self.0.limit.get() {
                return None;
            }
        }
        panic!("the future waits for something that is no port");
    }
}

/// An adapter behind a gate.
#[derive(Debug, Clone)]
pub struct Gated<T> {
    inner: T,
    gate: Gate,
}

impl<T> Gated<T> {
    pub const fn new(inner: T, gate: Gate) -> Self {
        Self { inner, gate }
    }
}

impl<T: Objects> Objects for Gated<T> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn is_at_hand(&self) -> bool {
        self.inner.is_at_hand()
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        self.gate.call(self.inner.get(key)).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        self.gate.call(self.inner.head(key)).await
    }

    async fn head_with_checksum(&self, key: &ObjectKey) -> Result<Option<(Head, Option<Checksum>)>, Failure> {
        self.gate.call(self.inner.head_with_checksum(key)).await
    }

    async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Failure> {
        self.gate.call(self.inner.put(key, body, attributes, condition)).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        self.gate.call(self.inner.delete(key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        self.gate.call(self.inner.list(prefix, after, limit)).await
    }
}

impl<T: Objects> Copied for Gated<T> {}

impl<T: Index> Index for Gated<T> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        self.gate.call(self.inner.get(key)).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<Commit, Failure> {
        self.gate.call(self.inner.commit(writes)).await
    }

    async fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<Row>>, Failure> {
        self.gate.call(self.inner.list(listing, after, limit)).await
    }

    async fn intend(&self, key: &ObjectKey, at: Timestamp) -> Result<(), Failure> {
        self.gate.call(self.inner.intend(key, at)).await
    }

    async fn intents(
        &self,
        from: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Intent>, Failure> {
        self.gate.call(self.inner.intents(from, after, limit)).await
    }

    async fn count_reads(&self, reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        self.gate.call(self.inner.count_reads(reads)).await
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        self.gate.call(self.inner.totals()).await
    }
}
