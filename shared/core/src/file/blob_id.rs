//! Blob IDs, which are derived and never looked up.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::base32_id::{base32_id, derive};
use crate::hash::MediaHash;
use crate::tenant::Tenant;

/// The prefix that separates this use of SHA-256 from every other, and versions the derivation.
const DOMAIN: &str = "credlink/media/v1";

/// The ID of a blob: lower-case base32 of the first 20 bytes of `SHA-256("credlink/media/v1" 0x00 tenant 0x00
/// media-hash-bytes)`; 32 characters.
///
/// A blob and a proof are named by the same pair, tenant and media hash, so neither needs a look-up to find the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "The id of a file's content. The same tenant and content always have the same one.", pattern = "^[a-z2-7]{32}$"))]
pub struct BlobId([u8; 20]);

/// The error for text that is not a blob ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a blob id is 32 characters of a-z and 2-7")]
pub struct BlobIdError;

impl BlobId {
    /// Returns the ID of the blob with `media_hash` in `tenant`'s namespace.
    #[must_use]
    pub fn derive(tenant: &Tenant, media_hash: &MediaHash) -> Self {
        Self(derive(DOMAIN, tenant, media_hash.digest()))
    }
}

base32_id!(BlobId, BlobIdError);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof_id::ProofId;

    /// Computed with `printf 'credlink/media/v1\0default\0' | cat - <(openssl dgst -sha256 -binary /dev/null) | openssl
    /// dgst -sha256 -binary | head -c 20 | base32 | tr A-Z a-z`, so that the format cannot drift.
    #[test]
    fn derivation_is_fixed() {
        let id = BlobId::derive(&Tenant::default(), &MediaHash::of(b""));
        assert_eq!(id.to_string(), "uhnk7w4vlehlhcv37s2ads6dsotvre53");
        assert_eq!("uhnk7w4vlehlhcv37s2ads6dsotvre53".parse(), Ok(id));
    }

    #[test]
    fn a_blob_is_neither_its_proof_nor_another_tenants() {
        let (tenant, hash) = (Tenant::default(), MediaHash::of(b"x"));
        let id = BlobId::derive(&tenant, &hash);
        assert_ne!(id.to_string(), ProofId::derive(&tenant, &hash).to_string());
        assert_ne!(id, BlobId::derive(&"acme".parse().unwrap(), &hash));
        assert_ne!(id, BlobId::derive(&tenant, &MediaHash::of(b"y")));
    }

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let good = BlobId::derive(&Tenant::default(), &MediaHash::of(b"x")).to_string();
        for bad in ["", "abc", &good.to_uppercase(), &good[1..], &format!("{good}a"), &"1".repeat(32)] {
            assert_eq!(bad.parse::<BlobId>(), Err(BlobIdError), "{bad}");
        }
    }
}
