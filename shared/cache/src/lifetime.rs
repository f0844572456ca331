//! The lifetimes of entries, which bound the time until a process notices a change by another one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use credlink_core::object::{ObjectKey, Verified};
use credlink_core::time::Timestamp;
use credlink_ports::Clock;
use credlink_runtime::clock::SystemClock;

/// The lifetime of current records, which another process may replace: as long as `Cache-Control` lets anyone keep
/// them.
pub const RECORD: Duration = Duration::from_secs(60);
/// The lifetime of a deleted object's tombstone, which is replaced if a manifest is stored again.
pub const TOMBSTONE: Duration = Duration::from_secs(60);
/// The lifetime of manifests and earlier records, which never change but may be deleted.
pub const IMMUTABLE: Duration = Duration::from_secs(300);
/// The lifetime of absence, as the port defines it.
pub const ABSENT: Duration = Duration::from_secs(1);

/// The lifetimes of entries by kind, counted from the start of their load from the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// The lifetime of current records: [`RECORD`].
    pub record: Duration,
    /// The lifetime of tombstones: [`TOMBSTONE`].
    pub tombstone: Duration,
    /// The lifetime of manifests and earlier records: [`IMMUTABLE`].
    pub immutable: Duration,
    /// The lifetime of absence, which only L1 keeps: [`ABSENT`].
    pub absent: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { record: RECORD, tombstone: TOMBSTONE, immutable: IMMUTABLE, absent: ABSENT }
    }
}

impl Lifetimes {
    /// Returns the lifetime of the object, or the absence, that was found under `key`.
    pub(super) fn of(&self, key: &ObjectKey, object: Option<&Verified>) -> Duration {
        match object {
            None => self.absent,
            Some(object) if object.facts().tombstone => self.tombstone,
            Some(_) if key.is_mutable() => self.record,
            Some(_) => self.immutable,
        }
    }
}

/// Returns the rest of `lifetime`, or `None` if it has passed. An object that was loaded in the future, because a clock
/// was set back, has no known age and is not kept.
pub(super) fn left(lifetime: Duration, loaded: Timestamp, now: Timestamp) -> Option<Duration> {
    let age = u64::try_from(now.milliseconds().checked_sub(loaded.milliseconds())?).ok()?;
    lifetime.checked_sub(Duration::from_millis(age)).filter(|left| !left.is_zero())
}

/// The clock that ages are measured by: the time of day, because entries pass between processes, and because the other
/// clocks of a function that was frozen between two requests may have stood still.
#[derive(Clone)]
pub struct AgeClock(Arc<dyn Clock + Send + Sync>);

impl AgeClock {
    /// Returns a clock that measures ages by `clock`.
    #[must_use]
    pub fn by(clock: impl Clock + Send + Sync + 'static) -> Self {
        Self(Arc::new(clock))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.now()
    }
}

impl Default for AgeClock {
    /// Returns the system's clock.
    fn default() -> Self {
        Self::by(SystemClock)
    }
}

impl fmt::Debug for AgeClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgeClock")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use credlink_core::access::Visibility;
    use credlink_core::hash::MediaHash;
    use credlink_core::object::{Facts, Head, Object, StoredTag};
    use credlink_core::proof_id::ProofId;
    use credlink_core::tenant::Tenant;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds)
    }

    fn object(key: &ObjectKey, tombstone: bool) -> Verified {
        let facts = Facts { tombstone, ..Facts::of(b"{}", Tenant::default(), Visibility::Public, at(0)) };
        let attributes = facts.attributes(key, BTreeMap::new());
        let head = Head { attributes, size: 2, tag: StoredTag(String::new()), modified: at(0) };
        Verified::check(Object { head, body: "{}".into() }).unwrap()
    }

    #[test]
    fn lifetimes_follow_what_can_change() {
        let id = ProofId::derive(&Tenant::default(), &MediaHash::of(b"x"));
        let (record, revision) = (ObjectKey::Record(id), ObjectKey::Revision(id, 1));
        let manifest = ObjectKey::Manifest("urn:c2pa:x".parse().unwrap());
        let lifetimes = Lifetimes::default();
        for (key, there) in [(&record, RECORD), (&revision, IMMUTABLE), (&manifest, IMMUTABLE)] {
            assert_eq!(lifetimes.of(key, Some(&object(key, false))), there);
            assert_eq!(lifetimes.of(key, Some(&object(key, true))), TOMBSTONE);
            assert_eq!(lifetimes.of(key, None), ABSENT);
        }
    }

    #[test]
    fn a_lifetime_ends() {
        let lifetime = Duration::from_secs(60);
        assert_eq!(left(lifetime, at(1_000), at(1_000)), Some(lifetime));
        assert_eq!(left(lifetime, at(1_000), at(60_999)), Some(Duration::from_millis(1)));
        assert_eq!(left(lifetime, at(1_000), at(61_000)), None);
        assert_eq!(left(lifetime, at(1_001), at(1_000)), None, "the clock was set back");
    }
}
