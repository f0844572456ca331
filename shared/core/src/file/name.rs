//! The names that operators choose in the configuration: of collections and of rendition profiles.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::bounds::{MAX_COLLECTION_NAME_BYTES, MAX_PROFILE_NAME_BYTES};
use crate::hash::serde_as_text;

/// The name of a collection, such as `item-photo`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "The name of a collection, such as `item-photo`.", pattern = "^[a-z][a-z0-9_-]{0,39}$"))]
pub struct CollectionName(String);

/// The error for text that is not the name of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a collection is 1 to {MAX_COLLECTION_NAME_BYTES} characters of a-z, 0-9, `-` and `_`, and starts \
     with a letter"
)]
pub struct CollectionNameError;

/// The name of a rendition profile, such as `thumbnail`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "The name of a rendition profile, such as `thumbnail`.", pattern = "^[a-z][a-z0-9_-]{0,31}$"))]
pub struct ProfileName(String);

/// The error for text that is not the name of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a profile is 1 to {MAX_PROFILE_NAME_BYTES} characters of a-z, 0-9, `-` and `_`, and starts with a \
     letter; `original` is taken"
)]
pub struct ProfileNameError;

/// The name under which the bytes of an upload are read, which no profile may have.
pub const ORIGINAL: &str = "original";

fn is_name(text: &str, longest: usize) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && text.len() <= longest
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

impl CollectionName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ProfileName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CollectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CollectionName {
    type Err = CollectionNameError;

    fn from_str(text: &str) -> Result<Self, CollectionNameError> {
        is_name(text, MAX_COLLECTION_NAME_BYTES).then(|| Self(text.to_owned())).ok_or(CollectionNameError)
    }
}

impl FromStr for ProfileName {
    type Err = ProfileNameError;

    fn from_str(text: &str) -> Result<Self, ProfileNameError> {
        let is_free = text != ORIGINAL && is_name(text, MAX_PROFILE_NAME_BYTES);
        is_free.then(|| Self(text.to_owned())).ok_or(ProfileNameError)
    }
}

serde_as_text!(CollectionName, ProfileName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_paths_keys_and_file_systems() {
        for good in ["item-photo", "a", "a_1", &"x".repeat(32)] {
            assert!(good.parse::<CollectionName>().is_ok(), "{good}");
            assert!(good.parse::<ProfileName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "1a", "A", "a/b", "a.b", "a b", "ä", "..", &"x".repeat(41)] {
            assert_eq!(bad.parse::<CollectionName>(), Err(CollectionNameError), "{bad}");
            assert_eq!(bad.parse::<ProfileName>(), Err(ProfileNameError), "{bad}");
        }
        assert!("original".parse::<CollectionName>().is_ok());
        assert_eq!("original".parse::<ProfileName>(), Err(ProfileNameError));
    }
}
