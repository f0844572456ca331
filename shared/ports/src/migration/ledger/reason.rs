//! The reasons for which an item is not copied.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares the reasons with name, slug and meaning in one place, so that reports and documentation cannot differ.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident, $slug:literal;)+) => {
        /// The reasons for which an item is not copied.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the name by which scripts know the reason.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)+ }
            }
        }
    };
}

reasons! {
    /// The item cannot be read as text or unpacked, or is not a legacy record.
    InvalidRecord, "invalid-record";
    /// The manifest is not one that CredLink accepts.
    InvalidManifest, "invalid-manifest";
    /// The manifest names another media file than the record does.
    HashMismatch, "hash-mismatch";
    /// Another proof of this media file has another manifest or signature.
    Conflict, "conflict";
    /// The manifest ID already has other content.
    ManifestConflict, "manifest-conflict";
    /// The legacy ID already leads to another proof.
    AliasConflict, "alias-conflict";
    /// The item is an alias of a proof that is not at the destination.
    ProofMissing, "proof-missing";
    /// The item belongs to another tenant at the source than the tenant of the job.
    OtherTenant, "other-tenant";
    /// The destination refuses the item for another reason.
    Refused, "refused";
    /// The content at the source is not what was written there.
    Damaged, "damaged";
    /// The item was listed, and is no longer there.
    Vanished, "vanished";
    /// The item was copied, and a verification found that the copy is missing or has other bytes.
    Lost, "lost";
    /// The destination repeatedly did not answer for this item, while it did for others.
    Unavailable, "unavailable";
    /// The item is not copied because the destination already has the proof, from elsewhere or from another item.
    Duplicate, "duplicate";
    /// The item expired before it was copied.
    Expired, "expired";
    /// The target was deleted at the destination, and stays deleted.
    Deleted, "deleted";
    /// The item is an alias of a proof that was deleted at the source or has expired there.
    Gone, "gone";
    /// The item belongs to another tenant at the source than the one that the job was told to import.
    LeftOut, "left-out";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}
