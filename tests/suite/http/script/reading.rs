//! Reading: by ID, by hash, in part, compressed, and only if changed. None of this needs a credential.

use credlink_core::testing::manifest_store;
use http::Method;
use http::header::{
    ACCEPT_ENCODING, CONTENT_RANGE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    LAST_MODIFIED, RANGE,
};

use crate::http::api::Api;
use crate::http::ask::{ask, get, media, proof_path, with};
use crate::http::session::Session;

const MANIFEST: &str = "/v1/manifests/urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

pub async fn chapter(session: &mut Session<'_, impl Api>) {
    let (json, long, hash) = (&proof_path("json"), &proof_path("long"), media("json"));
    let hex = hash.to_string().replace("sha256:", "");

    let record = session.send_as_it_is("A record", get(json)).await;
    let written = br#""json":{"title":"Gr\u00fc\u00dfe, \xe4\xb8\x96\xe7\x95\x8c", "n": [1.0, 1e3, -0]}"#;
    let written = String::from_utf8_lossy(written).replace(r"\xe4\xb8\x96\xe7\x95\x8c", "世界");
    assert!(String::from_utf8_lossy(record.body()).contains(&written), "the manifest's text is kept");
    for (title, target) in [
        ("By its media hash", format!("/v1/proofs?media_hash={hash}")),
        ("By its media hash, in the path", format!("/v1/proofs/by-hash/{hex}")),
        ("By its media hash, as the CDN has it", format!("/proofs/by-hash/{hex}")),
        ("By its id, as the CDN has it", json.replace("/v1", "")),
    ] {
        let same = session.send_as_it_is(title, get(&target)).await;
        assert_eq!(same.body(), record.body(), "{title}");
    }
    let head = session.send_as_it_is("Its headers only", ask(Method::HEAD, json)).await;
    assert_eq!(head.headers()["content-length"], record.body().len().to_string());

    let tag = record.headers()[ETAG].clone();
    let modified = record.headers()[LAST_MODIFIED].clone();
    for (title, name, value, status) in [
        ("Not modified", IF_NONE_MATCH, tag.as_bytes(), 304),
        ("Not modified, weakly compared", IF_NONE_MATCH, &[b"\"x\", W/", tag.as_bytes()].concat(), 304),
        ("Not modified since", IF_MODIFIED_SINCE, modified.as_bytes(), 304),
        ("Another one is not there", IF_NONE_MATCH, b"\"another\"", 200),
        ("Only if it is this one", IF_MATCH, b"\"another\"", 412),
    ] {
        let response = session.send_as_it_is(title, with(get(json), name, value)).await;
        assert_eq!(response.status(), status, "{title}");
    }
    for (title, range, status) in [
        ("The first bytes", "bytes=0-13", 206),
        ("The last bytes", "bytes=-2", 206),
        ("Bytes beyond the end", "bytes=100000-", 416),
        ("Several ranges are not taken", "bytes=0-1,3-4", 200),
    ] {
        let response = session.send_as_it_is(title, with(get(json), RANGE, range)).await;
        assert_eq!(response.status(), status, "{title}");
    }
    let stale = with(with(get(json), RANGE, "bytes=0-13"), IF_RANGE, "\"another\"");
    let whole = session.send_as_it_is("A part of another one is the whole of this one", stale).await;
    assert_eq!(whole.body(), record.body());

    let packed = session.send_as_it_is("Packed", with(get(long), ACCEPT_ENCODING, "br, gzip")).await;
    let plain = session.send_as_it_is("Not packed for who does not ask for it", get(long)).await;
    assert!(packed.body().len() < plain.body().len());
    let refused = with(get(long), ACCEPT_ENCODING, "gzip;q=0, *;q=0.5");
    let refused = session.send_as_it_is("Not packed for who refuses it", refused).await;
    assert_eq!(refused.body(), plain.body());
    let known =
        with(with(get(long), ACCEPT_ENCODING, "gzip"), IF_NONE_MATCH, plain.headers()[ETAG].as_bytes());
    let known = session.send_as_it_is("Who has the plain one needs no packed one", known).await;
    assert_eq!(known.status(), 304);

    let bytes = manifest_store(MANIFEST.rsplit('/').next().unwrap(), media("c2pa").digest());
    for (title, target) in [
        ("A C2PA manifest", MANIFEST.to_owned()),
        ("With escaped colons, as the CDN has it", MANIFEST.replace(':', "%3A").replace("/v1", "")),
        ("With its UUID in capitals", MANIFEST.replace("f9168c5e", "F9168C5E")),
    ] {
        let response = session.send_as_it_is(title, get(&target)).await;
        assert_eq!(response.body(), &bytes, "{title}");
    }
    session.send_as_it_is("Its headers only", ask(Method::HEAD, MANIFEST)).await;
    let part = with(get(MANIFEST), RANGE, "bytes=4-7");
    let tag = session.send_as_it_is("A part of it", part.clone()).await.headers()[ETAG].clone();
    for (title, request, status) in [
        ("The part, for who accepts gzip", with(part.clone(), ACCEPT_ENCODING, "gzip"), 206),
        ("The part, if it is still the same", with(part.clone(), IF_RANGE, tag.as_bytes()), 206),
        ("The whole, if it is not", with(part, IF_RANGE, "\"another\""), 200),
        ("What is beyond its end", with(get(MANIFEST), RANGE, "bytes=100000-"), 416),
    ] {
        let response = session.send_as_it_is(title, request).await;
        assert_eq!(response.status(), status, "{title}");
        match status {
            206 => assert_eq!(response.body(), "jumb", "{title}"),
            200 => assert_eq!(response.body(), &bytes, "{title}"),
            _ => assert_eq!(response.headers()[CONTENT_RANGE], format!("bytes */{}", bytes.len())),
        }
    }

    for (title, target) in [
        ("No such proof", proof_path("nothing")),
        ("No such media hash", format!("/v1/proofs?media_hash={}", media("nothing"))),
        ("No such tenant's proof", format!("/v1/proofs?media_hash={hash}&tenant=other")),
        ("No such revision", format!("{json}/2")),
        ("No such manifest", "/v1/manifests/urn:c2pa:nothing".to_owned()),
    ] {
        let response = session.send_as_it_is(title, get(&target)).await;
        assert_eq!(response.status(), 404, "{title}");
    }
    session.end_chapter("reading");
}
