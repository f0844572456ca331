//! How long a layer keeps what: the bound within which a process notices what another one changed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use credlink_core::object::{ObjectKey, Verified};
use credlink_core::time::Timestamp;
use credlink_ports::Clock;
use credlink_runtime::clock::SystemClock;

/// Current records can be replaced by another process: as long as `Cache-Control` lets anybody keep them.
pub const RECORD: Duration = Duration::from_secs(60);
/// A deleted object's marker can be replaced, where a manifest is stored again.
pub const MARKER: Duration = Duration::from_secs(60);
/// Manifests and earlier records never change: what has to be noticed is their deletion.
pub const IMMUTABLE: Duration = Duration::from_secs(300);
/// Absence, as the port says.
pub const ABSENT: Duration = Duration::from_secs(1);

/// The lifetimes of entries by kind, counted from the moment at which their load from the provider began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of current records: [`RECORD`].
    pub record: Duration,
    /// Of markers of deleted objects: [`MARKER`].
    pub marker: Duration,
    /// Of manifests and earlier records: [`IMMUTABLE`].
    pub immutable: Duration,
    /// Of absence, which only L1 keeps: [`ABSENT`].
    pub absent: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { record: RECORD, marker: MARKER, immutable: IMMUTABLE, absent: ABSENT }
    }
}

impl Lifetimes {
    /// How long what was found under `key` is kept.
    pub(super) fn of(&self, key: &ObjectKey, object: Option<&Verified>) -> Duration {
        match object {
            None => self.absent,
            Some(object) if object.facts().tombstone => self.marker,
            Some(_) if key.is_mutable() => self.record,
            Some(_) => self.immutable,
        }
    }
}

/// What is left of `lifetime`, or `None` if nothing is. What was loaded in the future has no known age and is not kept:
/// a clock was set back.
pub(super) fn left(lifetime: Duration, loaded: Timestamp, now: Timestamp) -> Option<Duration> {
    let age = u64::try_from(now.milliseconds().checked_sub(loaded.milliseconds())?).ok()?;
    lifetime.checked_sub(Duration::from_millis(age)).filter(|left| !left.is_zero())
}

/// The clock that ages are measured by: the time of day, because entries pass from process to process, and because a
/// function that was frozen between two requests may find its other clocks where they stood.
#[derive(Clone)]
pub struct AgeClock(Arc<dyn Clock + Send + Sync>);

impl AgeClock {
    /// Measures ages by `clock`.
    #[must_use]
    pub fn by(clock: impl Clock + Send + Sync + 'static) -> Self {
        Self(Arc::new(clock))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.now()
    }
}

impl Default for AgeClock {
    /// The system's clock.
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
            assert_eq!(lifetimes.of(key, Some(&object(key, true))), MARKER);
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
