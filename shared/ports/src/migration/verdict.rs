//! The result of comparing a copy with the objects at a destination.

use credlink_core::access::Visibility;

use super::ledger::StoredObject;

/// The depth of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// By the provider's checksum of the stored bytes, or by content if it holds none.
    Checksum,
    /// Always by content.
    Content,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Record, manifest and legacy ID are as they were copied.
    Verified {
        /// The way in which this was established.
        by: Depth,
    },
    /// Something is missing. The text says what.
    Missing(String),
    /// Something has other bytes. The text says what, and how they differ.
    Corrupted(String),
    /// The bytes are right, but the provider names another content coding.
    EncodingDiffers(String),
    /// The proof was since replaced or deleted by somebody who may do so. The text says what happened. This is not a
    /// fault.
    Changed(String),
}

impl Verdict {
    /// Returns the verdict on the readers of an object, or `None` if nothing is wrong with them. `readers` is `None` if
    /// the destination does not report them. A manifest that was copied as private must be private.
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
