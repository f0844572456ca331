//! Freshness lifetimes: how long the edge answers from its cache, and when it checks again.
//!
//! An entry of the cache records when it was last checked against R2. By the time since that check, the entry is
//!
//! * **fresh**: used as the answer;
//! * **stale**: used as the answer, and checked afterwards (RFC 5861, section 3: stale-while-revalidate);
//! * **old**: checked first, and used as the answer only if R2 and the origin are out of reach (section 4:
//!   stale-if-error);
//! * **spent**: treated as absent.
//!
//! So while R2 can be reached, a change or deletion is visible after at most the sum of the first two: one minute for a
//! record, ten for an immutable object.

use credlink_core::object::{Facts, ObjectKey};
use credlink_core::rules::alias::FRESH_SECONDS;

/// The periods in which an entry is fresh and stale, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The fresh period, which begins with the check.
    pub fresh: u64,
    /// The stale period, which follows the fresh one.
    pub stale: u64,
}

/// The lifetimes of each kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Lifetime of current records.
    pub record: Window,
    /// Lifetime of earlier records and of manifests, which change only by deletion.
    pub immutable: Window,
    /// Lifetime of absences and tombstones, in seconds: the longest time for which a new proof can stay unseen.
    pub absent: u64,
    /// Maximum age, in seconds, of an entry that is served when both R2 and the origin are out of reach.
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

/// The use of an entry, given its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Serve the entry.
    Fresh,
    /// Serve the entry, then check it.
    Stale,
    /// Check the entry, then serve it.
    Old,
    /// Ignore the entry.
    Spent,
}

/// Seconds for which the cache keeps immutable objects: a year.
const YEAR: u64 = 31_536_000;

impl Lifetimes {
    const fn window(&self, key: &ObjectKey) -> Window {
        if key.is_mutable() { self.record } else { self.immutable }
    }

    /// Returns the seconds for which an object is fresh. A tombstone has the lifetime of an absence.
    #[must_use]
    pub const fn fresh(&self, key: &ObjectKey, facts: &Facts) -> u64 {
        if facts.tombstone { self.absent } else { self.window(key).fresh }
    }

    /// Returns the freshness of an object's entry, `age` milliseconds after its last check.
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

    /// Returns the freshness of an entry that records an absence. Such an entry is never served stale.
    #[must_use]
    pub const fn of_absence(&self, age: u64) -> Freshness {
        if age / 1_000 < self.absent { Freshness::Fresh } else { Freshness::Spent }
    }

    /// Returns the freshness of a legacy ID's entry. The proof that a legacy ID names hardly ever changes.
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

    /// Returns the seconds for which the cache keeps a legacy ID's entry, including the time for which the entry can
    /// replace an unreachable origin.
    #[must_use]
    pub const fn kept_alias(&self) -> u64 {
        FRESH_SECONDS.saturating_add(self.stale_if_error)
    }

    /// Returns the seconds for which the cache keeps an object's entry. An immutable object is worth keeping for as
    /// long as clients request it: once it is old, one conditional request without a body makes it fresh again.
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
