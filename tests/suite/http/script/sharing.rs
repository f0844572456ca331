//! Sharing: a private proof, and the signed links that open it for a while.

use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::Method;
use serde_json::{Value, json};

use crate::http::api::Api;
use crate::http::ask::{ask, get, json, media, proof_path};
use crate::http::session::Session;

const MANIFEST_ID: &str = "urn:c2pa:00000000-0000-4000-8000-000000000003";

/// The path and query of a link from an answer of the API.
fn target(link: &Value, member: &str, base: &str) -> String {
    link[member].as_str().unwrap().strip_prefix(base).unwrap().to_owned()
}

/// The same link with the first digit or letter after `parameter=` replaced by another.
fn tampered(link: &str, parameter: &str) -> String {
    let (before, after) = link.split_once(&format!("{parameter}=")).unwrap();
    let other = if after.starts_with('9') { '8' } else { '9' };
    format!("{before}{parameter}={other}{}", &after[1..])
}

pub async fn chapter(session: &mut Session<'_, impl Api>) {
    let path = &proof_path("private");
    let c2pa = BASE64.encode(&manifest_store(MANIFEST_ID, media("private").digest()));
    let media_hash = media("private").to_string();
    let body = json!({"media_hash": media_hash, "manifest_base64": c2pa, "visibility": "private"});
    session.send("A private proof", json(Method::POST, "/v1/proofs", &body)).await;

    let owner = session.send("Its owner reads it", get(path)).await;
    assert_eq!(owner.status(), 200);
    let manifest = format!("/v1/manifests/{MANIFEST_ID}");
    for (title, target) in [
        ("Nobody else does", path.clone()),
        ("Nor by its hash", format!("/v1/proofs?media_hash={media_hash}")),
        ("Nor its manifest", manifest),
    ] {
        let refused = session.send_as_it_is(title, get(&target)).await;
        assert_eq!(refused.status(), 404, "{title}");
    }

    let link = session.send("A link for an hour", get(&format!("{path}/url"))).await;
    let link: Value = serde_json::from_slice(link.body()).unwrap();
    let record = target(&link, "url", session.api().base());
    let manifest = target(&link, "manifest_url", session.api().base());
    let opened = session.send_as_it_is("The link opens the record", get(&record)).await;
    assert_eq!(opened.body(), owner.body());
    let head = session.send_as_it_is("And its headers", ask(Method::HEAD, &record)).await;
    assert_eq!(head.status(), 200);
    let opened = session.send_as_it_is("And, on the CDN, the same", get(&record.replace("/v1", ""))).await;
    assert_eq!(opened.status(), 200);
    let opened = session.send_as_it_is("Its other link opens the manifest", get(&manifest)).await;
    assert_eq!(opened.status(), 200);

    let query = record.split_once('?').unwrap().1;
    for (title, target) in [
        ("A link with another signature", tampered(&record, "signature")),
        ("A link with a longer life", tampered(&record, "expires")),
        ("A link with another key", tampered(&record, "key")),
        ("A link without its key", record.replace("&key=", "&yek=")),
        ("A link for something else", format!("/v1/manifests/{MANIFEST_ID}?{query}")),
    ] {
        let refused = session.send_as_it_is(title, get(&target)).await;
        assert_eq!(refused.status(), 403, "{title}");
    }

    let link = session.send("A link for three seconds", get(&format!("{path}/url?expires_in=3"))).await;
    let link: Value = serde_json::from_slice(link.body()).unwrap();
    let record = target(&link, "url", session.api().base());
    let opened = session.send_as_it_is("In time", get(&record)).await;
    assert_eq!(opened.status(), 200);
    session.api().wait_seconds(4).await;
    let late = session.send_as_it_is("Too late", get(&record)).await;
    assert_eq!(late.status(), 403);

    let absent =
        session.send("No link to what is not there", get(&format!("{}/url", proof_path("nothing")))).await;
    assert_eq!(absent.status(), 404);
    session.end_chapter("sharing");
}
