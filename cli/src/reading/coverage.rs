//! What a hard binding is over: all of the file but the place of its manifest, or less. What it leaves out can be changed at
//! will, so it may be that place and nothing else (C2PA 2.x, section 15.12). c2pa-rs looks for that one exclusion, and merely
//! remarks that there are others.

use std::io::{self, Read, Seek};

use serde::{Deserialize, Serialize};

use super::binding::{BaseMedia, Binding, BoxExclusion, Part};
use super::report::Exclusion;
use super::{ends, fragments, place};

/// The box of a manifest (C2PA 2.x, appendix A.5).
pub const C2PA_UUID: [u8; 16] =
    [0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7e, 0xc4, 0x81];
/// What a box hash calls the place of the manifest.
const C2PA_PART: &str = "C2PA";
/// Boxes of which nothing of a picture or a video depends: a brand, an index of fragments, and free space.
const IDLE_BOXES: [&str; 4] = ["/ftyp", "/mfra", "/free", "/skip"];
/// What is left out of the content of a video whose blocks have hashes: the head of its box, in its longest form.
const CONTENT_HEAD: u64 = 16;

/// What is so of all that no hash is over.
const UNKNOWN: &str = "nothing says what stands there";

/// What a hard binding is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coverage {
    /// All of the file but the place of its manifest.
    Whole,
    /// All but that and something of which the picture does not depend: that, in words.
    Nearly(String),
    /// Less: why, in words.
    Less(String),
    /// The head of a video in fragments, whole; the fragments are files of their own.
    Head,
}

/// The file that a manifest is validated with.
pub struct Media<'a, F> {
    /// Its bytes.
    pub file: F,
    /// What it is read as.
    pub format: &'a str,
    /// The length of its manifest; `None` where the manifest that is validated is not in it.
    pub manifest: Option<u64>,
}

/// What `binding` is over in the file.
pub fn of(binding: &Binding, mut media: Media<'_, impl Read + Seek + Send>) -> io::Result<Coverage> {
    match binding {
        Binding::Data(exclusions) => of_data(exclusions, &mut media),
        Binding::BaseMedia(hash) => of_base_media(hash, &mut media.file),
        Binding::Boxes(parts) => of_parts(parts, &mut media.file),
        Binding::Unknown => less("CredLink cannot tell what its hash leaves out"),
    }
}

fn of_data(exclusions: &[Exclusion], media: &mut Media<'_, impl Read + Seek>) -> io::Result<Coverage> {
    let mut left_out: Vec<_> = exclusions.iter().filter(|range| range.length > 0).copied().collect();
    let Some(manifest) = media.manifest else { return Ok(ranges(&left_out)) };
    // The place of the manifest is about as long as that.
    let own = (0..left_out.len()).min_by_key(|index| left_out[*index].length.abs_diff(manifest));
    let Some(own) = own.map(|index| left_out.remove(index)) else { return Ok(Coverage::Whole) };
    let is_its_place = place::is_manifests(&mut media.file, own, media.format, manifest)?;
    if left_out.is_empty() && !is_its_place {
        if let Some(before) = place::metadata_before(&mut media.file, own)? {
            let last = before.saturating_sub(1);
            return Ok(Coverage::Nearly(format!(
                "bytes 0 to {last} are metadata before the manifest, and may have been changed"
            )));
        }
    }
    if !is_its_place {
        left_out.insert(0, own);
    }
    let lengths = place::lengths_in_directories(&mut media.file)?;
    left_out.retain(|range| !lengths.contains(range));
    Ok(ranges(&left_out))
}

/// These bytes of a file are left out.
fn ranges(left_out: &[Exclusion]) -> Coverage {
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
    let boxes = fragments::boxes(file)?;
    let has = |name: &[u8; 4]| boxes.iter().flatten().any(|found| found == name);
    let (content, others): (Vec<_>, Vec<_>) =
        hash.exclusions.iter().partition(|exclusion| exclusion.xpath == "/mdat");
    let mut left_out: Vec<_> = others
        .into_iter()
        .filter(|exclusion| !is_idle(exclusion))
        .map(|exclusion| exclusion.xpath.clone())
        .collect();
    // Blocks of the content have hashes of their own, which the validator judges where there are no fragments. Of several boxes of
    // content it does not say which has which hashes.
    let has_blocks = boxes.is_some()
        && !has(b"moof")
        && hash.hash.is_some()
        && matches!(trees, [tree] if tree.init_hash.is_none()
            && tree.fixed_block_size.is_some() != tree.variable_block_sizes.is_some());
    if !content.is_empty() && !(has_blocks && content.iter().all(|exclusion| is_behind_its_head(exclusion))) {
        left_out.push("/mdat".to_owned());
    }
    if !left_out.is_empty() {
        return less(format!("it leaves out the boxes {} of the file: {UNKNOWN}", left_out.join(", ")));
    }
    if hash.version < 2 {
        return less(
            "its hash (version 1) does not say where the boxes of the file stand: others can take their places",
        );
    }
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
    Ok(match content.is_empty() {
        true => Coverage::Whole,
        false => Coverage::Nearly(format!(
            "the first {CONTENT_HEAD} bytes of each box of content (`mdat`) may have been changed"
        )),
    })
}

/// The binding of a video in fragments, over a file that has none.
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

/// Whether nothing of a picture or a video depends on the boxes of an exclusion. What else it says of them makes them fewer.
fn is_idle(exclusion: &BoxExclusion) -> bool {
    let marks = exclusion.data.as_deref().unwrap_or_default();
    let is_c2pa = || marks.iter().any(|mark| mark.offset == 8 && mark.value.0 == C2PA_UUID);
    IDLE_BOXES.contains(&exclusion.xpath.as_str()) || (exclusion.xpath == "/uuid" && is_c2pa())
}

/// Whether an exclusion is that of a content whose blocks have hashes (C2PA 2.x, section 18.7.2): all but its head, so that
/// where it stands has a hash.
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
    // The validator compares the parts that are named, and passes over what stands behind them.
    let last = parts.last().and_then(|part| part.names.last());
    match (ends::of(file)?, last) {
        (Some(end), Some(name)) if end.is_at_the_end && name == end.name => Ok(Coverage::Whole),
        (Some(_), _) => less(format!("it leaves out what stands behind the parts that it names: {UNKNOWN}")),
        (None, _) => less("CredLink cannot tell where the last of the parts is that its hash names"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use serde_json::{Value, json};

    use super::*;

    /// The coverage of an assertion of ISO base media files, over a file of boxes with these names.
    fn base_media(version: usize, assertion: &Value, names: &[&[u8; 4]]) -> Coverage {
        let hash: BaseMedia = serde_json::from_value(assertion.clone()).unwrap();
        let file =
            names.iter().flat_map(|name| [&[0, 0, 0, 8], name.as_slice()].concat()).collect::<Vec<_>>();
        of_base_media(&BaseMedia { version, ..hash }, &mut Cursor::new(file)).unwrap()
    }

    fn says(coverage: &Coverage) -> &str {
        match coverage {
            Coverage::Whole | Coverage::Head => "",
            Coverage::Nearly(what) | Coverage::Less(what) => what,
        }
    }

    #[test]
    fn the_boxes_of_a_manifest_and_idle_ones_may_be_left_out() {
        let manifest =
            json!({ "xpath": "/uuid", "data": [{ "offset": 8, "value": "2P7D1hsOSDySl1goh37EgQ==" }] });
        let names = [b"ftyp", b"moov", b"mdat"];
        let coverage = |version, more: Value| {
            let all = [vec![manifest.clone()], more.as_array().unwrap().clone()].concat();
            base_media(version, &json!({ "exclusions": all, "hash": "" }), &names)
        };
        let idle =
            json!([{ "xpath": "/ftyp" }, { "xpath": "/mfra" }, { "xpath": "/free" }, { "xpath": "/skip" }]);
        assert_eq!(coverage(2, idle.clone()), Coverage::Whole);
        assert_eq!(coverage(3, json!([])), Coverage::Whole);
        assert!(says(&coverage(1, idle)).contains("does not say where the boxes of the file stand"));
        for more in [
            json!({ "xpath": "/mdat" }),
            json!({ "xpath": "/mdat", "subset": [{ "offset": 16, "length": 0 }] }),
            json!({ "xpath": "/meta/iloc" }),
            json!({ "xpath": "/moov/trak/mdia/minf/stbl/stco", "subset": [{ "offset": 16, "length": 0 }] }),
            json!({ "xpath": "/uuid" }),
            json!({ "xpath": "/uuid", "data": [{ "offset": 9, "value": "2P7D1hsOSDySl1goh37EgQ==" }] }),
            json!({ "xpath": "/uuid", "data": [{ "offset": 8, "value": "2P4=" }] }),
            json!({ "xpath": "/free/free" }),
            json!({ "xpath": "ftyp" }),
        ] {
            let found = coverage(3, json!([more]));
            assert!(says(&found).contains("it leaves out the boxes"), "{more}: {found:?}");
        }
    }

    #[test]
    fn content_is_left_out_where_its_blocks_have_hashes() {
        let content = json!([{ "xpath": "/mdat", "subset": [{ "offset": 16, "length": 0 }] }]);
        let tree = json!({ "fixedBlockSize": 1_024 });
        let one = [b"ftyp", b"moov", b"mdat"];
        let coverage = |hash: Value, trees: Value, names: &[&[u8; 4]]| {
            base_media(3, &json!({ "exclusions": content, "hash": hash, "merkle": trees }), names)
        };
        assert!(matches!(coverage(json!(""), json!([tree]), &one), Coverage::Nearly(_)));
        for (hash, trees, names) in [
            (json!(""), json!([]), &one[..]),
            (json!(null), json!([tree]), &one),
            (json!(""), json!([{}]), &one),
            (json!(""), json!([{ "fixedBlockSize": 1, "variableBlockSizes": [1] }]), &one),
            (json!(""), json!([{ "fixedBlockSize": 1, "initHash": "" }]), &one),
            // The validator takes such a file for fragments, and leaves the content out of them.
            (json!(""), json!([tree]), &[b"ftyp", b"moov", b"moof", b"mdat"]),
            // Which has which hashes is not said.
            (json!(""), json!([tree, tree]), &[b"ftyp", b"moov", b"mdat", b"mdat"]),
        ] {
            let found = coverage(hash, trees.clone(), names);
            assert!(matches!(found, Coverage::Less(_)), "{trees} {names:?}: {found:?}");
        }
    }

    #[test]
    fn fragments_need_a_hash_of_what_stands_before_them() {
        let file = [b"ftyp", b"moov", b"moof", b"mdat"];
        let coverage = |trees: Value, names: &[&[u8; 4]]| {
            base_media(2, &json!({ "exclusions": [{ "xpath": "/ftyp" }], "merkle": trees }), names)
        };
        assert_eq!(coverage(json!([{ "initHash": "" }]), &file), Coverage::Whole);
        for trees in [json!(null), json!([]), json!([{}]), json!([{ "initHash": "" }, {}])] {
            assert!(says(&coverage(trees, &file)).contains("no hash of what stands before the fragments"));
        }
        for names in [&[b"ftyp", b"moov"][..], &[b"ftyp", b"moov", b"mdat"]] {
            assert!(
                says(&coverage(json!([{ "initHash": "" }]), names))
                    .contains("manifest of a video in fragments")
            );
        }
    }

    #[test]
    fn bytes_are_left_out_where_the_manifest_is_and_nowhere_else() {
        let coverage = |ranges: &[(u64, u64)], manifest| {
            let exclusions =
                ranges.iter().map(|(start, length)| Exclusion { start: *start, length: *length });
            let media = Media { file: Cursor::new(vec![0; 20_000]), format: "image/png", manifest };
            of(&Binding::Data(exclusions.collect()), media).unwrap()
        };
        assert_eq!(coverage(&[], None), Coverage::Whole);
        assert_eq!(coverage(&[(0, 0)], None), Coverage::Whole);
        assert_eq!(coverage(&[(33, 9_012)], Some(9_000)), Coverage::Whole);
        for (ranges, manifest, named) in [
            (&[(33, 9_012)][..], None, "bytes 33 to 9044 of"),
            (&[(33, 9_900)], Some(9_000), "bytes 33 to 9932 of"),
            (&[(33, 9_012), (9_100, 1)], Some(9_000), "bytes 9100 to 9100 of"),
            (&[(100, 4), (10_000, 9_012)], Some(9_000), "bytes 100 to 103 of"),
            (&[(0, u64::MAX)], Some(9_000), "bytes 0 to"),
        ] {
            let found = coverage(ranges, manifest);
            assert!(
                matches!(found, Coverage::Less(_)) && says(&found).contains(named),
                "{ranges:?}: {found:?}"
            );
        }
    }
}
