//! The access levels of files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::access::Visibility;
use crate::excerpt::excerpt;
use crate::hash::serde_as_text;

/// The readers of a file, from the fewest to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(rename_all = "lowercase"))]
pub enum Access {
    /// The owner, `media:admin`, and the holder of a signed link.
    Private,
    /// Every credential of the tenant, and the holder of a signed link.
    Authenticated,
    /// Everybody.
    Public,
}

/// The error for text that is not an access level. It holds the beginning of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`public`, `authenticated` or `private`, not `{0}`")]
pub struct AccessError(String);

impl Access {
    /// Returns the visibility of the objects of a file with this access. Only what everybody may read is public.
    #[must_use]
    pub const fn visibility(self) -> Visibility {
        match self {
            Self::Public => Visibility::Public,
            Self::Authenticated | Self::Private => Visibility::Private,
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "private",
            Self::Authenticated => "authenticated",
            Self::Public => "public",
        })
    }
}

impl FromStr for Access {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        let all = [Self::Private, Self::Authenticated, Self::Public];
        let known = all.into_iter().find(|access| access.to_string() == text);
        known.ok_or_else(|| AccessError(excerpt(text).into_owned()))
    }
}

serde_as_text!(Access);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_an_order_and_one_spelling() {
        assert!(Access::Private < Access::Authenticated && Access::Authenticated < Access::Public);
        for (access, visibility) in [
            (Access::Private, Visibility::Private),
            (Access::Authenticated, Visibility::Private),
            (Access::Public, Visibility::Public),
        ] {
            assert_eq!(access.to_string().parse(), Ok(access));
            assert_eq!(access.visibility(), visibility);
        }
        let error = "Public".parse::<Access>().unwrap_err().to_string();
        assert_eq!(error, "`public`, `authenticated` or `private`, not `Public`");
    }
}
