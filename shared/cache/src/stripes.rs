//! Numbers by key, in a fixed amount of memory: keys of one stripe share a number.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::AtomicU64;

use credlink_core::object::ObjectKey;

/// The number of stripes, whose keys are forgotten together. A deletion makes one in 1,024 unrelated entries load
/// again.
const STRIPES: usize = 1_024;

/// One number for each stripe, initially 0.
#[derive(Debug)]
pub(super) struct Stripes {
    numbers: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Default for Stripes {
    fn default() -> Self {
        Self { numbers: (0..STRIPES).map(|_| AtomicU64::new(0)).collect(), hasher: RandomState::new() }
    }
}

impl Stripes {
    /// Returns the number of the stripe of `key`.
    pub(super) fn of(&self, key: &ObjectKey) -> &AtomicU64 {
        let stripe = self.hasher.hash_one(key) % STRIPES as u64;
        &self.numbers[usize::try_from(stripe).unwrap_or(0)]
    }
}
