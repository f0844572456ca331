//! The reasons why an item is not copied.

use credlink_ports::migration::ledger::Reason;
use credlink_ports::{Failure, FailureKind};
use serde::Serialize;

use crate::retry_policy::GivenUp;

/// The reason why an item is not copied, with details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotCopied {
    /// The reason.
    pub reason: Reason,
    /// The reason in detail, as text.
    pub detail: String,
}

impl NotCopied {
    pub(crate) fn new(reason: Reason, detail: impl std::fmt::Display) -> Self {
        Self { reason, detail: cut(&detail.to_string()) }
    }

    /// Creates the reason for an item that was listed and could not be read.
    pub(crate) fn unread(failure: &Failure) -> Self {
        let reason = match failure.kind {
            FailureKind::Damaged => Reason::Damaged,
            _ => Reason::Unavailable,
        };
        Self::new(reason, failure)
    }

    /// Creates the reason for an item that was listed and is no longer there.
    pub(crate) fn vanished() -> Self {
        Self::new(Reason::Vanished, "it was listed, but no longer exists")
    }

    /// Returns `true` if there is nothing to copy, so that the item did not fail.
    #[must_use]
    pub const fn is_skip(&self) -> bool {
        matches!(
            self.reason,
            Reason::Duplicate | Reason::Expired | Reason::Deleted | Reason::Gone | Reason::LeftOut
        )
    }
}

/// The reason why an item's processing ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemError {
    /// The item was read and is not copied.
    NotCopied(NotCopied),
    /// A call for the item was given up.
    GivenUp(GivenUp),
}

impl ItemError {
    /// Returns the reason why the item is not copied. A single item that is unavailable does not end the step.
    ///
    /// # Errors
    /// Fails if the step has to end.
    pub(crate) fn not_copied(self) -> Result<NotCopied, GivenUp> {
        match self {
            Self::NotCopied(not_copied) => Ok(not_copied),
            Self::GivenUp(GivenUp::Item(failure)) => Ok(NotCopied::unread(&failure)),
            Self::GivenUp(end) => Err(end),
        }
    }
}

impl From<NotCopied> for ItemError {
    fn from(not_copied: NotCopied) -> Self {
        Self::NotCopied(not_copied)
    }
}

impl From<GivenUp> for ItemError {
    fn from(given_up: GivenUp) -> Self {
        Self::GivenUp(given_up)
    }
}

/// Maximum length of a reason's text, in characters: a ledger keeps one for each item.
pub(super) const MAX_DETAIL_CHARS: usize = 500;

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_DETAIL_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
