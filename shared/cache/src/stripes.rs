//! Numbers by key, in a fixed place: keys of one stripe share a number.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::AtomicU64;

use credlink_core::object::ObjectKey;

/// Stripes of keys that are forgotten together. A deletion costs one of 1,024 unrelated entries a load.
const STRIPES: usize = 1_024;

/// One number a stripe, 0 at first.
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
    /// The number of the stripe of `key`.
    pub(super) fn of(&self, key: &ObjectKey) -> &AtomicU64 {
        let stripe = self.hasher.hash_one(key) % STRIPES as u64;
        &self.numbers[usize::try_from(stripe).unwrap_or(0)]
    }
}
