//! The facts about an operation that hold for every request for it, whatever its IDs and parameters are.

use crate::access::Scope;

/// An operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    /// A short name, for logs and metrics.
    pub(super) name: &'static str,
    /// The scope that a caller needs, or `None` if reading is public or the object decides.
    pub(super) scope: Option<Scope>,
    /// `true` if the operation reads something that is public by itself, or may be if the object says so.
    pub(super) is_public_read: bool,
}

impl Operation {
    /// Returns an operation that needs a scope.
    pub(super) const fn needing(scope: Scope, name: &'static str) -> Self {
        Self { name, scope: Some(scope), is_public_read: false }
    }

    /// Returns an operation that reads something that may be public.
    pub(super) const fn public_read(name: &'static str) -> Self {
        Self { name, scope: None, is_public_read: true }
    }

    /// Returns an operation that is open to everybody, and reads nothing that is stored.
    pub(super) const fn open(name: &'static str) -> Self {
        Self { name, scope: None, is_public_read: false }
    }
}
