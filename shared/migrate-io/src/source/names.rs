//! The keys of a CredLink's items. A proof's key is its ID. Other items have `/aliases/{legacy id}`, or
//! `/manifests/{manifest id}` followed by `/{tenant}` for a tenant other than `default`. Those sort before every proof
//! ID, so that a rollback, which goes backwards, deletes proofs before the manifests that they refer to.

use std::fmt;
use std::str::FromStr;

use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::legacy::LegacyId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::proof_id::ProofId;

const ALIASES: &str = "/aliases/";
const MANIFESTS: &str = "/manifests/";

/// The item that a key names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A proof.
    Proof(ProofId),
    /// A legacy ID that leads to a proof.
    Alias(LegacyId),
    /// A C2PA manifest that was stored for itself.
    Manifest(ManifestKey),
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proof(id) => write!(f, "{id}"),
            Self::Alias(id) => write!(f, "{ALIASES}{id}"),
            Self::Manifest(key) => write!(f, "{MANIFESTS}{key}"),
        }
    }
}

impl FromStr for Named {
    type Err = ();

    fn from_str(key: &str) -> Result<Self, ()> {
        let named = if let Some(id) = key.strip_prefix(ALIASES) {
            id.parse().ok().map(Self::Alias)
        } else if let Some(id) = key.strip_prefix(MANIFESTS) {
            id.parse().ok().map(Self::Manifest)
        } else {
            key.parse().ok().map(Self::Proof)
        };
        named.ok_or(())
    }
}

/// Returns the version of a manifest that was stored for itself. Its content never changes, but its visibility may.
pub fn manifest_version(sha256: &Digest, visibility: Visibility) -> String {
    match visibility {
        Visibility::Public => sha256.to_string(),
        Visibility::Private => format!("{sha256} private"),
    }
}

/// Returns `true` if a key is an alias of a proof. The proof must be imported first.
pub fn is_alias(key: &str) -> bool {
    key.starts_with(ALIASES)
}

/// The part that a listing is in. Parts come one after the other, with aliases last, after the proofs that they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Proofs.
    Proofs,
    /// Manifests.
    Manifests,
    /// Legacy IDs.
    Aliases,
}

impl Part {
    /// Returns the part that a cursor is in and the cursor within it, or `None` if the text is not a cursor.
    pub fn read(after: Option<&str>) -> Option<(Self, Option<&str>)> {
        let Some(after) = after else { return Some((Self::Proofs, None)) };
        let (part, rest) = after.split_once('.')?;
        let part = match part {
            "p" => Self::Proofs,
            "m" => Self::Manifests,
            "a" => Self::Aliases,
            _ => return None,
        };
        Some((part, Some(rest).filter(|rest| !rest.is_empty())))
    }

    /// Returns the cursor after a page of this part, whose own next cursor is `next`.
    pub fn cursor(self, next: Option<&str>) -> Option<String> {
        let (part, rest) = match (self, next) {
            (Self::Proofs, Some(next)) => ("p", next),
            (Self::Proofs, None) => ("m", ""),
            (Self::Manifests, Some(next)) => ("m", next),
            (Self::Manifests, None) => ("a", ""),
            (Self::Aliases, Some(next)) => ("a", next),
            (Self::Aliases, None) => return None,
        };
        Some(format!("{part}.{rest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_names_one_thing() {
        let proof = "ym32rzlpvukwoewqzin4wsrs3w55fqze";
        for key in [proof, "/aliases/urn:old:7", "/manifests/urn:c2pa:x", "/manifests/urn:c2pa:x/acme"] {
            assert_eq!(key.parse::<Named>().unwrap().to_string(), key);
            assert_eq!(is_alias(key), key.starts_with("/a"));
            assert!(key == proof || key < "2", "a proof id begins with a letter, or a digit from 2");
        }
        for none in ["", "/aliases/", "/manifests/x", "/proofs/a", "aliases/a"] {
            assert_eq!(none.parse::<Named>(), Err(()), "{none}");
        }
    }

    #[test]
    fn a_listing_goes_through_its_parts() {
        assert_eq!(Part::read(None), Some((Part::Proofs, None)));
        let (mut after, mut parts) = (None, Vec::new());
        while parts.len() < 10 {
            let (part, place) = Part::read(after.as_deref()).unwrap();
            parts.push((part, place.map(str::to_owned)));
            // Two pages of each part.
            after = part.cursor(if place.is_none() { Some("x.y") } else { None });
            if after.is_none() {
                break;
            }
        }
        let both = |part| [(part, None), (part, Some("x.y".to_owned()))];
        assert_eq!(parts, [Part::Proofs, Part::Manifests, Part::Aliases].map(both).concat());
        assert_eq!(Part::read(Some("x")), None);
        assert_eq!(Part::read(Some("z.y")), None);
    }
}
