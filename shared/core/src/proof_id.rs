//! Proof IDs, which are derived and never looked up.

use std::fmt;
use std::str::FromStr;

use base32ct::{Base32Unpadded, Encoding as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::hash::{MediaHash, serde_as_text};
use crate::tenant::Tenant;

/// The prefix that separates this use of SHA-256 from every other, and versions the derivation.
const DOMAIN: &[u8] = b"credlink/proof/v1\0";

/// The length of an ID as text, in characters.
const TEXT_LENGTH: usize = 32;

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
        let digest: [u8; 32] = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(tenant.as_str())
            .chain_update([0])
            .chain_update(media_hash.digest().as_bytes())
            .finalize()
            .into();
        let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _] = digest;
        Self(id)
    }

    /// Returns the 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for ProofId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; TEXT_LENGTH];
        // 20 bytes are exactly 32 symbols.
        f.write_str(Base32Unpadded::encode(&self.0, &mut text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for ProofId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ProofId {
    type Err = ProofIdError;

    fn from_str(text: &str) -> Result<Self, ProofIdError> {
        // The length is checked first, since 32 symbols are exactly 20 bytes. The alphabet has only lower case: an
        // upper-case ID would be a second URL, and a second cache entry, for one proof.
        if text.len() != TEXT_LENGTH {
            return Err(ProofIdError);
        }
        let mut id = [0; 20];
        Base32Unpadded::decode(text, &mut id).map_err(|_| ProofIdError)?;
        Ok(Self(id))
    }
}

serde_as_text!(ProofId);

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
