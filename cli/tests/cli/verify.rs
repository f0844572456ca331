//! `verify` and embedded manifests, with pictures that c2pa-rs signed.

use std::io::Cursor;

use c2pa::{Builder, Context, EphemeralSigner};
use serde_json::Value;

use crate::world::World;

#[path = "../../examples/sign.rs"]
mod example;

const PICTURE: &[u8] = include_bytes!("../../../tests/pictures/waves.jpg");
const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

/// A picture with its manifest inside.
fn with_manifest_inside() -> Vec<u8> {
    let definition = serde_json::json!({
        "title": "A signed picture",
        "claim_generator_info": [{ "name": "credlink-test", "version": "1" }],
        "assertions": [{ "label": "c2pa.actions", "data": { "actions": [{
            "action": "c2pa.created",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"
        }] } }]
    });
    let mut builder = Builder::from_context(Context::new()).with_definition(definition).unwrap();
    let mut signed = Cursor::new(Vec::new());
    let signer = EphemeralSigner::new("credlink-test").unwrap();
    builder.sign(&signer, "image/jpeg", &mut Cursor::new(PICTURE), &mut signed).unwrap();
    signed.into_inner()
}

/// What came of each check.
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
        world.run(&format!("get {subject} -o out.c2pa --data-dir data")).ends(0);
        assert_eq!(std::fs::read(world.path("out.c2pa")).unwrap(), signed.manifest, "{subject}");
    }
    // Another picture: the service refuses what binds this one.
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
    // Its binding leaves out the place of the manifest, so that the service cannot refuse it for another picture.
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
