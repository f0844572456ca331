//! The collections that are built in.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::{
    Animation, Cache, Collection, Encoding, ExtractedField, Fit, Metadata, ParentLocation, Profile,
    Provenance, Published,
};
use crate::file::{Access, CollectionName, FileType, Format};

/// The types of photos that every finaliser decodes. HEIC and AVIF need a decoder that is not always built in.
const PHOTOS: [FileType; 4] = [FileType::Jpeg, FileType::Png, FileType::Webp, FileType::Gif];

/// Returns the collections that are built in.
pub(super) fn defaults() -> impl Iterator<Item = (CollectionName, Collection)> {
    let all = [
        ("item-photo", item_photo()),
        ("profile-photo", profile_photo()),
        ("verification-document", verification_document()),
        ("temp", temp()),
    ];
    all.into_iter().filter_map(|(name, collection)| Some((CollectionName::from_str(name).ok()?, collection)))
}

/// Photos of an item: up to 20, in order, for everybody.
fn item_photo() -> Collection {
    Collection {
        types: BTreeSet::from(PHOTOS),
        max_bytes: 25_000_000,
        max_per_entity: Some(20),
        access: Access::Public,
        renditions: profiles([
            ("thumbnail", Fit::Inside, 300),
            ("medium", Fit::Inside, 800),
            ("large", Fit::Inside, 1_200),
        ]),
        metadata: Metadata {
            published: Published::Strip,
            extract: BTreeSet::from([ExtractedField::Camera, ExtractedField::Time]),
        },
        ..plain()
    }
}

/// The photo of a person, one for each, for everybody. Its square has a name of its own, because it shows another part
/// than the `thumbnail` of an item.
fn profile_photo() -> Collection {
    Collection {
        types: BTreeSet::from(PHOTOS),
        max_bytes: 10_000_000,
        max_per_entity: Some(1),
        access: Access::Public,
        renditions: profiles([("square", Fit::Cover, 300), ("medium", Fit::Inside, 800)]),
        ..plain()
    }
}

/// Documents that prove who somebody is: private for ever.
fn verification_document() -> Collection {
    Collection {
        types: BTreeSet::from([FileType::Pdf, FileType::Jpeg, FileType::Png]),
        max_bytes: 20_000_000,
        max_per_entity: Some(10),
        metadata: Metadata { published: Published::Keep, extract: BTreeSet::new() },
        provenance: Provenance::None,
        ..plain()
    }
}

/// Temporary files, for a day.
fn temp() -> Collection {
    Collection {
        types: FileType::ALL.iter().copied().collect(),
        max_bytes: 100_000_000,
        metadata: Metadata { published: Published::Keep, extract: BTreeSet::new() },
        provenance: Provenance::None,
        cache: Cache::None,
        expires_in: Some(86_400),
        ..plain()
    }
}

fn plain() -> Collection {
    Collection {
        version: NonZeroU32::MIN,
        types: BTreeSet::new(),
        max_bytes: 0,
        max_pixels: super::default_pixels(),
        max_frames: super::one(),
        max_per_entity: None,
        access: Access::Private,
        widest_access: None,
        renditions: Vec::new(),
        metadata: Metadata::default(),
        provenance: Provenance::Bind,
        parent_location: ParentLocation::Redact,
        animation: Animation::Refuse,
        cache: Cache::ByType,
        expires_in: None,
    }
}

/// Returns profiles with squares of these sides, as JPEG and as WebP.
fn profiles<const N: usize>(sides: [(&str, Fit, u32); N]) -> Vec<Profile> {
    let encoding = |format| Encoding { format, quality: Some(80), progressive: false };
    let profile = |(name, fit, side): (&str, Fit, u32)| {
        Some(Profile {
            name: name.parse().ok()?,
            version: NonZeroU32::MIN,
            fit,
            width: side,
            height: side,
            formats: vec![encoding(Format::Jpeg), encoding(Format::Webp)],
        })
    };
    sides.into_iter().filter_map(profile).collect()
}
