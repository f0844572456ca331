//! Files in which no hash binds some part: c2pa-rs calls them valid, and that part may contain anything.

use c2pa::ValidationState;
use c2pa::assertions::{BoxHash, BoxMap};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::formats::outcome;
use crate::samples;
use crate::signed::{self, Signed};
use crate::world::{Ran, World};

const JPEG: &[u8] = include_bytes!("../../../tests/pictures/waves.jpg");
const PNG: &[u8] = include_bytes!("../../../tests/pictures/waves.png");

/// Stores a file that the reader calls valid in a new store, and verifies it.
#[track_caller]
fn verified(world: &World, media_type: &str, name: &str, file: &[u8]) -> Ran {
    assert_eq!(signed::verdict(media_type, file, None), Some(ValidationState::Valid), "{name}");
    world.write(name, file);
    world.run(&format!("put {name} --data-dir data-{name}")).ends(0);
    world.offline(&format!("verify {name} --data-dir data-{name}"))
}

/// The bytes of a JPEG's image data: from the end of its scan header to the end of the scan.
fn scan(jpeg: &[u8]) -> std::ops::Range<usize> {
    let head = jpeg.windows(2).rposition(|window| window == [0xff, 0xda]).unwrap();
    let length = usize::from(u16::from_be_bytes([jpeg[head + 2], jpeg[head + 3]]));
    head + 2 + length..jpeg.len() - 2
}

#[test]
fn bytes_that_are_left_out_beside_the_manifest_are_named() {
    let world = World::new();
    let pixels = scan(JPEG);
    let ranges = |length: usize| vec![(2, length), (pixels.start + length, pixels.len())];
    let compose = |manifest: &[u8]| [&JPEG[..2], manifest, &JPEG[2..]].concat();
    let Signed { file, .. } = signed::with_ranges("image/jpeg", ranges, compose);
    let pixels = scan(&file);
    let bytes = format!("it leaves out bytes {} to {} of the file", pixels.start, pixels.end - 1);
    let mut forged = file.clone();
    let at = pixels.start + 2_000;
    forged[at] = if forged[at] == 0x11 { 0x22 } else { 0x11 };
    for (name, file) in [("signed.jpg", &file), ("forged.jpg", &forged)] {
        let verify = verified(&world, "image/jpeg", name, file).ends(4);
        let verify = verify.says(&["NOT everything holds", &bytes, "nothing says what stands there"]);
        assert!(!verify.report().contains("binds the rest of it"), "{}", verify.report());
    }
    // The signed manifest is stored under this ID, and nothing more is said about the other one.
    world.run("put signed.jpg --data-dir data").ends(0);
    world.offline("verify forged.jpg --data-dir data").ends(4).says(&[&bytes]);
}

#[test]
fn what_stands_between_the_parts_of_a_manifest_is_no_part_of_it() {
    let world = World::new();
    // A manifest in two segments (ISO/IEC 19566-5, annex D), each with the header of the box that it continues.
    let between = |manifest: &[u8], more: &[u8]| {
        let (head, content) = (&manifest[..12], &manifest[12..]);
        let half = content.len() / 2;
        let segment = |number: u8, content: &[&[u8]]| {
            let content = content.concat();
            let length = u16::try_from(content.len() + 10).unwrap().to_be_bytes();
            [&head[..2], &length, &head[4..8], &[0, 0, 0, number], &content].concat()
        };
        let first = segment(1, &[&content[..half]]);
        let second = segment(2, &[&content[..8], &content[half..]]);
        [&JPEG[..2], &first, more, &second, &JPEG[2..]].concat()
    };
    let comment = [&[0xff, 0xfe, 0x04, 0x02], [7; 1_024].as_slice()].concat();
    for (name, more, code) in [("whole.jpg", &[][..], 0), ("between.jpg", &comment, 4)] {
        let ranges = |length: usize| vec![(2, length + 20 + more.len())];
        let Signed { file, .. } =
            signed::with_ranges("image/jpeg", ranges, |manifest| between(manifest, more));
        let verify = verified(&world, "image/jpeg", name, &file).ends(code);
        if code == 4 {
            verify.says(&["it leaves out bytes 2 to"]);
        }
    }
}

/// A video whose manifest follows its brand.
fn video(manifest: &[u8]) -> Vec<u8> {
    let sample = samples::all().into_iter().find(|sample| sample.name == "a.mp4").unwrap().bytes;
    let brand = u32::from_be_bytes([sample[0], sample[1], sample[2], sample[3]]) as usize;
    [&sample[..brand], manifest, &sample[brand..]].concat()
}

#[test]
fn boxes_that_are_left_out_beside_the_manifest_are_named() {
    let world = World::new();
    for (name, boxes, code, says) in [
        ("none.mp4", json!([]), 0, "✓ the C2PA manifest is valid for this file"),
        ("absent.mp4", json!([{ "xpath": "/mfra", "length": 9 }]), 0, "✓ the C2PA manifest is valid"),
        ("content.mp4", json!([{ "xpath": "/mdat" }]), 4, "it leaves out the boxes /mdat"),
        (
            "behind.mp4",
            json!([{ "xpath": "/mdat", "subset": [{ "offset": 16, "length": 0 }] }]),
            4,
            "it leaves out the boxes /mdat",
        ),
        ("table.mp4", json!([{ "xpath": "/moov/mvhd" }]), 4, "it leaves out the boxes /moov/mvhd"),
        ("other.mp4", json!([{ "xpath": "/uuid" }]), 4, "it leaves out the boxes /uuid"),
    ] {
        let Signed { file, .. } = signed::without_boxes("video/mp4", &boxes, video);
        verified(&world, "video/mp4", name, &file).ends(code).says(&[says]);
    }
    // The content is different, and the reader accepts it.
    let boxes = json!([{ "xpath": "/mdat" }]);
    let mut file = signed::without_boxes("video/mp4", &boxes, video).file;
    let last = file.len() - 1;
    file[last] ^= 1;
    verified(&world, "video/mp4", "forged.mp4", &file).ends(4).says(&["it leaves out the boxes /mdat"]);
}

/// The chunks of a PNG, with their names.
fn chunks(png: &[u8]) -> Vec<(String, &[u8])> {
    let (mut at, mut found) = (8, vec![("PNGh".to_owned(), &png[..8])]);
    while let Some(head) = png.get(at..at + 8) {
        let length = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize + 12;
        found.push((String::from_utf8(head[4..].to_vec()).unwrap(), &png[at..at + length]));
        at += length;
    }
    found
}

#[test]
fn parts_that_are_left_out_beside_the_manifest_are_named() {
    let world = World::new();
    let chunks = chunks(PNG);
    let head = chunks[0].1.len() + chunks[1].1.len();
    let compose =
        |more: &'static [u8]| move |manifest: &[u8]| [&PNG[..head], manifest, &PNG[head..], more].concat();
    // A hash for each chunk except the manifest, which follows the first chunks.
    let whole = || {
        let mut parts: Vec<BoxMap> = chunks
            .iter()
            .map(|(name, bytes)| BoxMap {
                names: vec![name.clone()],
                alg: Some("sha256".to_owned()),
                hash: Sha256::digest(bytes).to_vec().into(),
                ..BoxMap::default()
            })
            .collect();
        parts.insert(2, BoxMap { names: vec!["C2PA".to_owned()], ..BoxMap::default() });
        parts
    };
    let pixels = |parts: &[BoxMap]| parts.iter().position(|part| part.names[0] == "IDAT").unwrap();
    let mut excluded = whole();
    let at = pixels(&excluded);
    excluded[at].excluded = Some(true);
    let mut cut = whole();
    cut.truncate(at);
    for (name, parts, more, code, says) in [
        ("whole.png", whole(), b"".as_slice(), 0, "✓ the C2PA manifest is valid for this file"),
        ("excluded.png", excluded, b"", 4, "it leaves out the parts IDAT of the file"),
        ("cut.png", cut, b"", 4, "it leaves out what stands behind the parts that it names"),
        ("more.png", whole(), b"more", 4, "it leaves out what stands behind the parts that it names"),
    ] {
        let binding = BoxHash { boxes: parts };
        let Signed { file, .. } = signed::with_binding("image/png", BoxHash::LABEL, &binding, compose(more));
        verified(&world, "image/png", name, &file).ends(code).says(&[says]);
    }
}

#[test]
fn only_the_head_that_was_signed_is_the_head_of_a_video_in_fragments() {
    let folder = tempfile::tempdir().unwrap();
    let fragment =
        [samples::boxed(b"moof", &samples::boxed(b"mfhd", &[0; 8])), samples::boxed(b"mdat", b"frames")]
            .concat();
    std::fs::write(folder.path().join("init.mp4"), samples::fragmented_head()).unwrap();
    std::fs::write(folder.path().join("1.m4s"), fragment).unwrap();
    let head = signed::fragmented(folder.path());
    let movie = head.windows(4).position(|window| window == b"moov").unwrap() - 4;
    let world = World::new();
    world.write("init.mp4", &head);
    world.run("put init.mp4 --data-dir data").ends(0);
    let verification = world.offline("verify init.mp4 --json --data-dir data").ends(0).json();
    assert_eq!(outcome(&verification, "validation"), "open");
    // A flipped bit in its tracks, and another video whose content is labelled as free space.
    let mut bit = head.clone();
    bit[movie + 60] ^= 1;
    let other = samples::base_media(b"isom", &[samples::boxed(b"moov", &samples::boxed(b"mvhd", &[1; 100]))]);
    let brand = u32::from_be_bytes(other[..4].try_into().unwrap()) as usize;
    let head_brand = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
    let manifest = &head[head_brand..movie];
    let other = [&other[..brand], manifest, &other[brand..], &samples::boxed(b"free", b"frames")].concat();
    for (name, file) in [("bit.mp4", bit), ("other.mp4", other)] {
        world.write(name, &file);
        world.run(&format!("put {name} --data-dir data-{name}")).ends(0);
        let verify = world.offline(&format!("verify {name} --data-dir data-{name}")).ends(4);
        verify.says(&["this file is not its head, or was changed after it was signed"]);
        world.offline(&format!("verify {name} --data-dir data")).ends(9).says(&["CHANGED"]);
    }
}

#[test]
fn content_whose_blocks_have_hashes_is_bound_but_for_its_head() {
    let world = World::new();
    let sample = samples::all().into_iter().find(|sample| sample.name == "a.mp4").unwrap();
    let content = samples::boxed(b"mdat", &[7; 5_000]);
    let movie = samples::boxed(b"moov", &samples::boxed(b"mvhd", &[0; 100]));
    let file = samples::base_media(b"isom", &[movie, content]);
    let file = signed::in_blocks(sample.media_type, &file).file;
    let verify = verified(&world, sample.media_type, "blocks.mp4", &file).ends(0);
    let verify = verify.says(&["– the C2PA manifest is valid", "the first 16 bytes of each box of content"]);
    assert!(!verify.report().contains("everything that can be checked holds"), "{}", verify.report());
    // The first hashed byte of the content, and the last one.
    let content = file.windows(4).rposition(|window| window == b"mdat").unwrap() - 4;
    for at in [content + 16, content + 5_007] {
        let mut forged = file.clone();
        assert_eq!(forged[at], 7);
        forged[at] = 8;
        world.write("forged.mp4", &forged);
        world.run(&format!("put forged.mp4 --data-dir data-{at}")).ends(0);
        let verify = world.offline(&format!("verify forged.mp4 --data-dir data-{at}")).ends(4);
        verify.says(&["assertion.bmffHash.mismatch"]);
    }
}
