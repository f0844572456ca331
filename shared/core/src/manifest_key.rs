//! Keys of manifests: a tenant, and the ID of one of its manifests.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hash::serde_as_text;
use crate::manifest_id::{ManifestId, ManifestIdError};
use crate::tenant::{Tenant, TenantError};

/// The key of the manifest that a tenant stores under an ID.
///
/// The label of a manifest is in every file that names it, so another tenant can store other bytes under the same ID.
/// Each tenant has its own content for an ID (guarantee 6), and nothing that one tenant does affects another's.
///
/// A key is written `{id}` for the tenant `default`, and `{id}/{tenant}` for any other: no ID has a `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestKey {
    /// The manifest ID.
    pub id: ManifestId,
    /// The tenant that stored the manifest.
    pub tenant: Tenant,
}

/// A reason why text is not a manifest key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestKeyError {
    /// The part before the `/` is not a manifest ID.
    #[error(transparent)]
    Id(#[from] ManifestIdError),
    /// The part after the `/` is not a tenant.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// The tenant `default` is written out.
    #[error("the manifest of the tenant `default` is written without it")]
    Default,
}

impl ManifestKey {
    /// Returns the key of the manifest that `tenant` stores under `id`.
    #[must_use]
    pub fn new(tenant: &Tenant, id: &ManifestId) -> Self {
        Self { id: id.clone(), tenant: tenant.clone() }
    }

    /// Returns the tenant, if the key is written with it.
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
