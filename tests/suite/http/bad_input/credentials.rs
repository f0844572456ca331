//! Credentials that are missing, wrong or insufficient.

use bytes::Bytes;
use credlink_core::http::deletion::DELETED;
use http::header::{AUTHORIZATION, IF_MATCH};
use http::{Method, Request};
use serde_json::json;

use super::{Bad, TAKEN};
use crate::http::ask::{ask, c2pa, get, json, media, proof_path, with};
use crate::world::tokens::{DELETER, OWNER, SIGNER, STRANGER};

fn bad(name: &'static str, request: Request<Bytes>, status: u16, says: &'static str) -> Bad {
    Bad { name, request, status, says }
}

fn by(token: &str, request: Request<Bytes>) -> Request<Bytes> {
    with(request, AUTHORIZATION, format!("Bearer {token}"))
}

pub fn rows() -> Vec<Bad> {
    let there = proof_path("there");
    let manifest = format!("/v1/manifests/{TAKEN}");
    let body = json!({"media_hash": media("bad").to_string(), "manifest": {}});
    let store = || json(Method::POST, "/v1/proofs", &body);
    let replace = || with(json(Method::PUT, &there, &json!({"manifest": {}})), IF_MATCH, "*");
    let origin = json!({"created": "2020-01-01T00:00:00Z", "expires": "9999-01-01T00:00:00Z"});
    let mut taken_over = body.clone();
    taken_over["origin"] = origin.clone();
    let take_over = || json(Method::POST, "/v1/proofs", &taken_over);
    let replaced = json!({"manifest": {}, "origin": origin});
    let replace_origin = || with(json(Method::PUT, &there, &replaced), IF_MATCH, "*");
    let batch = || json(Method::POST, "/v1/proofs/batch-delete", &json!({"ids": ["a"]}));
    let post = || c2pa(Method::POST, "/v1/manifests", Vec::new());
    let delete = |path: &str| ask(Method::DELETE, path);
    let link = || get(&format!("{there}/url"));
    let header = |value: &[u8]| with(store(), AUTHORIZATION, value);
    let theirs = format!("/v1/proofs?media_hash={}&tenant=other", media("theirs"));
    let (needed, store_scope, delete_scope) =
        ("`Authorization: Bearer`", "`store:manifests`", "`delete:manifests`");
    vec![
        bad("nobody stores", store(), 401, needed),
        bad("nobody replaces", replace(), 401, needed),
        bad("nobody deletes", delete(&there), 401, needed),
        bad("nobody deletes several", batch(), 401, needed),
        bad("nobody shares", link(), 401, needed),
        bad("nobody lists", get("/v1/proofs"), 401, needed),
        bad("nobody counts", get("/v1/stats"), 401, needed),
        bad("nobody stores a manifest", post(), 401, needed),
        bad("nobody deletes a manifest", delete(&manifest), 401, needed),
        // A caller that may not send a request is not told what is wrong with it.
        bad("nobody lists too much", get("/v1/proofs?limit=0"), 401, needed),
        bad("nobody lists legacy ids by another parameter", get("/v1/aliases?x=1"), 401, needed),
        bad("nobody lists too many manifests", get("/v1/manifests?limit=1001"), 401, needed),
        bad("nobody replaces what is no proof", json(Method::PUT, "/v1/proofs/p-1", &json!({})), 401, needed),
        bad("nobody deletes what is no proof", delete("/v1/proofs/p-1"), 401, needed),
        bad("nobody deletes what is no manifest", delete("/v1/manifests/x"), 401, needed),
        bad("nobody takes back what names nothing", delete("/v1/aliases/p-1"), 401, needed),
        bad("nobody shares for ever", get(&format!("{there}/url?expires_in=0")), 401, needed),
        bad("nobody asks for what is no job", get("/v1/migrations/A"), 401, needed),
        bad("who only stores lists too much", by(SIGNER, get("/v1/proofs?limit=0")), 403, "`admin`"),
        bad(
            "an unknown token for what is malformed",
            by("unknown", get("/v1/proofs/.")),
            401,
            "not known here",
        ),
        bad("another scheme", header(b"Basic dXNlcjpwYXNz"), 401, "`Bearer` and a token"),
        bad("a scheme without a token", header(b"Bearer"), 401, "`Bearer` and a token"),
        bad("a scheme with nothing but a space", header(b"Bearer "), 401, "`Bearer` and a token"),
        bad("a token without a scheme", header(OWNER.as_bytes()), 401, "`Bearer` and a token"),
        bad("a token that is not ASCII", header(b"Bearer \xc3\xa4"), 401, "`Bearer` and a token"),
        bad("an unknown token", by("unknown", store()), 401, "not known here"),
        bad("an unknown token where none is needed", by("unknown", get("/v1/health")), 401, "not known here"),
        bad("an unknown token for what is public", by("unknown", get(&there)), 401, "not known here"),
        bad(
            "an unknown token for this table's own document",
            by("unknown", get("/v1/openapi.json")),
            401,
            "not known here",
        ),
        bad("a deleter stores", by(DELETER, store()), 403, store_scope),
        bad("a deleter replaces", by(DELETER, replace()), 403, store_scope),
        bad("a deleter shares", by(DELETER, link()), 403, store_scope),
        bad("a deleter stores a manifest", by(DELETER, post()), 403, store_scope),
        bad("a signer deletes", by(SIGNER, delete(&there)), 403, delete_scope),
        bad("a signer deletes several", by(SIGNER, batch()), 403, delete_scope),
        bad("a signer deletes a manifest", by(SIGNER, delete(&manifest)), 403, delete_scope),
        bad("a signer lists", by(SIGNER, get("/v1/proofs")), 403, "`admin`"),
        bad(
            "a deleter says when",
            by(DELETER, with(delete(&there), DELETED, "2026-01-01T00:00:00Z")),
            403,
            "`admin`",
        ),
        bad(
            "a deleter says when, of a manifest",
            by(DELETER, with(delete(&manifest), DELETED, "2026-01-01T00:00:00Z")),
            403,
            "`admin`",
        ),
        bad("a signer takes over", by(SIGNER, take_over()), 403, "`admin`"),
        bad("a signer replaces what was taken over", by(SIGNER, replace_origin()), 403, "`admin`"),
        bad("nobody takes over", take_over(), 401, needed),
        bad("a signer counts", by(SIGNER, get("/v1/stats")), 403, "`operator`"),
        bad("an owner counts what others have", by(OWNER, get("/v1/stats")), 403, "`operator`"),
        bad("a stranger replaces", by(STRANGER, replace()), 403, "only the tenant that stored it"),
        bad("a stranger deletes", by(STRANGER, delete(&there)), 403, "only the tenant that stored it"),
        bad("a stranger shares", by(STRANGER, link()), 403, "only the tenant that stored it"),
        bad(
            "a stranger deletes a manifest",
            by(STRANGER, delete(&format!("/v1/tenants/default/manifests/{TAKEN}"))),
            403,
            "only the tenant that stored it",
        ),
        bad("nobody reads what is private", get(&theirs), 404, "no proof has the id"),
        bad("another tenant reads what is private", by(OWNER, get(&theirs)), 404, "no proof has the id"),
    ]
}
