//! Proof IDs, which are derived and never looked up.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::base32_id::{base32_id, derive};
use crate::hash::MediaHash;
use crate::tenant::Tenant;

/// The prefix that separates this use of SHA-256 from every other, and versions the derivation.
const DOMAIN: &str = "credlink/proof/v1";

/// The ID of a proof: lower-case base32 (RFC 4648, section 6, no padding) of the first 20 bytes of
/// `SHA-256("credlink/proof/v1" 0x00 tenant 0x00 media-hash-bytes)`; 32 characters.
///
/// The same tenant and media file always give the same ID, so that one file has one proof (guarantee 2), and a reader
/// who holds the hash needs no index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "A proof's id. The same tenant and media file always have the same one.", pattern = "^[a-z2-7]{32}$"))]
pub struct ProofId([u8; 20]);

/// The error for text that is not a proof ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proof id is 32 characters of a-z and 2-7")]
pub struct ProofIdError;

impl ProofId {
    /// Returns the ID of the proof for `media_hash` in `tenant`'s namespace.
    #[must_use]
    pub fn derive(tenant: &Tenant, media_hash: &MediaHash) -> Self {
        Self(derive(DOMAIN, tenant, media_hash.digest()))
    }

    /// Returns the 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

base32_id!(ProofId, ProofIdError);

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf 'credlink/proof/v1\0default\0' | cat - <(openssl dgst -sha256 -binary /dev/null) | openssl
    /// dgst -sha256 -binary | head -c 20 | base32 | tr A-Z a-z`, so that the format cannot drift.
    #[test]
    fn derivation_is_fixed() {
        let id = ProofId::derive(&Tenant::default(), &MediaHash::of(b""));
        assert_eq!(id.to_string(), "ym32rzlpvukwoewqzin4wsrs3w55fqze");
        assert_eq!("ym32rzlpvukwoewqzin4wsrs3w55fqze".parse(), Ok(id));
    }

    #[test]
    fn tenants_do_not_share_ids() -> Result<(), crate::tenant::TenantError> {
        let hash = MediaHash::of(b"x");
        assert_ne!(ProofId::derive(&"a".parse()?, &hash), ProofId::derive(&"b".parse()?, &hash));
        Ok(())
    }

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let good = ProofId::derive(&Tenant::default(), &MediaHash::of(b"x")).to_string();
        for bad in [
            "",
            "abc",
            &good.to_uppercase(),
            &good.replace(|c: char| c.is_ascii_digit(), "1"),
            &"é".repeat(16),
        ] {
            if *bad != good {
                assert_eq!(bad.parse::<ProofId>(), Err(ProofIdError), "{bad}");
            }
        }
    }
}
