//! The state that the calls of one step share: their failures, and an outage.

use std::collections::{BTreeMap, BTreeSet};

/// The state of one operation.
#[derive(Debug, Default)]
pub(super) struct Operation {
    /// Number of calls that got through.
    pub(super) successes: u64,
    /// The calls that are failing now.
    pub(super) failing: BTreeSet<u64>,
    /// The calls that wait for the end of an outage.
    pub(super) waiting: BTreeSet<u64>,
    /// Number of items that were given up since a call got through.
    pub(super) given_up: usize,
}

/// An outage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    /// The clock's microseconds at which the outage began.
    pub(super) began: u64,
    /// The operation that does not get through.
    pub(super) operation: &'static str,
    /// The call whose turn it is to retry.
    pub(super) who: u64,
    /// The number of attempts so far.
    pub(super) tries: u32,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) operations: BTreeMap<&'static str, Operation>,
    pub(super) pause: Option<Pause>,
    /// The number of calls so far, from which each call gets its own.
    pub(super) calls: u64,
}

impl State {
    /// Passes the turn to the next call of the operation, since the current one may belong to an item that is
    /// unavailable for good.
    pub(super) fn hand_over(&mut self) {
        let Some(pause) = &mut self.pause else { return };
        pause.tries = pause.tries.saturating_add(1);
        let Some(known) = self.operations.get(pause.operation) else { return };
        let calls = || known.failing.union(&known.waiting).copied();
        if let Some(next) = calls().find(|call| *call > pause.who).or_else(|| calls().next()) {
            pause.who = next;
        }
    }
}
