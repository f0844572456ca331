//! The checks of a collection, and what they find.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Animation, Collection, Profile, Published};
use crate::bounds::{
    MAX_FILE_BYTES, MAX_FRAMES, MAX_LIFETIME_SECONDS, MAX_LIST, MAX_PIXELS, MAX_PROFILES, MAX_RENDITION_SIDE,
};
use crate::file::{Access, CollectionName, FileClass, Format};

/// The error for a configuration of collections: where it is wrong, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionsError {
    /// The path of the member, such as `collections.item-photo.max_bytes`, or `None` for the document.
    pub at: Option<String>,
    /// The fault, and what is allowed.
    pub detail: String,
}

impl CollectionsError {
    pub(super) fn at(path: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self { at: Some(path.into()), detail: detail.to_string() }
    }

    pub(super) fn whole(detail: impl fmt::Display) -> Self {
        Self { at: None, detail: detail.to_string() }
    }
}

impl fmt::Display for CollectionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(path) => write!(f, "the collections are invalid: `{path}`: {}", self.detail),
            None => write!(f, "the collections are invalid: {}", self.detail),
        }
    }
}

impl std::error::Error for CollectionsError {}

/// The shortest lifetime of a file, in seconds: what a client needs to read it at all.
const MIN_EXPIRY_SECONDS: u64 = 60;

/// Checks what the types of the members cannot say.
pub(super) fn check(name: &CollectionName, collection: &Collection) -> Result<(), CollectionsError> {
    let at = |member: &str| format!("collections.{name}.{member}");
    let within = |member: &str, number: u64, lowest: u64, highest: u64| {
        if (lowest..=highest).contains(&number) {
            return Ok(());
        }
        Err(CollectionsError::at(at(member), format!("{lowest} to {highest}, not {number}")))
    };
    if collection.types.is_empty() {
        return Err(CollectionsError::at(at("types"), "name one media type or more"));
    }
    within("max_bytes", collection.max_bytes, 1, MAX_FILE_BYTES)?;
    within("max_pixels", collection.max_pixels, 1, MAX_PIXELS)?;
    within("max_frames", collection.max_frames.into(), 1, MAX_FRAMES.into())?;
    match (collection.animation, collection.max_frames) {
        (Animation::Refuse, 2..) => {
            return Err(CollectionsError::at(at("max_frames"), "1, because `animation` is `refuse`"));
        }
        (Animation::Keep, 0..=1) => {
            let detail = format!("2 to {MAX_FRAMES}, because `animation` is `keep`");
            return Err(CollectionsError::at(at("max_frames"), detail));
        }
        _ => {}
    }
    if let Some(max) = collection.max_per_entity {
        within("max_per_entity", max.into(), 1, MAX_LIST as u64)?;
    }
    let widest = collection.widest_access();
    if collection.access > widest {
        let detail = format!("at most `{widest}`, which is `widest_access`, not `{}`", collection.access);
        return Err(CollectionsError::at(at("access"), detail));
    }
    let has_pictures = collection.types.iter().any(|kind| kind.class() == FileClass::Picture);
    if collection.metadata.published == Published::Keep && has_pictures && widest != Access::Private {
        let detail = "`strip`, because pictures may tell where they were taken; `keep` is allowed if all files are \
                      `private`, or no type is a picture";
        return Err(CollectionsError::at(at("metadata.published"), detail));
    }
    if let Some(seconds) = collection.expires_in {
        within("expires_in", seconds, MIN_EXPIRY_SECONDS, MAX_LIFETIME_SECONDS)?;
    }
    if !collection.renditions.is_empty() && !has_pictures {
        return Err(CollectionsError::at(at("renditions"), "none, because `types` has no picture"));
    }
    if collection.renditions.len() > MAX_PROFILES {
        let detail = format!("at most {MAX_PROFILES} profiles, not {}", collection.renditions.len());
        return Err(CollectionsError::at(at("renditions"), detail));
    }
    let mut names = BTreeMap::new();
    for (place, profile) in collection.renditions.iter().enumerate() {
        let path = at(&format!("renditions[{place}]"));
        if let Some(other) = names.insert(&profile.name, place) {
            let other = at(&format!("renditions[{other}]"));
            let detail = format!("`{}` is already the name of `{other}`", profile.name);
            return Err(CollectionsError::at(format!("{path}.name"), detail));
        }
        check_profile(&path, profile)?;
    }
    Ok(())
}

fn check_profile(path: &str, profile: &Profile) -> Result<(), CollectionsError> {
    for (member, side) in [("width", profile.width), ("height", profile.height)] {
        if !(1..=MAX_RENDITION_SIDE).contains(&side) {
            let detail = format!("1 to {MAX_RENDITION_SIDE}, not {side}");
            return Err(CollectionsError::at(format!("{path}.{member}"), detail));
        }
    }
    let mut formats = BTreeSet::new();
    for (place, encoding) in profile.formats.iter().enumerate() {
        let path = format!("{path}.formats[{place}]");
        if !formats.insert(encoding.format) {
            let detail = format!("`{}` is given twice", encoding.format);
            return Err(CollectionsError::at(path, detail));
        }
        match encoding.quality {
            Some(_) if encoding.format == Format::Png => {
                let detail = "none, because `png` loses nothing";
                return Err(CollectionsError::at(format!("{path}.quality"), detail));
            }
            Some(quality) if !(1..=100).contains(&quality) => {
                let detail = format!("1 to 100, not {quality}");
                return Err(CollectionsError::at(format!("{path}.quality"), detail));
            }
            _ => {}
        }
        if encoding.progressive && encoding.format != Format::Jpeg {
            let detail = "only `jpg` can be progressive";
            return Err(CollectionsError::at(format!("{path}.progressive"), detail));
        }
    }
    if !formats.iter().any(|format| format.is_universal()) {
        let detail = "`jpg` or `png` must be among them, for clients that show no other format";
        return Err(CollectionsError::at(format!("{path}.formats"), detail));
    }
    Ok(())
}
