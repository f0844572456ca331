//! The guard's rules: which acts are allowed while index, store and clock do not fit together.
//!
//! A missing row proves nothing unless the index is the store's own and as new as the store, and an instant proves
//! nothing unless the clock is sane. Reads are never refused here, and stores only where they would mix two stores.

mod doubt;

use crate::identity::Mismatch;

pub use doubt::{Doubt, Stopped};

/// Seconds after which a refused client shall try again. An operator needs some minutes.
pub const RETRY_AFTER_SECONDS: u32 = 300;

/// An act that the guard can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Storing, replacing and binding, which add and destroy nothing.
    Change,
    /// Deleting, because a client asks for it or because a proof has expired, and finishing deletions.
    Destroy,
    /// Removing objects because no row refers to them.
    Collect,
    /// Bringing a provider what it missed. The index says what that is, and it may be a tombstone.
    Repair,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 4] = [Self::Change, Self::Destroy, Self::Collect, Self::Repair];
}

/// All doubts at one moment. Without a doubt, everything is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The doubts, the gravest first.
    pub doubts: Vec<Doubt>,
}

impl Standing {
    /// Returns the first doubt that forbids `act`.
    #[must_use]
    pub fn forbids(&self, act: Act) -> Option<&Doubt> {
        self.doubts.iter().find(|doubt| doubt.forbids(act))
    }

    /// Returns `true` if the index is known to be this store's, and as new as the store. Objects or the clock may still
    /// be in doubt.
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

    /// Returns `true` if there is a doubt with this label.
    #[must_use]
    pub fn has(&self, label: &str) -> bool {
        self.doubts.iter().any(|doubt| doubt.label() == label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::problem::ProblemKind;
    use crate::row::StoreRow;
    use crate::store_id::StoreId;
    use crate::time::Timestamp;

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
        assert_eq!((problem.kind, problem.kind.status().as_u16()), (ProblemKind::Stopped, 503));
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
