//! Invalid members of a body.

use bytes::Bytes;
use http::header::IF_MATCH;
use http::{Method, Request};
use serde_json::{Map, Value, json};

use super::{Bad, bad};
use crate::http::ask::{ask, json, media, proof, proof_path, with};

/// A body that is valid except for one member, which `null` leaves out.
fn body(member: &str, value: Value) -> Value {
    let mut body = json!({"media_hash": media("bad").to_string(), "manifest": {}});
    body[member] = value;
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    body
}

fn store(member: &str, value: Value) -> Request<Bytes> {
    json(Method::POST, "/v1/proofs", &body(member, value))
}

fn put(name: &str, if_match: Option<&[u8]>) -> Request<Bytes> {
    let request = json(Method::PUT, &proof_path(name), &json!({"manifest": {}}));
    match if_match {
        None => request,
        Some(value) => with(request, IF_MATCH, value),
    }
}

fn tags(count: usize, key: &str, value: &str) -> Value {
    (0..count).map(|n| (format!("{key}{n}"), value.into())).collect::<Map<_, _>>().into()
}

/// The `origin` of an imported proof, valid except for one member, which `null` leaves out.
fn origin(member: &str, value: Value) -> Value {
    let mut origin = json!({"created": "2020-01-02T00:00:00Z", "expires": "9999-01-01T00:00:00Z"});
    origin[member] = value;
    origin.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    origin
}

fn with_id(mut origin: Value) -> Value {
    origin["legacy_id"] = "old-bad".into();
    origin
}

fn two_lifetimes() -> Request<Bytes> {
    let mut body = body("origin", origin("restores", Value::Null));
    body["expires_in"] = 60.into();
    json(Method::POST, "/v1/proofs", &body)
}

fn replacement(origin: Value) -> Request<Bytes> {
    let request = json(Method::PUT, &proof_path("there"), &json!({"manifest": {}, "origin": origin}));
    with(request, IF_MATCH, "*")
}

pub fn rows() -> Vec<Bad> {
    let digits = "ab".repeat(31);
    let both = json!({"media_hash": media("bad").to_string(), "manifest": {}, "manifest_base64": ""});
    let both = json(Method::POST, "/v1/proofs", &both);
    let many: Vec<&str> = vec!["\"a\""; 101];
    vec![
        bad("no media hash", store("media_hash", Value::Null), 400, "64 hexadecimal digits"),
        bad(
            "a media hash that is too short",
            store("media_hash", format!("sha256:{digits}").into()),
            400,
            "64 hexadecimal digits",
        ),
        bad(
            "a media hash with another digit",
            store("media_hash", format!("sha256:{digits}xy").into()),
            400,
            "64 hexadecimal digits",
        ),
        bad(
            "a media hash of another algorithm",
            store("media_hash", format!("md5:{digits}").into()),
            400,
            "`sha256:`",
        ),
        bad("a media hash that is no text", store("media_hash", 7.into()), 400, "string"),
        bad("no manifest", store("manifest", Value::Null), 400, "`manifest` or `manifest_base64`"),
        bad("two manifests", both, 400, "not both"),
        bad("a manifest that is no object", store("manifest", json!([])), 400, "is an object"),
        bad("an unknown field", store("expires", 1.into()), 400, "expected one of `tenant`"),
        bad("an unknown field of great length", store(&"x".repeat(9_000), 1.into()), 400, "unknown field"),
        bad("an unknown field with a line in it", store("a\nb`c", 1.into()), 400, "unknown field"),
        bad(
            "an unknown type of manifest",
            store("manifest_type", "text/html".into()),
            400,
            "`application/c2pa` or `application/json`",
        ),
        bad("C2PA that is JSON", store("manifest_type", "application/c2pa".into()), 400, "manifest_base64"),
        bad("a media type without a subtype", store("media_type", "image".into()), 400, "image/jpeg"),
        bad(
            "a media type with a line in it",
            store("media_type", "image/png\r\nx: y".into()),
            400,
            "image/jpeg",
        ),
        bad(
            "a media type that is too long",
            store("media_type", format!("image/{}", "x".repeat(250)).into()),
            400,
            "255 bytes",
        ),
        bad("an empty signature", store("signature", "".into()), 400, "1 to 16384 bytes"),
        bad(
            "a signature with a control character",
            store("signature", "a\u{0}b".into()),
            400,
            "control characters",
        ),
        bad(
            "a signature that is too long",
            store("signature", "x".repeat(16_385).into()),
            400,
            "1 to 16384 bytes",
        ),
        bad("a life of no second", store("expires_in", 0.into()), 400, "from 1 to 315360000"),
        bad("a life of less", store("expires_in", (-1).into()), 400, "from 1 to 315360000"),
        bad("a life of a part of a second", store("expires_in", json!(1.5)), 400, "from 1 to 315360000"),
        bad("a life that is too long", store("expires_in", 315_360_001.into()), 400, "from 1 to 315360000"),
        bad("a life that no number holds", store("expires_in", json!(1e300)), 400, "from 1 to 315360000"),
        bad("a life that is text", store("expires_in", "1".into()), 400, "number"),
        bad("too many tags", store("tags", tags(11, "k", "v")), 400, "up to 10 tags"),
        bad("a tag without a key", store("tags", json!({"": "v"})), 400, "a key of 1 to 128"),
        bad(
            "a tag whose key is too long",
            store("tags", tags(1, &"k".repeat(128), "v")),
            400,
            "a key of 1 to 128",
        ),
        bad(
            "a tag whose value is too long",
            store("tags", tags(1, "k", &"v".repeat(257))),
            400,
            "a value of up to 256",
        ),
        bad("a tag that S3 would not take", store("tags", tags(1, "k", "<script>")), 400, "letters, digits"),
        bad("tags that are a list", store("tags", json!(["a"])), 400, "an object whose members are text"),
        bad("a tag that is a number", store("tags", json!({"a": 1})), 400, "string"),
        bad("an unknown visibility", store("visibility", "secret".into()), 400, "`public` or `private`"),
        bad("a replacement of who knows what", put("there", None), 428, "ETag"),
        bad("a replacement of something else", put("there", Some(b"\"x\"")), 412, "the current ETag is"),
        bad("a replacement of something weak", put("there", Some(b"W/\"x\"")), 412, "the current ETag is"),
        bad("an If-Match without quotes", put("there", Some(b"abc")), 400, "entity tags in double quotes"),
        bad("an If-Match that is empty", put("there", Some(b"")), 400, "entity tags in double quotes"),
        bad(
            "an If-Match that is not ASCII",
            put("there", Some(b"\"\xff\"")),
            400,
            "entity tags in double quotes",
        ),
        bad("an If-Match of too many", put("there", Some(many.join(",").as_bytes())), 400, "up to 100"),
        bad("an origin that says nothing", store("origin", json!({})), 400, "missing field `created`"),
        bad(
            "an origin with another member",
            store("origin", origin("by", "me".into())),
            400,
            "unknown field",
        ),
        bad("an origin at no time", store("origin", origin("created", "yesterday".into())), 400, "RFC 3339"),
        bad(
            "an origin that ends before it begins",
            store("origin", origin("expires", "2020-01-01T00:00:00Z".into())),
            400,
            "after `created`",
        ),
        bad(
            "an origin whose time is over",
            store("origin", origin("expires", "2020-01-02T00:00:00.001Z".into())),
            410,
            "expired on",
        ),
        bad(
            "a legacy id that is none",
            store("origin", origin("legacy_id", "a/b".into())),
            400,
            "letters, digits",
        ),
        bad(
            "an empty legacy id",
            store("origin", origin("legacy_id", "".into())),
            400,
            "1 to 128 characters",
        ),
        bad(
            "a legacy id that is too long",
            store("origin", origin("legacy_id", "x".repeat(129).into())),
            400,
            "1 to 128 characters",
        ),
        bad(
            "a legacy id that is another proof's id",
            store("origin", origin("legacy_id", proof("there").to_string().into())),
            400,
            "the id of another proof",
        ),
        bad(
            "a legacy id that names another proof",
            store("origin", origin("legacy_id", "old-there".into())),
            409,
            "an id names one proof",
        ),
        bad(
            "legacy fields without an id",
            store("origin", origin("legacy_fields", json!({"a": 1}))),
            400,
            "those of a record with an id",
        ),
        bad(
            "legacy fields that are a list",
            store("origin", with_id(origin("legacy_fields", json!(["a"])))),
            400,
            "a JSON object",
        ),
        bad(
            "legacy fields that are too long",
            store("origin", with_id(origin("legacy_fields", json!({"a": "x".repeat(262_144)})))),
            400,
            "262144 bytes",
        ),
        bad("a restoration at no time", store("origin", origin("restores", 7.into())), 400, "string"),
        bad("two lifetimes", two_lifetimes(), 400, "give this or `origin`"),
        bad(
            "a replacement that restores",
            replacement(origin("restores", "2026-01-01T00:00:00Z".into())),
            400,
            "is there",
        ),
        bad(
            "a replacement with a legacy id",
            replacement(with_id(origin("restores", Value::Null))),
            400,
            "when the proof is stored",
        ),
        bad(
            "a legacy id that is replaced",
            json(Method::PUT, "/v1/proofs/old-there", &json!({"manifest": {}})),
            400,
            "32 characters",
        ),
        bad("a legacy id that is deleted", ask(Method::DELETE, "/v1/proofs/old-there"), 400, "32 characters"),
        bad("a link to a legacy id", ask(Method::GET, "/v1/proofs/old-there/url"), 400, "32 characters"),
        bad("a revision of a legacy id", ask(Method::GET, "/v1/proofs/old-there/1"), 400, "32 characters"),
        bad(
            "a deletion of something else",
            with(ask(Method::DELETE, &proof_path("there")), IF_MATCH, "\"x\""),
            412,
            "the current ETag is",
        ),
        bad(
            "a deletion with an If-Match without quotes",
            with(ask(Method::DELETE, &proof_path("there")), IF_MATCH, "abc"),
            400,
            "entity tags in double quotes",
        ),
        bad("a replacement of nothing", put("nothing", Some(b"*")), 404, "no proof has the id"),
    ]
}
