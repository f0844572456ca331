//! The reasons to refuse some acts, and their messages.

use std::fmt;

use super::{Act, RETRY_AFTER_SECONDS};
use crate::bounds::{MAX_CLOCK_JUMP_SECONDS, MAX_CLOCK_LAG_SECONDS};
use crate::http::problem::Problem;
use crate::identity::Mismatch;
use crate::row::StoreRow;
use crate::time::Timestamp;

/// A reason to refuse some acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Index and store do not belong together as they are.
    Mismatch(Mismatch),
    /// The index or the store could not be read.
    Unknown {
        /// The provider.
        provider: &'static str,
        /// The kind of its failure, in words.
        why: &'static str,
    },
    /// The clock is further ahead of the last trusted instant than any pause accounts for.
    ClockAhead {
        /// The last instant that was seen and trusted.
        seen: Timestamp,
        /// The instant that the clock shows.
        now: Timestamp,
    },
    /// The clock is behind the last trusted instant.
    ClockBehind {
        /// The last instant that was seen and trusted.
        seen: Timestamp,
        /// The instant that the clock shows.
        now: Timestamp,
    },
    /// Cleanup stopped itself.
    CollectorStopped(Stopped),
}

/// The state of cleanup that stopped itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Time at which cleanup stopped.
    pub since: Timestamp,
    /// Number of objects that cleanup had removed by then.
    pub removed: u64,
    /// Number of objects that cleanup had examined by then.
    pub of: u64,
}

impl Stopped {
    /// Returns the state that the store's row records, if cleanup stopped.
    #[must_use]
    pub fn of(row: &StoreRow) -> Option<Self> {
        let since = row.stopped?;
        Some(Self {
            since,
            removed: row.stopped_removed.unwrap_or_default(),
            of: row.stopped_examined.unwrap_or_default(),
        })
    }
}

impl Doubt {
    /// Every label, in the order of the documentation.
    pub const LABELS: [&'static str; 9] = [
        "index_older",
        "store_older",
        "foreign",
        "index_new",
        "store_unmarked",
        "unmarked",
        "unknown",
        "clock",
        "collector",
    ];

    /// Returns the doubt about a clock that shows `now`, `elapsed` seconds after it was first doubted.
    #[must_use]
    pub fn about_clock(row: &StoreRow, now: Timestamp, elapsed: u64) -> Option<Self> {
        let seen = row.seen;
        if now < seen.minus_seconds(MAX_CLOCK_LAG_SECONDS) {
            Some(Self::ClockBehind { seen, now })
        } else if now > seen.plus_seconds(MAX_CLOCK_JUMP_SECONDS.saturating_add(elapsed)) {
            Some(Self::ClockAhead { seen, now })
        } else {
            None
        }
    }

    /// Returns the doubt's name in metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Mismatch(Mismatch::IndexOlder { .. }) => "index_older",
            Self::Mismatch(Mismatch::StoreOlder { .. }) => "store_older",
            Self::Mismatch(Mismatch::Foreign { .. }) => "foreign",
            Self::Mismatch(Mismatch::IndexNew) => "index_new",
            Self::Mismatch(Mismatch::StoreUnmarked) => "store_unmarked",
            Self::Mismatch(Mismatch::Unmarked) => "unmarked",
            Self::Unknown { .. } => "unknown",
            Self::ClockAhead { .. } | Self::ClockBehind { .. } => "clock",
            Self::CollectorStopped(_) => "collector",
        }
    }

    /// Returns `true` if the doubt forbids `act`.
    #[must_use]
    pub const fn forbids(&self, act: Act) -> bool {
        match self {
            // Two stores must not be mixed.
            Self::Mismatch(Mismatch::Foreign { .. }) | Self::Mismatch(Mismatch::IndexNew) => true,
            // Repairs bring lost objects back.
            Self::Mismatch(Mismatch::StoreUnmarked) => !matches!(act, Act::Repair),
            Self::Mismatch(Mismatch::IndexOlder { .. }) => !matches!(act, Act::Change),
            Self::Mismatch(Mismatch::StoreOlder { .. })
            | Self::Mismatch(Mismatch::Unmarked)
            | Self::Unknown { .. }
            | Self::ClockAhead { .. } => {
                matches!(act, Act::Destroy | Act::Collect)
            }
            // A proof that is stored while the clock is behind would have expired once the clock is right.
            Self::ClockBehind { .. } => matches!(act, Act::Change | Act::Destroy | Act::Collect),
            Self::CollectorStopped(_) => matches!(act, Act::Collect),
        }
    }

    /// Returns the answer to a caller who asks for an act that the doubt forbids.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::stopped(self.to_string(), RETRY_AFTER_SECONDS)
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: u64 = MAX_CLOCK_JUMP_SECONDS / 86_400;
        const MINUTES: u64 = MAX_CLOCK_LAG_SECONDS / 60;
        match self {
            Self::Mismatch(Mismatch::IndexOlder { index, store }) => write!(
                f,
                "The index is older than the store (epoch {index}, the store has {store}): it was probably restored from \
                 a backup. Nothing is deleted until an operator runs `credlink rebuild --confirm`."
            ),
            Self::Mismatch(Mismatch::StoreOlder { index, store }) => write!(
                f,
                "The store is older than the index (epoch {store}, the index has {index}): its objects were probably \
                 restored from a backup. Nothing is deleted until an operator runs `credlink fsck`, and then `credlink \
                 rebuild --confirm`."
            ),
            Self::Mismatch(Mismatch::Foreign { index, store }) if index == store => f.write_str(
                "The index belongs to a copy of this store that was used by itself. Nothing is stored, replaced or deleted until \
                 an operator sets the right index beside the store, or takes this one away and runs `credlink rebuild`.",
            ),
            Self::Mismatch(Mismatch::Foreign { index, store }) => write!(
                f,
                "The index belongs to another store ({index}; this one is {store}). Nothing is stored, replaced or \
                 deleted until an operator sets the right index beside the store, or takes this one away and runs \
                 `credlink rebuild`."
            ),
            Self::Mismatch(Mismatch::IndexNew) => f.write_str(
                "The index is a new one, and the store has objects: the index was lost, or another one is configured. \
                 Nothing is stored, replaced or deleted until an operator brings the index back, or runs `credlink \
                 rebuild`.",
            ),
            Self::Mismatch(Mismatch::StoreUnmarked) => f.write_str(
                "The index belongs to a store, and this one does not have that store's mark: another store is \
                 configured, or its objects were lost. Nothing is stored, replaced or deleted until an operator \
                 brings the store back, or runs `credlink rebuild`.",
            ),
            Self::Mismatch(Mismatch::Unmarked) => f.write_str(
                "Neither the index nor the store says that they belong together. Nothing is deleted until an operator \
                 runs `credlink rebuild`.",
            ),
            Self::Unknown { provider, why } => write!(
                f,
                "It could not be checked whether index and store belong together ({provider}: {why}). Meanwhile \
                 nothing is deleted, and a process that has never completed this check stores nothing. If this \
                 persists, an operator runs `credlink fsck`; `credlink rebuild --confirm` replaces a damaged mark \
                 of the store."
            ),
            Self::ClockAhead { seen, now } => write!(
                f,
                "The clock shows {now}, which is more than {DAYS} days after the last instant seen, {seen}. \
                 Nothing is deleted until the clock is right again; if it is right, an operator runs `credlink cleanup \
                 --confirm-clock`."
            ),
            Self::ClockBehind { seen, now } => write!(
                f,
                "The clock shows {now}, which is more than {MINUTES} minutes before the last instant seen, {seen}. \
                 Nothing is stored, replaced or deleted until the clock is right again; if it is right, an operator runs `credlink cleanup \
                 --confirm-clock`."
            ),
            Self::CollectorStopped(Stopped { since, removed, of }) => write!(
                f,
                "Cleanup stopped on {since}: it had removed {removed} of {of} examined objects as orphans, and one \
                 more would exceed its limit. No orphan is removed until an operator has checked what was removed \
                 (`credlink fsck --undo` brings that back), and runs `credlink cleanup --go-on`."
            ),
        }
    }
}
