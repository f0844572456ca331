//! The result of comparing a copy with what stands at a destination.

use credlink_core::access::Visibility;

use super::ledger::StoredObject;

/// How to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// By the checksum that the provider holds of the stored bytes, by content where it holds none.
    Checksum,
    /// Always by content.
    Content,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Record, manifest and legacy id are what was copied.
    Verified {
        /// Which way it was found out.
        by: Depth,
    },
    /// Something is not there: what.
    Missing(String),
    /// Something is other bytes: what, and how.
    Corrupted(String),
    /// The bytes are right, but their content coding is said to be another one.
    EncodingDiffers(String),
    /// The proof was replaced or deleted since, by somebody who may: what happened. No fault.
    Changed(String),
}

impl Verdict {
    /// The verdict on the readers of an object, which are `None` where the destination does not tell them. A manifest that was
    /// copied as a private one has to be private.
    #[must_use]
    pub fn of_readers(object: &StoredObject, readers: Option<Visibility>) -> Option<Self> {
        let key = &object.key;
        match readers {
            _ if !object.private => None,
            Some(Visibility::Private) => None,
            Some(Visibility::Public) => {
                Some(Self::Changed(format!("{key} was copied as private, and is public")))
            }
            None => {
                let detail = "was copied as private, and the destination does not say who may read it";
                Some(Self::Changed(format!("{key} {detail}")))
            }
        }
    }
}
