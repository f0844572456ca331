//! The reasons why an item goes no further.

use credlink_ports::migration::ledger::Reason;
use credlink_ports::{Failure, FailureKind};
use serde::Serialize;

use crate::patience::GivenUp;

/// Why an item is not copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotCopied {
    /// The reason.
    pub reason: Reason,
    /// In words.
    pub detail: String,
}

impl NotCopied {
    pub(crate) fn new(reason: Reason, detail: impl std::fmt::Display) -> Self {
        Self { reason, detail: cut(&detail.to_string()) }
    }

    /// Of an item that was listed, and could not be read.
    pub(crate) fn unread(failure: &Failure) -> Self {
        let reason = match failure.kind {
            FailureKind::Damaged => Reason::Damaged,
            _ => Reason::Unavailable,
        };
        Self::new(reason, failure)
    }

    /// Of an item that was listed, and is not there any more.
    pub(crate) fn vanished() -> Self {
        Self::new(Reason::Vanished, "it was listed, but no longer exists")
    }

    /// Whether there is nothing to copy, so that the item did not fail.
    #[must_use]
    pub const fn is_skip(&self) -> bool {
        matches!(
            self.reason,
            Reason::Duplicate | Reason::Expired | Reason::Deleted | Reason::Gone | Reason::LeftOut
        )
    }
}

/// Why an item goes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemError {
    /// It was read, and is not copied.
    NotCopied(NotCopied),
    /// A call for it was given up.
    GivenUp(GivenUp),
}

impl ItemError {
    /// The reason why the item is not copied. One item that cannot be had is no reason to end the step.
    ///
    /// # Errors
    /// The step ends.
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

/// Longest text of a reason, in characters: a ledger keeps one for each item.
pub(super) const MAX_DETAIL_CHARS: usize = 500;

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_DETAIL_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
