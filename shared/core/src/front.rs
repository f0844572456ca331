//! Fronts: which tenant's manifest the plain address of an ID (`/manifests/{id}`) serves, in a deployment with several
//! tenants (guarantee 6).
//!
//! A front is one object, `fronts/{manifest id}`, that is replaced only by compare-and-swap: it has no row, so it is
//! not lost with an index. Without a front, the plain address serves the manifest that the tenant `default` stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::access::Visibility;
use crate::bounds::MAX_NOTE_BYTES;
use crate::manifest_id::ManifestId;
use crate::manifest_key::ManifestKey;
use crate::note::NoteError;
use crate::object::{Attributes, Facts, ObjectKey};
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The version of the format that is written. There is no other.
const VERSION: u32 = 1;

/// The content of `fronts/{manifest id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Front {
    /// The version of this format: 1.
    pub version: u32,
    /// The manifest ID.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub manifest_id: ManifestId,
    /// The tenant whose manifest the plain address serves. `null` with `operator` in `decided_by`: the operator freed
    /// the address, and the next tenant that stores a public manifest under this ID is served there. `null` with
    /// `claim` in `decided_by`: the address behaves as if it had no front.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub tenant: Option<Tenant>,
    /// The authority that decided the tenant.
    pub decided_by: DecidedBy,
}

/// The authority that decided which tenant's manifest a plain address serves. A later one in this list overrules an
/// earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum DecidedBy {
    /// The tenant was the first to store a public manifest under the ID.
    Claim,
    /// The manifest is signed by a signer that the operator lists for the tenant.
    Signer,
    /// The operator decided.
    Operator,
}

/// The claim of a tenant that has stored a public manifest under an ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The tenant's manifest.
    pub manifest: &'a ManifestKey,
    /// `true` if the manifest is signed by a signer that the operator lists for the tenant.
    pub is_signed: bool,
}

impl Front {
    /// Returns a front that the operator decided: for `tenant`, or for nobody.
    #[must_use]
    pub const fn decided(manifest_id: ManifestId, tenant: Option<Tenant>) -> Self {
        Self { version: VERSION, manifest_id, tenant, decided_by: DecidedBy::Operator }
    }

    /// Returns a front that decides nothing: the address behaves as if it had no front. A migration leaves one behind
    /// if it replaced a front and then stored nothing.
    #[must_use]
    pub const fn released(manifest_id: ManifestId) -> Self {
        Self { version: VERSION, manifest_id, tenant: None, decided_by: DecidedBy::Claim }
    }

    /// Returns `true` if the front decides nothing.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.tenant.is_none() && self.decided_by == DecidedBy::Claim
    }

    /// Returns the front that follows `before`, if there was one, after a claim. Returns `None` if `before` stays.
    #[must_use]
    pub fn claimed(before: Option<&Self>, claim: Claim<'_>) -> Option<Self> {
        let decided_by = if claim.is_signed { DecidedBy::Signer } else { DecidedBy::Claim };
        let is_open = match before {
            None => true,
            // The operator has freed the address, or a migration has released it.
            Some(Self { tenant: None, .. }) => true,
            Some(before) => before.decided_by < decided_by,
        };
        is_open.then(|| Self {
            version: VERSION,
            manifest_id: claim.manifest.id.clone(),
            tenant: Some(claim.manifest.tenant.clone()),
            decided_by,
        })
    }

    /// Returns the manifest that the plain address of `id` serves, by the facts of its front, if it has one: the
    /// front's content need not be read. Returns `None` if the address was freed.
    #[must_use]
    pub fn serves(front: Option<&Facts>, id: &ManifestId) -> Option<ManifestKey> {
        match front {
            None => Some(ManifestKey::new(&Tenant::default(), id)),
            Some(front) if front.void => None,
            Some(front) => Some(ManifestKey::new(&front.tenant, id)),
        }
    }

    /// Returns the bytes and the attributes to store as the `write`-th write of this front, counted from 1.
    #[must_use]
    pub fn object(&self, write: u32, now: Timestamp) -> (Vec<u8>, Attributes) {
        // Only a map with keys that are not strings fails to serialise, and a front has none.
        let body = serde_json::to_vec(self).unwrap_or_default();
        let tenant = self.tenant.clone().unwrap_or_default();
        let void = self.tenant.is_none() && !self.is_released();
        let facts = Facts { generation: write, void, ..Facts::of(&body, tenant, Visibility::Public, now) };
        (body, facts.attributes(&ObjectKey::Front(self.manifest_id.clone()), BTreeMap::new()))
    }

    /// Reads a front.
    ///
    /// # Errors
    /// Fails if `body` is not a front.
    pub fn parse(body: &[u8]) -> Result<Self, NoteError> {
        if body.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Damaged(format!("it has more than {MAX_NOTE_BYTES} bytes")));
        }
        let front: Self =
            serde_json::from_slice(body).map_err(|error| NoteError::Damaged(error.to_string()))?;
        match front.version {
            VERSION => Ok(front),
            other => Err(NoteError::Version(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str) -> ManifestKey {
        ManifestKey { id: "urn:c2pa:x".parse().unwrap(), tenant: tenant.parse().unwrap() }
    }

    fn claim(before: Option<&Front>, tenant: &str, is_signed: bool) -> Option<(String, DecidedBy)> {
        let manifest = &key(tenant);
        let front = Front::claimed(before, Claim { manifest, is_signed })?;
        Some((front.tenant.unwrap().to_string(), front.decided_by))
    }

    #[test]
    fn the_first_claim_stands_until_something_stronger_decides() {
        use DecidedBy::{Claim as Claimed, Operator, Signer};
        let front = |tenant: Option<&str>, decided_by| Front {
            version: 1,
            manifest_id: key("a").id,
            tenant: tenant.map(|name| name.parse().unwrap()),
            decided_by,
        };
        let acme = |decided_by| front(Some("acme"), decided_by);
        let bad = |decided_by| Some(("bad".to_owned(), decided_by));
        assert_eq!(claim(None, "bad", false), bad(Claimed));
        assert_eq!(claim(None, "bad", true), bad(Signer));
        assert_eq!(claim(Some(&acme(Claimed)), "bad", false), None);
        assert_eq!(claim(Some(&acme(Claimed)), "bad", true), bad(Signer));
        assert_eq!(claim(Some(&acme(Signer)), "bad", true), None);
        assert_eq!(claim(Some(&acme(Operator)), "bad", true), None);
        assert_eq!(claim(Some(&front(None, Operator)), "bad", false), bad(Claimed));
    }

    #[test]
    fn a_plain_address_without_a_front_serves_the_default_tenant() {
        let id = key("acme").id;
        let facts = |tenant: Option<&str>| {
            let front = Front::decided(id.clone(), tenant.map(|name| name.parse().unwrap()));
            Facts::read(&front.object(1, Timestamp::from_milliseconds(7)).1).unwrap()
        };
        assert_eq!(Front::serves(None, &id), Some(key("default")));
        assert_eq!(Front::serves(Some(&facts(Some("acme"))), &id), Some(key("acme")));
        assert_eq!(Front::serves(Some(&facts(None)), &id), None);
        let released = Front::released(id.clone());
        let facts = Facts::read(&released.object(2, Timestamp::from_milliseconds(7)).1).unwrap();
        assert_eq!(Front::serves(Some(&facts), &id), Some(key("default")), "as without a front");
    }

    #[test]
    fn a_front_has_one_form_and_reads_back() {
        let front = Front::decided(key("acme").id, Some("acme".parse().unwrap()));
        let (body, attributes) = front.object(3, Timestamp::from_milliseconds(1_798_761_600_000));
        insta::assert_snapshot!(String::from_utf8_lossy(&body), @r#"{"version":1,"manifest_id":"urn:c2pa:x","tenant":"acme","decided_by":"operator"}"#);
        assert_eq!(Facts::read(&attributes).unwrap().generation, 3);
        assert_eq!(Front::parse(&body), Ok(front));
        let newer = String::from_utf8(body).unwrap().replace("\"version\":1", "\"version\":2");
        assert_eq!(Front::parse(newer.as_bytes()), Err(NoteError::Version(2)));
    }
}
