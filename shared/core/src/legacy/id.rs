//! The IDs that proofs had in the legacy store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::bounds::MAX_LEGACY_ID_BYTES;
use crate::hash::serde_as_text;

/// The ID that the legacy service gave a proof. It stays valid for ever, as an alias of the proof.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "The id that a proof had in the legacy store from which it was imported.", pattern = "^[A-Za-z0-9][A-Za-z0-9._~:-]{0,127}$"))]
pub struct LegacyId(String);

/// A reason why text is not a legacy ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LegacyIdError {
    /// The ID is empty, or longer than the bound.
    #[error("a legacy id has 1 to {MAX_LEGACY_ID_BYTES} characters; this has {0} bytes")]
    Length(usize),
    /// The ID has a character that cannot stand in a path, or begins with one that no name begins with.
    #[error(
        "a legacy id is made of letters, digits, `-`, `.`, `_`, `~` and `:`, and starts with a letter or a digit; \
         character {0} is not allowed there"
    )]
    Character(usize),
}

impl LegacyId {
    /// Returns the ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LegacyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LegacyId {
    type Err = LegacyIdError;

    fn from_str(text: &str) -> Result<Self, LegacyIdError> {
        if text.is_empty() || text.len() > MAX_LEGACY_ID_BYTES {
            return Err(LegacyIdError::Length(text.len()));
        }
        let refused = text.char_indices().position(|(at, character)| {
            !(character.is_ascii_alphanumeric()
                || (at > 0 && matches!(character, '-' | '.' | '_' | '~' | ':')))
        });
        match refused {
            Some(position) => Err(LegacyIdError::Character(position + 1)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

serde_as_text!(LegacyId);
