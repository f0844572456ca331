//! Manifests that are damaged, hostile, or made for another file.

use bytes::Bytes;
use credlink_core::testing::{data_box, manifest_store, store_of, superbox};
use data_encoding::{BASE64, BASE64URL};
use http::{Method, Request};
use serde_json::{Value, json};

use super::{Bad, TAKEN, bad};
use crate::http::ask::{c2pa, get, json, media, proof_path};

const ID: &str = "urn:c2pa:00000000-0000-4000-8000-00000000000b";

/// A store of this manifest, for the file that `manifest_store(ID, …)` binds below.
fn store(bytes: &[u8]) -> Request<Bytes> {
    base64(BASE64.encode(bytes), "application/c2pa")
}

fn base64(text: String, kind: &str) -> Request<Bytes> {
    let body = json!({
        "media_hash": media("bad").to_string(), "manifest_base64": text, "manifest_type": kind,
    });
    json(Method::POST, "/v1/proofs", &body)
}

/// Nested boxes, `depth` of them.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| superbox([0; 16], "a:b", &[inner]))
}

/// A manifest store whose manifest claims the length of the whole store: a box that would contain itself.
fn holding_itself() -> Vec<u8> {
    let mut bytes = manifest_store(ID, media("bad").digest());
    let whole: [u8; 4] = bytes[..4].try_into().unwrap();
    let manifest = bytes.windows(4).skip(8).position(|window| window == b"jumb").unwrap() + 8;
    bytes[manifest - 4..manifest].copy_from_slice(&whole);
    bytes
}

/// A manifest store whose outermost box has this length.
fn of_length(length: u32) -> Vec<u8> {
    let mut bytes = manifest_store(ID, media("bad").digest());
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

pub fn rows() -> Vec<Bad> {
    let good = manifest_store(ID, media("bad").digest());
    let private: Value = json!({
        "visibility": "private", "manifest_base64": BASE64.encode(&manifest_store(TAKEN, media("there").digest())),
    });
    let private = super::with(json(Method::PUT, &proof_path("there"), &private), http::header::IF_MATCH, "*");
    let private =
        super::with(private, http::header::AUTHORIZATION, format!("Bearer {}", super::tokens::OWNER));
    let flood = store_of(&[vec![data_box(*b"free", b""); 20_001].concat()]);
    let long = json!({"a": "x".repeat(1_000_000)}).to_string();
    let deep = format!("{}{}", r#"{"a":"#.repeat(65), "0");
    let other = manifest_store(TAKEN, media("another").digest());
    let unbound = manifest_store(TAKEN, media("bad").digest());
    let post = |bytes: &[u8]| c2pa(Method::POST, "/v1/manifests", bytes.to_vec());
    let labelled = |label: &str| manifest_store(label, media("bad").digest());
    let mut rows = vec![
        bad("no base64", base64("a*b=".into(), "application/c2pa"), 400, "base64"),
        bad("base64 for URLs", base64(BASE64URL.encode(&[0xff; 3]), "application/c2pa"), 400, "base64"),
        bad("nothing in base64", store(b""), 400, "JUMBF superbox"),
        bad("JSON in base64 that is none", base64(BASE64.encode(b"{"), "application/json"), 400, "not JSON"),
        bad(
            "JSON in base64 that is no object",
            base64(BASE64.encode(b"1"), "application/json"),
            400,
            "an object",
        ),
        bad(
            "JSON in base64 that is too deep",
            base64(BASE64.encode(deep.as_bytes()), "application/json"),
            400,
            "64 levels",
        ),
        bad(
            "JSON that is too long",
            base64(BASE64.encode(long.as_bytes()), "application/json"),
            413,
            "1000000 bytes",
        ),
        bad("C2PA that is too long", store(&vec![0; 10_000_001]), 413, "10000000 bytes"),
        bad("C2PA that is a picture", store(b"\x89PNG\r\n\x1a\n"), 400, "JUMBF superbox"),
        bad("C2PA that is cut short", store(&good[..good.len() - 1]), 400, "cut short"),
        bad("C2PA with something behind it", store(&[&good[..], b"x"].concat()), 400, "JUMBF"),
        bad("C2PA that is longer than it is", store(&of_length(u32::MAX)), 400, "impossible length"),
        bad("C2PA that is shorter than a box", store(&of_length(7)), 400, "impossible length"),
        bad("a box that would hold itself", store(&holding_itself()), 400, "impossible length"),
        bad("boxes that are nested too deep", store(&nested(40)), 400, "16 levels"),
        bad("boxes that are nested without an end", store(&nested(5_000)), 400, "16 levels"),
        bad("too many boxes", store(&flood), 400, "20000 JUMBF boxes"),
        bad("a store without a manifest", store(&store_of(&[])), 400, "holds no manifest"),
        bad("a box of another type", store(&nested(1)), 400, "another type"),
        bad("a manifest without a name", store(&labelled("")), 400, "1 to 160 characters"),
        bad(
            "a manifest named like a path",
            store(&labelled("../../etc:passwd")),
            400,
            "no control character",
        ),
        bad("a manifest named without a colon", store(&labelled("manifest")), 400, "urn:c2pa"),
        bad(
            "a manifest whose name is too long",
            store(&labelled(&format!("urn:{}", "x".repeat(252)))),
            400,
            "1 to 160 characters",
        ),
        bad(
            "a manifest of another file",
            store(&manifest_store(ID, media("other").digest())),
            422,
            "binds the file sha256:",
        ),
        bad("a manifest id that is taken", store(&unbound), 409, "An id has one content"),
        bad("a manifest id that is taken, by itself", post(&other), 409, "An id has one content"),
        bad("a manifest by itself that is none", post(b"{}"), 400, "JUMBF superbox"),
        bad("a manifest by itself that is nothing", post(b""), 400, "JUMBF superbox"),
        bad(
            "a manifest that is there, asked for as it never was",
            get(&format!("/v1/manifests/{TAKEN}:2")),
            404,
            "no manifest has the id",
        ),
    ];
    rows.push(Bad {
        name: "a public manifest as a private one",
        request: private,
        status: 409,
        says: "one visibility",
    });
    rows
}
