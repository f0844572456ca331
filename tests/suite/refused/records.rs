//! The record of a store that is refused after it wrote that record, and manifests that a refused store put under IDs
//! for which the index knows another content, or a deletion.

use std::pin::pin;

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::ObjectKey;
use credlink_core::testing::{store_of, superbox};
use credlink_ports::Objects as _;
use credlink_ports::doubles::faults::FaultPlan;
use credlink_service::fsck::fsck;
use credlink_service::rebuild::{Manner, Rebuild};
use data_encoding::BASE64;
use http::{Method, Request};
use serde_json::json;

use crate::faults::gate::Gate;
use crate::guard::ground::{Ground, Process, answer, done, labels};
use crate::http::ask::{ask, get, json as request, media, proof_path};

const ID: &str = "urn:c2pa:shared";

/// A manifest that binds no file, so that any file may have it.
fn content(note: &str) -> Vec<u8> {
    let kind = *b"c2ma\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71";
    store_of(&[superbox(kind, ID, &[superbox(kind, &note.repeat(50), &[])])])
}

fn store(name: &str, note: &str) -> Request<Bytes> {
    let body =
        json!({"media_hash": media(name).to_string(), "manifest_base64": BASE64.encode(&content(note))});
    request(Method::POST, "/v1/proofs", &body)
}

async fn status(process: &Process, name: &str) -> u16 {
    answer(process, get(&proof_path(name))).await.status().as_u16()
}

/// The answer for the manifest: its status, and which of two contents it has.
async fn served(process: &Process) -> (u16, Option<&'static str>) {
    let read = answer(process, get(&format!("/v1/manifests/{ID}"))).await;
    let is = |note: &&str| Digest::of(read.body()) == Digest::of(&content(note));
    (read.status().as_u16(), ["x", "y"].into_iter().find(is))
}

async fn assert_sound(process: &Process, case: &str) {
    let mut found = Vec::new();
    fsck(process, |finding| found.push(finding)).await.unwrap();
    assert_eq!(found, [], "{case}");
}

/// Two stores put the same manifest. One loses its race and takes the manifest back while the other is between its
/// manifest and its row, and a third then gives the ID another content. The record of the refused store must not stay.
#[tokio::test]
async fn a_store_whose_manifest_got_another_content_leaves_no_record() {
    let (mut refused, mut done_all) = (0, 0);
    for ground in [Ground::new, Ground::shared] {
        for (first_stop, second_stop) in (1..14).flat_map(|first| (1..14).map(move |second| (first, second)))
        {
            let ground = ground();
            let calm = ground.process();
            done(&calm, crate::guard::ground::store("warm")).await;
            let (one, other) = (Gate::open(), Gate::open());
            let first = ground.process_with(&FaultPlan::none(), &one);
            let second = ground.process_with(&FaultPlan::none(), &other);
            first.standing().await;
            second.standing().await;
            one.stop_after(first_stop);
            other.stop_after(second_stop);
            let mut stored = pin!(answer(&first, store("b", "y")));
            let mut beaten = pin!(answer(&second, store("c", "y")));
            if one.run(stored.as_mut()).is_some() || other.run(beaten.as_mut()).is_some() {
                continue;
            }
            done(&calm, crate::guard::ground::store("c")).await;
            other.lift();
            other.run(beaten).unwrap();
            let third = answer(&calm, store("a", "x")).await.status().as_u16();
            one.lift();
            let stored = one.run(stored).unwrap().status().as_u16();
            let case = format!("stopped at {first_stop} and {second_stop}: {third}, {stored}");
            match (third, stored) {
                (201, 409) => {
                    refused += 1;
                    assert_eq!(
                        (status(&calm, "b").await, served(&calm).await),
                        (404, (200, Some("x"))),
                        "{case}"
                    );
                }
                _ => {
                    done_all += 1;
                    assert_eq!(status(&calm, "b").await == 200, stored == 201, "{case}");
                }
            }
            ground.clean_up(&calm).await;
            assert_eq!(status(&calm, "b").await == 200, stored == 201, "{case}, after a cleanup");
            assert_sound(&calm, &case).await;
        }
    }
    assert!(refused > 5 && done_all > 2, "{refused} refused, {done_all} others");
}

/// Objects from before `commits`, each of which the mark covers, beside the index from after them.
async fn restored(commits: impl AsyncFnOnce(&Process)) -> Ground {
    let ground = Ground::new();
    let process = ground.process();
    done(&process, crate::guard::ground::store("warm")).await;
    process.tick().await.unwrap();
    let objects = ground.objects.snapshot();
    for number in 0..2 {
        done(&process, crate::guard::ground::store(&number.to_string())).await;
        process.tick().await.unwrap();
    }
    commits(&process).await;
    process.tick().await.unwrap();
    let restored = Ground { objects, ..ground };
    assert_eq!(labels(&restored.process().standing().await), ["store_older"]);
    restored
}

#[tokio::test]
async fn an_id_keeps_its_content_where_objects_were_lost() {
    let deleted = restored(async |process| {
        done(process, store("a", "x")).await;
        done(process, ask(Method::DELETE, &proof_path("a"))).await;
    });
    let live = restored(async |process| done(process, store("a", "x")).await);
    for ground in [deleted.await, live.await] {
        let process = ground.process();
        for _ in 0..3 {
            assert_eq!(answer(&process, store("b", "y")).await.status(), 409);
            assert_eq!((status(&process, "b").await, served(&process).await), (404, (404, None)));
        }
        // A store of its own content restores it.
        done(&process, store("c", "x")).await;
        assert_eq!((status(&process, "c").await, served(&process).await), (200, (200, Some("x"))));
    }
}

#[tokio::test]
async fn a_deleted_manifest_stays_deleted_under_an_older_index() {
    let ground = Ground::new();
    let process = ground.process();
    done(&process, store("a", "x")).await;
    process.tick().await.unwrap();
    let before = ground.index.snapshot();
    for number in 0..2 {
        done(&process, crate::guard::ground::store(&number.to_string())).await;
        process.tick().await.unwrap();
    }
    done(&process, ask(Method::DELETE, &proof_path("a"))).await;
    done(&process, crate::guard::ground::store("b")).await;
    process.tick().await.unwrap();
    let older = ground.beside(before);
    let process = older.process();
    assert_eq!(labels(&process.standing().await), ["index_older"]);
    assert_eq!(served(&process).await, (410, None));
    // The answer is the same with another proof and without one: it is not known yet that the manifest was deleted.
    for name in ["b", "c"] {
        assert_eq!(answer(&process, store(name, "x")).await.status(), 503);
        assert_eq!(served(&process).await, (410, None));
    }
    let mut rebuild = Rebuild::begin(&process, Manner::Writing).await.unwrap();
    while rebuild.step(&process, |finding| panic!("{finding:?}")).await.unwrap() {}
    rebuild.finish(&process, false).await.unwrap();
    assert_eq!(answer(&process, store("c", "y")).await.status(), 409, "the id keeps its content");
    done(&process, store("c", "x")).await;
    assert_eq!(served(&process).await, (200, Some("x")));
}

/// A manifest was removed from outside without a trace, from one of two providers or from the only one.
#[tokio::test]
async fn an_id_whose_manifest_is_lost_serves_no_other_content() {
    let ground = Ground::new();
    let process = ground.process();
    done(&process, store("a", "x")).await;
    ground.objects.delete(&ObjectKey::Manifest(ID.parse().unwrap())).await.unwrap();
    for _ in 0..3 {
        assert_eq!(answer(&process, store("b", "y")).await.status(), 409);
        assert_eq!((status(&process, "b").await, served(&process).await), (404, (404, None)));
    }
    // A proof with the same content but another visibility.
    let body = json!({
        "media_hash": media("c").to_string(),
        "manifest_base64": BASE64.encode(&content("x")),
        "visibility": "private",
    });
    assert_eq!(answer(&process, request(Method::POST, "/v1/proofs", &body)).await.status(), 409);
    assert_eq!(served(&process).await, (404, None));
    // A store of its own content restores it.
    assert_eq!(answer(&process, store("a", "x")).await.status(), 200);
    assert_eq!(served(&process).await, (200, Some("x")));
    done(&process, store("c", "x")).await;
    assert_sound(&process, "the end").await;
}

/// The row is from an earlier life with another visibility, and the object says what is true.
#[tokio::test]
async fn what_was_stored_again_for_other_readers_is_stored_with_under_an_older_index() {
    let private = json!({
        "media_hash": media("a").to_string(),
        "manifest_base64": BASE64.encode(&content("x")),
        "visibility": "private",
    });
    let ground = Ground::new();
    let process = ground.process();
    done(&process, request(Method::POST, "/v1/proofs", &private)).await;
    process.tick().await.unwrap();
    let before = ground.index.snapshot();
    for number in 0..2 {
        done(&process, crate::guard::ground::store(&number.to_string())).await;
        process.tick().await.unwrap();
    }
    done(&process, ask(Method::DELETE, &proof_path("a"))).await;
    done(&process, store("b", "x")).await;
    process.tick().await.unwrap();
    let process = ground.beside(before).process();
    assert_eq!(labels(&process.standing().await), ["index_older"]);
    done(&process, store("c", "x")).await;
    assert_eq!((status(&process, "c").await, served(&process).await), (200, (200, Some("x"))));
}
