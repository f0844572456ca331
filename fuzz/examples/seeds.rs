//! Writes the seeds that are generated rather than found: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.
//!
//! They change only with a format, and `git diff` then shows which.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use ciborium::Value;
use credlink_core::access::Visibility;
use credlink_core::encoding::at_rest_again;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::manifest::Manifest;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::{RECORD_VERSION, Record, RecordManifest};
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_core::time::Timestamp;

const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let digest = Digest::of(b"the picture");
    let store = manifest_store(ID, &digest);
    seed("c2pa_store", "whole_file", &store)?;
    seed("c2pa_store", "padded", &[store.as_slice(), &[0; 16]].concat())?;
    let to_the_end = [&[0; 4], &store[4..]].concat();
    seed("c2pa_store", "length_to_the_end", &to_the_end)?;
    let long = (store.len() as u64 + 8).to_be_bytes();
    seed("c2pa_store", "length_of_64_bits", &[&[0, 0, 0, 1], &store[4..8], &long, &store[8..]].concat())?;

    let list = array([map([("url", text("self#jumbf=c2pa.assertions/c2pa.hash.data"))])]);
    let claim = cbor(&map([("alg", text("sha256")), ("created_assertions", list)]))?;
    let hash = Value::Bytes(digest.as_bytes().to_vec());
    let range = map([("start", Value::from(20)), ("length", Value::from(52_000))]);
    for (name, assertion) in [
        ("whole_file", map([("hash", hash.clone())])),
        ("sha512", map([("alg", text("sha512")), ("hash", hash.clone())])),
        ("exclusions", map([("exclusions", array([range])), ("hash", hash)])),
    ] {
        let length = u8::try_from(claim.len())?;
        seed("c2pa_binding", name, &[vec![length], claim.clone(), cbor(&assertion)?].concat())?;
    }

    seed("cbor", "claim", &claim)?;
    seed("cbor", "without_an_end", b"\xbf\x61a\x9f\x01\xff\x61b\x7f\x61c\x61d\xff\xff")?;
    seed("cbor", "undefined", b"\xf7\x24\x01\x74\x3a")?;
    seed("cbor", "cose", b"\xd2\x84\x47\xa2\x01\x26\x18\x21\x41c\xa0\xf6\x41s")?;

    let json = br#"{ "title" : "a picture", "claims" : [1.10, true, null, "\u00e9"] }"#;
    let spaced = b" {\"a\":\"\\u0041\"}\n";
    seed("record", "manifest", json)?;
    seed("record", "manifest_in_white_space", spaced)?;
    seed("record", "inline", &record(&Manifest::json(Bytes::from_static(json))?).to_bytes())?;
    seed("record", "base64", &record(&Manifest::json(Bytes::from_static(spaced))?).to_bytes())?;
    seed("record", "by_reference", &record(&Manifest::c2pa(store.clone().into())?).to_bytes())?;

    let (id, hash) = (ProofId::derive(&Tenant::default(), &digest.into()), MediaHash::from(digest));
    seed("names", "proof_id", id.to_string().as_bytes())?;
    seed("names", "media_hash", hash.to_string().as_bytes())?;
    seed("names", "digest", digest.to_string().to_uppercase().as_bytes())?;
    seed("names", "manifest_id", format!("{}:ACME:1_2", ID.to_uppercase()).as_bytes())?;
    seed("names", "legacy_manifest_id", b"contentauth:urn:uuid:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4")?;
    seed("names", "tenant", b"press-agency_7")?;
    seed("names", "timestamp", b"2026-01-31T13:00:00.5+01:00")?;
    seed("names", "record_key", ObjectKey::Record(id).to_string().as_bytes())?;
    seed("names", "revision_key", ObjectKey::Revision(id, 64).to_string().as_bytes())?;
    seed("names", "manifest_key", ObjectKey::Manifest(ID.parse()?).to_string().as_bytes())?;

    let stored =
        format!(r#"{{"media_hash":"{hash}","manifest":{{"a":1.0}},"tags":{{"k":"v"}},"expires_in":60}}"#);
    let fetch =
        "accept-encoding: br, gzip;q=0.5\nrange: bytes=5-9\nif-range: \"x\"\nif-none-match: W/\"a\", \"b\"";
    for (name, request) in [
        ("store", format!("POST /v1/proofs\ncontent-type: application/json\n\n{stored}")),
        ("supersede", format!("PUT /v1/proofs/{id}\nif-match: \"{digest}\"\n\n{{\"manifest\":{{}}}}")),
        ("read_manifest", format!("GET /manifests/{}\n{fetch}\n", ID.replace(':', "%3A"))),
        ("read_by_hash", format!("HEAD /v1/proofs?media_hash={hash}&tenant=press\n{fetch}\n")),
        ("signed_link", format!("GET /v1/proofs/{id}?expires=1767225601&key=a&signature=AAAA\n")),
        ("list", "GET /v1/proofs?limit=1000&after=x%20y+z\n".to_owned()),
        ("dates", format!("GET /proofs/{id}/1\nif-modified-since: Thu, 01 Jan 2026 00:00:00 GMT\n")),
        ("batch", format!("POST /v1/proofs/batch-delete\n\n{{\"ids\":[\"{id}\"]}}")),
    ] {
        seed("http_request", name, request.as_bytes())?;
    }

    let whole = format!(
        r#"{{"proofId":"p-1","imageHash":"{hash}","manifest":{{ "title" : 1.0, "imageHash":"{digest}" }},"signature":"c2ln","timestamp":1767225600000,"expiresAt":"2027-01-01T00:00:00Z","metadata":{{"a" : [1.50]}}}}"#
    );
    let in_text = format!(
        r#"{{"proofId":"p-2","imageHash":"{digest}","manifest":"{{\"a\":1}}","signature":null,"timestamp":"2026-01-01T00:00:00Z"}}"#
    );
    let base64 = data_encoding::BASE64.encode(&store);
    let c2pa = format!(
        r#"{{"proofId":"p-3","imageHash":"{digest}","manifest":"{base64}","signature":"c2ln","timestamp":1767225600000}}"#
    );
    seed("legacy_record", "whole", whole.as_bytes())?;
    seed("legacy_record", "json_in_text", in_text.as_bytes())?;
    seed("legacy_record", "c2pa", c2pa.as_bytes())?;
    seed(
        "legacy_record",
        "another_file",
        whole.replace(&format!("\"{digest}\" }}"), &format!("\"{}\" }}", Digest::of(b"x"))).as_bytes(),
    )?;

    let packed = at_rest_again(&[b'a'; 4_096], 1).bytes;
    seed("gzip", "content", &[b'a'; 600])?;
    seed("gzip", "packed", &packed)?;
    seed("gzip", "two_members", &[&packed[..], &packed[..]].concat())?;
    seed("gzip", "bomb", &at_rest_again(&vec![0; 70_000], 1).bytes)?;

    seed("json_depth", "manifest", json)?;
    seed("json_depth", "brackets_in_strings", br#"{"[{\"[":["\\",{"a\\\"[":[[]]}]}"#)?;
    for depth in [64, 65, 129] {
        let nested = [b"[".repeat(depth), b"]".repeat(depth)].concat();
        seed("json_depth", &format!("levels_{depth}"), &nested)?;
    }
    Ok(())
}

fn seed(target: &str, name: &str, content: &[u8]) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), content)
}

fn record(manifest: &Manifest) -> Record {
    let (tenant, media_hash) = (Tenant::default(), MediaHash::of(b"the picture"));
    Record {
        version: RECORD_VERSION,
        id: ProofId::derive(&tenant, &media_hash),
        tenant,
        media_hash,
        media_type: Some("image/jpeg".to_owned()),
        manifest: RecordManifest::of(manifest),
        signature: Some("c2ln".to_owned()),
        created: Timestamp::from_milliseconds(1_767_225_600_000),
        expires: Timestamp::from_milliseconds(1_798_761_600_000),
        revision: 1,
        first_revision: 1,
        visibility: Visibility::Private,
        tags: BTreeMap::from([("album".to_owned(), "press".to_owned())]),
        legacy: None,
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn array<const N: usize>(items: [Value; N]) -> Value {
    Value::Array(items.into())
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(key, value)| (text(key), value)).collect())
}

fn cbor(value: &Value) -> Result<Vec<u8>, ciborium::ser::Error<io::Error>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes)?;
    Ok(bytes)
}
