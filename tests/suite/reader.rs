//! A real reader: c2pa-rs signs pictures, their manifests are stored through the API of a real `credlink serve`, and
//! c2pa-rs validates them by fetching the manifest to which their XMP points.
//!
//! The signer is the README's example, so that the two cannot diverge.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use c2pa::{Context, Reader, ValidationState};
use credlink_core::hash::MediaHash;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::Server;

#[path = "../../cli/examples/sign.rs"]
mod example;
use example::Signed;
pub use example::sign;

/// A picture in each tested format. Each format stores its XMP in another way.
pub const PICTURES: [(&str, &[u8]); 3] = [
    ("image/jpeg", include_bytes!("../pictures/waves.jpg")),
    ("image/png", include_bytes!("../pictures/waves.png")),
    ("image/webp", include_bytes!("../pictures/waves.webp")),
];
const JPEG: (&str, &[u8]) = PICTURES[0];

/// A manifest ID that is not in use.
pub fn new_id() -> String {
    format!("urn:c2pa:{}", Uuid::new_v4())
}

/// A picture signed for `server`, under a new manifest ID.
fn signed(server: &Server, (format, picture): (&str, &[u8])) -> (Signed, String) {
    let id = new_id();
    let url = format!("{}/v1/manifests/{id}", server.url());
    (sign(picture, format, &id, &url).unwrap(), id)
}

/// The body that stores a picture's manifest.
fn body(picture: &[u8], manifest: &[u8]) -> Value {
    json!({ "media_hash": MediaHash::of(picture).to_string(), "manifest_base64": STANDARD.encode(manifest) })
}

/// The reader's verdict on a picture: its state and the codes of all failures, or an error if it could not fetch the
/// manifest.
pub fn read(format: &str, picture: &[u8]) -> Result<(ValidationState, Vec<String>, Reader), c2pa::Error> {
    let context = Context::new().with_settings(r#"{ "verify": { "verify_trust": false } }"#)?;
    let reader = Reader::from_context(context).with_stream(format, Cursor::new(picture.to_vec()))?;
    let failures = reader.validation_status().unwrap_or_default().iter();
    let codes = failures.map(|status| status.code().to_owned()).collect();
    Ok((reader.validation_state(), codes, reader))
}

#[test]
fn a_reader_validates_pictures_whose_manifest_credlink_keeps() {
    let server = Server::start();
    for picture in PICTURES {
        let (signed, id) = signed(&server, picture);
        let (status, stored) = server.post("/v1/proofs", &body(&signed.picture, &signed.manifest));
        assert_eq!(status, 201, "{stored}");
        assert_eq!(stored["manifest"]["id"], id);
        let (state, failures, reader) = read(picture.0, &signed.picture).unwrap();
        assert_eq!((state, failures.as_slice()), (ValidationState::Valid, [].as_slice()), "{}", picture.0);
        assert_eq!(reader.remote_url(), stored["manifest_url"].as_str());
        assert!(!reader.is_embedded());
        assert_eq!(server.get_bytes(&format!("/v1/manifests/{id}")), signed.manifest, "byte for byte");
    }
}

#[test]
fn a_generators_name_may_have_any_visible_character() {
    let server = Server::start();
    for generator in ["acme+corp", "acme@work(2)", "acme,inc."] {
        let id = format!("{}:{generator}", new_id());
        let url = format!("{}/v1/manifests/{id}", server.url());
        let signed = sign(JPEG.1, JPEG.0, &id, &url).unwrap();
        let (status, stored) = server.post("/v1/proofs", &body(&signed.picture, &signed.manifest));
        assert_eq!((status, stored["manifest"]["id"].as_str()), (201, Some(id.as_str())), "{stored}");
        assert_eq!(read(JPEG.0, &signed.picture).unwrap().0, ValidationState::Valid, "{generator}");
        let url = stored["manifest_url"].as_str().unwrap();
        assert_eq!(server.get_bytes(url.strip_prefix(server.url()).unwrap()), signed.manifest, "{url}");
    }
}

#[test]
fn a_manifest_that_is_stored_by_itself_is_read_too() {
    let server = Server::start();
    let (signed, id) = signed(&server, JPEG);
    let (status, stored) = server.post_bytes("/v1/manifests", "application/c2pa", &signed.manifest);
    assert_eq!((status, stored["manifestId"].as_str()), (201, Some(id.as_str())));
    assert_eq!(read(JPEG.0, &signed.picture).unwrap().0, ValidationState::Valid);
}

#[test]
fn one_flipped_bit_of_the_picture_is_noticed() {
    let server = Server::start();
    let (mut signed, _) = signed(&server, JPEG);
    assert_eq!(server.post("/v1/proofs", &body(&signed.picture, &signed.manifest)).0, 201);
    let middle = signed.picture.len() / 2;
    signed.picture[middle] ^= 1;
    let (state, failures, _) = read(JPEG.0, &signed.picture).unwrap();
    assert_eq!(state, ValidationState::Invalid);
    assert!(failures.iter().any(|code| code == "assertion.dataHash.mismatch"), "{failures:?}");
}

#[test]
fn another_pictures_manifest_is_noticed() {
    let server = Server::start();
    let (other, other_id) = signed(&server, PICTURES[1]);
    assert_eq!(server.post("/v1/proofs", &body(&other.picture, &other.manifest)).0, 201);
    // The picture points to the manifest of the other picture.
    let url = format!("{}/v1/manifests/{other_id}", server.url());
    let misled = sign(JPEG.1, JPEG.0, &new_id(), &url).unwrap();
    let (state, failures, _) = read(JPEG.0, &misled.picture).unwrap();
    assert_eq!(state, ValidationState::Invalid);
    assert!(failures.iter().any(|code| code == "assertion.dataHash.mismatch"), "{failures:?}");
}

#[test]
fn a_deleted_proof_is_not_read_any_more() {
    let server = Server::start();
    let (signed, _) = signed(&server, JPEG);
    let (_, stored) = server.post("/v1/proofs", &body(&signed.picture, &signed.manifest));
    assert_eq!(read(JPEG.0, &signed.picture).unwrap().0, ValidationState::Valid);
    assert_eq!(server.delete(&format!("/v1/proofs/{}", stored["id"].as_str().unwrap())), 204);
    let error = read(JPEG.0, &signed.picture).expect_err("the manifest is gone");
    assert!(matches!(error, c2pa::Error::RemoteManifestFetch(_)), "{error:?}");
}

#[test]
fn a_manifest_that_binds_another_file_is_refused() {
    let server = Server::start();
    let (signed, _) = signed(&server, JPEG);
    let (status, problem) = server.post("/v1/proofs", &body(JPEG.1, &signed.manifest));
    assert_eq!((status, problem["type"].as_str()), (422, Some("urn:credlink:problem:binding-mismatch")));
    assert_eq!(problem["bound_media_hash"], MediaHash::of(&signed.picture).to_string());
}

#[test]
fn a_manifest_id_has_one_content() {
    let server = Server::start();
    let (first, id) = signed(&server, JPEG);
    assert_eq!(server.post("/v1/proofs", &body(&first.picture, &first.manifest)).0, 201);
    let url = format!("{}/v1/manifests/{id}", server.url());
    let second = sign(PICTURES[1].1, PICTURES[1].0, &id, &url).unwrap();
    let (status, problem) = server.post("/v1/proofs", &body(&second.picture, &second.manifest));
    assert_eq!((status, problem["type"].as_str()), (409, Some("urn:credlink:problem:manifest-conflict")));
    assert_eq!(read(JPEG.0, &first.picture).unwrap().0, ValidationState::Valid);
}
