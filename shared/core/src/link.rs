//! Signed links: the holder of one may read one private object until the link expires.
//!
//! The service signs and the edge checks with the same code. The signature is HMAC-SHA-256 (RFC 2104) over `GET <path>
//! <expiry> <life>`, where the path is that of the CDN domain (without `/v1`), so that a link works on both. The life
//! is the object's [generation](crate::object::Facts::generation): a link to a deleted object does not open what is
//! stored in its place later. A link that allows GET allows HEAD.

mod keys;
#[cfg(test)]
mod vectors;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

use crate::http::problem::{Problem, ProblemKind};
use crate::http::query::Query;
use crate::manifest_id::ManifestId;
use crate::manifest_key::ManifestKey;
use crate::object::ObjectKey;
use crate::time::Timestamp;

pub use keys::{LinkKey, LinkKeyError, LinkKeys, LinkKeysError, MIN_KEY_BYTES};

impl LinkKey {
    fn mac(&self, key: &ObjectKey, expires: u64, life: u32) -> Option<Hmac<Sha256>> {
        // An HMAC takes a key of any length.
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        Some(mac.chain_update(format!("GET {} {expires} {life}", path(key))))
    }
}

/// The parameters that a signed link has in its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    expires: u64,
    key_id: String,
    life: u32,
    mac: Vec<u8>,
}

/// The characters to escape in a path segment: all but the characters of IDs that may stand unescaped there (RFC 3986,
/// section 3.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b':');

/// Returns the path of an object on the CDN domain, which its signed links are bound to; the API's path is the same
/// after `/v1`. The path of a manifest is its tenant's own address, which for the tenant `default` is the plain
/// address.
#[must_use]
pub fn path(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Manifest(key) if key.tenant.is_default() => plain_path(&key.id),
        ObjectKey::Manifest(key) => own_path(key),
        ObjectKey::Front(id) => format!("/manifests/{}/front", segment(id)),
        // No link is signed for the other objects.
        ObjectKey::Record(_)
        | ObjectKey::Revision(..)
        | ObjectKey::Alias(_)
        | ObjectKey::Hold(..)
        | ObjectKey::Removed(..)
        | ObjectKey::Identity => format!("/{key}"),
    }
}

/// Returns the plain path of a manifest ID on the CDN domain; the API's path is the same after `/v1`.
#[must_use]
pub fn plain_path(id: &ManifestId) -> String {
    format!("/manifests/{}", segment(id))
}

/// Returns the path of a manifest at its tenant's own address on the CDN domain; the API's path is the same after
/// `/v1`.
#[must_use]
pub fn own_path(key: &ManifestKey) -> String {
    format!("/tenants/{}/manifests/{}", key.tenant, segment(&key.id))
}

/// Returns the path that always serves this very object, whatever other tenants store. For a manifest it is its
/// tenant's own address.
#[must_use]
pub fn exact_path(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Manifest(key) => own_path(key),
        _ => path(key),
    }
}

fn segment(id: &ManifestId) -> impl std::fmt::Display {
    utf8_percent_encode(id.as_str(), SEGMENT)
}

impl Signature {
    /// The query parameters of a link.
    pub const PARAMETERS: [&'static str; 4] = ["expires", "key", "life", "signature"];

    /// Reads the [parameters](Self::PARAMETERS) of a link.
    ///
    /// # Errors
    /// Fails if only some of the parameters are present, or if they are malformed.
    pub fn read(query: &Query<'_>) -> Result<Option<Self>, Problem> {
        let (expires, key_id, life, mac) = match Self::PARAMETERS.map(|name| query.get(name)) {
            [None, None, None, None] => return Ok(None),
            [Some(expires), Some(key_id), Some(life), Some(mac)] => (expires, key_id, life, mac),
            _ => {
                return Err(refused(
                    "a signed link has the parameters `expires`, `key`, `life` and `signature`",
                ));
            }
        };
        let expires =
            expires.parse().map_err(|_| refused("`expires` is not a number of seconds since 1970"))?;
        let life = life.parse().map_err(|_| refused("`life` is not a number"))?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| refused("`signature` is damaged"))?;
        Ok(Some(Self { expires, key_id: key_id.to_owned(), life, mac }))
    }

    /// Returns the generation of the object that this link opens, if the link is valid at all.
    #[must_use]
    pub const fn life(&self) -> u32 {
        self.life
    }

    /// Checks that this link opens the object of `generation` under `key` at `now`.
    ///
    /// # Errors
    /// The errors of [`Self::verify`], and 403 if the link was signed for another generation.
    pub fn opens(
        &self,
        keys: &LinkKeys,
        key: &ObjectKey,
        generation: u32,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.verify(keys, key, now)?;
        if self.life != generation {
            return Err(refused("what it was signed for was deleted; ask for a new one"));
        }
        Ok(())
    }

    /// Checks that this is a valid link to `key` at `now`, of any generation. The comparison takes the same time
    /// wherever the signatures differ.
    ///
    /// # Errors
    /// 403 if the link was signed by an unknown key or for something else, or has expired.
    pub fn verify(&self, keys: &LinkKeys, key: &ObjectKey, now: Timestamp) -> Result<(), Problem> {
        let known = [Some(&keys.current), keys.previous.as_ref()];
        let signer = known.into_iter().flatten().find(|known| known.id == self.key_id);
        let mac = signer.and_then(|signer| signer.mac(key, self.expires, self.life));
        if mac.is_none_or(|mac| mac.verify_slice(&self.mac).is_err()) {
            return Err(refused("it was not signed for this path and time by a key that is in use"));
        }
        if self.expires <= now.seconds() {
            return Err(refused("its time is over; ask for a new one"));
        }
        Ok(())
    }
}

impl LinkKeys {
    /// Returns the query of a link that opens the object of the generation `life` under `key` until `expires`.
    #[must_use]
    pub fn sign(&self, key: &ObjectKey, life: u32, expires: Timestamp) -> String {
        let expires = expires.seconds();
        let mac = self.current.mac(key, expires, life);
        let mac = mac.map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
        format!(
            "expires={expires}&key={}&life={life}&signature={}",
            self.current.id,
            URL_SAFE_NO_PAD.encode(mac)
        )
    }
}

fn refused(why: &str) -> Problem {
    Problem::new(ProblemKind::InvalidLink, format!("the link is refused: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::MediaHash;
    use crate::proof_id::ProofId;
    use crate::tenant::Tenant;

    fn keys(id: &str, byte: u8) -> LinkKeys {
        LinkKeys { current: LinkKey::new(id, vec![byte; 32]).unwrap(), previous: None }
    }

    fn record() -> ObjectKey {
        ObjectKey::Record(ProofId::derive(&Tenant::default(), &MediaHash::of(b"")))
    }

    fn read(query: &str) -> Result<Signature, Problem> {
        Signature::read(&Query::parse(query)?).map(Option::unwrap)
    }

    #[test]
    fn a_link_opens_one_thing_for_a_time() {
        let (keys, now) = (keys("a", 1), Timestamp::from_milliseconds(1_000_000));
        let query = keys.sign(&record(), 3, now.plus_seconds(10));
        let signature = read(&query).unwrap();
        assert_eq!(signature.verify(&keys, &record(), now), Ok(()));
        let manifest = ObjectKey::Manifest("urn:c2pa:x".parse().unwrap());
        assert!(signature.verify(&keys, &manifest, now).is_err());
        assert!(signature.verify(&keys, &record(), now.plus_seconds(10)).is_err());
        let later = query.replace("expires=1010", "expires=9999");
        assert!(read(&later).unwrap().verify(&keys, &record(), now).is_err());
        assert_eq!(signature.opens(&keys, &record(), 3, now), Ok(()));
        for another_life in [0, 2, 4] {
            assert!(signature.opens(&keys, &record(), another_life, now).is_err());
        }
        let life = query.replace("life=3", "life=4");
        assert!(read(&life).unwrap().verify(&keys, &record(), now).is_err());
        let other = query.replace("key=a", "key=b");
        assert!(read(&other).unwrap().verify(&keys, &record(), now).is_err());
    }

    #[test]
    fn keys_change_without_breaking_links() {
        let (old, now) = (keys("a", 1), Timestamp::from_milliseconds(1_000_000));
        let signature = read(&old.sign(&record(), 0, now.plus_seconds(10))).unwrap();
        let rotated = LinkKeys { previous: Some(old.current), ..keys("b", 2) };
        assert_eq!(signature.verify(&rotated, &record(), now), Ok(()));
        assert!(signature.verify(&keys("b", 2), &record(), now).is_err());
    }

    #[test]
    fn half_a_link_is_refused() {
        assert!(read("expires=1&key=a&life=0&signature=AA").is_ok());
        for half in [
            "expires=1&key=a",
            "life=0",
            "expires=1&key=a&signature=AA",
            "expires=x&key=a&life=0&signature=AA",
            "expires=1&key=a&life=-1&signature=AA",
            "expires=1&key=a&life=0&signature=%2B",
        ] {
            assert!(read(half).is_err(), "{half}");
        }
    }
}
