//! The two providers that keep the same objects.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replica {
    /// The provider that decides while it is in reach.
    Primary,
    /// The provider that stands in for the primary.
    Fallback,
}

impl Replica {
    /// Returns the other provider.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Primary => Self::Fallback,
            Self::Fallback => Self::Primary,
        }
    }
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Fallback => "fallback",
        })
    }
}
