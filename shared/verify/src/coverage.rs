//! The part of a file that a hard binding covers: all of it except the place of its manifest, or less. Anything that is
//! excluded can be changed at will, so only that place may be (C2PA 2.x, section 15.12). c2pa-rs looks for that one
//! exclusion, and merely notes that there are others.

mod boxes;
mod fragments;
mod inert_boxes;
mod manifest_place;
mod next_bytes;
mod picture_end;

use std::io::{self, Read, Seek};

use serde::{Deserialize, Serialize};

use boxes::C2PA_UUID;

use crate::binding::{BaseMedia, Binding, BoxExclusion, Part};
use crate::byte_range::ByteRange;

/// The name of the manifest's place in a box hash.
const C2PA_PART: &str = "C2PA";
/// Boxes that no picture or video depends on, unless a table points into them ([`inert_boxes`]): brands, an index of
/// fragments, and free space.
const IDLE_BOXES: [&str; 4] = ["/ftyp", "/mfra", "/free", "/skip"];
/// The boxes with the positions of the content in the file. C2PA 1.0 excludes them, because they change when the
/// manifest is inserted, and some signers still do.
const POSITIONS: [&str; 6] = [
    "/meta/iloc",
    "/mfra/tfra",
    "/moov/trak/mdia/minf/stbl/stco",
    "/moov/trak/mdia/minf/stbl/co64",
    "/moof/traf/tfhd",
    "/moof/traf/trun",
];
/// Bytes that are excluded at the beginning of a video's content whose blocks have hashes: the head of its box, in its
/// longest form.
const CONTENT_HEAD: u64 = 16;

/// The words about everything that no hash covers.
const UNKNOWN: &str = "nothing says what stands there";

/// The part of a file that a hard binding covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coverage {
    /// All of the file except the place of its manifest.
    Whole,
    /// All except that place and something that the picture does not depend on, which the text describes.
    Nearly(String),
    /// Less than that, for the reason in the text.
    Less(String),
    /// All of the head of a fragmented video, whose fragments are separate files.
    Head,
}

/// The file that a manifest is validated with.
pub struct BoundFile<'a, F> {
    /// The bytes of the file.
    pub file: F,
    /// The format that it is read as.
    pub format: &'a str,
    /// The length of the manifest in the file, or `None` if the validated manifest is not in it.
    pub manifest: Option<u64>,
}

/// Returns the part of the file that `binding` covers.
pub fn of(binding: &Binding, mut media: BoundFile<'_, impl Read + Seek + Send>) -> io::Result<Coverage> {
    match binding {
        Binding::Data(exclusions) => of_data(exclusions, &mut media),
        Binding::BaseMedia(hash) => of_base_media(hash, &mut media.file),
        Binding::Boxes(parts) => of_parts(parts, &mut media.file),
        Binding::Unknown => less("CredLink cannot tell what its hash leaves out"),
    }
}

fn of_data(exclusions: &[ByteRange], media: &mut BoundFile<'_, impl Read + Seek>) -> io::Result<Coverage> {
    let mut left_out: Vec<_> = exclusions.iter().filter(|range| range.length > 0).copied().collect();
    let Some(manifest) = media.manifest else { return Ok(ranges(&left_out)) };
    // The exclusion whose length is closest to that of the manifest is taken for the manifest's place.
    let own = (0..left_out.len()).min_by_key(|index| left_out[*index].length.abs_diff(manifest));
    let Some(own) = own.map(|index| left_out.remove(index)) else { return Ok(Coverage::Whole) };
    let is_its_place = manifest_place::is_manifests(&mut media.file, own, media.format, manifest)?;
    if left_out.is_empty()
        && !is_its_place
        && let Some(before) = manifest_place::metadata_before(&mut media.file, own)?
    {
        let last = before.saturating_sub(1);
        return Ok(Coverage::Nearly(format!(
            "bytes 0 to {last} are metadata before the manifest, and may have been changed"
        )));
    }
    if !is_its_place {
        left_out.insert(0, own);
    }
    let lengths = manifest_place::lengths_in_directories(&mut media.file)?;
    left_out.retain(|range| !lengths.contains(range));
    Ok(ranges(&left_out))
}

/// Returns the coverage of a hash that excludes these bytes of a file.
fn ranges(left_out: &[ByteRange]) -> Coverage {
    let words = left_out.iter().map(|range| format!("{} to {}", range.start, range.end().saturating_sub(1)));
    match words.collect::<Vec<_>>().as_slice() {
        [] => Coverage::Whole,
        words => Coverage::Less(format!(
            "it leaves out bytes {} of the file, which are not just the place of its own manifest: {UNKNOWN}",
            words.join(", ")
        )),
    }
}

fn less(why: impl Into<String>) -> io::Result<Coverage> {
    Ok(Coverage::Less(why.into()))
}

fn of_base_media(hash: &BaseMedia, file: &mut (impl Read + Seek + Send)) -> io::Result<Coverage> {
    let trees = hash.merkle.as_deref().unwrap_or_default();
    let boxes = boxes::of(file)?;
    let has = |name: &[u8; 4]| boxes.iter().flatten().any(|(found, ..)| found == name);
    let (content, others): (Vec<_>, Vec<_>) =
        hash.exclusions.iter().partition(|exclusion| exclusion.xpath == "/mdat");
    let mut left_out: Vec<_> = others
        .into_iter()
        .filter(|exclusion| !is_idle(exclusion))
        .filter(|exclusion| !POSITIONS.contains(&exclusion.xpath.as_str()))
        .map(|exclusion| exclusion.xpath.clone())
        .collect();
    // Blocks of the content have hashes of their own, which the validator judges if there are no fragments. If there
    // are several boxes of content, it does not say which hashes belong to which.
    let has_blocks = boxes.is_some()
        && !has(b"moof")
        && hash.hash.is_some()
        && matches!(trees, [tree] if tree.init_hash.is_none()
            && tree.fixed_block_size.is_some() != tree.variable_block_sizes.is_some());
    let is_bound =
        content.is_empty() || (has_blocks && content.iter().all(|exclusion| is_behind_its_head(exclusion)));
    if !is_bound {
        left_out.push("/mdat".to_owned());
    }
    if !left_out.is_empty() {
        return less(format!("it leaves out the boxes {} of the file: {UNKNOWN}", left_out.join(", ")));
    }
    // Version 1 of the hash does not cover the positions of boxes either.
    let binds_positions = hash.version > 1
        && !hash.exclusions.iter().any(|exclusion| POSITIONS.contains(&exclusion.xpath.as_str()));
    if hash.hash.is_none() {
        if trees.is_empty() || trees.iter().any(|tree| tree.init_hash.is_none()) {
            return less(format!(
                "it has no hash of what stands before the fragments of the file: {UNKNOWN}"
            ));
        }
        if !has(b"moof") {
            return of_head(hash, file);
        }
    }
    let mut more = Vec::new();
    if !binds_positions {
        more.push(
            "its hash, in the form of C2PA 1.0, is over the content and not over where in the file that is read from, so that other \
             parts of the file may be shown in its place"
                .to_owned(),
        );
    }
    let left_out: Vec<_> = hash.exclusions.iter().map(|exclusion| exclusion.xpath.as_str()).collect();
    match &boxes {
        Some(boxes) => more.extend(inert_boxes::doubt(boxes, &left_out, file)?),
        None => more.push(
            "CredLink cannot walk over all of its boxes, and does not know what stands in those".to_owned(),
        ),
    }
    if !content.is_empty() {
        more.push(format!(
            "the first {CONTENT_HEAD} bytes of each box of content (`mdat`) may have been changed"
        ));
    }
    Ok(if more.is_empty() { Coverage::Whole } else { Coverage::Nearly(more.join("; ")) })
}

/// Returns the coverage of a fragmented video's binding over a file without fragments.
fn of_head(hash: &BaseMedia, file: &mut (impl Read + Seek + Send)) -> io::Result<Coverage> {
    if !fragments::is_head(file)? {
        return less(
            "it is the manifest of a video in fragments, and this file is neither the head of one nor a fragment",
        );
    }
    if fragments::has_its_hash(hash, file) {
        Ok(Coverage::Head)
    } else {
        less(
            "it is the manifest of a video in fragments, and this file is not its head, or was changed after it was signed",
        )
    }
}

/// Returns `true` if no picture or video depends on the boxes of an exclusion. Its other conditions only make them
/// fewer.
fn is_idle(exclusion: &BoxExclusion) -> bool {
    let marks = exclusion.data.as_deref().unwrap_or_default();
    let is_c2pa = || marks.iter().any(|mark| mark.offset == 8 && mark.value.0 == C2PA_UUID);
    IDLE_BOXES.contains(&exclusion.xpath.as_str()) || (exclusion.xpath == "/uuid" && is_c2pa())
}

/// Returns `true` if an exclusion is that of a content whose blocks have hashes (C2PA 2.x, section 18.7.2). It excludes
/// all but the head of the box, so that the position of the content is covered.
fn is_behind_its_head(exclusion: &BoxExclusion) -> bool {
    matches!(exclusion.subset.as_deref(), Some([subset]) if subset.offset == CONTENT_HEAD && subset.length == 0)
}

fn of_parts(parts: &[Part], file: &mut (impl Read + Seek)) -> io::Result<Coverage> {
    let left_out: Vec<_> = parts
        .iter()
        .filter(|part| part.names != [C2PA_PART])
        .filter(|part| part.excluded == Some(true) || part.exclusions.is_some())
        .map(|part| part.names.join(", "))
        .collect();
    if !left_out.is_empty() {
        let left_out = left_out.join("; ");
        return less(format!(
            "it leaves out the parts {left_out} of the file, or something of them: {UNKNOWN}"
        ));
    }
    // The validator compares the named parts, and ignores everything after them.
    let names: Vec<_> = parts.iter().flat_map(|part| &part.names).collect();
    let is_whole = match (picture_end::of(file)?, boxes::of(file)?) {
        (Some(end), _) => end.is_at_the_end && names.last().is_some_and(|name| *name == end.name),
        // In JPEG XL, each box is a part.
        (None, Some(boxes)) if boxes.first().is_some_and(|(name, ..)| name == b"JXL ") => {
            boxes.len() == names.len()
        }
        (None, _) => return less("CredLink cannot tell where the last of the parts is that its hash names"),
    };
    if is_whole {
        return Ok(Coverage::Whole);
    }
    less(format!("it leaves out what stands behind the parts that it names: {UNKNOWN}"))
}

#[cfg(test)]
mod tests;
