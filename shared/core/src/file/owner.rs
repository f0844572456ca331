//! The owners of files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::bounds::MAX_OWNER_BYTES;
use crate::hash::serde_as_text;

/// The owner of a file within its tenant: the subject of a credential, which is the claim `sub` of a JSON Web Token
/// (RFC 7519, section 4.1.2). It is compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "The owner of a file: the subject of a credential.", pattern = "^[!-~]{1,255}$"))]
pub struct OwnerId(String);

/// A reason why text is not an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OwnerIdError {
    /// The text is empty, or longer than the bound.
    #[error("an owner has 1 to {MAX_OWNER_BYTES} characters; this has {0} bytes")]
    Length(usize),
    /// A character is not visible ASCII.
    #[error("an owner is made of visible ASCII characters, without spaces; character {0} is not one")]
    Character(usize),
}

impl OwnerId {
    /// Returns the owner as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OwnerId {
    type Err = OwnerIdError;

    fn from_str(text: &str) -> Result<Self, OwnerIdError> {
        if text.is_empty() || text.len() > MAX_OWNER_BYTES {
            return Err(OwnerIdError::Length(text.len()));
        }
        match text.chars().position(|character| !character.is_ascii_graphic()) {
            None => Ok(Self(text.to_owned())),
            Some(place) => Err(OwnerIdError::Character(place + 1)),
        }
    }
}

serde_as_text!(OwnerId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subjects_of_identity_providers_are_owners() {
        for good in [
            "a",
            "auth0|507f1f77bcf86cd799439020",
            "google-oauth2|103547991597142817347",
            "f1e2d3c4-b5a6-4789-8abc-def012345678",
            "someone@example.com",
            "https://login.example.com/users/7#me",
            &"x".repeat(255),
        ] {
            assert_eq!(good.parse::<OwnerId>().unwrap().to_string(), good);
        }
        for (bad, error) in [
            ("", OwnerIdError::Length(0)),
            (&*"x".repeat(256), OwnerIdError::Length(256)),
            ("a b", OwnerIdError::Character(2)),
            ("a\n", OwnerIdError::Character(2)),
            ("ä", OwnerIdError::Character(1)),
        ] {
            assert_eq!(bad.parse::<OwnerId>(), Err(error), "{bad}");
        }
    }
}
