//! The targets of items at a destination: mostly proofs.

use std::fmt;
use std::str::FromStr;

use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::legacy::LegacyId;
use credlink_core::manifest::Manifest;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The thing that an item becomes at a destination.
///
/// In a ledger it is a text: the ID of a proof, `alias/{legacy id}/{proof id}`, or `manifest/{manifest id}`, followed
/// by `/{tenant}` for a tenant other than `default`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A proof.
    Proof(ProofId),
    /// An alias of an existing proof.
    Alias {
        /// The legacy ID.
        id: LegacyId,
        /// The proof to which the legacy ID leads.
        proof: ProofId,
    },
    /// A C2PA manifest that is stored for itself.
    Manifest(ManifestKey),
}

/// A text that is not a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a proof id nor `alias/LEGACY-ID/PROOF-ID` nor `manifest/MANIFEST-ID`")]
pub struct TargetError(String);

impl Target {
    /// Returns the ID of the proof, if the target is a proof.
    #[must_use]
    pub const fn proof(&self) -> Option<&ProofId> {
        match self {
            Self::Proof(id) => Some(id),
            Self::Alias { .. } | Self::Manifest(_) => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proof(id) => write!(f, "{id}"),
            Self::Alias { id, proof } => write!(f, "alias/{id}/{proof}"),
            Self::Manifest(key) => write!(f, "manifest/{key}"),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let target = if let Some(rest) = text.strip_prefix("alias/") {
            let names =
                rest.split_once('/').and_then(|(id, proof)| Some((id.parse().ok()?, proof.parse().ok()?)));
            names.map(|(id, proof)| Self::Alias { id, proof })
        } else if let Some(key) = text.strip_prefix("manifest/") {
            key.parse().ok().map(Self::Manifest)
        } else {
            text.parse().ok().map(Self::Proof)
        };
        target.ok_or_else(|| TargetError(text.chars().take(80).collect()))
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The form of an item in which a destination imports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A proof: its drafts in the order of their revisions, the current one last. At least one.
    Proof(Vec<Draft>),
    /// An alias of a proof.
    Alias(AliasDraft),
    /// A manifest that is stored for itself.
    Manifest(ManifestDraft),
}

/// A legacy ID that shall lead to an existing proof. It leads to the proof with the content that the source has, and to
/// no other proof of the same media file: no ID ever leads to another manifest than the one for which it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasDraft {
    /// The legacy ID.
    pub id: LegacyId,
    /// The ID of the proof, as derived for the tenant for which it was imported.
    pub proof: ProofId,
    /// The tenant for which the proof was imported.
    pub tenant: Tenant,
    /// The SHA-256 of the proof's manifest.
    pub manifest_sha256: Digest,
    /// The proof's detached signature.
    pub signature: Option<String>,
}

/// A C2PA manifest that is imported without a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestDraft {
    /// The manifest, which has an ID.
    pub manifest: Manifest,
    /// The tenant that will own the manifest.
    pub tenant: Tenant,
    /// The readers of the manifest.
    pub visibility: Visibility,
    /// The instant of the deletion that the import may undo. A manifest that was deleted at any other instant is not
    /// imported.
    pub restores: Option<Timestamp>,
}

impl Payload {
    /// Returns the target of the payload, or `None` if the payload is empty.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        match self {
            Self::Proof(drafts) => drafts.first().map(|draft| Target::Proof(draft.id())),
            Self::Alias(alias_draft) => {
                Some(Target::Alias { id: alias_draft.id.clone(), proof: alias_draft.proof })
            }
            Self::Manifest(manifest_draft) => manifest_draft
                .manifest
                .id()
                .map(|id| Target::Manifest(ManifestKey::new(&manifest_draft.tenant, id))),
        }
    }

    /// Returns the tenant that will own the target, or `None` if the payload is empty.
    #[must_use]
    pub fn tenant(&self) -> Option<&Tenant> {
        match self {
            Self::Proof(drafts) => drafts.first().map(|draft| &draft.tenant),
            Self::Alias(alias_draft) => Some(&alias_draft.tenant),
            Self::Manifest(manifest_draft) => Some(&manifest_draft.tenant),
        }
    }

    /// Returns the IDs of the C2PA manifests in the payload.
    pub fn manifest_ids(&self) -> impl Iterator<Item = &ManifestId> {
        let manifest_draft = match self {
            Self::Manifest(manifest_draft) => manifest_draft.manifest.id(),
            Self::Proof(_) | Self::Alias(_) => None,
        };
        self.drafts().iter().filter_map(|draft| draft.manifest.id()).chain(manifest_draft)
    }

    /// Returns the drafts of a proof, and none for any other payload.
    #[must_use]
    pub fn drafts(&self) -> &[Draft] {
        match self {
            Self::Proof(drafts) => drafts,
            Self::Alias(_) | Self::Manifest(_) => &[],
        }
    }

    /// Allows the import to undo the deletion at the instant `at`.
    pub fn restore(&mut self, at: Timestamp) {
        match self {
            Self::Proof(drafts) => {
                if let Some(origin) = drafts.first_mut().and_then(|draft| draft.origin.as_mut()) {
                    origin.restores = Some(at);
                }
            }
            Self::Manifest(manifest_draft) => manifest_draft.restores = Some(at),
            // A legacy ID can always be bound again.
            Self::Alias(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROOF: &str = "ym32rzlpvukwoewqzin4wsrs3w55fqze";

    #[test]
    fn every_target_has_one_text() {
        for (text, target) in [
            (PROOF.to_owned(), Target::Proof(PROOF.parse().unwrap())),
            (
                format!("alias/urn:old:7/{PROOF}"),
                Target::Alias { id: "urn:old:7".parse().unwrap(), proof: PROOF.parse().unwrap() },
            ),
            ("manifest/urn:c2pa:x".to_owned(), Target::Manifest("urn:c2pa:x".parse().unwrap())),
        ] {
            assert_eq!(target.to_string(), text);
            assert_eq!(text.parse(), Ok(target.clone()));
            assert_eq!(serde_json::to_value(&target).unwrap(), text);
            assert_eq!(serde_json::from_value::<Target>(text.into()).unwrap(), target);
        }
        for none in ["", "alias/x", "alias//x", "manifest/", "alias/a/b", "proofs/x"] {
            assert_eq!(none.parse::<Target>(), Err(TargetError(none.to_owned())));
        }
    }
}
