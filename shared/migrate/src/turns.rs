//! One target at a time: items that become the same proof take turns, so that each sees what the one before it made.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::{Mutex as Turn, OwnedMutexGuard};

use credlink_ports::migration::target::Target;

/// The targets that are being worked on.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Target, Arc<Turn<()>>>>);

/// The turn of some targets, until it is dropped.
pub(super) struct Taken<'a> {
    turns: &'a Turns,
    held: Vec<(Target, OwnedMutexGuard<()>)>,
}

impl Turns {
    /// Waits until nobody works on any of these targets. They are taken in their order, so that two who want the same ones
    /// never wait for each other.
    pub(super) async fn take(&self, targets: &BTreeSet<Target>) -> Taken<'_> {
        let mut taken = Taken { turns: self, held: Vec::with_capacity(targets.len()) };
        for target in targets {
            let turn = {
                let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                turns.entry(target.clone()).or_default().clone()
            };
            taken.held.push((target.clone(), turn.lock_owned().await));
        }
        taken
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut turns = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (target, guard) in self.held.drain(..) {
            drop(guard);
            // Those who wait hold it too.
            if turns.get(&target).is_some_and(|turn| Arc::strong_count(turn) == 1) {
                turns.remove(&target);
            }
        }
    }
}
