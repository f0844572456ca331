//! Taking over: proofs of another store, with their instants and their earlier ids.

use http::Method;
use http::header::{CACHE_CONTROL, ETAG, IF_MATCH, LOCATION};
use serde_json::{Value, json};

use super::storing::verdict;
use crate::http::api::Api;
use crate::http::ask::{ask, get, media, proof, proof_path, text, with};
use crate::http::session::Session;

/// When a proof was deleted, in the answer to a conditional deletion.
const DELETED: &str = "credlink-deleted";

/// A store of the file of this name, whose record had this id.
fn taken_over(name: &str, id: &str, more: &str) -> http::Request<bytes::Bytes> {
    let body = format!(
        r#"{{"media_hash":"{}","manifest":{{ "title" : 1.0 }},"signature":"c2ln","origin":{{"created":"2020-01-02T03:04:05.678Z","expires":"9999-12-30T22:00:00.000Z","legacy_id":"{id}","legacy_fields":{{"metadata":{{"a" : [1.50]}}}}{more}}}}}"#,
        media(name),
    );
    text(Method::POST, "/v1/proofs", &body)
}

pub async fn chapter(session: &mut Session<'_, impl Api>) {
    let path = &proof_path("legacy");
    let stored = session.send("A legacy record is taken over", taken_over("legacy", "p-1", "")).await;
    assert_eq!((stored.status().as_u16(), verdict(&stored)), (201, (false, true)));
    let read = session.send_as_it_is("It has its instants, and what it had", get(path)).await;
    assert_eq!(read.headers()[ETAG], stored.headers()[ETAG]);
    let again = session.send("Again is once", taken_over("legacy", "p-1", "")).await;
    assert_eq!((again.status().as_u16(), verdict(&again)), (200, (true, true)));
    let second = session.send("Under another id, it has two", taken_over("legacy", "urn:old:1", "")).await;
    assert_eq!((second.status().as_u16(), verdict(&second)), (200, (true, true)));

    for (title, request) in [
        ("Its id leads to it", get("/v1/proofs/p-1")),
        ("Also on the CDN domain, escaped, and without a body", ask(Method::HEAD, "/proofs/urn%3Aold:1")),
    ] {
        let led = session.send_as_it_is(title, request).await;
        assert_eq!(led.status(), 308, "{title}");
        assert_eq!(led.headers()[LOCATION], proof("legacy").to_string());
        assert_eq!(led.headers()[CACHE_CONTROL], "public, max-age=3600");
        assert!(led.body().is_empty());
    }
    let nobody = session.send_as_it_is("No proof has or had this id", get("/v1/proofs/p-2")).await;
    assert_eq!(nobody.status(), 404);
    let other = session.send("The id of another proof", taken_over("another", "p-1", "")).await;
    assert_eq!(other.status(), 409);
    let nothing = session.send("Nothing was stored of that", get(&proof_path("another"))).await;
    assert_eq!(nothing.status(), 404);
    let different = taken_over("json", "p-3", "");
    let different = session.send("The file has a proof with another manifest", different).await;
    assert_eq!(verdict(&different), (true, false));
    let nobody = session.send_as_it_is("That one does not get the id", get("/v1/proofs/p-3")).await;
    assert_eq!(nobody.status(), 404);
    let own = taken_over("own", &proof("own").to_string(), "");
    assert_eq!(session.send("An id that is the proof's own", own).await.status(), 201);

    let changed = with(ask(Method::DELETE, path), IF_MATCH, "\"another\"");
    assert_eq!(session.send("It is not deleted if it is another", changed).await.status(), 412);
    let withdrawn = with(ask(Method::DELETE, path), IF_MATCH, stored.headers()[ETAG].as_bytes());
    let deleted = session.send("It is withdrawn", withdrawn.clone()).await;
    let at = deleted.headers()[DELETED].to_str().unwrap().to_owned();
    assert_eq!(deleted.status(), 204);
    let twice = session.send("Another deletion is not this one", withdrawn).await;
    assert_eq!((twice.status().as_u16(), twice.headers().get(DELETED)), (204, None));
    let led = session.send_as_it_is("Its id leads to where it was", get("/v1/proofs/p-1")).await;
    assert_eq!(led.status(), 308);
    let gone = session.send_as_it_is("Where it is gone", get(path)).await;
    assert_eq!(gone.status(), 410);
    let kept = session.send("What is deleted is not taken over", taken_over("legacy", "p-1", "")).await;
    assert_eq!(kept.status(), 410);
    let never = r#","restores":"2020-01-01T00:00:00.000Z""#;
    let kept = session.send("Not for another deletion either", taken_over("legacy", "p-1", never)).await;
    assert_eq!(kept.status(), 410);
    let free = session.send("Its id is free for another", taken_over("another", "p-1", "")).await;
    assert_eq!(free.status(), 201);
    let led = session.send_as_it_is("And leads there", get("/v1/proofs/p-1")).await;
    assert_eq!(led.headers()[LOCATION], proof("another").to_string());
    let this = format!(r#","restores":"{at}""#);
    let back = session.send("For this very deletion, it is", taken_over("legacy", "urn:old:1", &this)).await;
    let answer: Value = serde_json::from_slice(back.body()).unwrap();
    assert_eq!((back.status().as_u16(), &answer["revision"]), (201, &json!(2)));
    let gone = session.send("Without a condition, no instant is told", ask(Method::DELETE, path)).await;
    assert_eq!((gone.status().as_u16(), gone.headers().get(DELETED)), (204, None));
    let kept = session.send("A restoration is good once", taken_over("legacy", "urn:old:1", &this)).await;
    assert_eq!(kept.status(), 410);
    session.end_chapter("taking_over");
}
