//! Renditions with signed manifests: on a real server, read by the stock reader of C2PA, which follows the address in the
//! picture.

mod kms;
mod steps;

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use c2pa::{Builder, Context, EphemeralSigner, Reader, SigningAlg, ValidationState, create_signer};
use credlink_core::hash::MediaHash;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use http::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::pictures::png;
use crate::server::{Server, binary};
use kms::{ARN, Kms};

/// A certificate of the tests.
pub const CERTIFICATE: &str = include_str!("../../vectors/signers/es256.pem");
/// Its key.
pub const KEY: &str = include_str!("../../vectors/signers/es256.key");
/// The authority that issued it.
pub const AUTHORITY: &str = include_str!("../../vectors/signers/authority.pem");

/// Collections whose renditions are signed: one for each way to treat a location.
pub fn collections() -> Value {
    let collection = |location: &str| {
        let formats = json!([{"format": "jpg", "quality": 80}, {"format": "webp"}]);
        json!({
            "version": 1, "types": ["image/png", "image/jpeg"], "max_bytes": 10_000_000, "access": "public",
            "provenance": "sign", "parent_location": location,
            "renditions": [
                {"name": "card", "version": 1, "fit": "inside", "width": 300, "height": 300, "formats": formats},
                {"name": "face", "version": 1, "fit": "cover", "width": 100, "height": 100, "formats": formats},
            ],
        })
    };
    json!({"version": 1, "collections": {
        "redacted": collection("redact"), "refused": collection("refuse"), "bound": collection("bind"),
    }})
}

fn server(folder: &Path) -> Server {
    let collections = collections().to_string();
    let variables = [
        ("CREDLINK_COLLECTIONS", collections.as_str()),
        ("CREDLINK_SIGN_CERTIFICATE", CERTIFICATE),
        ("CREDLINK_SIGN_KEY", KEY),
    ];
    Server::with(folder, &[], &variables)
}

/// A PNG with a manifest: a place, if it is to have one, and a thumbnail.
pub fn original(seed: u32, place: Option<&Value>) -> Vec<u8> {
    let definition = json!({
        "claim_generator_info": [{ "name": "credlink-test", "version": "1" }],
        "assertions": [{ "label": "c2pa.actions", "data": { "actions": [{
            "action": "c2pa.created",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"
        }] } }]
    });
    let mut builder = Builder::from_context(Context::new()).with_definition(definition).unwrap();
    builder.set_thumbnail("image/png", &mut Cursor::new(png(64, 48, seed))).unwrap();
    if let Some(place) = place {
        builder.add_assertion("c2pa.metadata", place).unwrap();
    }
    let mut signed = Cursor::new(Vec::new());
    // A reader judges parents too, so this one is of the same authority.
    let (certificate, key) = (CERTIFICATE.as_bytes(), KEY.as_bytes());
    let signer = create_signer::from_keys(certificate, key, SigningAlg::Es256, None).unwrap();
    builder.sign(&*signer, "image/png", &mut Cursor::new(png(640, 480, seed)), &mut signed).unwrap();
    signed.into_inner()
}

fn place() -> Value {
    json!({
        "@context": { "exif": "http://ns.adobe.com/exif/1.0/" },
        "exif:GPSLatitude": "39,21.102N", "exif:GPSLongitude": "74,26.5737W"
    })
}

/// The verdict of the stock reader on a picture whose manifest it fetches: with the tests' authority as its anchor, or without.
pub fn read(format: &str, picture: &[u8], has_anchor: bool) -> (Reader, Vec<String>) {
    let mut settings = json!({"verify": {"verify_trust": true, "verify_timestamp_trust": false}});
    if has_anchor {
        settings["trust"] = json!({"trust_anchors": AUTHORITY});
    }
    let context = Context::new().with_settings(settings.to_string()).unwrap();
    let reader = Reader::from_context(context).with_stream(format, Cursor::new(picture.to_vec())).unwrap();
    let failures = reader.validation_status().unwrap_or_default().iter();
    let codes = failures.map(|status| status.code().to_owned()).collect();
    (reader, codes)
}

fn of_file(client: &Client, id: &str) -> Value {
    let answer = client.get(&format!("/v1/files/{id}"));
    assert_eq!(answer.status, 200);
    answer.json()
}

/// The names of the actions in the active manifest.
fn actions(reader: &Reader) -> (Vec<String>, Value) {
    let manifest = reader.active_manifest().unwrap();
    let all: Value = serde_json::from_str(&reader.detailed_json()).unwrap();
    let assertions = &all["manifests"][reader.active_label().unwrap()]["assertion_store"];
    let found = assertions.as_object().unwrap().iter().find(|(label, _)| label.starts_with("c2pa.actions"));
    let data = found.unwrap().1.clone();
    assert_eq!(manifest.claim_generator_info.as_ref().unwrap()[0].name, "CredLink");
    let names =
        data["actions"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap().to_owned());
    (names.collect(), data["allActionsIncluded"].clone())
}

#[test]
fn a_reader_follows_a_rendition_to_its_manifest_and_its_original() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let client = Client::new(server.url());
    let picture = original(1, None);
    let id = client.file("redacted", "image/png", &picture, &json!({}));
    let file = of_file(&client, &id);
    let parent = c2pa::jumbf_io::load_jumbf_from_memory("image/png", &picture).unwrap();
    let original = client.get(&format!("/v1/proofs/{}", file["proof"].as_str().unwrap())).json();
    for (name, format, expected) in [
        ("card.jpg", "image/jpeg", &["c2pa.resized.proportional", "c2pa.transcoded"][..]),
        ("card.webp", "image/webp", &["c2pa.resized.proportional", "c2pa.transcoded"]),
        ("face.jpg", "image/jpeg", &["c2pa.cropped", "c2pa.resized.proportional", "c2pa.transcoded"]),
        ("face.webp", "image/webp", &["c2pa.cropped", "c2pa.resized.proportional", "c2pa.transcoded"]),
    ] {
        let served = client.get(&format!("/media/{id}/{name}"));
        assert_eq!((served.status, served.header("content-type")), (200, format));
        let (reader, codes) = read(format, &served.body, true);
        assert_eq!((reader.validation_state(), codes), (ValidationState::Trusted, vec![]), "{name}");
        let (untrusted, codes) = read(format, &served.body, false);
        assert_eq!(untrusted.validation_state(), ValidationState::Valid, "{name}");
        // The signers of the rendition and of its original.
        assert_eq!(codes, ["signingCredential.untrusted"; 2], "{name}");
        assert!(!reader.is_embedded());
        // The original is the only parent, and its own manifest came along.
        let manifest = reader.active_manifest().unwrap();
        let [ingredient] = manifest.ingredients() else { panic!("{name}: {:?}", manifest.ingredients()) };
        assert!(ingredient.is_parent());
        assert_eq!(ingredient.active_manifest(), original["manifest"]["id"].as_str(), "{name}");
        let about = format!("{}/v1/proofs/{}", server.url(), file["proof"].as_str().unwrap());
        assert_eq!(ingredient.informational_uri(), Some(about.as_str()));
        let (names, all) = actions(&reader);
        assert_eq!((names[0].as_str(), &all), ("c2pa.opened", &json!(true)), "{name}");
        assert_eq!(names[1], "c2pa.redacted", "the thumbnail of the original: {names:?}");
        assert_eq!(&names[2..], expected, "{name}");
        // The rendition has grown by the address of its manifest alone, and the store by no picture.
        let hash = MediaHash::of(&served.body);
        let proof = client.get(&format!("/v1/proofs/{}", ProofId::derive(&Tenant::default(), &hash))).json();
        assert_eq!(proof["manifest"]["id"].as_str(), reader.active_label(), "{name}");
        let (stored, most) = (proof["manifest"]["length"].as_u64().unwrap(), parent.len() as u64);
        assert!(stored < most + 8_000, "{name}: {stored} bytes, of a parent with {most}");
        let entry = file["renditions"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["url"].as_str().unwrap().contains(&format!("/{name}?")));
        assert_eq!(entry.unwrap()["proof"], proof["id"], "{name}");
    }
}

#[test]
fn an_original_without_a_manifest_is_a_parent_too() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let client = Client::new(server.url());
    let id = client.file("redacted", "image/png", &png(200, 200, 2), &json!({}));
    for (name, expected) in [
        // Smaller than the profile: no pixel is scaled.
        ("card", &["c2pa.opened", "c2pa.transcoded"][..]),
        ("face", &["c2pa.opened", "c2pa.resized.proportional", "c2pa.transcoded"]),
    ] {
        let served = client.get(&format!("/media/{id}/{name}.jpg"));
        let (reader, codes) = read("image/jpeg", &served.body, true);
        assert_eq!((reader.validation_state(), codes), (ValidationState::Trusted, vec![]), "{name}");
        assert_eq!(actions(&reader).0, expected, "{name}");
        let [ingredient] = reader.active_manifest().unwrap().ingredients() else { panic!("{name}") };
        assert!(ingredient.is_parent() && ingredient.active_manifest().is_none());
        let proof = ProofId::derive(&Tenant::default(), &MediaHash::of(&served.body));
        let length =
            client.get(&format!("/v1/proofs/{proof}")).json()["manifest"]["length"].as_u64().unwrap();
        assert!(length < 6_000, "{name}: {length} bytes");
    }
    // The same picture again, and its renditions anew: nothing changes.
    let again = client.file("redacted", "image/png", &png(200, 200, 2), &json!({}));
    let hashes = |id: &str| {
        let file = of_file(&client, id);
        let all = file["renditions"].as_array().unwrap().clone();
        all.into_iter().map(|one| (one["sha256"].clone(), one["proof"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(hashes(&id), hashes(&again));
    let anew = client.send(&Method::POST, &format!("/v1/files/{id}/renditions"), &[], &[]);
    assert_eq!((anew.status, hashes(&id)), (200, hashes(&again)));
}

#[test]
fn a_place_in_the_manifest_of_an_original_is_redacted_refused_or_bound() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let client = Client::new(server.url());
    let id = client.file("redacted", "image/png", &original(3, Some(&place())), &json!({}));
    let served = client.get(&format!("/media/{id}/card.webp"));
    let (reader, codes) = read("image/webp", &served.body, true);
    assert_eq!((reader.validation_state(), codes), (ValidationState::Trusted, vec![]));
    let redactions = reader.active_manifest().unwrap().redactions().unwrap().to_vec();
    assert!(redactions.iter().any(|one| one.ends_with("c2pa.metadata")), "{redactions:?}");
    assert_eq!(redactions.len(), 2, "the place and the thumbnail: {redactions:?}");
    let label = reader.active_label().unwrap();
    let store = client.get(&format!("/v1/manifests/{label}"));
    let has = |word: &[u8]| store.body.windows(word.len()).any(|part| part == word);
    assert!(!has(b"GPS") && !has(b"39,21") && !has(b"\x89PNG"), "what is redacted is gone");
    // The manifest of the original tells it, and is for its owner.
    let proof = of_file(&client, &id)["proof"].as_str().unwrap().to_owned();
    let own = client.get(&format!("/v1/proofs/{proof}")).json();
    assert_eq!(own["visibility"], "private", "{own}");

    assert_eq!(client.rejected("refused", "image/png", &original(4, Some(&place())), &json!({})), "location");
    client.file("refused", "image/png", &original(5, None), &json!({}));

    let id = client.file("bound", "image/png", &original(6, Some(&place())), &json!({}));
    for rendition in of_file(&client, &id)["renditions"].as_array().unwrap() {
        let proof = client.get(&format!("/v1/proofs/{}", rendition["proof"].as_str().unwrap())).json();
        assert_eq!(proof["manifest"]["json"]["relation"], "rendition", "{proof}");
    }
}

#[test]
fn a_place_in_an_action_cannot_be_redacted_and_the_rendition_is_bound() {
    let definition = json!({
        "claim_generator_info": [{ "name": "credlink-test", "version": "1" }],
        "assertions": [{ "label": "c2pa.actions", "data": { "actions": [{
            "action": "c2pa.created", "description": "GPS 39,21.102N",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"
        }] } }]
    });
    let mut builder = Builder::from_context(Context::new()).with_definition(definition).unwrap();
    let (signer, mut signed) = (EphemeralSigner::new("credlink-test").unwrap(), Cursor::new(Vec::new()));
    builder.sign(&signer, "image/png", &mut Cursor::new(png(640, 480, 7)), &mut signed).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let client = Client::new(server.url());
    let id = client.file("redacted", "image/png", signed.get_ref(), &json!({}));
    let proof = of_file(&client, &id)["renditions"][0]["proof"].as_str().unwrap().to_owned();
    let proof = client.get(&format!("/v1/proofs/{proof}")).json();
    assert_eq!(proof["manifest"]["json"]["relation"], "rendition", "{proof}");
}

/// The output of `credlink verify` for bytes that somebody downloaded.
fn verified(server: &Server, folder: &Path, name: &str, bytes: &[u8]) -> Value {
    std::fs::write(folder.join(name), bytes).unwrap();
    let mut command = Command::new(binary());
    command.current_dir(folder).args(["verify", name, "--json", "--url", server.url()]);
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{name}: {}", String::from_utf8_lossy(&ended.stdout));
    serde_json::from_slice(&ended.stdout).unwrap()
}

#[test]
fn verify_leads_from_a_thumbnail_to_the_credentials_of_its_original() {
    let (folder, downloads) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = server(folder.path());
    let client = Client::new(server.url());
    for (collection, profile, seed) in [("item-photo", "thumbnail", 8), ("redacted", "card", 9)] {
        let picture = original(seed, None);
        let id = client.file(collection, "image/png", &picture, &json!({}));
        let original =
            client.get(&format!("/v1/proofs/{}", of_file(&client, &id)["proof"].as_str().unwrap())).json();
        for extension in ["jpg", "webp"] {
            let served = client.get(&format!("/media/{id}/{profile}.{extension}"));
            let name = format!("{collection}.{extension}");
            let said = verified(&server, downloads.path(), &name, &served.body);
            let checks = said["checks"].as_array().unwrap();
            let check = checks.iter().find(|check| check["about"] == "original");
            let check = check.unwrap_or_else(|| panic!("{name}: {said}"));
            assert_eq!(check["outcome"], "holds", "{name}: {check}");
            let detail = check["detail"].as_str().unwrap();
            for part in [&original["id"], &original["manifest"]["id"], &original["media_hash"]] {
                assert!(detail.contains(part.as_str().unwrap()), "{name}: {detail}");
            }
        }
    }
}

#[test]
fn a_private_file_that_becomes_public_shows_its_manifests() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let client = Client::new(server.url());
    let id = client.file("redacted", "image/png", &original(11, None), &json!({"access": "private"}));
    let before = of_file(&client, &id);
    let private = |made: &Value| {
        let proof = client.get(&format!("/v1/proofs/{}", made["proof"].as_str().unwrap())).json();
        proof["visibility"] == "private"
    };
    assert!(before["renditions"].as_array().unwrap().iter().all(private), "{before}");
    let path = format!("/v1/files/{id}");
    assert_eq!(client.json(&Method::PATCH, &path, &[], &json!({"access": "public"})).status, 200);
    let after = of_file(&client, &id);
    let kept = |file: &Value| {
        let all = file["renditions"].as_array().unwrap().iter();
        all.map(|made| (made["sha256"].clone(), made["proof"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(kept(&before), kept(&after), "the same bytes and the same proofs");
    assert!(!after["renditions"].as_array().unwrap().iter().any(private), "{after}");
    let served = client.get(&format!("/media/{id}/card.webp"));
    let (reader, codes) = read("image/webp", &served.body, true);
    assert_eq!((reader.validation_state(), codes), (ValidationState::Trusted, vec![]));
}

#[test]
fn a_server_that_cannot_sign_says_so_at_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let collections = collections().to_string();
    let other = include_str!("../../vectors/signers/other-es256.key");
    let rsa = include_str!("../../vectors/signers/rsa.key");
    let sign = ("CREDLINK_COLLECTIONS", collections.as_str());
    let (certificate, key) = (("CREDLINK_SIGN_CERTIFICATE", CERTIFICATE), ("CREDLINK_SIGN_KEY", KEY));
    for (variables, expected) in [
        (vec![sign], vec!["collections.bound.provenance", "CREDLINK_SIGN_CERTIFICATE and CREDLINK_SIGN_KEY"]),
        (vec![sign, certificate], vec!["CREDLINK_SIGN_KEY is not set"]),
        (vec![key], vec!["CREDLINK_SIGN_CERTIFICATE is not set"]),
        (
            vec![certificate, ("CREDLINK_SIGN_KEY", "/no/such/key")],
            vec!["CREDLINK_SIGN_KEY: it is neither PEM nor the path"],
        ),
        (vec![certificate, ("CREDLINK_SIGN_KEY", other)], vec!["CREDLINK_SIGN_KEY: the key does not fit"]),
        (vec![certificate, ("CREDLINK_SIGN_KEY", rsa)], vec!["CREDLINK_SIGN_KEY", "PKCS#8"]),
        (vec![("CREDLINK_SIGN_CERTIFICATE", AUTHORITY), key], vec!["CREDLINK_SIGN_CERTIFICATE", "authority"]),
        (
            vec![("CREDLINK_SIGN_CERTIFICATE", KEY), key],
            vec!["CREDLINK_SIGN_CERTIFICATE: it has no certificate"],
        ),
    ] {
        let said = Server::refuses(folder.path(), &variables);
        for part in expected {
            assert!(said.contains(part), "{part}: {said}");
        }
        for text in [KEY, other, rsa] {
            assert!(!said.contains(text.lines().nth(1).unwrap()), "no key is repeated: {said}");
        }
    }
}

#[test]
fn a_key_in_kms_signs() {
    let folder = tempfile::tempdir().unwrap();
    let (kms, collections) = (Kms::start(Some(KEY)), collections().to_string());
    let own = [("CREDLINK_COLLECTIONS", collections.as_str()), ("CREDLINK_SIGN_CERTIFICATE", CERTIFICATE)];
    let server = Server::with(folder.path(), &[], &[&own[..], &kms.variables()].concat());
    let tried = kms.signed();
    assert!(tried > 0, "the key is tried at the start");
    let client = Client::new(server.url());
    let id = client.file("redacted", "image/png", &original(10, None), &json!({}));
    for (name, format) in [("card.jpg", "image/jpeg"), ("face.webp", "image/webp")] {
        let served = client.get(&format!("/media/{id}/{name}"));
        let (reader, codes) = read(format, &served.body, true);
        assert_eq!((reader.validation_state(), codes), (ValidationState::Trusted, vec![]), "{name}");
    }
    assert_eq!(kms.signed() - tried, 4, "one request for each rendition");
}

#[test]
fn a_server_that_cannot_use_its_key_in_kms_says_so_at_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let other = include_str!("../../vectors/signers/other-es256.key");
    let certificate = ("CREDLINK_SIGN_CERTIFICATE", CERTIFICATE);
    for (key, expected) in [
        (Some(other), vec!["CREDLINK_SIGN_KEY: the key does not fit"]),
        (None, vec!["CREDLINK_SIGN_KEY: the key does not sign: kms", "DisabledException", ARN]),
    ] {
        let kms = Kms::start(key);
        let said = Server::refuses(folder.path(), &[&[certificate][..], &kms.variables()].concat());
        for part in expected {
            assert!(said.contains(part), "{part}: {said}");
        }
        kms.signed();
    }
    let rsa = include_str!("../../vectors/signers/rsa.pem");
    let kms = Kms::start(Some(KEY));
    let other_kind = [("CREDLINK_SIGN_CERTIFICATE", rsa)];
    let said = Server::refuses(folder.path(), &[&other_kind[..], &kms.variables()].concat());
    assert!(
        said.contains("CREDLINK_SIGN_CERTIFICATE: a key in AWS KMS signs with a certificate of P-256"),
        "{said}"
    );
    assert_eq!(kms.signed(), 0);
    for arn in ["arn:aws:kms:eu-central-1:123456789012:x", "arn:aws:s3:::bucket", "arn:aws:kms::1:key/a"] {
        let said = Server::refuses(folder.path(), &[certificate, ("CREDLINK_SIGN_KEY", arn)]);
        assert!(
            said.contains("CREDLINK_SIGN_KEY") && said.contains("arn:aws:kms:REGION:ACCOUNT:key/ID"),
            "{said}"
        );
    }
}
