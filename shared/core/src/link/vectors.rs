//! Test vectors that the Worker's tests read as well: `tests/vectors/links.json`, computed by `links.py` beside it,
//! which shares no code with this crate.

use std::collections::BTreeMap;

use super::{LinkKeys, path};
use crate::access::{Caller, Visibility};
use crate::hash::{Digest, MediaHash};
use crate::http::route::{Reads, Route};
use crate::manifest_key::ManifestKey;
use crate::object::{Facts, ObjectKey};
use crate::proof_id::ProofId;
use crate::rules::retrieve::Lookup;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The file of vectors.
#[derive(serde::Deserialize)]
struct Vectors {
    link_keys: String,
    objects: BTreeMap<String, Named>,
    signed: Vec<Signed>,
    asked: Vec<Asked>,
}

#[derive(serde::Deserialize)]
struct Named {
    key: String,
    path: String,
    media_hash: Option<MediaHash>,
}

#[derive(serde::Deserialize)]
struct Signed {
    object: String,
    expires: i64,
    life: u32,
    query: String,
}

#[derive(serde::Deserialize)]
struct Asked {
    what: String,
    method: String,
    target: String,
    object: String,
    answer: String,
    /// The time, in seconds since 1970. Without it the answer is the same from 2026 to 2096.
    now: Option<i64>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../../tests/vectors/links.json")).unwrap()
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_milliseconds(seconds * 1_000)
}

#[test]
fn what_is_signed_is_what_another_implementation_signs() {
    let vectors = vectors();
    let keys: LinkKeys = vectors.link_keys.parse().unwrap();
    for (name, Named { key, path: wanted, media_hash }) in &vectors.objects {
        let key: ObjectKey = key.parse().unwrap();
        assert_eq!(path(&key), *wanted, "{name}");
        if let Some(hash) = media_hash {
            assert_eq!(key, ObjectKey::Record(ProofId::derive(&Tenant::default(), hash)), "{name}");
        }
    }
    for Signed { object, expires, life, query } in &vectors.signed {
        let key: ObjectKey = vectors.objects[object].key.parse().unwrap();
        assert_eq!(keys.sign(&key, *life, second(*expires)), *query, "{object} until {expires}");
    }
}

/// Checks the answer to the request line of every vector, on the CDN domain and through the API.
#[test]
fn what_is_refused_is_what_another_implementation_did_not_sign() {
    let vectors = vectors();
    let keys = vectors.link_keys.parse().unwrap();
    let caller = Caller::anonymous();
    for asked in &vectors.asked {
        let key: ObjectKey = vectors.objects[&asked.object].key.parse().unwrap();
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let answer = |path: &str, now| {
            let method = asked.method.parse().unwrap();
            let (read, signature, form) = match Route::parse(&method, path, query)? {
                Route::Reads(Reads::Object { key, signature, form }) => (key, signature, form),
                Route::Reads(Reads::PlainManifest { id, signature, form }) => {
                    (ObjectKey::Manifest(ManifestKey { id, tenant: Tenant::default() }), signature, form)
                }
                other => panic!("{}: {path} reads nothing: {other:?}", asked.what),
            };
            assert_eq!(read, key, "{}", asked.what);
            let headers = &http::HeaderMap::new();
            let (method, signature, link_keys) = (&method, signature.as_ref(), Some(&keys));
            let key = &key;
            let caller = &caller;
            let lookup =
                Lookup { key, form, method, headers, signature, link_keys, caller, now, is_plain: false };
            lookup.respond(&private()).map(|_| ())
        };
        let times = asked.now.map_or(vec![1_780_000_000, 3_999_999_999], |now| vec![now]);
        for path in [path.to_owned(), format!("/v1{path}")] {
            for now in &times {
                let found = answer(&path, second(*now)).err();
                let found = found.map_or("opens", |problem| problem.kind.slug());
                assert_eq!(found, asked.answer, "{} at {now}: {path}?{query}", asked.what);
            }
        }
    }
}

/// Returns the facts of a private object.
fn private() -> Facts {
    Facts {
        sha256: Digest::of(b""),
        length: 0,
        coding: None,
        tenant: Tenant::default(),
        visibility: Visibility::Private,
        created: second(1_600_000_000),
        expires: None,
        generation: 0,
        tombstone: false,
        void: false,
    }
}
