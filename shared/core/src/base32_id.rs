//! IDs of 160 bits, written as 32 characters of lower-case base32 (RFC 4648, section 6, no padding).

use sha2::{Digest as _, Sha256};

use crate::hash::Digest;
use crate::tenant::Tenant;

/// The length of an ID as text, in characters: 20 bytes are exactly 32 symbols.
pub(crate) const TEXT_LENGTH: usize = 32;

/// Returns the first 20 bytes of `SHA-256(domain 0x00 tenant 0x00 digest)`. The domain separates one use of SHA-256
/// from every other, and versions the derivation.
pub(crate) fn derive(domain: &str, tenant: &Tenant, digest: &Digest) -> [u8; 20] {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(domain)
        .chain_update([0])
        .chain_update(tenant.as_str())
        .chain_update([0])
        .chain_update(digest.as_bytes())
        .finalize()
        .into();
    let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _] = digest;
    id
}

/// Implements the text form of an ID that wraps 20 bytes: `Display`, `Debug`, `FromStr` and serialisation.
macro_rules! base32_id {
    ($name:ident, $error:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                use base32ct::Encoding as _;
                let mut text = [0; $crate::base32_id::TEXT_LENGTH];
                let encoded = base32ct::Base32Unpadded::encode(&self.0, &mut text);
                f.write_str(encoded.map_err(|_| std::fmt::Error)?)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                use base32ct::Encoding as _;
                // The length is checked first, since 32 symbols are exactly 20 bytes. The alphabet has only lower case:
                // an upper-case ID would be a second URL, and a second cache entry, for one thing.
                if text.len() != $crate::base32_id::TEXT_LENGTH {
                    return Err($error);
                }
                let mut id = [0; 20];
                base32ct::Base32Unpadded::decode(text, &mut id).map_err(|_| $error)?;
                Ok(Self(id))
            }
        }

        $crate::hash::serde_as_text!($name);
    };
}
pub(crate) use base32_id;
