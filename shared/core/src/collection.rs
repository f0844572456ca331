//! Collections: the rules for files of one purpose, as the operator configures them.
//!
//! | to find | look in |
//! |---|---|
//! | the rules of a collection | [`Collection`] |
//! | rendition profiles, and the size of a rendition | [`Profile`], [`Geometry`] |
//! | what happens to metadata, provenance, locations, animations | [`Metadata`], [`Provenance`], [`ParentLocation`], [`Animation`] |
//! | the configuration, and what is wrong with it | [`Collections`], [`CollectionsError`] |
//! | the collections that are built in | `defaults` |

mod check;
mod defaults;
mod document;
mod policy;
mod profile;

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::cache_policy::CachePolicy;
use crate::file::{Access, FileClass, FileType};

pub use check::CollectionsError;
pub use document::Collections;
pub use policy::{Animation, Cache, ExtractedField, Metadata, ParentLocation, Provenance, Published};
pub use profile::{Encoding, Fit, Geometry, Profile};

/// The rules of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// The version of these rules, which the record of every file of the collection names. An operator who changes the
    /// rules increases it.
    pub version: NonZeroU32,
    /// The types that files may have, by their content.
    pub types: BTreeSet<FileType>,
    /// The longest file, in bytes.
    pub max_bytes: u64,
    /// The most pixels of one frame of a picture.
    #[serde(default = "default_pixels")]
    pub max_pixels: u64,
    /// The most frames of a picture: 1, or more if animations are kept.
    #[serde(default = "one")]
    pub max_frames: u32,
    /// The most files in the list of an entity, or `None` for as many as a list can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_entity: Option<u32>,
    /// The access of a file whose uploader asks for no other.
    pub access: Access,
    /// The widest access that a file may be given; `access` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widest_access: Option<Access>,
    /// The profiles of the renditions that are made of every picture.
    #[serde(default)]
    pub renditions: Vec<Profile>,
    /// The handling of metadata.
    #[serde(default)]
    pub metadata: Metadata,
    /// The provenance of renditions.
    #[serde(default)]
    pub provenance: Provenance,
    /// The handling of a signed original whose manifest carries a location, where renditions are signed.
    #[serde(default)]
    pub parent_location: ParentLocation,
    /// The handling of animated pictures.
    #[serde(default)]
    pub animation: Animation,
    /// The caches that may keep public files.
    #[serde(default)]
    pub cache: Cache,
    /// The lifetime of a file in seconds, or `None` for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

const fn default_pixels() -> u64 {
    50_000_000
}

const fn one() -> u32 {
    1
}

impl Collection {
    /// Returns the widest access that a file may be given.
    #[must_use]
    pub fn widest_access(&self) -> Access {
        self.widest_access.unwrap_or(self.access)
    }

    /// Returns the most files in the list of an entity.
    #[must_use]
    pub fn max_per_entity(&self) -> usize {
        let most = crate::bounds::MAX_LIST;
        self.max_per_entity.and_then(|max| usize::try_from(max).ok()).unwrap_or(most).min(most)
    }

    /// Returns `true` if everybody who may read a file of this type gets the bytes that were uploaded. The original of a
    /// picture whose metadata is stripped is for its owner alone: it may tell where it was taken.
    #[must_use]
    pub fn shows_original(&self, kind: FileType) -> bool {
        kind.class() != FileClass::Picture || self.metadata.published == Published::Keep
    }

    /// Returns the cache policy of the bytes of a file.
    #[must_use]
    pub fn cache_policy(&self, access: Access, kind: FileType) -> CachePolicy {
        match (access, self.cache) {
            (Access::Public, Cache::ByType) => CachePolicy::of(kind.class()),
            (Access::Authenticated | Access::Private, _) | (_, Cache::None) => CachePolicy::Nothing,
        }
    }
}
