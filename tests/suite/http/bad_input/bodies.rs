//! Bodies that cannot be read because of their size, coding, type or JSON.

use std::io::Read as _;

use bytes::Bytes;
use credlink_core::bounds::MAX_BODY_BYTES;
use flate2::Compression;
use flate2::read::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request};

use super::{Bad, bad};
use crate::http::ask::{ask, text, with};

fn store(body: &str) -> Request<Bytes> {
    text(Method::POST, "/v1/proofs", body)
}

fn gzip(content: &[u8]) -> Bytes {
    let mut packed = Vec::new();
    GzEncoder::new(content, Compression::best()).read_to_end(&mut packed).unwrap();
    packed.into()
}

fn packed(body: Bytes) -> Request<Bytes> {
    with(store("").map(|_| body), CONTENT_ENCODING, "gzip")
}

pub fn rows() -> Vec<Bad> {
    let nested = format!("{}{}", "[".repeat(68), "]".repeat(68));
    let bomb = gzip(&vec![b' '; MAX_BODY_BYTES + 1]);
    assert!(bomb.len() < 20_000, "a bomb is small");
    let whole = gzip(b"{}");
    let untyped = ask(Method::POST, "/v1/proofs").map(|_| Bytes::from("{}"));
    let coding = |coding: &str| with(store("{}"), CONTENT_ENCODING, coding);
    let kind = |path: &str, kind: &str| with(text(Method::POST, path, "{}"), CONTENT_TYPE, kind);
    let batch = |body: &str| text(Method::POST, "/v1/proofs/batch-delete", body);
    let many = format!(r#"{{"ids":[{}""]}}"#, r#""","#.repeat(1_000));
    vec![
        bad("nothing", store(""), 400, "EOF"),
        bad("no JSON", store("media_hash=1"), 400, "not a JSON object"),
        bad("cut short", store(r#"{"media_hash":"sha"#), 400, "EOF"),
        bad("not an object", store("[1]"), 400, "not a JSON object"),
        bad("the members without their names", store(r#"["sha256:x",null,{}]"#), 400, "not a JSON object"),
        bad("something behind it", store("{} {}"), 400, "continues after its JSON document"),
        bad("not UTF-8", store("").map(|_| Bytes::from_static(b"{\"media_hash\":\"\xff\"}")), 400, "unicode"),
        bad("nested too deep", store(&format!(r#"{{"manifest":{nested}}}"#)), 400, "67 levels"),
        bad("nested too deep outside a manifest", store(&"[".repeat(100_000)), 400, "67 levels"),
        bad("too long", store(&" ".repeat(MAX_BODY_BYTES + 1)), 413, "13398872 bytes"),
        bad("too long by its own word", with(store("{}"), CONTENT_LENGTH, "99999999999"), 413, "bytes"),
        bad("too long once it is unpacked", packed(bomb), 413, "unpacked"),
        bad("gzip that is none", packed(Bytes::from("{}")), 400, "gzip"),
        bad("gzip that is cut short", packed(whole.slice(..whole.len() - 5)), 400, "gzip"),
        bad("gzip that says nothing", packed(Bytes::new()), 400, "gzip"),
        bad("an unknown coding", coding("br"), 415, "`gzip` or none"),
        bad("gzip in capitals that is none", coding("GZIP"), 400, "gzip"),
        bad("gzip by its old name that is none", coding("x-gzip, identity"), 400, "gzip"),
        bad("two codings", coding("gzip, gzip"), 415, "`gzip` or none"),
        bad("no type", untyped, 415, "application/json"),
        bad("another type", kind("/v1/proofs", "text/plain"), 415, "application/json"),
        bad(
            "a type that JSON has elsewhere",
            kind("/v1/proofs", "application/ld+json"),
            415,
            "application/json",
        ),
        bad("JSON where C2PA is taken", kind("/v1/manifests", "application/json"), 415, "application/c2pa"),
        bad("C2PA where JSON is taken", kind("/v1/proofs", "application/c2pa"), 415, "application/json"),
        bad("a batch of nothing", batch("{}"), 400, "ids"),
        bad("a batch without ids", batch(r#"{"ids":[]}"#), 400, "1 to 1000"),
        bad("a batch of too many ids", batch(&many), 400, "1 to 1000"),
        bad("a batch of numbers", batch(r#"{"ids":["a",1]}"#), 400, "string"),
        bad("a batch with more to it", batch(r#"{"ids":["a"],"force":true}"#), 400, "`ids`"),
    ]
}
