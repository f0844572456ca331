//! The reasons for which an item is not copied.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares the reasons: name, slug and meaning in one place, so that reports and documentation cannot differ.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident, $slug:literal;)+) => {
        /// Why an item was not copied.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name that scripts know it by.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)+ }
            }
        }
    };
}

reasons! {
    /// The item cannot be read as text or unpacked, or is no legacy record.
    InvalidRecord, "invalid-record";
    /// The manifest is none that CredLink takes.
    InvalidManifest, "invalid-manifest";
    /// The manifest names another media file than the record.
    HashMismatch, "hash-mismatch";
    /// Another proof of this media file has another manifest or signature.
    Conflict, "conflict";
    /// The manifest id has another content already.
    ManifestConflict, "manifest-conflict";
    /// The legacy id names another proof already.
    AliasConflict, "alias-conflict";
    /// It is another name of a proof that is not at the destination.
    ProofMissing, "proof-missing";
    /// It is another tenant's at the source than the one that the job is for.
    OtherTenant, "other-tenant";
    /// The destination refuses it for another cause.
    Refused, "refused";
    /// What the source holds is not what was written there.
    Damaged, "damaged";
    /// It was listed, and is not there any more.
    Vanished, "vanished";
    /// It was copied, and a verification found that it does not stand there any more, or that other bytes do.
    Lost, "lost";
    /// The destination did not answer, time and again, for this item while it did for others.
    Unavailable, "unavailable";
    /// It is not copied: the destination has the proof already, of elsewhere or of another item.
    Duplicate, "duplicate";
    /// It expired before it was copied.
    Expired, "expired";
    /// It was deleted at the destination, and stays deleted.
    Deleted, "deleted";
    /// It is another name of a proof that was deleted at the source or has expired there.
    Gone, "gone";
    /// It is another tenant's at the source than the one that the job was told to take.
    LeftOut, "left-out";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}
