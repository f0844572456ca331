//! The entries of a ledger: one per item, with its state.

use credlink_core::hash::Digest;
use credlink_core::legacy::LegacyId;
use credlink_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Reason;
use crate::migration::Item;
use crate::migration::target::Target;

/// An item of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The item's key.
    pub key: String,
    /// The item's version, as the source reported it when this entry was written.
    pub item: String,
    /// The item's size in bytes.
    pub size: u64,
    /// The version of the entry: 1 for the first one of this key, and one more with every write.
    pub version: u64,
    /// The instant at which this entry was written.
    pub updated: Timestamp,
    /// The target that this job began to write when the destination had none. It stays through all states of the item,
    /// until the target is deleted at the destination by a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
    /// The instant of a rollback of this copy that is under way: a deletion at the destination at exactly this instant
    /// is the job's own. Any later write of the entry clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawing: Option<Timestamp>,
    /// The state of the item.
    #[serde(flatten)]
    pub state: ItemState,
}

impl Entry {
    /// Returns the item, as the source reported it when this entry was written.
    #[must_use]
    pub fn item(&self) -> Item {
        Item { key: self.key.clone(), size: self.size, version: self.item.clone() }
    }
}

/// A target that the destination did not have when this job began to write it. If the destination later has exactly the
/// item's content there, this job wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The target of the item.
    pub target: Target,
    /// The instant at which this job had deleted the target in a rollback, if it had. A new import names this instant
    /// to undo the deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<Timestamp>,
}

/// The states of an item in a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ItemState {
    /// The item was listed and sent to a queue.
    Planned,
    /// The item is being copied, and the destination had nothing of it when this was written.
    Copying {
        /// The target of the item.
        target: Target,
    },
    /// The item was copied.
    Copied(CopiedItem),
    /// The item was copied, and the copy was verified.
    Verified {
        /// The copy.
        #[serde(flatten)]
        copy: CopiedItem,
        /// The instant of the verification.
        at: Timestamp,
    },
    /// The item was copied, and removed from the source.
    Deleted {
        /// The copy.
        #[serde(flatten)]
        copy: CopiedItem,
        /// The instant of the removal.
        at: Timestamp,
    },
    /// The copy was deleted at the destination by a rollback.
    RolledBack {
        /// The target that the item had.
        target: Target,
        /// The instant of the deletion, which is the only deletion that a new run undoes.
        at: Timestamp,
    },
    /// The item was copied, and a verification found that the copy is missing or has other bytes. The next run copies
    /// the item again. The item stays lost unless that run finds or makes the copy.
    Lost {
        /// The copy.
        #[serde(flatten)]
        copy: CopiedItem,
        /// The finding of the verification, in words.
        detail: String,
    },
    /// The item could not be copied.
    Failed {
        /// The reason as a slug.
        reason: Reason,
        /// The reason in words.
        detail: String,
    },
    /// There is nothing to copy.
    Skipped {
        /// The reason as a slug.
        reason: Reason,
        /// The reason in words.
        detail: String,
    },
}

/// A copy of an item: everything that is needed to verify and to withdraw it without the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedItem {
    /// The target of the item.
    pub target: Target,
    /// For a proof, the legacy ID that leads to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<LegacyId>,
    /// The SHA-256 of the item's content at the source.
    pub source: Digest,
    /// `true` if this job made the copy. No other copy is ever withdrawn.
    pub created: bool,
    /// `true` if the destination has exactly what the item becomes. Otherwise the item is never removed from the
    /// source.
    pub exact: bool,
    /// The objects of the copy. For a proof: first its record, then its manifest if that is an object of its own. An
    /// alias has none.
    pub objects: Vec<StoredObject>,
}

impl CopiedItem {
    /// Returns the copy of an alias or a manifest at the destination. The job adds the digest of the source's content and
    /// whether it created the copy.
    #[must_use]
    pub fn beside_proofs(target: Target, objects: Vec<StoredObject>) -> Self {
        let source = Digest::from_bytes([0; 32]);
        Self { target, legacy: None, source, created: false, exact: true, objects }
    }
}

/// An object at the destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// The object's key.
    pub key: String,
    /// The SHA-256 of the object's content, with no content coding.
    pub content: Digest,
    /// The SHA-256 of the stored bytes, or `None` if only the destination knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Digest>,
    /// The CRC-64/NVME of the stored bytes, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<u64>,
    /// The content coding of the stored bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coding: Option<String>,
    /// `true` if the object is a manifest that only its tenant may read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

impl ItemState {
    /// Returns the copy unless it was withdrawn, even if a verification found it lost.
    #[must_use]
    pub const fn made(&self) -> Option<&CopiedItem> {
        match self {
            Self::Lost { copy, .. } => Some(copy),
            other => other.copy(),
        }
    }

    /// Returns the copy, if there is one and it was not found lost.
    #[must_use]
    pub const fn copy(&self) -> Option<&CopiedItem> {
        match self {
            Self::Copied(copy) | Self::Verified { copy, .. } | Self::Deleted { copy, .. } => Some(copy),
            Self::Planned
            | Self::Copying { .. }
            | Self::RolledBack { .. }
            | Self::Lost { .. }
            | Self::Failed { .. }
            | Self::Skipped { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_one_form() {
        let copy = CopiedItem {
            target: "ym32rzlpvukwoewqzin4wsrs3w55fqze".parse().unwrap(),
            legacy: Some("p-1".parse().unwrap()),
            source: Digest::of(b"s"),
            created: true,
            exact: true,
            objects: vec![StoredObject {
                key: "proofs/ym32rzlpvukwoewqzin4wsrs3w55fqze".to_owned(),
                content: Digest::of(b"r"),
                stored: Some(Digest::of(b"z")),
                crc64nvme: Some(7),
                coding: Some("gzip".to_owned()),
                private: false,
            }],
        };
        let at = Timestamp::from_milliseconds(9_000);
        for state in [
            ItemState::Planned,
            ItemState::Copying { target: copy.target.clone() },
            ItemState::Copied(copy.clone()),
            ItemState::Verified { copy: copy.clone(), at },
            ItemState::Deleted { copy: copy.clone(), at },
            ItemState::RolledBack { target: copy.target.clone(), at },
            ItemState::Lost { copy: copy.clone(), detail: "z".to_owned() },
            ItemState::Failed { reason: Reason::HashMismatch, detail: "x".to_owned() },
            ItemState::Skipped { reason: Reason::Duplicate, detail: "y".to_owned() },
        ] {
            let entry = Entry {
                key: "a/b.json".to_owned(),
                item: "v".to_owned(),
                size: 7,
                version: 3,
                updated: at,
                begun: Some(Begun { target: copy.target.clone(), restores: None }),
                withdrawing: Some(at),
                state,
            };
            let text = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
            if matches!(entry.state, ItemState::Verified { .. }) {
                insta::assert_snapshot!("entry", text);
            }
        }
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.slug());
        }
    }
}
