//! A service next to a legacy store: the type whose parts are in the other files.

use crate::legacy_store::LegacyStore;

/// A service next to a legacy store.
#[derive(Clone, Debug)]
pub struct Hybrid<L> {
    pub(crate) legacy: L,
}

impl<L: LegacyStore> Hybrid<L> {
    /// Creates a handler that also serves `legacy`.
    pub const fn new(legacy: L) -> Self {
        Self { legacy }
    }

    /// Returns the legacy store.
    pub const fn legacy(&self) -> &L {
        &self.legacy
    }
}
