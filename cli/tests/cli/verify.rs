//! `verify` and embedded manifests, with pictures signed by c2pa-rs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::formats::outcome;
use crate::samples;
use crate::signed::{self, Way};
use crate::world::World;

#[path = "../../examples/sign.rs"]
mod example;

const PICTURE: &[u8] = include_bytes!("../../../tests/pictures/waves.jpg");
const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

/// A picture with an embedded manifest.
fn with_manifest_inside() -> Vec<u8> {
    signed::sign("image/jpeg", PICTURE, Way::Embedded, ID).unwrap().file
}

/// The outcome of each check.
fn outcomes(verification: &Value) -> Vec<String> {
    let checks = verification["checks"].as_array().unwrap().iter();
    checks.map(|check| format!("{} {}", check["about"], check["outcome"]).replace('"', "")).collect()
}

#[test]
fn a_manifest_beside_the_picture_holds() {
    let world = World::new();
    let signed =
        example::sign(PICTURE, "image/jpeg", ID, &format!("http://127.0.0.1:8787/v1/manifests/{ID}"))
            .unwrap();
    world.write("signed.jpg", &signed.picture);
    world.write("signed.c2pa", &signed.manifest);
    world
        .run("put signed.jpg --data-dir data")
        .ends(0)
        .says(&["manifest  signed.c2pa (application/c2pa)", "C2PA "]);
    let verification = world.run("verify signed.jpg --json --data-dir data").ends(0).json();
    insta::assert_snapshot!("holds", outcomes(&verification).join("\n"));
    for subject in [ID, "signed.jpg --manifest", &format!("http://127.0.0.1:8787/v1/manifests/{ID}")] {
        world.run(&format!("get {subject} --force -o out.c2pa --data-dir data")).ends(0);
        assert_eq!(std::fs::read(world.path("out.c2pa")).unwrap(), signed.manifest, "{subject}");
    }
    // Another picture, for which the service refuses a manifest that binds this one.
    world.write("other.jpg", PICTURE);
    let put = world.run("put other.jpg --manifest signed.c2pa --data-dir data").ends(1);
    put.says(&["The manifest belongs to another file"]);
    world.run("verify other.jpg --data-dir data").ends(3).says(&["There is nothing here"]);
}

#[test]
fn a_manifest_in_the_picture_is_taken_and_another_ones_does_not_hold() {
    let world = World::new();
    world.write("inside.jpg", &with_manifest_inside());
    world
        .run("put inside.jpg --data-dir data")
        .ends(0)
        .says(&["manifest  embedded in inside.jpg (application/c2pa)"]);
    world
        .run("verify inside.jpg --data-dir data")
        .ends(0)
        .says(&["✓ the C2PA manifest is valid for this file"]);
    world.run("get inside.jpg --manifest -o inside.c2pa --data-dir data").ends(0);
    // The binding excludes the place of the manifest, so the service cannot refuse it for another picture.
    let mut other = PICTURE.to_vec();
    other.extend_from_slice(b"more");
    world.write("other.jpg", &other);
    world.run("put other.jpg --manifest inside.c2pa --data-dir data").ends(0);
    let verify = world.run("verify other.jpg --data-dir data").ends(4);
    verify.says(&["NOT everything holds", "✗ the C2PA manifest is not valid", "assertion.dataHash.mismatch"]);
}

#[test]
fn a_detached_signature_is_kept_and_left_open() {
    let world = World::new();
    world.write("photo.sig", &[0x30, 0x45, 0xff]);
    world.run("put photo.jpg --signature photo.sig --data-dir data").ends(0);
    assert_eq!(world.run("get photo.jpg --data-dir data").ends(0).json()["signature"], "MEX/");
    world.run("verify photo.jpg --data-dir data").ends(0).says(&["– it has a detached signature"]);
}

/// The start of each segment of a JPEG up to its first table.
fn metadata(jpeg: &[u8]) -> Vec<usize> {
    let mut starts = vec![2];
    while let [.., at] = starts[..]
        && (0xe0..=0xef).contains(&jpeg[at + 1])
    {
        starts.push(at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]])));
    }
    starts
}

#[test]
fn what_stands_in_the_place_that_is_left_out_is_the_manifest_or_it_fails() {
    let world = World::new();
    let inside = with_manifest_inside();
    let manifest = c2pa::jumbf_io::load_jumbf_from_memory("image/jpeg", &inside).unwrap();
    // The segments of the manifest, each of which names the box that it continues, become comments of the same length.
    let mut forged = inside.clone();
    let segments = metadata(&inside);
    for at in segments.iter().filter(|at| inside[**at + 1] == 0xeb) {
        forged[at + 1] = 0xfe;
    }
    world.write("forged.jpg", &forged);
    world.write("inside.c2pa", &manifest);
    world.run("put forged.jpg --manifest inside.c2pa --data-dir data").ends(0);
    let verify = world.offline("verify forged.jpg --data-dir data").ends(4);
    verify.says(&[
        "✗ the C2PA manifest is not valid: assertion.dataHash.mismatch (it leaves out bytes",
        "nothing says what",
    ]);
}

#[test]
fn metadata_that_is_left_out_is_told_with_its_bytes() {
    let world = World::new();
    let before = *metadata(PICTURE).last().unwrap();
    assert!(before > 2, "the picture has metadata");
    let signed = signed::leaving_out(PICTURE, 0, before);
    world.write("camera.jpg", &signed.file);
    world.run("put camera.jpg --data-dir data").ends(0);
    let verify = world.offline("verify camera.jpg --data-dir data").ends(0);
    let verify = verify.says(&["camera.jpg: no check fails, but the manifest could not be fully validated"]);
    let bytes = format!(
        "– the C2PA manifest is valid for this file, which has the hash that it names, but it leaves out more \
        than its own place: bytes 0 to {} are metadata",
        before - 1
    );
    verify.says(&[&bytes]);
    // A table is not metadata: the picture depends on it.
    let tables = before + 2 + usize::from(u16::from_be_bytes([PICTURE[before + 2], PICTURE[before + 3]]));
    let signed = signed::leaving_out(PICTURE, 0, tables);
    world.write("tables.jpg", &signed.file);
    world.run("put tables.jpg --data-dir data").ends(0);
    world.offline("verify tables.jpg --data-dir data").ends(4).says(&["it leaves out bytes 0 to"]);
    // The same gap with other pixels, which the hash detects.
    let mut pixels = signed::leaving_out(PICTURE, 0, before).file;
    let last = pixels.len() - 9;
    pixels[last] ^= 1;
    world.write("pixels.jpg", &pixels);
    world.run("put pixels.jpg --data-dir other").ends(0);
    world.offline("verify pixels.jpg --data-dir other").ends(4);
}

#[test]
fn an_identity_is_shown_and_not_judged() {
    let world = World::new();
    // An identity that no reader can decode. A reader that judges it calls the whole file invalid.
    let identity = json!({ "signer_payload": {}, "signature": "", "pad1": "" });
    let signed = signed::with_assertion("image/jpeg", PICTURE, "cawg.identity", &identity);
    world.write("who.jpg", &signed.file);
    world.run("put who.jpg --data-dir data").ends(0);
    let verification = world.offline("verify who.jpg --json --data-dir data").ends(0).json();
    assert_eq!(outcome(&verification, "validation"), "holds");
    assert_eq!(outcome(&verification, "identity"), "open");
}

#[test]
fn a_file_that_was_changed_is_called_changed() {
    let world = World::new();
    let url = format!("http://127.0.0.1:8787/v1/manifests/{ID}");
    let beside = example::sign(PICTURE, "image/jpeg", ID, &url).unwrap();
    for (name, file, manifest, says) in [
        ("inside.jpg", with_manifest_inside(), None, "the file holds the manifest"),
        ("beside.jpg", beside.picture, Some(beside.manifest), "the file's XMP names the manifest"),
    ] {
        let store = format!("data-{name}");
        world.write(name, &file);
        if let Some(manifest) = manifest {
            world.write("beside.c2pa", &manifest);
        }
        world.offline(&format!("verify {name} --data-dir {store}")).ends(1);
        world.run(&format!("put {name} --data-dir {store}")).ends(0);
        let mut changed = file.clone();
        let last = changed.len() - 9;
        changed[last] ^= 1;
        world.write("changed.jpg", &changed);
        let verify = world.offline(&format!("verify changed.jpg --data-dir {store}")).ends(9);
        verify.says(&[
            "changed.jpg: CHANGED after it was signed",
            says,
            "this manifest is stored here, and it does not match this file: the file was changed after it was signed",
            "assertion.dataHash.mismatch",
        ]);
        // The embedded manifest was changed in a place that its own hash excludes.
        if name == "inside.jpg" {
            let mark = b"c2pa.signature";
            let at = file.windows(mark.len()).rposition(|window| window == mark).unwrap() + 60;
            let mut changed = file.clone();
            changed[at] ^= 1;
            world.write("changed.jpg", &changed);
            let verify = world.offline(&format!("verify changed.jpg --data-dir {store}")).ends(9);
            verify.says(&["this manifest is stored here with other bytes than the file has"]);
        }
        // A store that does not know the manifest says so, and names the tenant for which it looked.
        world.run(&format!("put photo.jpg --data-dir other-{name}")).ends(0);
        let verify = world.offline(&format!("verify {name} --data-dir other-{name} --tenant acme")).ends(3);
        verify.says(&["There is nothing here", "the tenant `acme`"]);
    }
    // A stripped file names no manifest.
    world.write("stripped.jpg", PICTURE);
    world.offline("verify stripped.jpg --data-dir data-inside.jpg").ends(3);
}

#[test]
fn another_manifest_under_the_id_of_a_valid_one_changes_nothing() {
    let world = World::new();
    world.write("first.jpg", &with_manifest_inside());
    world.run("put first.jpg --data-dir data").ends(0);
    world.write("second.jpg", &with_manifest_inside());
    let verify = world.offline("verify second.jpg --data-dir data").ends(3);
    let said =
        format!("another manifest is stored here under the id {ID}; the one in the file is valid for it");
    let verify = verify.says(&["second.jpg: the tenant `default` has no proof of it", &said]);
    assert!(!verify.report().contains("CHANGED"), "{}", verify.report());
    let verification = world.offline("verify second.jpg --json --data-dir data").ends(3).json();
    assert_eq!(verification["changed"], Value::Bool(false));
    assert_eq!(outcome(&verification, "validation"), "holds");
}

#[test]
fn what_a_file_without_a_proof_names_is_told() {
    let world = World::new();
    world.run("put photo.jpg --data-dir data").ends(0);
    world.write("inside.jpg", &with_manifest_inside());
    let cloud = signed::sign("image/jpeg", PICTURE, Way::Remote, ID).unwrap();
    world.write("cloud.jpg", &cloud.file);
    world.write("cloud.c2pa", &cloud.manifest);
    world.write("bare.jpg", PICTURE);
    let inside = format!("the manifest in inside.jpg, {ID}, is not stored here for this reader");
    let url = format!(
        "no manifest is in cloud.jpg; its XMP says that one is at http://127.0.0.1:1/v1/manifests/{ID}"
    );
    for (file, code, says) in [
        ("inside.jpg", 3, inside.as_str()),
        ("cloud.jpg", 3, &url),
        ("bare.jpg", 3, "no manifest is in bare.jpg"),
        ("cloud.c2pa", 2, "cloud.c2pa is a manifest: name its picture or video"),
    ] {
        world.offline(&format!("verify {file} --data-dir data")).ends(code).says(&[says]);
    }
}

#[test]
fn a_file_that_lost_its_manifest_says_so_in_words() {
    let world = World::new();
    let inside = with_manifest_inside();
    world.write("inside.c2pa", &c2pa::jumbf_io::load_jumbf_from_memory("image/jpeg", &inside).unwrap());
    world.write("stripped.jpg", &PICTURE[..400]);
    world.run("put stripped.jpg --manifest inside.c2pa --data-dir data").ends(0);
    let verify = world.offline("verify stripped.jpg --data-dir data").ends(4);
    verify.says(&["the file has 400 bytes, and the manifest leaves out some behind its end"]);
}

#[test]
fn a_type_is_known_by_content_and_by_what_is_said() {
    let world = World::new();
    let formats = samples::all();
    let signed = |name: &str| {
        let sample = formats.iter().find(|sample| sample.name == name).unwrap();
        signed::sign(
            sample.media_type,
            &sample.bytes,
            Way::Embedded,
            &format!("urn:c2pa:{}", uuid::Uuid::new_v4()),
        )
        .unwrap()
        .file
    };
    for (name, called) in [
        ("a.m4v", "clip.m4v"),
        ("a.mp4", "clip"),
        ("a.mp4", "clip.3gp"),
        ("a.mp4", "clip.jpg"),
        ("a.heif", "picture.hif"),
        ("a.tif", "scan"),
        ("a.flac", "song"),
        ("a.mp3", "tune"),
        ("a.jxl", "photo"),
        ("a.svg", "drawing"),
    ] {
        world.write(called, &signed(name));
        world.run(&format!("put {called} --data-dir data")).ends(0).says(&["embedded in"]);
        world
            .offline(&format!("verify {called} --data-dir data"))
            .ends(0)
            .says(&["✓ the C2PA manifest is valid"]);
    }
    // Neither the content nor the name tells the format.
    let drawing = format!(
        "<!--{}--><svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0h1\"/></svg>",
        " ".repeat(2_000)
    );
    let drawing = signed::sign("image/svg+xml", drawing.as_bytes(), Way::Embedded, ID).unwrap().file;
    world.write("hidden", &drawing);
    world
        .run("put hidden --data-dir data")
        .ends(1)
        .says(&["its type is not known; name it with --media-type"]);
    world.run("put hidden --media-type image/SVG+xml;charset=utf-8 --data-dir other").ends(0);
    world.offline("verify hidden --data-dir other").ends(0).says(&["✓ the C2PA manifest is valid"]);
}

#[test]
fn standard_input_is_read_where_a_dash_is_typed() {
    let world = World::new();
    let inside = with_manifest_inside();
    let put = world.fed("put - --data-dir data", &inside).ends(0);
    put.says(&["standard input: stored", "embedded in standard input"]);
    world.fed("verify - --data-dir data", &inside).ends(0).says(&["✓ the C2PA manifest is valid"]);
    world.fed("get - --data-dir data", &inside).ends(0).says(&["image/jpeg"]);
    world
        .fed("put photo.jpg --manifest - --data-dir data", b"{}")
        .ends(0)
        .says(&["standard input (application/json)"]);
    world
        .fed("put - --manifest - --data-dir data", b"{}")
        .ends(2)
        .says(&["only one of the files can be `-`"]);
    world.fed("put - --data-dir data", b"").ends(1).says(&["standard input (it is empty)"]);
    world.fed("delete - --data-dir data", &inside).ends(0).says(&["deleted"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_once() {
    let world = World::new();
    let inside = with_manifest_inside();
    assert!(std::process::Command::new("mkfifo").arg(world.path("pipe")).status().unwrap().success());
    for (command, says) in [("put", "embedded in pipe"), ("verify", "✓ the C2PA manifest is valid")] {
        std::thread::scope(|scope| {
            scope.spawn(|| world.write("pipe", &inside));
            world.run(&format!("{command} pipe --data-dir data")).ends(0).says(&[says]);
        });
    }
}

#[test]
fn where_a_manifest_is_kept_is_told() {
    let world = World::new();
    let signed = signed::sign("image/jpeg", PICTURE, Way::Remote, ID).unwrap();
    world.write("cloud.jpg", &signed.file);
    let url = format!(
        "cloud.jpg (it has none in it; its XMP says that it is at http://127.0.0.1:1/v1/manifests/{ID})"
    );
    world.run("put cloud.jpg --data-dir data").ends(1).says(&[&url]);
}

#[test]
fn the_head_of_a_video_in_fragments_is_left_open() {
    let folder = tempfile::tempdir().unwrap();
    let head = samples::fragmented_head();
    let fragment =
        [samples::boxed(b"moof", &samples::boxed(b"mfhd", &[0; 8])), samples::boxed(b"mdat", b"frames")]
            .concat();
    std::fs::write(folder.path().join("init.mp4"), head).unwrap();
    std::fs::write(folder.path().join("1.m4s"), fragment).unwrap();
    let world = World::new();
    world.write("init.mp4", &signed::fragmented(folder.path()));
    world.run("put init.mp4 --data-dir data").ends(0);
    world
        .offline("verify init.mp4 --data-dir data")
        .ends(0)
        .says(&["– the manifest is the one of a video in fragments"]);
}

#[test]
fn a_file_that_is_made_to_take_long_takes_no_longer_than_others() {
    let world = World::new();
    world.write("long.tif", &samples::tiff_of_directories());
    let began = Instant::now();
    world.run("put long.tif --data-dir data").ends(1).says(&["it does not read as image/tiff"]);
    let inside = with_manifest_inside();
    world.write("inside.c2pa", &c2pa::jumbf_io::load_jumbf_from_memory("image/jpeg", &inside).unwrap());
    world.run("put long.tif --manifest inside.c2pa --data-dir data").ends(0);
    world.offline("verify long.tif --data-dir data").ends(4);
    // A reader process is killed after 30 s.
    assert!(began.elapsed() < Duration::from_secs(90), "{:?}", began.elapsed());
}

/// A picture (PNG) with four megabytes in the place of a manifest.
#[cfg(unix)]
fn with_much_inside() -> Vec<u8> {
    let chunk = |name: &[u8; 4], data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        // Nobody checks the checksums.
        [length.as_slice(), name, data, &[0; 4]].concat()
    };
    let header = [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0];
    let chunks = [chunk(b"IHDR", &header), chunk(b"caBX", &vec![0; 4_000_000]), chunk(b"IEND", &[])];
    [b"\x89PNG\r\n\x1a\n".as_slice(), &chunks.concat()].concat()
}

#[cfg(unix)]
#[test]
fn what_reads_a_file_keeps_within_its_memory() {
    let world = World::new();
    world.write("inside.png", &with_much_inside());
    let read =
        |bytes: u64| world.run(&format!("read-media --format image/png --memory {bytes} -- inside.png"));
    let enough = read(2 << 30).ends(0).json();
    assert!(enough["embedded"]["Found"].is_string());
    // The program has used more before it began, so it gets no more memory: it is ended, or says so.
    let little = read(1 << 20);
    assert!(
        little.code() != 0 || little.json()["embedded"]["Unreadable"].is_string(),
        "it has had more memory than it may: {}",
        little.report()
    );
}
