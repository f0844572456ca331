//! Requests under an index that was restored from an earlier instant: stores continue, and none of them removes
//! anything that this index does not know. And requests over objects that were restored: what was deleted since stays
//! deleted.

use bytes::Bytes;
use credlink_core::bounds::MAX_REVISIONS;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::testing::manifest_store;
use credlink_ports::doubles::MemoryIndex;
use credlink_ports::{Clock as _, Condition, Objects as _, Put};
use credlink_service::fsck::fsck;
use credlink_service::rebuild::{Manner, Rebuild};
use data_encoding::BASE64;
use http::header::IF_MATCH;
use http::{Method, Request};
use serde_json::json;

use super::ground::{Ground, Process, answer, body, done, labels};
use crate::faults::act::{c2pa_bytes, c2pa_id};
use crate::http::ask::{ask, get, json as with_json, media, proof, proof_path, with};

/// The ID of a manifest that any file may have.
fn manifest_id(number: u32) -> String {
    format!("urn:c2pa:00000000-0000-4000-8000-{number:012x}")
}

fn manifest(name: &str, number: u32) -> String {
    BASE64.encode(&manifest_store(&manifest_id(number), media(name).digest()))
}

fn store(name: &str, bytes: &str) -> Request<Bytes> {
    let body = json!({"media_hash": media(name).to_string(), "manifest_base64": bytes});
    with_json(Method::POST, "/v1/proofs", &body)
}

fn replace(name: &str, bytes: &str) -> Request<Bytes> {
    with(with_json(Method::PUT, &proof_path(name), &json!({"manifest_base64": bytes})), IF_MATCH, "*")
}

/// A ground with an index from before `commits`, each of which the mark covers.
async fn restored(ground: &Ground, commits: impl AsyncFnOnce(&Process)) -> Ground {
    let process = ground.process();
    process.tick().await.unwrap();
    let before: MemoryIndex = ground.index.snapshot();
    for _ in 0..2 {
        done(&process, super::ground::store("one more")).await;
        process.tick().await.unwrap();
    }
    commits(&process).await;
    process.tick().await.unwrap();
    let older = ground.beside(before);
    assert_eq!(labels(&older.process().standing().await), ["index_older"]);
    older
}

#[tokio::test]
async fn a_store_that_is_refused_leaves_what_others_stored() {
    let ground = Ground::new();
    done(&ground.process(), super::ground::store("before")).await;
    // The manifest binds no file, so any file may have it.
    let shared = BASE64.encode(&c2pa_bytes("shared"));
    let older = restored(&ground, async |process| {
        done(process, store("a", &shared)).await;
        done(process, store("b", &manifest("b", 2))).await;
    })
    .await;
    let process = older.process();
    for bytes in [shared, manifest("b", 3)] {
        let answered = answer(&process, store("b", &bytes)).await;
        assert_eq!((answered.status().as_u16(), &body(&answered)["identical"]), (200, &json!(false)));
    }
    for (id, wanted) in [(c2pa_id("shared"), 200), (manifest_id(2), 200), (manifest_id(3), 404)] {
        let read = answer(&process, get(&format!("/v1/manifests/{id}"))).await;
        assert_eq!(
            read.status(),
            wanted,
            "{id}: what a refused store brought itself is taken back, and nothing else"
        );
    }
}

#[tokio::test]
async fn a_legacy_id_that_leads_to_a_proof_is_not_given_away() {
    let ground = Ground::new();
    done(&ground.process(), super::ground::store("before")).await;
    let bind =
        |name: &str| with_json(Method::PUT, "/v1/aliases/old", &json!({"proof": proof(name).to_string()}));
    let older = restored(&ground, async |process| {
        done(process, super::ground::store("after")).await;
        done(process, bind("after")).await;
    })
    .await;
    let process = older.process();
    let answered = answer(&process, bind("before")).await;
    assert_eq!(answered.status(), 409, "{answered:?}");
    assert_eq!(body(&answered)["proof"], proof("after").to_string());
}

/// Neither a request nor fsck lets the older index overwrite a binding of a legacy ID that was acknowledged since.
#[tokio::test]
async fn legacy_ids_lead_where_they_led() {
    let ground = Ground::new();
    let bind = |id: &str, name: &str| {
        let body = json!({"proof": proof(name).to_string()});
        with_json(Method::PUT, &format!("/v1/aliases/{id}"), &body)
    };
    let withdraw =
        |id: &str, name: &str| ask(Method::DELETE, &format!("/v1/aliases/{id}?proof={}", proof(name)));
    let process = ground.process();
    for name in ["a", "b"] {
        done(&process, super::ground::store(name)).await;
    }
    for id in ["moved", "moved-too", "withdrawn"] {
        done(&process, bind(id, "a")).await;
    }
    let older = restored(&ground, async |process| {
        for id in ["moved", "moved-too"] {
            done(process, withdraw(id, "a")).await;
            done(process, bind(id, "b")).await;
        }
        done(process, withdraw("withdrawn", "a")).await;
    })
    .await;
    let notes = async || {
        let tree = older.tree().await;
        tree.into_iter().filter(|(key, _)| key.starts_with("aliases/")).collect::<Vec<_>>()
    };
    let before = notes().await;
    let process = older.process();
    assert_eq!(answer(&process, withdraw("moved", "a")).await.status(), 412, "it leads to b");
    assert_eq!(answer(&process, bind("moved-too", "a")).await.status(), 409, "it leads to b");
    credlink_service::fsck::check(
        &process,
        credlink_service::fsck::Surrounding::Alone,
        credlink_service::fsck::Manner::Mending,
        |_| (),
    )
    .await
    .unwrap();
    assert_eq!(notes().await, before);
    let leads = async |id: &str| answer(&process, get(&format!("/v1/proofs/{id}"))).await;
    for id in ["moved", "moved-too"] {
        let led = leads(id).await;
        assert_eq!(led.headers()["location"], proof("b").to_string(), "{id}: {led:?}");
    }
    assert_eq!(leads("withdrawn").await.status(), 404);
}

/// Two lives of one proof, each with as many manifests as a proof can have: more rows than fit into one commit.
#[tokio::test]
async fn a_row_follows_into_another_life_of_many_manifests() {
    let ground = Ground::new();
    let live = async |process: &Process, first: u32| {
        done(process, store("a", &manifest("a", first))).await;
        for number in 1..MAX_REVISIONS {
            done(process, replace("a", &manifest("a", first + number))).await;
        }
    };
    live(&ground.process(), 0).await;
    let older = restored(&ground, async |process| {
        done(process, ask(Method::DELETE, &proof_path("a"))).await;
        live(process, 1_000).await;
    })
    .await;
    let process = older.process();
    let again = answer(&process, store("a", &manifest("a", 1_000 + MAX_REVISIONS - 1))).await;
    assert_eq!(
        again.status(),
        503,
        "the manifests of the first life cannot be let go while deletions are stopped"
    );
    let mut rebuild = Rebuild::begin(&process, Manner::Writing).await.unwrap();
    while rebuild.step(&process, |finding| panic!("{finding:?}")).await.unwrap() {}
    rebuild.finish(&process, false).await.unwrap();
    assert!(rebuild.report().joined, "{:?}", rebuild.report());
    let mut found = Vec::new();
    fsck(&process, |finding| found.push(finding)).await.unwrap();
    assert_eq!(found, []);
    let again = answer(&process, store("a", &manifest("a", 1_000 + MAX_REVISIONS - 1))).await;
    assert_eq!((again.status().as_u16(), &body(&again)["identical"]), (200, &json!(true)));
}

/// Only a record that the index does not know says to which proof the ID leads.
#[tokio::test]
async fn a_legacy_id_that_only_a_record_names_is_neither_given_away_nor_taken_back() {
    let take_over = |name: &str| {
        let origin =
            json!({"created": "2020-01-01T00:00:00Z", "expires": "2090-01-01T00:00:00Z", "legacy_id": "old"});
        let body = json!({"media_hash": media(name).to_string(), "manifest": {}, "origin": origin});
        with_json(Method::POST, "/v1/proofs", &body)
    };
    let ground = Ground::new();
    done(&ground.process(), super::ground::store("before")).await;
    let older = restored(&ground, async |process| done(process, take_over("a")).await).await;
    let process = older.process();
    let target = format!("/v1/aliases/old?proof={}", proof("a"));
    for request in [
        with_json(Method::PUT, "/v1/aliases/old", &json!({"proof": proof("before").to_string()})),
        take_over("b"),
        ask(Method::DELETE, &target),
    ] {
        let answered = answer(&process, request).await;
        assert_eq!(answered.status(), 503);
        let why = body(&answered)["detail"].to_string();
        assert!(why.contains("older than the store") && why.contains("legacy id `old`"), "{why}");
    }
    assert_eq!(answer(&process, get(&proof_path("b"))).await.status(), 404, "nothing was stored");
    let mut rebuild = Rebuild::begin(&process, Manner::Writing).await.unwrap();
    while rebuild.step(&process, |finding| panic!("{finding:?}")).await.unwrap() {}
    rebuild.finish(&process, false).await.unwrap();
    let led = answer(&process, get("/v1/proofs/old")).await;
    assert_eq!(led.status(), 308);
    assert!(led.headers()["location"].to_str().unwrap().contains(&proof("a").to_string()));
    done(&process, ask(Method::DELETE, &target)).await;
}

#[tokio::test]
async fn what_was_deleted_stays_deleted_over_objects_that_were_put_back() {
    let ground = Ground::new();
    let process = ground.process();
    for name in ["gone", "kept"] {
        done(&process, super::ground::store(name)).await;
    }
    process.tick().await.unwrap();
    let objects = ground.objects.snapshot();
    done(&process, ask(Method::DELETE, &proof_path("gone"))).await;
    for number in 0..2 {
        process.tick().await.unwrap();
        done(&process, super::ground::store(&format!("later {number}"))).await;
    }
    process.tick().await.unwrap();
    let restored = Ground { objects, ..ground };
    let process = restored.process();
    // A server that was shut down cleanly, and therefore looks at no row.
    process.begin_after(Some(restored.clock.now())).await.unwrap();
    assert_eq!(labels(&process.standing().await), ["store_older"]);
    let statuses = async |process: &Process| {
        let [gone, kept] = ["gone", "kept"].map(|name| answer(process, get(&proof_path(name))));
        (gone.await.status().as_u16(), kept.await.status().as_u16())
    };
    assert_eq!(statuses(&process).await, (410, 200));

    // The operator accepts the losses: readers see the same, and a walk removes the proof again.
    let mut rebuild = Rebuild::begin(&process, Manner::Writing).await.unwrap();
    while rebuild.step(&process, |_| ()).await.unwrap() {}
    rebuild.finish(&process, true).await.unwrap();
    let process = restored.process();
    process.begin_after(None).await.unwrap();
    assert_eq!(labels(&process.standing().await), [""; 0]);
    assert_eq!(statuses(&process).await, (410, 200));
    assert_eq!(restored.clean_up(&process).await.deleted, 1);
    process.begin_after(Some(restored.clock.now())).await.unwrap();
    assert_eq!(statuses(&process).await, (410, 200));
}

#[tokio::test]
async fn a_store_brings_a_manifest_back_that_was_lost_and_answers_for_no_damaged_record() {
    let ground = Ground::new();
    let process = ground.process();
    let (first, second) = (manifest("a", 1), BASE64.encode(&c2pa_bytes("other")));
    done(&process, store("a", &first)).await;
    // A proof in its second life, whose stored form differs.
    done(&process, ask(Method::DELETE, &proof_path("a"))).await;
    done(&process, store("a", &first)).await;
    let id: ManifestKey = manifest_id(1).parse().unwrap();
    let key = ObjectKey::Manifest(id);
    let before = ground.objects.get(&key).await.unwrap().unwrap();
    ground.objects.delete(&key).await.unwrap();
    // Another manifest is not the missing one.
    assert_eq!(body(&answer(&process, store("a", &second)).await)["identical"], false);
    assert!(ground.objects.get(&key).await.unwrap().is_none());
    let again = answer(&process, store("a", &first)).await;
    assert_eq!((again.status().as_u16(), &body(&again)["identical"]), (200, &json!(true)));
    let after = ground.objects.get(&key).await.unwrap().unwrap();
    assert_eq!((after.body, after.head.attributes), (before.body, before.head.attributes));
    let mut found = Vec::new();
    fsck(&process, |finding| found.push(finding)).await.unwrap();
    assert_eq!(found, []);

    let record = ObjectKey::Record(proof("a"));
    let head = ground.objects.head(&record).await.unwrap().unwrap();
    let damaged = Bytes::from_static(b"{}");
    let put = ground.objects.put(&record, damaged, &head.attributes, Condition::Matches(head.tag)).await;
    assert!(matches!(put, Ok(Put::Stored(_))));
    for request in [store("a", &first), store("a", &second), get(&proof_path("a"))] {
        assert_eq!(answer(&process, request).await.status(), 502);
    }
}

#[tokio::test]
async fn a_check_says_first_that_objects_were_lost() {
    let ground = Ground::new();
    let process = ground.process();
    done(&process, super::ground::store("a")).await;
    let lost = Ground { objects: Ground::new().objects, ..ground };
    let mut found = Vec::new();
    fsck(&lost.process(), |finding| found.push(finding)).await.unwrap();
    assert_eq!(found[0].key, ObjectKey::Identity.to_string(), "{found:?}");
    assert!(found[0].what.contains("its objects were lost"), "{found:?}");
}
