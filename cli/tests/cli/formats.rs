//! `verify` compared with the stock reader, over every format and every way of storing a manifest, and always offline.

use c2pa::{BuilderIntent, ValidationState};
use serde_json::Value;
use uuid::Uuid;

use crate::samples::{self, Sample};
use crate::signed::{self, Signed, Way};
use crate::world::{Ran, World};

fn id() -> String {
    format!("urn:c2pa:{}", Uuid::new_v4())
}

/// The outcome of one check.
pub fn outcome(verification: &Value, about: &str) -> String {
    let check = verification["checks"].as_array().unwrap().iter().find(|check| check["about"] == about);
    check.map_or_else(|| "no such check".to_owned(), |check| check["outcome"].as_str().unwrap().to_owned())
}

/// Stores a file in a new store, with a separate manifest or with the one inside it, and verifies it.
fn put_and_verify(world: &World, name: &str, file: &[u8], manifest: Option<&[u8]>) -> Result<Ran, Ran> {
    world.write(name, file);
    let store = format!("data-{}", Uuid::new_v4());
    let given = manifest.map_or_else(String::new, |bytes| {
        world.write("given.c2pa", bytes);
        " --manifest given.c2pa".to_owned()
    });
    let put = world.run(&format!("put {name}{given} --data-dir {store}"));
    if put.code() != 0 {
        return Err(put);
    }
    Ok(world.offline(&format!("verify {name} --json --data-dir {store}")))
}

/// Checks that `verify` agrees with the reader.
#[track_caller]
fn agrees(world: &World, sample: &Sample, file: &[u8], manifest: Option<&[u8]>, what: &str) {
    let reader = signed::verdict(sample.media_type, file, manifest);
    let about = format!("{} {what}: the reader says {reader:?}", sample.name);
    match put_and_verify(world, sample.name, file, manifest) {
        // The reader does not call valid what the service refuses.
        Err(put) => assert!(reader != Some(ValidationState::Valid), "{about}; {}", put.report()),
        Ok(verify) => {
            let holds = reader == Some(ValidationState::Valid);
            assert_eq!(verify.code(), if holds { 0 } else { 4 }, "{about}; {}", verify.report());
            let expected = if holds { "holds" } else { "fails" };
            assert_eq!(outcome(&verify.json(), "validation"), expected, "{about}; {}", verify.report());
        }
    }
}

/// Positions in a file where damage is interesting: the first bytes of the content, and parts of the manifest.
fn places(file: &[u8]) -> Vec<usize> {
    let find = |mark: &[u8]| file.windows(mark.len()).position(|window| window == mark);
    let marks = [&b"c2pa.assertions"[..], b"c2pa.hash", b"c2pa.claim", b"c2pa.signature"];
    let in_manifest = marks.iter().filter_map(|mark| find(mark)).map(|at| at + 60);
    in_manifest.chain([file.len() - 3, file.len() / 2]).filter(|at| *at < file.len()).collect()
}

#[test]
fn every_format_is_verified_in_every_way() {
    let world = World::new();
    for sample in samples::all() {
        for way in [Way::Embedded, Way::Remote, Way::Sidecar] {
            let signed = signed::sign(sample.media_type, &sample.bytes, way, &id())
                .unwrap_or_else(|error| panic!("{} {way:?}: {error}", sample.name));
            let given = (way != Way::Embedded).then_some(signed.manifest.as_slice());
            let reader = signed::verdict(sample.media_type, &signed.file, given);
            assert_eq!(reader, Some(ValidationState::Valid), "{} {way:?}", sample.name);
            agrees(&world, &sample, &signed.file, given, &format!("{way:?}"));
        }
    }
}

/// A manifest cannot be written into a PDF here, but can be beside one.
#[cfg(feature = "pdf")]
#[test]
fn a_manifest_beside_a_pdf_is_verified() {
    let world = World::new();
    let pdf = Sample { name: "a.pdf", media_type: "application/pdf", bytes: samples::pdf() };
    let signed = signed::sign(pdf.media_type, &pdf.bytes, Way::Sidecar, &id()).unwrap();
    agrees(&world, &pdf, &signed.file, Some(&signed.manifest), "beside");
}

#[test]
fn damage_in_any_part_of_any_format_is_told() {
    let damage_all = |samples: &[Sample]| {
        let world = World::new();
        for sample in samples {
            let Signed { file, .. } =
                signed::sign(sample.media_type, &sample.bytes, Way::Embedded, &id()).unwrap();
            for at in places(&file) {
                let mut damaged = file.clone();
                damaged[at] ^= 1;
                agrees(&world, sample, &damaged, None, &format!("damaged at {at} of {}", file.len()));
            }
        }
    };
    // This takes longer than any other test, so it does two formats at a time.
    let samples = samples::all();
    let (one, other) = samples.split_at(samples.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| damage_all(one));
        damage_all(other);
    });
}

#[test]
fn another_manifest_in_the_place_that_is_left_out_is_told() {
    let world = World::new();
    for sample in samples::all() {
        let id = id();
        let Signed { mut file, manifest } =
            signed::sign(sample.media_type, &sample.bytes, Way::Embedded, &id).unwrap();
        // In an SVG the manifest is in base64.
        let mark = if sample.name == "a.svg" { b"c2pa:manifest>".as_slice() } else { &id.as_bytes()[..9] };
        let at = file.windows(mark.len()).position(|window| window == mark).unwrap() + mark.len() + 2;
        file[at] = if file[at] == b'4' { b'5' } else { b'4' };
        let verify = put_and_verify(&world, sample.name, &file, Some(&manifest)).unwrap_or_else(|put| put);
        assert_eq!(verify.code(), 4, "{}: {}", sample.name, verify.report());
        assert_eq!(outcome(&verify.json(), "binding"), "fails", "{}: {}", sample.name, verify.report());
    }
}

#[test]
fn stores_of_several_manifests_are_verified() {
    let world = World::new();
    let formats = samples::all();
    let some =
        |names: &[&str]| formats.iter().filter(|sample| names.contains(&sample.name)).collect::<Vec<_>>();
    for sample in some(&["a.jpg", "a.png", "a.gif", "a.mp4", "a.heic", "a.jxl", "a.svg"]) {
        let first = signed::sign(sample.media_type, &sample.bytes, Way::Embedded, &id()).unwrap().file;
        for intent in [BuilderIntent::Edit, BuilderIntent::Update] {
            let what = format!("{intent:?} of {}", sample.name);
            let signed = signed::again(sample.media_type, &first, intent).unwrap();
            assert_eq!(
                signed::verdict(sample.media_type, &signed.file, None),
                Some(ValidationState::Valid),
                "{what}"
            );
            agrees(&world, sample, &signed.file, None, &what);
            let mut damaged = signed.file.clone();
            let last = damaged.len() - 3;
            damaged[last] ^= 1;
            agrees(&world, sample, &damaged, None, &format!("{what}, damaged"));
        }
        let signed = signed::compressed(sample.media_type, &sample.bytes);
        assert_eq!(
            signed::verdict(sample.media_type, &signed.file, None),
            Some(ValidationState::Valid),
            "compressed"
        );
        agrees(&world, sample, &signed.file, None, "compressed");
    }
}

/// C2PA 2.x has a second type of standard manifests, which readers must accept (section 11.2.2).
#[test]
fn either_type_of_standard_manifest_is_read() {
    let world = World::new();
    let sample = &samples::all()[0];
    let first = signed::sign(sample.media_type, &sample.bytes, Way::Embedded, &id()).unwrap().file;
    let several = signed::again(sample.media_type, &first, BuilderIntent::Edit).unwrap().file;
    for (what, file) in [("one", first), ("the last of two", several)] {
        let mut file = file;
        let mark = b"jumdc2ma";
        let at = file.windows(mark.len()).rposition(|window| window == mark).unwrap();
        file[at + 4..at + 8].copy_from_slice(b"c2md");
        assert_eq!(signed::verdict(sample.media_type, &file, None), Some(ValidationState::Valid), "{what}");
        let verify = put_and_verify(&world, sample.name, &file, None).unwrap_or_else(|put| put);
        assert_eq!(verify.code(), 0, "{what}: {}", verify.report());
        assert_eq!(outcome(&verify.json(), "manifest_id"), "holds", "{what}: {}", verify.report());
    }
}
