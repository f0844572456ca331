//! The position of a walk, and the limit on how much it may remove.

use credlink_core::object::ObjectKey;
use credlink_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Number of orphans that a walk may remove however few objects it has examined.
const ALWAYS: u64 = 100;
/// Above [`ALWAYS`], a walk may remove one in this many of the objects that it has examined. Crashes leave a few in a
/// million; a twentieth means that something else is wrong.
const ONE_OF: u64 = 20;

/// The position at which a walk continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The time at which the walk began.
    pub(super) began: Timestamp,
    /// The current part of the walk.
    pub(super) part: Part,
    /// The last object of the part that was examined.
    pub(super) after: Option<String>,
    /// Objects examined so far.
    pub(super) examined: u64,
    /// Orphans removed so far.
    pub(super) removed: u64,
    /// `true` if every record so far was readable and has its row. Only then is it known which manifests are orphans.
    pub(super) is_sound: bool,
}

/// The parts of a walk, in order. Objects that name manifests come before manifests, so that a row that lags behind
/// claims its manifest before the manifest is examined.
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
    /// Returns the prefix of the part's objects.
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
    /// Returns the beginning of a walk.
    pub(super) const fn at(began: Timestamp) -> Self {
        Self { began, part: Part::Proofs, after: None, examined: 0, removed: 0, is_sound: true }
    }

    /// Returns the position after a page, or `None` at the end of the walk.
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
