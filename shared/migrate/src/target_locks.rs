//! Locks on targets: items that become the same proof take turns, so that each sees what the one before it created.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use credlink_ports::migration::target::Target;
use futures_util::lock::{Mutex as TargetLock, OwnedMutexGuard};

/// The targets that are being worked on.
#[derive(Debug, Default)]
pub(super) struct TargetLocks(Mutex<HashMap<Target, Arc<TargetLock<()>>>>);

/// The locks of some targets, held until this is dropped.
pub(super) struct LockedTargets<'a> {
    locks: &'a TargetLocks,
    held: Vec<(Target, OwnedMutexGuard<()>)>,
}

impl TargetLocks {
    /// Waits until no other task works on any of these targets. They are locked in order, so that two tasks that need
    /// the same targets cannot deadlock.
    pub(super) async fn lock(&self, targets: &BTreeSet<Target>) -> LockedTargets<'_> {
        let mut locked = LockedTargets { locks: self, held: Vec::with_capacity(targets.len()) };
        for target in targets {
            let lock = {
                let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                locks.entry(target.clone()).or_default().clone()
            };
            locked.held.push((target.clone(), lock.lock_owned().await));
        }
        locked
    }
}

impl Drop for LockedTargets<'_> {
    fn drop(&mut self) {
        let mut locks = self.locks.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (target, guard) in self.held.drain(..) {
            drop(guard);
            // Waiting tasks hold a reference too.
            if locks.get(&target).is_some_and(|lock| Arc::strong_count(lock) == 1) {
                locks.remove(&target);
            }
        }
    }
}
