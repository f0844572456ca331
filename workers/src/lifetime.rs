//! How long the edge answers with what it has, and when it looks again.
//!
//! An entry of the cache says when it was last checked against R2. By its age since then it is
//!
//! * **fresh**: it is answered with;
//! * **stale**: it is answered with, and checked afterwards (RFC 5861, section 3: stale-while-revalidate);
//! * **old**: it is checked first, and answered with only if R2 and the origin are out of reach (section 4:
//!   stale-if-error);
//! * **spent**: it is as if it were not there.
//!
//! So while R2 can be reached, nothing is answered that was changed or deleted longer ago than the sum of the first two:
//! one minute for a record, ten for what is immutable.

use credlink_core::object::{Facts, ObjectKey};
use credlink_core::rules::alias::FRESH_SECONDS;

/// How long an entry is what, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Fresh, from when it was checked.
    pub fresh: u64,
    /// Stale, after that.
    pub stale: u64,
}

/// The lifetimes of every kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of current records.
    pub record: Window,
    /// Of earlier records and of manifests, which change by deletion only.
    pub immutable: Window,
    /// Of the fact that nothing is there, or not any more: the longest that a new proof stays unseen.
    pub absent: u64,
    /// How old an entry may be that stands in for R2 and the origin when both are out of reach.
    pub stale_if_error: u64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            record: Window { fresh: 30, stale: 30 },
            immutable: Window { fresh: 300, stale: 300 },
            absent: 5,
            stale_if_error: 3_600,
        }
    }
}

/// What an entry of some age is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// An answer.
    Fresh,
    /// An answer, and then a look.
    Stale,
    /// A look, and then an answer.
    Old,
    /// Nothing without a look.
    Spent,
}

/// How long the cache is told to keep what is immutable, in seconds: a year.
const YEAR: u64 = 31_536_000;

impl Lifetimes {
    const fn window(&self, key: &ObjectKey) -> Window {
        if key.is_mutable() { self.record } else { self.immutable }
    }

    /// How long an object is fresh, in seconds. A marker is good for as long as an absence.
    #[must_use]
    pub const fn fresh(&self, key: &ObjectKey, facts: &Facts) -> u64 {
        if facts.tombstone { self.absent } else { self.window(key).fresh }
    }

    /// What an entry of an object is good for, `age` milliseconds after it was checked.
    #[must_use]
    pub const fn of_object(&self, key: &ObjectKey, age: u64) -> Freshness {
        let Window { fresh, stale } = self.window(key);
        let seconds = age / 1_000;
        if seconds < fresh {
            Freshness::Fresh
        } else if seconds < fresh.saturating_add(stale) {
            Freshness::Stale
        } else if seconds < self.stale_if_error {
            Freshness::Old
        } else {
            Freshness::Spent
        }
    }

    /// What an entry is good for that says that nothing is there. It never stands in for an answer.
    #[must_use]
    pub const fn of_absence(&self, age: u64) -> Freshness {
        if age / 1_000 < self.absent { Freshness::Fresh } else { Freshness::Spent }
    }

    /// What an entry of a legacy id is good for: an id changes its proof hardly ever.
    #[must_use]
    pub const fn of_alias(&self, age: u64) -> Freshness {
        let seconds = age / 1_000;
        if seconds < FRESH_SECONDS {
            Freshness::Fresh
        } else if seconds < self.kept_alias() {
            Freshness::Old
        } else {
            Freshness::Spent
        }
    }

    /// How long the cache keeps an entry of a legacy id, in seconds: while it stands in for an origin that is out of reach.
    #[must_use]
    pub const fn kept_alias(&self) -> u64 {
        FRESH_SECONDS.saturating_add(self.stale_if_error)
    }

    /// How long the cache keeps an entry of an object, in seconds. What is immutable is worth keeping for as long as it
    /// is asked for: when it is old, one look without a body makes it fresh again.
    #[must_use]
    pub const fn kept(&self, key: &ObjectKey) -> u64 {
        let Window { fresh, stale } = self.window(key);
        let answered = fresh.saturating_add(stale);
        match (key.is_mutable(), answered > self.stale_if_error) {
            (false, _) => YEAR,
            (true, true) => answered,
            (true, false) => self.stale_if_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::hash::MediaHash;
    use credlink_core::proof_id::ProofId;
    use credlink_core::tenant::Tenant;

    use super::*;

    fn keys() -> (ObjectKey, ObjectKey) {
        let record = ObjectKey::Record(ProofId::derive(&Tenant::default(), &MediaHash::of(b"x")));
        (record, ObjectKey::Manifest("urn:c2pa:x".parse().unwrap()))
    }

    #[test]
    fn an_entry_grows_old() {
        let (lifetimes, (record, manifest)) = (Lifetimes::default(), keys());
        for (key, age, expected) in [
            (&record, 0, Freshness::Fresh),
            (&record, 29_999, Freshness::Fresh),
            (&record, 30_000, Freshness::Stale),
            (&record, 59_999, Freshness::Stale),
            (&record, 60_000, Freshness::Old),
            (&record, 3_599_999, Freshness::Old),
            (&record, 3_600_000, Freshness::Spent),
            (&manifest, 299_999, Freshness::Fresh),
            (&manifest, 599_999, Freshness::Stale),
            (&manifest, 600_000, Freshness::Old),
            (&manifest, u64::MAX, Freshness::Spent),
        ] {
            assert_eq!(lifetimes.of_object(key, age), expected, "{key} {age}");
        }
    }

    #[test]
    fn a_legacy_id_is_good_for_as_long_as_its_redirect() {
        let lifetimes = Lifetimes::default();
        for (age, expected) in [
            (3_599_999, Freshness::Fresh),
            (3_600_000, Freshness::Old),
            (7_199_999, Freshness::Old),
            (7_200_000, Freshness::Spent),
        ] {
            assert_eq!(lifetimes.of_alias(age), expected, "{age}");
        }
    }

    #[test]
    fn absence_is_never_stale() {
        let lifetimes = Lifetimes::default();
        assert_eq!(lifetimes.of_absence(4_999), Freshness::Fresh);
        assert_eq!(lifetimes.of_absence(5_000), Freshness::Spent);
        let none = Lifetimes { absent: 0, ..lifetimes };
        assert_eq!(none.of_absence(0), Freshness::Spent);
    }

    #[test]
    fn an_entry_is_kept_for_as_long_as_it_is_of_use() {
        let (lifetimes, (record, manifest)) = (Lifetimes::default(), keys());
        assert_eq!((lifetimes.kept(&record), lifetimes.kept(&manifest)), (3_600, YEAR));
        let short = Lifetimes { stale_if_error: 0, ..lifetimes };
        assert_eq!(short.kept(&record), 60);
        assert_eq!(short.of_object(&record, 60_000), Freshness::Spent);
    }
}
