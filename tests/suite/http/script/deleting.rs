//! Deleting and expiring: a deleted proof is gone until it is stored again.

use http::Method;
use http::header::{ETAG, IF_MATCH};
use serde_json::{Value, json};

use crate::http::api::Api;
use crate::http::ask::{ask, get, json, media, proof, proof_path, with};
use crate::http::session::Session;

pub async fn chapter(session: &mut Session<'_, impl Api>) {
    let path = &proof_path("deleted");
    let media_hash = media("deleted").to_string();
    let body = json!({"media_hash": media_hash, "manifest": {"life": 1}});
    let stored = session.send("A proof", json(Method::POST, "/v1/proofs", &body)).await;
    let tag = stored.headers()[ETAG].clone();
    let replacement =
        with(json(Method::PUT, path, &json!({"manifest": {"life": 1.5}})), IF_MATCH, tag.as_bytes());
    session.send("And a revision", replacement.clone()).await;
    session.send_as_it_is("It is read, and cached", get(path)).await;

    for title in ["It is deleted", "It is deleted once more"] {
        let deleted = session.send(title, ask(Method::DELETE, path)).await;
        assert_eq!(deleted.status(), 204, "{title}");
    }
    for (title, target) in [
        ("It is gone", path.clone()),
        ("Also by its hash", format!("/v1/proofs?media_hash={media_hash}")),
        ("Also its earlier record", format!("{path}/1")),
    ] {
        let gone = session.send_as_it_is(title, get(&target)).await;
        assert_eq!(gone.status(), 410, "{title}");
    }
    let gone = session.send("Nothing is left to replace", replacement.clone()).await;
    assert_eq!(gone.status(), 410);
    let gone = session.send("Nothing is left to share", get(&format!("{path}/url"))).await;
    assert_eq!(gone.status(), 410);

    let body = json!({"media_hash": media_hash, "manifest": {"life": 2}});
    let stored = session.send("It is stored again", json(Method::POST, "/v1/proofs", &body)).await;
    let answer: Value = serde_json::from_slice(stored.body()).unwrap();
    assert_eq!((stored.status().as_u16(), &answer["revision"]), (201, &json!(3)), "revisions go on");
    let stale = session.send("An ETag of its earlier life", replacement).await;
    assert_eq!(stale.status(), 412);
    let earlier = session.send_as_it_is("A record of its earlier life", get(&format!("{path}/1"))).await;
    assert_eq!(earlier.status(), 404);

    let body = json!({"media_hash": media("brief").to_string(), "manifest": {}, "expires_in": 3});
    session.send("A proof for three seconds", json(Method::POST, "/v1/proofs", &body)).await;
    let path = &proof_path("brief");
    let present = session.send_as_it_is("In time", get(path)).await;
    assert_eq!(present.status(), 200);
    session.api().wait_seconds(4).await;
    let expired = session.send_as_it_is("Too late", get(path)).await;
    assert_eq!(expired.status(), 410);
    let anew = session.send("It may be stored anew", json(Method::POST, "/v1/proofs", &body)).await;
    assert_eq!(anew.status(), 201);

    let ids = json!({"ids": [
        proof("brief").to_string(), proof("nothing").to_string(), "no-id", "", proof("brief").to_string(),
    ]});
    let batch = json(Method::POST, "/v1/proofs/batch-delete", &ids);
    let batch = session.send("Several at once, some of them no ids", batch).await;
    let answer: Value = serde_json::from_slice(batch.body()).unwrap();
    assert_eq!(
        (answer["deleted"].as_array().unwrap().len(), answer["failed"].as_array().unwrap().len()),
        (3, 2)
    );
    let gone = session.send_as_it_is("Those are gone", get(path)).await;
    assert_eq!(gone.status(), 410);
    session.end_chapter("deleting");
}
