//! The facts about an operation that hold for every request for it, whatever its ids and parameters are.

use crate::access::Scope;

/// An operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    /// A short name, for logs and metrics.
    pub(super) name: &'static str,
    /// The scope that a caller needs, `None` where reading is public (or decided by the object).
    pub(super) scope: Option<Scope>,
    /// `true` if it reads what may be public, which the object decides, or what is public by itself.
    pub(super) is_public_read: bool,
}

impl Operation {
    /// An operation that needs a scope.
    pub(super) const fn needing(scope: Scope, name: &'static str) -> Self {
        Self { name, scope: Some(scope), is_public_read: false }
    }

    /// An operation that reads what may be public.
    pub(super) const fn public_read(name: &'static str) -> Self {
        Self { name, scope: None, is_public_read: true }
    }

    /// An operation that is open to everybody, and reads nothing that is stored.
    pub(super) const fn open(name: &'static str) -> Self {
        Self { name, scope: None, is_public_read: false }
    }
}
