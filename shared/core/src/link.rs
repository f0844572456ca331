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

use crate::file::{BlobId, FileId, MediaPath, RenditionName, UploadId};
use crate::hash::Digest;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::query::Query;
use crate::manifest_id::ManifestId;
use crate::manifest_key::ManifestKey;
use crate::object::ObjectKey;
use crate::time::Timestamp;

pub use keys::{LinkKey, LinkKeyError, LinkKeys, LinkKeysError, MIN_KEY_BYTES};

/// The length of a seal, in bytes.
const SEAL_BYTES: usize = 12;

impl LinkKey {
    fn mac(&self, method: &str, path: &str, expires: u64, life: u32) -> Option<Hmac<Sha256>> {
        // An HMAC takes a key of any length.
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        Some(mac.chain_update(format!("{method} {path} {expires} {life}")))
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
        // No link is signed for the other objects: a file is read at its own path.
        ObjectKey::Record(_)
        | ObjectKey::Revision(..)
        | ObjectKey::Alias(_)
        | ObjectKey::Hold(..)
        | ObjectKey::Removed(..)
        | ObjectKey::Identity
        | ObjectKey::Media(_) => format!("/{key}"),
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
        self.verify_path(keys, "GET", &path(key), now)
    }

    /// Checks that this link opens the part of a file at `path` at `now`. A file ID is never used again, so such a link
    /// has the life 0.
    ///
    /// # Errors
    /// The errors of [`Self::verify`], and 403 if the link has another life.
    pub fn opens_media(&self, keys: &LinkKeys, path: &MediaPath, now: Timestamp) -> Result<(), Problem> {
        self.verify_path(keys, "GET", &path.to_string(), now)?;
        if self.life != 0 {
            return Err(refused("a link to a file has the life 0"));
        }
        Ok(())
    }

    /// Checks that this is an address to which these bytes of an upload may be sent at `now`.
    ///
    /// # Errors
    /// 403 if the address was signed for another upload, part or length, or has expired.
    pub fn takes_bytes(
        &self,
        keys: &LinkKeys,
        upload: &UploadId,
        part: Option<u32>,
        length: u64,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.verify_path(keys, "PUT", &bytes_path(upload, part, length), now)
    }

    fn verify_path(&self, keys: &LinkKeys, method: &str, path: &str, now: Timestamp) -> Result<(), Problem> {
        let known = [Some(&keys.current), keys.previous.as_ref()];
        let signer = known.into_iter().flatten().find(|known| known.id == self.key_id);
        let mac = signer.and_then(|signer| signer.mac(method, path, self.expires, self.life));
        if mac.is_none_or(|mac| mac.verify_slice(&self.mac).is_err()) {
            return Err(unsigned());
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
        self.sign_path("GET", &path(key), life, expires)
    }

    /// Returns the query of a link that opens the part of a file at `path` until `expires`.
    #[must_use]
    pub fn sign_media(&self, path: &MediaPath, expires: Timestamp) -> String {
        self.sign_path("GET", &path.to_string(), 0, expires)
    }

    /// Returns the query of an address to which exactly `length` bytes of an upload may be sent until `expires`: a part,
    /// or the whole file.
    #[must_use]
    pub fn sign_bytes(
        &self,
        upload: &UploadId,
        part: Option<u32>,
        length: u64,
        expires: Timestamp,
    ) -> String {
        let signed = self.sign_path("PUT", &bytes_path(upload, part, length), 0, expires);
        part.map_or(signed.clone(), |part| format!("part={part}&{signed}"))
    }

    /// Returns a text with a seal, by which [`Self::unsealed`] tells that it was given out here, for `purpose`. The text stays
    /// readable.
    #[must_use]
    pub fn sealed(&self, purpose: &str, text: &str) -> String {
        let mac = self.current.mac("SEAL", &format!("{purpose} {text}"), 0, 0);
        let mac = mac.map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.get(..SEAL_BYTES).unwrap_or_default()))
    }

    /// Returns the text that [`Self::sealed`] has sealed for `purpose`, with the present key or the one before.
    #[must_use]
    pub fn unsealed<'a>(&self, purpose: &str, sealed: &'a str) -> Option<&'a str> {
        let (text, seal) = sealed.rsplit_once('.')?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok().filter(|seal| seal.len() == SEAL_BYTES)?;
        let mut known = [Some(&self.current), self.previous.as_ref()].into_iter().flatten();
        let is_of = |key: &LinkKey| {
            let mac = key.mac("SEAL", &format!("{purpose} {text}"), 0, 0);
            mac.is_some_and(|mac| mac.verify_truncated_left(&seal).is_ok())
        };
        known.any(is_of).then_some(text)
    }

    /// Returns the ID of the file that comes of an upload. It is as unguessable as the key that signs, and the same each
    /// time, so that a finaliser that was cut off goes on with the same file. While an upload is processed across a change
    /// of keys, its file may get another ID than in the attempt before.
    #[must_use]
    pub fn file_of(&self, upload: &UploadId) -> FileId {
        let mac = self.current.mac("FILE", &format!("/uploads/{upload}"), 0, 0);
        let mac = mac.map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
        let mut id = [0; 20];
        for (byte, random) in id.iter_mut().zip(mac) {
            *byte = random;
        }
        FileId::from_random(id)
    }

    /// Returns the ID of the manifest that the rendition of a blob gets, if its bytes have this digest before they are signed.
    /// It is the same each time, so that a finaliser that was cut off goes on with the same manifest. `life` counts the
    /// manifests with earlier IDs that were deleted.
    #[must_use]
    pub fn manifest_of(
        &self,
        blob: &BlobId,
        rendition: &RenditionName,
        unsigned: &Digest,
        life: u32,
    ) -> Option<ManifestId> {
        let mac = self.current.mac("MANIFEST", &format!("/media/{blob}/{rendition}/{unsigned}"), 0, life)?;
        let mut bits = 0_u128;
        for byte in mac.finalize().into_bytes().iter().take(16) {
            bits = bits << 8 | u128::from(*byte);
        }
        // C2PA wants a UUID of version 4 (2.x, section 8.1), whose version and variant stand in these bits (RFC 9562,
        // section 4).
        bits = bits & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let part = |from: u32, length: u32| bits >> from & ((1 << length) - 1);
        let (a, b, c, d, e) = (part(96, 32), part(80, 16), part(64, 16), part(48, 16), part(0, 48));
        format!("urn:c2pa:{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}").parse().ok()
    }

    fn sign_path(&self, method: &str, path: &str, life: u32, expires: Timestamp) -> String {
        let expires = expires.seconds();
        let mac = self.current.mac(method, path, expires, life);
        let mac = mac.map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
        format!(
            "expires={expires}&key={}&life={life}&signature={}",
            self.current.id,
            URL_SAFE_NO_PAD.encode(mac)
        )
    }
}

/// Returns the text that stands for the address of an upload's bytes in its signature. The length is not in the address:
/// it follows from the announced size, and is that of the body.
fn bytes_path(upload: &UploadId, part: Option<u32>, length: u64) -> String {
    format!("/uploads/{upload}/bytes/{}/{length}", part.unwrap_or(0))
}

/// Returns the refusal of a link that was not signed for what it leads to. One that leads to nothing is refused in the same
/// words, so that it does not tell what there is.
#[must_use]
pub fn unsigned() -> Problem {
    refused("it was not signed for this path and time by a key that is in use")
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
    fn a_link_opens_one_part_of_one_file() {
        let (keys, now) = (keys("a", 1), Timestamp::from_milliseconds(1_000_000));
        let path = |byte, name: &str| MediaPath {
            file: FileId::from_random([byte; 20]),
            name: name.parse().unwrap(),
        };
        let query = keys.sign_media(&path(1, "large"), now.plus_seconds(10));
        let signature = read(&query).unwrap();
        assert_eq!(signature.opens_media(&keys, &path(1, "large"), now), Ok(()));
        for other in [path(1, "original"), path(1, "large.webp"), path(2, "large")] {
            assert!(signature.opens_media(&keys, &other, now).is_err(), "{other}");
        }
        assert!(signature.opens_media(&keys, &path(1, "large"), now.plus_seconds(10)).is_err());
        let other = query.replace("life=0", "life=1");
        assert!(read(&other).unwrap().opens_media(&keys, &path(1, "large"), now).is_err());
    }

    #[test]
    fn a_manifest_of_a_rendition_has_an_id_of_its_own() {
        let (one, two) = (keys("a", 1), keys("a", 2));
        let blob = BlobId::derive(&Tenant::default(), &MediaHash::of(b""));
        let (name, digest): (RenditionName, _) = ("large-1.webp".parse().unwrap(), Digest::of(b"x"));
        let id = one.manifest_of(&blob, &name, &digest, 0).unwrap();
        assert_eq!(one.manifest_of(&blob, &name, &digest, 0), Some(id.clone()));
        let others = [
            two.manifest_of(&blob, &name, &digest, 0),
            one.manifest_of(&BlobId::derive(&Tenant::default(), &MediaHash::of(b"1")), &name, &digest, 0),
            one.manifest_of(&blob, &"large-2.webp".parse().unwrap(), &digest, 0),
            one.manifest_of(&blob, &name, &Digest::of(b"y"), 0),
            one.manifest_of(&blob, &name, &digest, 1),
        ];
        assert!(others.iter().all(|other| other.as_ref() != Some(&id)));
        // A UUID of version 4, whatever the key says.
        for id in others.into_iter().flatten().chain([id]) {
            let uuid = id.as_str().strip_prefix("urn:c2pa:").unwrap();
            assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"), "{id}");
            assert!(["8", "9", "a", "b"].contains(&&uuid[19..20]), "{id}");
        }
    }

    #[test]
    fn an_address_takes_one_part_of_one_length() {
        let (keys, now) = (keys("a", 1), Timestamp::from_milliseconds(1_000_000));
        let (upload, other) = (UploadId::from_random([1; 20]), UploadId::from_random([2; 20]));
        let query = keys.sign_bytes(&upload, Some(7), 100, now.plus_seconds(10));
        assert!(query.starts_with("part=7&expires="), "{query}");
        let signature = read(&query).unwrap();
        let takes =
            |upload, part, length, now| signature.takes_bytes(&keys, upload, part, length, now).is_ok();
        assert!(takes(&upload, Some(7), 100, now));
        assert!(!takes(&other, Some(7), 100, now) && !takes(&upload, Some(8), 100, now));
        assert!(!takes(&upload, None, 100, now) && !takes(&upload, Some(7), 101, now));
        assert!(!takes(&upload, Some(7), 100, now.plus_seconds(10)));
        let whole = read(&keys.sign_bytes(&upload, None, 100, now.plus_seconds(10))).unwrap();
        assert!(whole.takes_bytes(&keys, &upload, None, 100, now).is_ok());
        // It reads nothing.
        let path =
            MediaPath { file: "a".repeat(32).parse().unwrap(), name: crate::file::MediaName::Original };
        assert!(signature.opens_media(&keys, &path, now).is_err());
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
