//! Futures that stop at a chosen call of a port: for crashes, and for interleavings.
//!
//! Nothing here needs a runtime. The memory adapters never wait, so a pending future has stopped at its gate.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use credlink_ports::{
    Checksummed, Index, LongObjects, Medium, Objects, SingleProvider, forward_checksummed, forward_index,
    forward_long_objects, forward_medium, forward_objects,
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

    /// The number of calls that have passed.
    pub fn passed(&self) -> u64 {
        self.0.passed.get()
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

macro_rules! gated {
    (now $self:ident, $inner:ident => $call:expr) => {{
        let $inner = &$self.inner;
        $call
    }};
    (ask $self:ident, $inner:ident => $call:expr) => {{
        let $inner = &$self.inner;
        $call.await
    }};
    ($kind:ident $self:ident, $inner:ident => $call:expr) => {{
        let $inner = &$self.inner;
        $self.gate.call($call).await
    }};
}

forward_objects!(impl[T: Objects] for Gated<T>, by gated, one by one);
forward_medium!(impl[T: Medium] for Gated<T>, by gated);
forward_checksummed!(impl[T: Checksummed] for Gated<T>, by gated);
forward_long_objects!(impl[T: LongObjects] for Gated<T>, by gated);
forward_index!(impl[T: Index] for Gated<T>, by gated);

impl<T: Objects> SingleProvider for Gated<T> {}
