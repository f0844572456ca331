//! What the calls of one step know of each other, and of an outage.

use std::collections::{BTreeMap, BTreeSet};

/// What is known of one operation.
#[derive(Debug, Default)]
pub(super) struct Operation {
    /// Calls that got through.
    pub(super) successes: u64,
    /// Who fails at this moment.
    pub(super) failing: BTreeSet<u64>,
    /// Who waits for the end of an outage.
    pub(super) waiting: BTreeSet<u64>,
    /// Items that were given up since a call got through.
    pub(super) given_up: usize,
}

/// An outage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    /// Since when everybody waits, by the clock's microseconds.
    pub(super) began: u64,
    /// The operation that does not get through.
    pub(super) operation: &'static str,
    /// The call whose turn it is to try.
    pub(super) who: u64,
    /// How often it was tried.
    pub(super) tries: u32,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) operations: BTreeMap<&'static str, Operation>,
    pub(super) pause: Option<Pause>,
    /// Names the calls.
    pub(super) calls: u64,
}

impl State {
    /// Lets the next call of the operation try: the one that tried may be of an item that never comes.
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
