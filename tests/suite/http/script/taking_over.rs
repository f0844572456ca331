//! Importing: proofs of another store, with their instants and their legacy IDs.

use credlink_core::http::deletion::DELETED;
use http::Method;
use http::header::{CACHE_CONTROL, ETAG, IF_MATCH, LOCATION};
use serde_json::{Value, json};

use super::storing::verdict;
use crate::http::api::Api;
use crate::http::ask::{ask, get, media, proof, proof_path, text, with};
use crate::http::session::Session;

/// An import of the file of this name, whose record had this ID.
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
    let at = "2026-01-01T00:00:00.007Z";
    let named = with(ask(Method::DELETE, path), DELETED, at);
    let future = with(ask(Method::DELETE, path), DELETED, "9999-01-01T00:00:00Z");
    assert_eq!(session.send("No deletion is in the future", future).await.status(), 400);
    let gone = session.send("A deletion may say when it is", named.clone()).await;
    assert_eq!((gone.status().as_u16(), gone.headers()[DELETED].as_bytes()), (204, at.as_bytes()));
    let again = session.send("And is known again by that", named).await;
    assert_eq!((again.status().as_u16(), again.headers()[DELETED].as_bytes()), (204, at.as_bytes()));
    let other = with(ask(Method::DELETE, path), DELETED, "2026-01-01T00:00:00.008Z");
    let other = session.send("Another one was not done", other).await;
    assert_eq!((other.status().as_u16(), other.headers().get(DELETED)), (204, None));
    let this = format!(r#","restores":"{at}""#);
    let back = session.send("It is restored", taken_over("legacy", "urn:old:1", &this)).await;
    assert_eq!(back.status(), 201);
    let gone = session.send("Without a condition, no instant is told", ask(Method::DELETE, path)).await;
    assert_eq!((gone.status().as_u16(), gone.headers().get(DELETED)), (204, None));
    let kept = session.send("A restoration is good once", taken_over("legacy", "urn:old:1", &this)).await;
    assert_eq!(kept.status(), 410);
    by_themselves(session).await;
    session.end_chapter("taking_over");
}

/// Legacy IDs by themselves, as an import of a whole CredLink sends them.
async fn by_themselves(session: &mut Session<'_, impl Api>) {
    let bind = |id: &str, proof: &str| {
        text(Method::PUT, &format!("/v1/aliases/{id}"), &json!({"proof": proof}).to_string())
    };
    let (another, own) = (proof("another").to_string(), proof("own").to_string());
    let bound = session.send("An id is bound by itself", bind("q-1", &another)).await;
    assert_eq!(bound.status(), 201);
    let again = session.send("Once", bind("q-1", &another)).await;
    assert_eq!(again.status(), 200);
    let led = session.send_as_it_is("It leads there", get("/v1/proofs/q-1")).await;
    assert_eq!(led.status(), 308);
    assert_eq!(led.headers()[LOCATION], another);
    let other = session.send("It names one proof", bind("q-1", &own)).await;
    assert_eq!(other.status(), 409);
    for (title, id, proof, status) in [
        ("A proof that is not there", "q-2", proof("nowhere").to_string(), 404),
        ("One that is deleted", "q-2", proof("legacy").to_string(), 410),
        ("An id that is a proof's", &*own, another.clone(), 400),
        ("No proof id", "q-2", "x".to_owned(), 400),
    ] {
        assert_eq!(session.send(title, bind(id, &proof)).await.status(), status, "{title}");
    }
    let unknown = text(Method::PUT, "/v1/aliases/q-2", r#"{"proof":"x","for":1}"#);
    assert_eq!(session.send("A member that is none", unknown).await.status(), 400);

    let first = session.send("The ids that lead to proofs", get("/v1/aliases?limit=1")).await;
    let page: Value = serde_json::from_slice(first.body()).unwrap();
    let rest = format!("/v1/aliases?after={}", page["next"].as_str().unwrap());
    let rest = session.send("The rest of them", get(&rest)).await;
    let rest: Value = serde_json::from_slice(rest.body()).unwrap();
    let ids = [&page, &rest].map(|page| page["aliases"].as_array().unwrap().clone()).concat();
    let ids: Vec<_> = ids.iter().map(|alias| alias["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted() && ids.contains(&"q-1") && rest["next"].is_null(), "{ids:?}");
    let cursor = session.send("A cursor of another listing", get("/v1/aliases?after=x")).await;
    assert_eq!(cursor.status(), 400);

    let manifests = session.send("The manifests beside them", get("/v1/manifests?limit=1000")).await;
    let page: Value = serde_json::from_slice(manifests.body()).unwrap();
    assert!(page["manifests"].is_array() && page["next"].is_null(), "{page}");

    let withdraw = |proof: &str| ask(Method::DELETE, &format!("/v1/aliases/q-1?proof={proof}"));
    let other = session.send("It is not taken back from another proof", withdraw(&own)).await;
    assert_eq!(other.status(), 412);
    let without = session.send("Nor from none", ask(Method::DELETE, "/v1/aliases/q-1")).await;
    assert_eq!(without.status(), 400);
    let back = session.send("It is taken back", withdraw(&another)).await;
    assert!(back.status() == 204 && back.headers().contains_key(DELETED));
    let twice = session.send("That is known", withdraw(&another)).await;
    assert_eq!(twice.headers()[DELETED], back.headers()[DELETED]);
    let nowhere = session.send_as_it_is("It leads nowhere", get("/v1/proofs/q-1")).await;
    assert_eq!(nowhere.status(), 404);
    let listed = session.send("And is not listed", get("/v1/aliases")).await;
    assert!(!String::from_utf8_lossy(listed.body()).contains("q-1"));
    let never = ask(Method::DELETE, &format!("/v1/aliases/never?proof={own}"));
    let never = session.send("One that never was", never).await;
    assert_eq!((never.status().as_u16(), never.headers().get(DELETED)), (204, None));
    let anew = session.send("It is bound again, to another proof", bind("q-1", &own)).await;
    assert_eq!(anew.status(), 201);
}
