//! Tenants, the owners of proofs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::bounds::MAX_TENANT_BYTES;
use crate::hash::serde_as_text;

/// The name of the tenant of a caller whose credential names none.
const DEFAULT: &str = "default";

/// A tenant: the namespace that owns a proof. It comes from the caller's credential, and is `default` without one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "The owner of proofs, as the credential names it; `default` without one.", pattern = "^[a-z0-9][a-z0-9_-]{0,59}$"))]
pub struct Tenant(String);

/// The error for text that is not a tenant's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tenant is 1 to {MAX_TENANT_BYTES} characters of a-z, 0-9, `-` and `_`, and starts with a letter or a digit"
)]
pub struct TenantError;

impl Tenant {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `true` for the tenant of a caller whose credential names none.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0 == DEFAULT
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tenant {
    type Err = TenantError;

    fn from_str(text: &str) -> Result<Self, TenantError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(allowed);
        if first && text.len() <= MAX_TENANT_BYTES && bytes.all(|b| allowed(b) || b == b'-' || b == b'_') {
            Ok(Self(text.to_owned()))
        } else {
            Err(TenantError)
        }
    }
}

serde_as_text!(Tenant);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_cannot_escape_their_name_space() {
        for good in ["default", "a", "0-_", &"x".repeat(60)] {
            assert!(good.parse::<Tenant>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a/b", "a\0b", "ä", &"x".repeat(61)] {
            assert_eq!(bad.parse::<Tenant>(), Err(TenantError), "{bad}");
        }
    }
}
