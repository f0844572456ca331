//! The entries of a ledger: one an item, with its state.

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
    /// The item's version, as the source told it when this was written.
    pub item: String,
    /// The item's size in bytes.
    pub size: u64,
    /// 1 for the first entry of this key, and one more with every write.
    pub version: u64,
    /// When this was written.
    pub updated: Timestamp,
    /// What this job began to make of the item while the destination had none of it. It stays, whatever becomes of the item,
    /// until that is deleted at the destination again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
    /// When what was copied was about to be deleted at the destination again: a deletion there at this very instant is this
    /// job's. Whatever else is written of the item takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawing: Option<Timestamp>,
    /// Where the item is.
    #[serde(flatten)]
    pub state: ItemState,
}

impl Entry {
    /// The item, as the source told it when this was written.
    #[must_use]
    pub fn item(&self) -> Item {
        Item { key: self.key.clone(), size: self.size, version: self.item.clone() }
    }
}

/// Something that the destination did not have when this job began to write it: if it is exactly the item's there later, this
/// job made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// What the item becomes.
    pub target: Target,
    /// Of something that this job had deleted there again: when it did, which is what importing it once more names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<Timestamp>,
}

/// Where an item is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ItemState {
    /// It was seen, and sent to a queue.
    Planned,
    /// It is being copied, and the destination had nothing of it when this was written.
    Copying {
        /// What it becomes.
        target: Target,
    },
    /// It was copied.
    Copied(CopiedItem),
    /// It was copied, and found to be there.
    Verified {
        /// What was copied.
        #[serde(flatten)]
        copy: CopiedItem,
        /// When it was found to be there.
        at: Timestamp,
    },
    /// It was removed from the source.
    Deleted {
        /// What was copied.
        #[serde(flatten)]
        copy: CopiedItem,
        /// When it was removed.
        at: Timestamp,
    },
    /// What was copied was deleted at the destination again.
    RolledBack {
        /// What it had become.
        target: Target,
        /// When it was deleted: the only deletion that a new run undoes.
        at: Timestamp,
    },
    /// It was copied, and a verification found that it does not stand there any more, or that other bytes do. The next run copies
    /// it again, and it stays lost unless it stands there then.
    Lost {
        /// What was copied.
        #[serde(flatten)]
        copy: CopiedItem,
        /// What was found, in words.
        detail: String,
    },
    /// It could not be copied.
    Failed {
        /// Why.
        reason: Reason,
        /// In words.
        detail: String,
    },
    /// There is nothing to copy.
    Skipped {
        /// Why.
        reason: Reason,
        /// In words.
        detail: String,
    },
}

/// What was copied: enough to verify and to withdraw it, without the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedItem {
    /// What the item became.
    pub target: Target,
    /// Of a proof: the legacy id that leads to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<LegacyId>,
    /// SHA-256 of the content of the source's item.
    pub source: Digest,
    /// Whether this job made it. Only such are ever withdrawn.
    pub created: bool,
    /// Whether what is there is exactly the one that the item makes. Only of such is the source's item ever removed.
    pub exact: bool,
    /// The objects that it is: of a proof the record first, then its manifest if that is an object of its own; none of another
    /// name.
    pub objects: Vec<StoredObject>,
}

/// An object at the destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// SHA-256 of its content, with no content coding.
    pub content: Digest,
    /// SHA-256 of its bytes as stored; `None` where only the destination knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Digest>,
    /// CRC-64/NVME of its bytes as stored, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<u64>,
    /// The content coding that it is stored in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coding: Option<String>,
    /// `true` if it is a manifest that its tenant alone may read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

impl ItemState {
    /// The copy, also where it was found lost, as long as nobody has withdrawn it.
    #[must_use]
    pub const fn made(&self) -> Option<&CopiedItem> {
        match self {
            Self::Lost { copy, .. } => Some(copy),
            other => other.copy(),
        }
    }

    /// What was copied, if it was and is still said to be there.
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
