//! The guard's rules: which acts an index, a store and a clock that do not fit together allow.
//!
//! A row that is missing proves nothing unless the index is the store's own and as new as the store, and an instant proves
//! nothing unless the clock is sane. Reading is never refused here, and storing only where it would mix two stores.

use std::fmt;

use crate::bounds::{MAX_CLOCK_JUMP_SECONDS, MAX_CLOCK_LAG_SECONDS};
use crate::http::problem::Problem;
use crate::identity::Mismatch;
use crate::row::StoreRow;
use crate::time::Timestamp;

/// Seconds after which a client that was refused shall try again: an operator needs some minutes.
pub const RETRY_AFTER_SECONDS: u32 = 300;

/// An act that can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Storing, replacing, binding: what adds, and keeps what was there.
    Change,
    /// Deleting, at a client's word or because a proof has expired, and finishing deletions.
    Destroy,
    /// Removing objects because no row speaks for them.
    Collect,
    /// Bringing a provider what it missed: what that is, the index says, and it may be the marker of a deletion.
    Repair,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 4] = [Self::Change, Self::Destroy, Self::Collect, Self::Repair];
}

/// A reason to refuse some acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Index and store do not belong together as they are.
    Mismatch(Mismatch),
    /// The one or the other could not be read.
    Unknown {
        /// The provider.
        provider: &'static str,
        /// The kind of its failure, in words.
        why: &'static str,
    },
    /// The clock is further ahead of the last instant that was seen than any pause accounts for.
    ClockAhead {
        /// The last instant that was seen and trusted.
        seen: Timestamp,
        /// The instant that the clock shows.
        now: Timestamp,
    },
    /// The clock is behind the last instant that was seen.
    ClockBehind {
        /// The last instant that was seen and trusted.
        seen: Timestamp,
        /// The instant that the clock shows.
        now: Timestamp,
    },
    /// The collector of orphans stopped itself.
    CollectorStopped(Stopped),
}

/// The collector's breaker, while it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Time at which the collector stopped.
    pub since: Timestamp,
    /// Number of objects that it had removed by then.
    pub removed: u64,
    /// Number of objects that it had looked at by then.
    pub of: u64,
}

impl Stopped {
    /// The breaker, as the store's row has it.
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

    /// The doubt about a clock that shows `now`, `elapsed` seconds after it was first doubted.
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

    /// Its name in metrics.
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

    /// Returns `true` if it forbids `act`.
    #[must_use]
    pub const fn forbids(&self, act: Act) -> bool {
        match self {
            // Of two stores, nothing may be mixed.
            Self::Mismatch(Mismatch::Foreign { .. }) | Self::Mismatch(Mismatch::IndexNew) => true,
            // What was lost of objects comes back by repairs.
            Self::Mismatch(Mismatch::StoreUnmarked) => !matches!(act, Act::Repair),
            Self::Mismatch(Mismatch::IndexOlder { .. }) => !matches!(act, Act::Change),
            Self::Mismatch(Mismatch::StoreOlder { .. })
            | Self::Mismatch(Mismatch::Unmarked)
            | Self::Unknown { .. }
            | Self::ClockAhead { .. } => {
                matches!(act, Act::Destroy | Act::Collect)
            }
            // What is stored by a clock that is behind has expired when the clock is right.
            Self::ClockBehind { .. } => matches!(act, Act::Change | Act::Destroy | Act::Collect),
            Self::CollectorStopped(_) => matches!(act, Act::Collect),
        }
    }

    /// The answer to who asks for an act that it forbids.
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
                "The index belongs to a store, and this one bears no mark of it: another store is configured, or its \
                 objects were lost. Nothing is stored, replaced or deleted until an operator brings the store back, or \
                 runs `credlink rebuild`.",
            ),
            Self::Mismatch(Mismatch::Unmarked) => f.write_str(
                "Neither the index nor the store says that they belong together. Nothing is deleted until an operator \
                 runs `credlink rebuild`.",
            ),
            Self::Unknown { provider, why } => write!(
                f,
                "Whether index and store belong together could not be found out ({provider}: {why}). Nothing is deleted \
                 meanwhile, and nothing is stored by a process that has not found it out before. If it stays so, an operator runs \
                 `credlink fsck`; a mark of the store that is damaged is made anew by `credlink rebuild --confirm`."
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
                "Cleanup stopped on {since}: it had removed {removed} of {of} objects it looked at as orphans, and one more is \
                 more than its share. No orphan is removed until an operator has looked at what it removed (`credlink fsck \
                 --undo` brings that back), and runs `credlink cleanup --go-on`."
            ),
        }
    }
}

/// All doubts at one moment. Without any, everything is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The doubts, the weightiest first.
    pub doubts: Vec<Doubt>,
}

impl Standing {
    /// The first doubt that forbids `act`.
    #[must_use]
    pub fn forbids(&self, act: Act) -> Option<&Doubt> {
        self.doubts.iter().find(|doubt| doubt.forbids(act))
    }

    /// Returns `true` if the index is known to be this store's, and as new as the store: in doubt are at most objects or the
    /// clock.
    #[must_use]
    pub fn trusts_index(&self) -> bool {
        self.doubts.iter().all(|doubt| match doubt {
            Doubt::Mismatch(Mismatch::StoreOlder { .. } | Mismatch::StoreUnmarked)
            | Doubt::ClockAhead { .. }
            | Doubt::ClockBehind { .. }
            | Doubt::CollectorStopped(_) => true,
            Doubt::Mismatch(
                Mismatch::IndexOlder { .. }
                | Mismatch::Foreign { .. }
                | Mismatch::IndexNew
                | Mismatch::Unmarked,
            )
            | Doubt::Unknown { .. } => false,
        })
    }

    /// Returns `true` if a doubt of this label stands.
    #[must_use]
    pub fn has(&self, label: &str) -> bool {
        self.doubts.iter().any(|doubt| doubt.label() == label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::problem::Kind;
    use crate::store_id::StoreId;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn doubts() -> Vec<Doubt> {
        let (seen, now) = (at("2026-01-01T00:00:00Z"), at("2027-02-05T00:00:00Z"));
        let (index, store) = (StoreId::of("one"), StoreId::of("two"));
        vec![
            Doubt::Mismatch(Mismatch::IndexOlder { index: 3, store: 7 }),
            Doubt::Mismatch(Mismatch::StoreOlder { index: 7, store: 3 }),
            Doubt::Mismatch(Mismatch::Foreign { index, store }),
            Doubt::Mismatch(Mismatch::IndexNew),
            Doubt::Mismatch(Mismatch::StoreUnmarked),
            Doubt::Mismatch(Mismatch::Unmarked),
            Doubt::Unknown { provider: "s3", why: "unavailable" },
            Doubt::ClockAhead { seen, now },
            Doubt::ClockBehind { seen: now, now: seen },
            Doubt::CollectorStopped(Stopped { since: seen, removed: 120, of: 300 }),
        ]
    }

    #[test]
    fn every_doubt_has_words_and_a_label() {
        let words: Vec<_> = doubts().iter().map(|doubt| format!("{}: {doubt}", doubt.label())).collect();
        insta::assert_snapshot!("doubts", words.join("\n"));
        let mut labels: Vec<_> = doubts().iter().map(Doubt::label).collect();
        labels.dedup();
        assert_eq!(labels, Doubt::LABELS);
    }

    #[test]
    fn every_doubt_forbids_its_acts() {
        let forbidden = |doubt: &Doubt| Act::ALL.map(|act| doubt.forbids(act));
        for doubt in doubts() {
            let wanted = match doubt.label() {
                "clock" if matches!(doubt, Doubt::ClockBehind { .. }) => [true, true, true, false],
                "foreign" | "index_new" => [true, true, true, true],
                "store_unmarked" => [true, true, true, false],
                "index_older" => [false, true, true, true],
                "collector" => [false, false, true, false],
                _ => [false, true, true, false],
            };
            assert_eq!(forbidden(&doubt), wanted, "{}", doubt.label());
        }
        let standing = Standing { doubts: doubts() };
        assert_eq!(standing.forbids(Act::Destroy).map(Doubt::label), Some("index_older"));
        assert_eq!(standing.forbids(Act::Change).map(Doubt::label), Some("foreign"));
        assert_eq!(Standing::default().forbids(Act::Collect), None);
        assert!(standing.has("clock") && !Standing::default().has("clock"));
    }

    #[test]
    fn who_is_refused_is_told_when_to_come_again() {
        let problem = Doubt::Mismatch(Mismatch::IndexNew).problem();
        assert_eq!((problem.kind, problem.kind.status().as_u16()), (Kind::Stopped, 503));
        assert_eq!(problem.headers.len(), 1);
    }

    #[test]
    fn a_clock_is_doubted_beyond_its_bounds() {
        let row = StoreRow::new(StoreId::of("one"), 1, at("2026-01-10T00:00:00Z"));
        let label = |now: &str, elapsed| match Doubt::about_clock(&row, at(now), elapsed) {
            None => "fine",
            Some(Doubt::ClockAhead { .. }) => "ahead",
            Some(Doubt::ClockBehind { .. }) => "behind",
            Some(_) => "another",
        };
        for (now, elapsed, wanted) in [
            ("2026-01-10T00:00:00Z", 0, "fine"),
            ("2026-01-09T23:55:00Z", 0, "fine"),
            ("2026-01-09T23:54:59.999Z", 0, "behind"),
            ("2026-01-17T00:00:00Z", 0, "fine"),
            ("2026-01-17T00:00:00.001Z", 0, "ahead"),
            ("2026-01-17T01:00:00Z", 3_600, "fine"),
            ("2026-01-17T01:00:00.001Z", 3_600, "ahead"),
            ("2026-01-09T00:00:00Z", 86_400, "behind"),
            ("1970-01-01T00:00:00Z", 0, "behind"),
            ("9999-12-30T22:00:00Z", u64::MAX, "fine"),
        ] {
            assert_eq!(label(now, elapsed), wanted, "{now} {elapsed}");
        }
    }
}
