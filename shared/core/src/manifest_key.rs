//! Whose manifest: a tenant and the id that its manifest has.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hash::serde_as_text;
use crate::manifest_id::{ManifestId, ManifestIdError};
use crate::tenant::{Tenant, TenantError};

/// The manifest that a tenant stores under an id.
///
/// The label of a manifest is in every file that names it, so another tenant can store other bytes under the same id. Each
/// tenant has a content of its own for an id (guarantee 6), and no act of one tenant reaches another one's.
///
/// It is written `{id}` for the tenant `default`, and `{id}/{tenant}` for another one: no id has a `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestKey {
    /// The id.
    pub id: ManifestId,
    /// Who stored it.
    pub tenant: Tenant,
}

/// Text that names no tenant's manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestKeyError {
    /// The part before the `/`.
    #[error(transparent)]
    Id(#[from] ManifestIdError),
    /// The part behind it.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// The tenant `default` is not written.
    #[error("the manifest of the tenant `default` is written without it")]
    Default,
}

impl ManifestKey {
    /// The manifest that `tenant` stores under `id`.
    #[must_use]
    pub fn new(tenant: &Tenant, id: &ManifestId) -> Self {
        Self { id: id.clone(), tenant: tenant.clone() }
    }

    /// The tenant, where it is written.
    pub(crate) fn written_tenant(&self) -> Option<&Tenant> {
        (!self.tenant.is_default()).then_some(&self.tenant)
    }
}

impl fmt::Display for ManifestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.written_tenant() {
            None => write!(f, "{}", self.id),
            Some(tenant) => write!(f, "{}/{tenant}", self.id),
        }
    }
}

impl FromStr for ManifestKey {
    type Err = ManifestKeyError;

    fn from_str(text: &str) -> Result<Self, ManifestKeyError> {
        let Some((id, tenant)) = text.split_once('/') else {
            return Ok(Self { id: text.parse()?, tenant: Tenant::default() });
        };
        let key = Self { id: id.parse()?, tenant: tenant.parse()? };
        if key.tenant.is_default() { Err(ManifestKeyError::Default) } else { Ok(key) }
    }
}

serde_as_text!(ManifestKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_spelling() {
        for text in ["urn:c2pa:x", "urn:c2pa:x/acme"] {
            assert_eq!(text.parse::<ManifestKey>().map(|key| key.to_string()), Ok(text.to_owned()));
        }
        for text in ["urn:c2pa:x/default", "urn:c2pa:x/", "/acme", "urn:c2pa:x/acme/acme", "x"] {
            assert!(text.parse::<ManifestKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_two_tenants_share_one() {
        let id: ManifestId = "urn:c2pa:x".parse().unwrap();
        let of = |tenant: &str| ManifestKey::new(&tenant.parse().unwrap(), &id);
        assert_ne!(of("acme").to_string(), of("bad").to_string());
        assert_ne!(of("acme").to_string(), of("default").to_string());
    }
}
