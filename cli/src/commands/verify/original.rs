//! The original of a rendition: the way from a thumbnail to the credentials of what it was made of.

use credlink_core::file::FileType;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::manifest::ManifestType;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_verify::checks::{Check, Outcome};
use credlink_verify::report::Parent;
use serde::Deserialize;

use crate::client::Client;
use crate::error::Trouble;

/// The name of the check.
const ABOUT: &str = "original";

/// The reader who sees what is private.
const READERS: &str = "what is private, its owner sees with --token";

/// The original of a rendition, as the rendition's manifest names it.
pub(super) struct Original {
    proof: ProofId,
    said: String,
    /// The hash of the original, if it is said.
    hash: Option<MediaHash>,
}

/// The record of a rendition, as far as it is of interest.
#[derive(Deserialize)]
struct Bound {
    relation: String,
    of: MediaHash,
    proof: ProofId,
    profile: String,
    format: FileType,
}

impl Original {
    /// Reads the record that a rendition has with `provenance = bind`.
    pub(super) fn of_record(manifest: &[u8]) -> Option<Self> {
        let bound: Bound = serde_json::from_slice(manifest).ok()?;
        let said = format!(
            "it is a copy of the file {}, by the profile {} as {}; the service says so, and does not sign it",
            bound.of, bound.profile, bound.format
        );
        (bound.relation == "rendition").then_some(Self { proof: bound.proof, said, hash: Some(bound.of) })
    }

    /// Reads the parent that a signed manifest names, if the parent's proof has an address as this service gives it. Only the ID
    /// is taken from the address: nobody else's server is asked.
    pub(super) fn of_parent(parent: &Parent) -> Option<Self> {
        let address = parent.information.as_deref()?;
        let (_, id) = address.rsplit_once("/v1/proofs/")?;
        let said = "it is a copy, and its signed manifest names the original".to_owned();
        Some(Self { proof: id.parse().ok()?, said, hash: None })
    }

    /// Looks for the proof of the original and its manifest.
    pub(super) fn look(&self, client: &Client) -> Result<Check, Trouble> {
        let told = |outcome, rest: &str| Ok(Check::new(ABOUT, outcome, format!("{}; {rest}", self.said)));
        let id = self.proof;
        let answer = match client.record(&id) {
            Ok(answer) => answer,
            Err(trouble) if trouble.is_absence() || trouble.is_refusal() => {
                return told(
                    Outcome::Open,
                    &format!(
                        "the original's proof {id} is not available to this reader: the original came without credentials, or \
                         its proof was deleted or is private; {READERS}"
                    ),
                );
            }
            Err(trouble) => return Err(trouble),
        };
        let record = match Record::parse(&answer.body) {
            Ok(record) if record.id == id && self.hash.is_none_or(|hash| hash == record.media_hash) => record,
            Ok(_) => return told(Outcome::Fails, &format!("the proof {id} is of another file")),
            Err(error) => {
                return told(Outcome::Fails, &format!("the original's proof {id} cannot be read: {error}"));
            }
        };
        let of = record.media_hash;
        let Some(manifest) = record.manifest.id.filter(|_| record.manifest.kind == ManifestType::C2pa) else {
            return told(
                Outcome::Holds,
                &format!("the original's proof {id}, of {of}, is here, with a JSON manifest"),
            );
        };
        match client.manifest_of(&record.tenant, &manifest) {
            Ok(answer) if Digest::of(&answer.body) == record.manifest.sha256 => told(
                Outcome::Holds,
                &format!("the original's proof {id}, of {of}, is here, with its C2PA manifest {manifest}"),
            ),
            Ok(_) => {
                told(Outcome::Fails, &format!("the original's manifest {manifest} is not the recorded one"))
            }
            Err(trouble) if trouble.is_absence() || trouble.is_refusal() => told(
                Outcome::Open,
                &format!(
                    "the original's proof {id} is here, and its manifest {manifest} is not available to this reader: it is \
                     private, or was lost; {READERS}"
                ),
            ),
            Err(trouble) => Err(trouble),
        }
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::tenant::Tenant;

    use super::*;

    fn id() -> ProofId {
        ProofId::derive(&Tenant::default(), &MediaHash::of(b""))
    }

    #[test]
    fn a_record_names_the_original() {
        let hash = MediaHash::of(b"");
        let text = |relation: &str| {
            format!(
                r#"{{"relation":"{relation}","of":"{hash}","proof":"{}","profile":"large@1","format":"image/webp","width":3}}"#,
                id()
            )
        };
        let found = Original::of_record(text("rendition").as_bytes()).unwrap();
        assert_eq!((found.proof, found.hash), (id(), Some(hash)));
        assert!(found.said.contains("large@1 as image/webp"), "{}", found.said);
        for other in [text("translation"), "{}".to_owned(), "[]".to_owned()] {
            assert!(Original::of_record(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_parent_is_found_by_the_id_in_its_address() {
        let parent = |information: Option<&str>| Parent { information: information.map(str::to_owned) };
        let address = format!("https://cdn.example.com/v1/proofs/{}", id());
        assert_eq!(Original::of_parent(&parent(Some(&address))).unwrap().proof, id());
        for other in [None, Some("https://example.com/about"), Some("https://example.com/v1/proofs/x")] {
            assert!(Original::of_parent(&parent(other)).is_none(), "{other:?}");
        }
    }
}
