//! The position of a walk, and the limit on how much it may remove.

use credlink_core::object::ObjectKey;
use credlink_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Number of orphans that a walk may remove however few objects it has looked at.
const ALWAYS: u64 = 100;
/// Above [`ALWAYS`], a walk may remove one in this many of the objects that it has looked at. Crashes leave a few in
/// a million; a twentieth means that something else is wrong.
const ONE_OF: u64 = 20;

/// The position at which a walk continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Time at which the walk began.
    pub(super) began: Timestamp,
    /// The part of the work.
    pub(super) part: Part,
    /// The last object of it that was looked at.
    pub(super) after: Option<String>,
    /// Objects that were looked at so far.
    pub(super) examined: u64,
    /// Orphans that were removed so far.
    pub(super) removed: u64,
    /// `true` if every record so far could be read and has its row: only then is it known which manifests are
    /// orphans.
    pub(super) is_sound: bool,
}

/// The parts of a walk, in their order. What names a manifest comes before manifests: so that a row that lags behind
/// claims its manifest before that is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    #[default]
    Proofs,
    Aliases,
    Holds,
    Manifests,
    Removed,
}

impl Part {
    /// The prefix of its objects.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Proofs => ObjectKey::PROOFS,
            Self::Aliases => ObjectKey::ALIASES,
            Self::Holds => ObjectKey::HOLDS,
            Self::Manifests => ObjectKey::MANIFESTS,
            Self::Removed => ObjectKey::REMOVED,
        }
    }

    const fn next(self) -> Option<Self> {
        match self {
            Self::Proofs => Some(Self::Aliases),
            Self::Aliases => Some(Self::Holds),
            Self::Holds => Some(Self::Manifests),
            Self::Manifests => Some(Self::Removed),
            Self::Removed => None,
        }
    }
}

impl Position {
    /// The beginning of a walk.
    pub(super) const fn at(began: Timestamp) -> Self {
        Self { began, part: Part::Proofs, after: None, examined: 0, removed: 0, is_sound: true }
    }

    /// The position behind a page. `None`: the walk is at its end.
    pub(super) fn behind(mut self, after: Option<String>) -> Option<Self> {
        if after.is_none() {
            self.part = self.part.next()?;
        }
        self.after = after;
        Some(self)
    }

    /// Returns `true` if one more orphan may be removed without asking an operator.
    #[must_use]
    pub const fn allows(&self) -> bool {
        self.removed < ALWAYS || self.removed < self.examined / ONE_OF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_may_remove_a_bounded_share() {
        let mut position = Position::at(Timestamp::from_milliseconds(0));
        for (examined, removed, allows) in [
            (0, 0, true),
            (100, 99, true),
            (100, 100, false),
            (2_000, 100, false),
            (2_020, 100, true),
            (2_020, 101, false),
        ] {
            (position.examined, position.removed) = (examined, removed);
            assert_eq!(position.allows(), allows, "{removed} of {examined}");
        }
    }

    #[test]
    fn the_parts_follow_on_each_other() {
        let mut position = Position::at(Timestamp::from_milliseconds(0));
        let mut parts = vec![position.part];
        while let Some(next) = position.clone().behind(None) {
            parts.push(next.part);
            position = next;
        }
        assert_eq!(parts, [Part::Proofs, Part::Aliases, Part::Holds, Part::Manifests, Part::Removed]);
        let page = position.behind(Some("x".to_owned())).unwrap();
        assert_eq!((page.part, page.after.as_deref()), (Part::Removed, Some("x")));
    }
}
