//! The keys of objects, which are the same in S3, in R2 and in a folder.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::MediaKey;
use crate::bounds::{MAX_C2PA_MANIFEST_BYTES, MAX_RECORD_BYTES, MAX_WHOLE_FILE_BYTES};
use crate::cache_policy::CachePolicy;
use crate::legacy::LegacyId;
use crate::manifest_id::ManifestId;
use crate::manifest_key::ManifestKey;
use crate::media_type::{C2PA_TYPE, JSON_TYPE};
use crate::proof_id::ProofId;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The key of an object. It determines the content type and the cache policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKey {
    /// `proofs/{proof id}`: the current record, replaced only by compare-and-swap.
    Record(ProofId),
    /// `proofs/{proof id}/{revision}`: an earlier record. Immutable.
    Revision(ProofId, u32),
    /// `manifests/{manifest id, escaped}`, or `manifests/{manifest id, escaped}/{tenant}` for a tenant other than
    /// `default`: a C2PA manifest store. Immutable.
    Manifest(ManifestKey),
    /// `fronts/{manifest id, escaped}`: which tenant's manifest the plain address of an ID serves ([`crate::front`]).
    /// Replaced only by compare-and-swap.
    Front(ManifestId),
    /// `aliases/{legacy id, escaped}`: a legacy ID that no record names. Replaced only by compare-and-swap.
    Alias(LegacyId),
    /// `holds/{manifest id, escaped}/{generation}`, or `holds/{manifest id, escaped}/{tenant}/{generation}` for a
    /// tenant other than `default`: says that a manifest of this generation was stored by itself. Immutable.
    Hold(ManifestKey, u32),
    /// `removed/{milliseconds since 1970, 13 digits}/{key}`: an unchanged copy of an object that was removed as an
    /// orphan.
    Removed(Timestamp, Box<ObjectKey>),
    /// `store/identity`: the index that belongs to this store ([`crate::identity`]). Replaced only by compare-and-swap.
    Identity,
    /// `uploads/…`, `media/…` and `files/…`: what belongs to files.
    Media(MediaKey),
}

/// The error for a key that does not belong to CredLink.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the key of a CredLink object")]
pub struct KeyError(pub String);

/// The characters to escape in the parts of a key that a client chose. The colon is among them, since Windows and some
/// tools refuse it.
const KEY_SAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The key of [`ObjectKey::Identity`].
const IDENTITY: &str = "store/identity";

impl ObjectKey {
    /// The prefix of every record and every revision.
    pub const PROOFS: &'static str = "proofs/";
    /// The prefix of every manifest.
    pub const MANIFESTS: &'static str = "manifests/";
    /// The prefix of every front.
    pub const FRONTS: &'static str = "fronts/";
    /// The prefix of every legacy ID that no record names.
    pub const ALIASES: &'static str = "aliases/";
    /// The prefix of every hold.
    pub const HOLDS: &'static str = "holds/";
    /// The prefix of every object that was removed as an orphan.
    pub const REMOVED: &'static str = "removed/";

    /// Returns the prefix of the revisions of one proof.
    #[must_use]
    pub fn revisions(id: &ProofId) -> String {
        format!("{}{id}/", Self::PROOFS)
    }

    /// Returns the media type of the content.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Record(_)
            | Self::Revision(..)
            | Self::Front(_)
            | Self::Alias(_)
            | Self::Hold(..)
            | Self::Identity => JSON_TYPE,
            Self::Manifest(_) => C2PA_TYPE,
            Self::Removed(_, key) => key.content_type(),
            Self::Media(key) => key.content_type(),
        }
    }

    /// Returns the cache policy of a public object under this key.
    #[must_use]
    pub const fn cache_policy(&self) -> CachePolicy {
        match self {
            Self::Record(_) | Self::Front(_) => CachePolicy::Record,
            Self::Revision(..) | Self::Manifest(_) => CachePolicy::Manifest,
            Self::Media(key) => key.cache_policy(),
            // These are served to nobody.
            Self::Alias(_) | Self::Hold(..) | Self::Removed(..) | Self::Identity => CachePolicy::Nothing,
        }
    }

    /// Returns the `Cache-Control` of a public object under this key.
    #[must_use]
    pub const fn cache_control(&self) -> &'static str {
        self.cache_policy().header()
    }

    /// Returns the largest number of bytes that an object under this key has at rest. Nobody allocates memory for a
    /// longer one, which is damaged.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        match self {
            Self::Removed(_, key) => key.max_bytes(),
            _ if self.holds_file_bytes() => MAX_WHOLE_FILE_BYTES,
            // With room for the framing of gzip.
            _ => MAX_C2PA_MANIFEST_BYTES.max(MAX_RECORD_BYTES) as u64 + 65_536,
        }
    }

    /// Returns `true` if the object under this key is bytes of a file, or of one on its way in. Nothing else is longer
    /// than a manifest.
    #[must_use]
    pub const fn holds_file_bytes(&self) -> bool {
        matches!(self, Self::Media(MediaKey::Upload(..) | MediaKey::Original(_) | MediaKey::Rendition(..)))
    }

    /// Returns `true` if the content under this key can be replaced.
    #[must_use]
    pub const fn is_mutable(&self) -> bool {
        matches!(self, Self::Record(_)) || self.counts_its_writes()
    }

    /// Returns `true` if the generation of the object under this key ([`Facts::generation`](super::Facts::generation))
    /// counts its writes, so that the later of two copies can be told.
    #[must_use]
    pub const fn counts_its_writes(&self) -> bool {
        matches!(self, Self::Alias(_) | Self::Front(_) | Self::Identity | Self::Media(MediaKey::File(_)))
    }
}

fn escaped(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, KEY_SAFE)
}

fn unescaped<T: FromStr>(text: &str) -> Option<T> {
    percent_decode_str(text).decode_utf8().ok()?.parse().ok()
}

/// A tenant's manifest as part of a key: `{id, escaped}`, or `{id, escaped}/{tenant}` for a tenant other than
/// `default`.
struct Owned<'a>(&'a ManifestKey);

impl fmt::Display for Owned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(key) = self;
        write!(f, "{}", escaped(key.id.as_str()))?;
        key.written_tenant().map_or(Ok(()), |tenant| write!(f, "/{tenant}"))
    }
}

fn owned(text: &str) -> Option<ManifestKey> {
    let (id, tenant) = match text.split_once('/') {
        None => (text, Tenant::default()),
        Some((id, tenant)) => (id, tenant.parse().ok()?),
    };
    Some(ManifestKey { id: unescaped(id)?, tenant })
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(id) => write!(f, "{}{id}", Self::PROOFS),
            Self::Revision(id, revision) => write!(f, "{}{id}/{revision}", Self::PROOFS),
            Self::Manifest(key) => write!(f, "{}{}", Self::MANIFESTS, Owned(key)),
            Self::Front(id) => write!(f, "{}{}", Self::FRONTS, escaped(id.as_str())),
            Self::Alias(id) => write!(f, "{}{}", Self::ALIASES, escaped(id.as_str())),
            Self::Hold(key, generation) => write!(f, "{}{}/{generation}", Self::HOLDS, Owned(key)),
            Self::Removed(at, key) => write!(f, "{}{:013}/{key}", Self::REMOVED, at.milliseconds()),
            Self::Identity => f.write_str(IDENTITY),
            Self::Media(key) => write!(f, "{key}"),
        }
    }
}

impl FromStr for ObjectKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let key = if let Some(rest) = text.strip_prefix(Self::PROOFS) {
            match rest.split_once('/') {
                None => rest.parse().ok().map(Self::Record),
                Some((id, revision)) => {
                    id.parse().ok().zip(revision.parse().ok()).map(|(id, n)| Self::Revision(id, n))
                }
            }
        } else if let Some(rest) = text.strip_prefix(Self::MANIFESTS) {
            owned(rest).map(Self::Manifest)
        } else if let Some(rest) = text.strip_prefix(Self::FRONTS) {
            unescaped(rest).map(Self::Front)
        } else if let Some(rest) = text.strip_prefix(Self::ALIASES) {
            unescaped(rest).map(Self::Alias)
        } else if let Some((key, generation)) =
            text.strip_prefix(Self::HOLDS).and_then(|rest| rest.rsplit_once('/'))
        {
            owned(key).zip(generation.parse().ok()).map(|(key, n)| Self::Hold(key, n))
        } else if let Some((at, key)) = text.strip_prefix(Self::REMOVED).and_then(|rest| rest.split_once('/'))
        {
            // The nesting is one level deep: a removed object is never removed again to another place.
            let key = (!key.starts_with(Self::REMOVED)).then(|| key.parse().ok()).flatten();
            let at = at.parse().ok().map(Timestamp::from_milliseconds);
            at.zip(key).map(|(at, key)| Self::Removed(at, Box::new(key)))
        } else {
            (text == IDENTITY).then_some(Self::Identity).or_else(|| MediaKey::parse(text).map(Self::Media))
        };
        // A second spelling of a key would be a second object: `proofs/…/01`, `%3a` for `%3A`.
        key.filter(|key| key.to_string() == text).ok_or_else(|| KeyError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::route::{Reads, Route};

    #[test]
    fn every_manifest_id_has_a_key_of_its_own_that_every_store_takes() {
        let visible = (0x21..0x7f_u8).map(char::from).filter(|character| !"/%".contains(*character));
        let mut keys = std::collections::BTreeSet::new();
        for character in visible.chain(['ä', 'Ä', '\u{202e}', '字', '😀']) {
            let id: ManifestId = format!("urn:c2pa:x:{character}").parse().unwrap();
            let key = ObjectKey::Manifest(ManifestKey { id, tenant: "acme".parse().unwrap() });
            let text = key.to_string();
            assert_eq!(text.parse(), Ok(key.clone()));
            // The escaped ID is safe in a path of any file system, in a key of S3 and R2, in a header, and in a list of
            // cache tags.
            let escaped = text.strip_prefix(ObjectKey::MANIFESTS).unwrap().strip_suffix("/acme").unwrap();
            assert!(
                escaped.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte)),
                "{text}"
            );
            assert!(keys.insert(text), "{key}");
            let path = crate::link::path(&key);
            let segment = path.strip_prefix("/tenants/acme/manifests/").unwrap();
            assert!(
                segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:%".contains(&byte)),
                "{path}"
            );
            let route = Route::parse(&http::Method::GET, &format!("/v1{path}"), "");
            assert!(
                matches!(route, Ok(Route::Reads(Reads::Object { key: read, .. })) if read == key),
                "{path}"
            );
        }
        // The longest IDs that are accepted, in the longest keys of all, stay under the 1,024 bytes of S3.
        for longest in [
            format!("a:{}", ":".repeat(158)),
            format!("a:{}", "+".repeat(52)),
            format!("a:{}", "字".repeat(17)),
        ] {
            let id = longest.parse().unwrap();
            let key = ObjectKey::Hold(ManifestKey { id, tenant: "t".repeat(60).parse().unwrap() }, u32::MAX);
            let at = Timestamp::from_milliseconds(1_798_761_600_000);
            assert!(ObjectKey::Removed(at, Box::new(key)).to_string().len() < 700, "{longest}");
        }
    }

    #[test]
    fn keys_have_one_spelling() {
        let id = ProofId::derive(&Tenant::default(), &crate::hash::MediaHash::of(b"x"));
        let manifest: ManifestId = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4".parse().unwrap();
        let of = |tenant: &str| ManifestKey { id: manifest.clone(), tenant: tenant.parse().unwrap() };
        let at = Timestamp::from_milliseconds(1_798_761_600_000);
        for (key, text) in [
            (ObjectKey::Record(id), format!("proofs/{id}")),
            (ObjectKey::Revision(id, 7), format!("proofs/{id}/7")),
            (
                ObjectKey::Manifest(of("default")),
                "manifests/urn%3Ac2pa%3Af9168c5e-ceb2-4faa-b6bf-329bf39fa1e4".to_owned(),
            ),
            (
                ObjectKey::Manifest(of("acme")),
                "manifests/urn%3Ac2pa%3Af9168c5e-ceb2-4faa-b6bf-329bf39fa1e4/acme".to_owned(),
            ),
            (
                ObjectKey::Front(manifest.clone()),
                "fronts/urn%3Ac2pa%3Af9168c5e-ceb2-4faa-b6bf-329bf39fa1e4".to_owned(),
            ),
            (ObjectKey::Alias("p:1~a".parse().unwrap()), "aliases/p%3A1~a".to_owned()),
            (
                ObjectKey::Hold(of("default"), 2),
                "holds/urn%3Ac2pa%3Af9168c5e-ceb2-4faa-b6bf-329bf39fa1e4/2".to_owned(),
            ),
            (
                ObjectKey::Hold(of("acme"), 2),
                "holds/urn%3Ac2pa%3Af9168c5e-ceb2-4faa-b6bf-329bf39fa1e4/acme/2".to_owned(),
            ),
            (
                ObjectKey::Removed(at, Box::new(ObjectKey::Record(id))),
                format!("removed/1798761600000/proofs/{id}"),
            ),
            (ObjectKey::Identity, "store/identity".to_owned()),
        ] {
            assert_eq!(key.to_string(), text);
            assert_eq!(text.parse(), Ok(key));
        }
        let record = ObjectKey::Record(id).to_string();
        for other in [
            "proofs/",
            "proofs/x",
            "manifests/a:b",
            "manifests/a%3ab",
            "manifests/%2e%2e",
            "manifests/urn%3Ax/",
            "manifests/urn%3Ax/default",
            "manifests/urn%3Ax/acme/acme",
            "fronts/",
            "fronts/urn%3Ax/acme",
            "aliases/",
            "aliases/a:b",
            "holds/urn%3Ax",
            "holds/urn%3Ax/01",
            "holds/urn%3Ax/default/1",
            "removed/1/proofs/x",
            "removed/1798761600000/media/x",
            "store/",
            "store/other",
            "media/x",
            &format!("{record}/01"),
            &format!("{record}/1/2"),
            &format!("{record}/"),
            &format!("removed/798761600000/{record}"),
            &format!("removed/1798761600000/removed/1798761600000/{record}"),
        ] {
            assert!(other.parse::<ObjectKey>().is_err(), "{other}");
        }
    }
}
