//! Invalidations that have not arrived at a shared cache: under way, or owed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use credlink_core::object::ObjectKey;
use credlink_core::time::Timestamp;

/// The keys whose shared copies may be out of date.
#[derive(Debug)]
pub(super) struct Unsettled {
    most: usize,
    state: Mutex<State>,
    /// The millisecond until which loaded values are not used, because an invalidation could not be remembered.
    trusted_after: AtomicI64,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the newest invalidation.
    newest: u64,
    /// The newest invalidation of each key, which supersedes all before it, and whether it failed.
    keys: HashMap<ObjectKey, (u64, bool)>,
    /// The number of invalidations in `keys` that failed.
    owed: usize,
}

impl State {
    fn remove(&mut self, key: &ObjectKey, number: u64) {
        if let Some((newest, owed)) = self.keys.get(key).copied()
            && newest == number
        {
            self.keys.remove(key);
            self.owed -= usize::from(owed);
        }
    }
}

impl Unsettled {
    pub(super) fn new(most: usize) -> Self {
        Self { most, state: Mutex::default(), trusted_after: AtomicI64::new(-1) }
    }

    /// Notes an invalidation that is about to be sent, at `now`.
    pub(super) fn begin(&self, key: &ObjectKey, now: Timestamp) -> Notice<'_> {
        let mut state = self.lock();
        state.newest += 1;
        let number = state.newest;
        if state.keys.len() < self.most || state.keys.contains_key(key) {
            if let Some((_, true)) = state.keys.insert(key.clone(), (number, false)) {
                state.owed -= 1;
            }
        } else {
            self.trusted_after.fetch_max(now.milliseconds(), Ordering::SeqCst);
        }
        Notice { unsettled: self, key: key.clone(), number }
    }

    /// Returns `true` if an invalidation of `key` is under way or owed.
    pub(super) fn contains(&self, key: &ObjectKey) -> bool {
        self.lock().keys.contains_key(key)
    }

    /// Returns `true` if a value that was loaded at `loaded` may be used.
    pub(super) fn trusts(&self, loaded: Timestamp) -> bool {
        loaded.milliseconds() > self.trusted_after.load(Ordering::SeqCst)
    }

    /// Returns `true` if no invalidation has failed.
    pub(super) fn owes_nothing(&self) -> bool {
        self.lock().owed == 0
    }

    /// Returns at most `most` of the invalidations that failed.
    pub(super) fn owed(&self, most: usize) -> Vec<(ObjectKey, u64)> {
        let state = self.lock();
        let owed = state.keys.iter().filter(|(_, (_, owed))| *owed);
        owed.take(most).map(|(key, (number, _))| (key.clone(), *number)).collect()
    }

    /// Records that these invalidations have arrived.
    pub(super) fn settle_all(&self, arrived: &[(ObjectKey, u64)]) {
        let mut state = self.lock();
        for (key, number) in arrived {
            state.remove(key, *number);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An invalidation under way. If it is dropped before it is settled, because the call failed or was cut short, it is
/// owed.
#[derive(Debug)]
pub(super) struct Notice<'a> {
    unsettled: &'a Unsettled,
    key: ObjectKey,
    number: u64,
}

impl Notice<'_> {
    /// Records that the invalidation has arrived.
    pub(super) fn settle(self) {
        self.unsettled.lock().remove(&self.key, self.number);
    }
}

impl Drop for Notice<'_> {
    fn drop(&mut self) {
        let mut state = self.unsettled.lock();
        if let Some((number, owed)) = state.keys.get_mut(&self.key)
            && *number == self.number
            && !*owed
        {
            *owed = true;
            state.owed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> ObjectKey {
        ObjectKey::Manifest(format!("urn:c2pa:{number}").parse().unwrap())
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds)
    }

    #[test]
    fn what_does_not_arrive_is_owed_until_it_does() {
        let unsettled = Unsettled::new(10);
        let notice = unsettled.begin(&key(1), at(0));
        assert!(unsettled.contains(&key(1)) && unsettled.owes_nothing());
        drop(notice);
        assert!(unsettled.contains(&key(1)) && !unsettled.owes_nothing());
        let owed = unsettled.owed(10);
        unsettled.settle_all(&owed);
        assert!(!unsettled.contains(&key(1)) && unsettled.owes_nothing());
        unsettled.begin(&key(2), at(0)).settle();
        assert!(!unsettled.contains(&key(2)) && unsettled.owes_nothing());
    }

    #[test]
    fn the_newest_of_a_key_makes_up_for_all() {
        let unsettled = Unsettled::new(10);
        let (first, second) = (unsettled.begin(&key(1), at(0)), unsettled.begin(&key(1), at(0)));
        first.settle();
        assert!(unsettled.contains(&key(1)), "the second may be of a later change");
        drop(second);
        let owed = unsettled.owed(10);
        let third = unsettled.begin(&key(1), at(0));
        assert!(unsettled.owes_nothing(), "the third is under way");
        unsettled.settle_all(&owed);
        assert!(unsettled.contains(&key(1)));
        third.settle();
        assert!(!unsettled.contains(&key(1)) && unsettled.owes_nothing());
    }

    #[test]
    fn what_cannot_be_remembered_costs_trust_in_what_was_loaded_before() {
        let unsettled = Unsettled::new(2);
        drop([1, 2].map(|number| unsettled.begin(&key(number), at(5_000))));
        drop(unsettled.begin(&key(1), at(6_000)));
        assert!(unsettled.trusts(at(0)));
        drop(unsettled.begin(&key(3), at(7_000)));
        assert!(!unsettled.contains(&key(3)));
        assert!(!unsettled.trusts(at(7_000)) && unsettled.trusts(at(7_001)));
        assert_eq!(unsettled.owed(10).len(), 2);
    }
}
