//! Copying: objects in their stored form, for a client that mirrors the store, as the edge does.

use credlink_core::access::Visibility;
use credlink_core::encoding::Coding;
use credlink_core::encoding::decode;
use credlink_core::hash::Digest;
use credlink_core::media_type::{C2PA_TYPE, JSON_TYPE, STORED_TYPE};
use credlink_core::object::{ATTRIBUTES_HEADER, Attributes, Facts};
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, RANGE,
};
use http::{Method, Response};
use serde_json::{Value, json};

use crate::http::api::Api;
use crate::http::ask::{ask, get, json as request, media, proof_path, with};
use crate::http::session::{Session, exchange};
use crate::world::tokens;

const MANIFEST: &str = "urn:c2pa:00000000-0000-4000-8000-00000000c0b1";

/// The attributes of a copy, and the facts in them. Asserts what must hold for every copy.
fn attributes(copy: &Response<bytes::Bytes>) -> (Attributes, Facts) {
    assert_eq!(copy.status(), 200, "{}", String::from_utf8_lossy(copy.body()));
    assert_eq!(copy.headers()[CONTENT_TYPE], STORED_TYPE);
    assert_eq!(copy.headers()[CACHE_CONTROL], "no-store");
    for of_the_content in [CONTENT_ENCODING, ETAG] {
        assert!(!copy.headers().contains_key(&of_the_content), "{of_the_content}");
    }
    let attributes: Attributes =
        serde_json::from_slice(copy.headers()[ATTRIBUTES_HEADER].as_bytes()).unwrap();
    let facts = Facts::read(&attributes).unwrap();
    assert_eq!((facts.tombstone, attributes.tags.len()), (false, 0));
    (attributes, facts)
}

/// The content of a copy. Asserts that it matches the attributes.
fn content(copy: &Response<bytes::Bytes>) -> Vec<u8> {
    let (_, facts) = attributes(copy);
    let content = decode(copy.body(), facts.coding, 1_000_000).unwrap();
    assert_eq!((Digest::of(&content), content.len() as u64), (facts.sha256, facts.length));
    content.into_owned()
}

pub async fn chapter(session: &mut Session<'_, impl Api>) {
    records(session).await;
    manifests(session).await;
    refusals(session).await;
    session.end_chapter("copying");
}

/// A record is stored compressed, and is copied in that form.
async fn records(session: &mut Session<'_, impl Api>) {
    let api = session.api();
    let owner = format!("Bearer {}", tokens::OWNER);
    let (path, hash) = (&proof_path("copied"), media("copied"));
    let body = json!({
        "media_hash": hash.to_string(), "manifest": {"note": "provenance ".repeat(40)}, "tags": {"album": "press"},
    });
    let stored = exchange(api, with(request(Method::POST, "/v1/proofs", &body), AUTHORIZATION, &owner)).await;
    assert_eq!(stored.status(), 201);
    let plain = exchange(api, get(path)).await;
    let packed = exchange(api, with(get(path), ACCEPT_ENCODING, "gzip")).await;
    assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");

    let stored_form = &format!("{path}?form=stored");
    let copy = exchange(api, get(stored_form)).await;
    assert_eq!((copy.body(), &content(&copy)[..]), (packed.body(), &plain.body()[..]));
    let (kept, facts) = attributes(&copy);
    assert_eq!((kept.content_type.as_str(), facts.coding), (JSON_TYPE, Some(Coding::Gzip)));
    assert_eq!(kept.cache_control.as_deref(), Some(plain.headers()[CACHE_CONTROL].to_str().unwrap()));
    assert_eq!((facts.visibility, facts.tenant.to_string()), (Visibility::Public, "default".to_owned()));
    assert!(facts.expires.is_some());

    let etag = plain.headers()[ETAG].as_bytes();
    for (name, value) in [
        (ACCEPT_ENCODING, &b"gzip"[..]),
        (ACCEPT_ENCODING, b"identity, *;q=0"),
        (IF_NONE_MATCH, etag),
        (IF_MATCH, b"\"another\""),
        (IF_MODIFIED_SINCE, b"Fri, 01 Jan 2100 00:00:00 GMT"),
        (RANGE, b"bytes=0-3"),
    ] {
        let same = exchange(api, with(get(stored_form), name.clone(), value)).await;
        assert_eq!((same.body(), attributes(&same)), (copy.body(), attributes(&copy)), "{name}");
    }
    for other in [
        format!("{}?form=stored", path.replace("/v1", "")),
        format!("/v1/proofs?form=stored&media_hash={hash}"),
        format!("/proofs/by-hash/{}?form=stored", hash.to_string().replace("sha256:", "")),
    ] {
        assert_eq!(exchange(api, get(&other)).await.body(), copy.body(), "{other}");
    }
    let head = exchange(api, ask(Method::HEAD, stored_form)).await;
    assert_eq!((head.body().len(), attributes(&head)), (0, attributes(&copy)));

    let replacement = request(Method::PUT, path, &json!({"manifest": {"short": true}}));
    let replacement = with(with(replacement, AUTHORIZATION, &owner), IF_MATCH, etag);
    assert_eq!(exchange(api, replacement).await.status(), 200);
    let earlier = exchange(api, get(&format!("{path}/1?form=stored"))).await;
    assert_eq!(earlier.body(), copy.body());
    assert_eq!(attributes(&earlier).0.cache_control.as_deref(), Some("public, max-age=31536000, immutable"));
    let current = exchange(api, get(stored_form)).await;
    assert!(String::from_utf8(content(&current)).unwrap().contains(r#"{"short":true}"#));
}

/// A private object can be copied by a caller that may read it, and is marked as private.
async fn manifests(session: &mut Session<'_, impl Api>) {
    let bytes = manifest_store(MANIFEST, media("copied-privately").digest());
    let body = json!({
        "media_hash": media("copied-privately").to_string(), "manifest_base64": BASE64.encode(&bytes),
        "visibility": "private",
    });
    session.send("A private manifest", request(Method::POST, "/v1/proofs", &body)).await;
    let target = &format!("/v1/manifests/{MANIFEST}?form=stored");
    let copy = session.send("Its owner copies it", get(target)).await;
    assert_eq!(content(&copy), bytes);
    let (kept, facts) = attributes(&copy);
    assert_eq!((kept.content_type.as_str(), facts.visibility), (C2PA_TYPE, Visibility::Private));
    assert_eq!(kept.cache_control.as_deref(), Some("private, no-store"));
    session.send("And asks whether it is there", ask(Method::HEAD, target)).await;
    let refused = session.send_as_it_is("Nobody else does", get(target)).await;
    assert_eq!(refused.status(), 404);

    let path = proof_path("copied-privately");
    let link = session.send("A link", get(&format!("{path}/url"))).await;
    let link: Value = serde_json::from_slice(link.body()).unwrap();
    let link = link["manifest_url"].as_str().unwrap().strip_prefix(session.api().base()).unwrap().to_owned();
    let opened = session.send_as_it_is("Who has a link copies it", get(&format!("{link}&form=stored"))).await;
    assert_eq!(content(&opened), bytes);
    let (before, after) = link.split_once("signature=").unwrap();
    let other = if after.starts_with('A') { 'B' } else { 'A' };
    let tampered = format!("{before}signature={other}{}&form=stored", &after[1..]);
    let refused = session.send_as_it_is("Not by a link with another signature", get(&tampered)).await;
    assert_eq!(refused.status(), 403);
    session.send("It is deleted", ask(Method::DELETE, &path)).await;
}

async fn refusals(session: &mut Session<'_, impl Api>) {
    let deleted = proof_path("copied-privately");
    for (title, target, status) in [
        ("What was deleted has no copy", format!("{deleted}?form=stored"), 410),
        ("Nor has its manifest", format!("/v1/manifests/{MANIFEST}?form=stored"), 410),
        ("Nor has what is not there", format!("{}?form=stored", proof_path("nothing")), 404),
        ("Nor has a revision that is not there", format!("{}/7?form=stored", proof_path("copied")), 404),
        ("No such form", format!("{}?form=gzip", proof_path("copied")), 400),
    ] {
        let refused = session.send(title, get(&target)).await;
        assert_eq!(refused.status(), status, "{title}");
    }
}
