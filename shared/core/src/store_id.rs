//! The ID of a store, which its index and its objects share ([`crate::identity`]).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hash::{Digest, serde_as_text};

/// The identity of a store: 32 lower-case hexadecimal digits, chosen once at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(u128);

/// The error for text that is not an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the identity of a store is 32 lower-case hexadecimal digits")]
pub struct StoreIdError;

impl StoreId {
    /// Derives an identity from a text that is unique for ever, such as a request ID.
    #[must_use]
    pub fn of(unique: &str) -> Self {
        let digest = Digest::of(unique.as_bytes());
        Self(digest.as_bytes().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte)))
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for StoreId {
    type Err = StoreIdError;

    fn from_str(text: &str) -> Result<Self, StoreIdError> {
        let id = u128::from_str_radix(text, 16).map(Self).map_err(|_| StoreIdError)?;
        if id.to_string() == text { Ok(id) } else { Err(StoreIdError) }
    }
}

serde_as_text!(StoreId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_one_spelling() {
        let id = StoreId::of("one");
        assert_eq!(id.to_string().parse(), Ok(id));
        for other in [
            "",
            "x",
            &id.to_string().to_uppercase(),
            &format!("0{id}"),
            &format!("+{}", &id.to_string()[1..]),
        ] {
            assert_eq!(other.parse::<StoreId>(), Err(StoreIdError), "{other}");
        }
    }
}
