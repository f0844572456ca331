//! A deleted proof or manifest stays deleted (guarantee 8), even if its objects are put back from a backup: fsck finds
//! them, and cleanup removes them again.

use credlink_core::bounds::ORPHAN_AGE_SECONDS;
use credlink_core::object::{Object, ObjectKey};
use credlink_ports::{Condition, Objects as _, Ports as _, Put};
use credlink_service::cleanup::bring_back;
use credlink_service::fsck::Severity;
use http::Method;

use crate::faults::act::What::{C2pa, Json};
use crate::faults::act::{What, c2pa_id, proof_id};
use crate::http::ask::{ask, get, text};
use crate::world::{Ground, World};

const TEXT: What = Json(r#"{ "title" : 1.0 }"#);

async fn store(world: &World, what: What) {
    let body = what.body("a", 31_536_000);
    let request = text(Method::POST, "/v1/proofs", std::str::from_utf8(&body).unwrap());
    assert_eq!(world.answer(request).await.status(), 201);
}

async fn status(world: &World, path: &str) -> u16 {
    world.answer(get(path)).await.status().as_u16()
}

/// Puts an object back under its key and overwrites whatever is there, as `cp` and `copy-object` do.
async fn put_back(world: &World, key: &ObjectKey, object: Object) {
    let objects = world.service().ports().objects();
    objects.delete(key).await.unwrap();
    let put = objects.put(key, object.body, &object.head.attributes, Condition::Absent).await.unwrap();
    assert!(matches!(put, Put::Stored(_)));
}

/// A deleted proof with all its objects put back.
async fn with_restored_objects(ground: Ground, what: What) -> (World, String) {
    let world = World::on(ground);
    store(&world, what).await;
    let mut keys = vec![ObjectKey::Record(proof_id("a"))];
    if let C2pa(name) = what {
        keys.push(ObjectKey::Manifest(c2pa_id(name).parse().unwrap()));
    }
    let mut backup = Vec::new();
    for key in keys {
        let object = world.service().ports().objects().get(&key).await.unwrap().unwrap();
        backup.push((key, object));
    }
    let path = format!("/v1/proofs/{}", proof_id("a"));
    assert_eq!(world.answer(ask(Method::DELETE, &path)).await.status(), 204);
    world.clock().advance_seconds(1);
    for (key, object) in backup {
        put_back(&world, &key, object).await;
    }
    (world, path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_back_is_put_away_again() {
    for ground in [Ground::Memory, Ground::Folder, Ground::Dynamo] {
        for what in [TEXT, C2pa("one")] {
            let (world, path) = with_restored_objects(ground, what).await;
            let broken = world.findings(Severity::Broken).await;
            assert_eq!(broken.len(), if what == TEXT { 1 } else { 2 }, "{ground:?}: {broken:?}");
            // Until cleanup runs, no caller is served a manifest from before the deletion, which its owner may have
            // withdrawn.
            if let C2pa(name) = what {
                assert_eq!(status(&world, &format!("/v1/manifests/{}", c2pa_id(name))).await, 410);
            }
            // The same call as in `credlink fsck --repair`.
            let report = world.clean_up().await;
            assert_eq!(report.failed, 0, "{ground:?} {what:?}: {report:?}");
            assert_eq!(status(&world, &path).await, 410, "{ground:?} {what:?}");
            if let C2pa(name) = what {
                assert_eq!(status(&world, &format!("/v1/manifests/{}", c2pa_id(name))).await, 410);
            }
            world.assert_sound().await;
            assert_eq!(world.findings(Severity::Leftover).await, [""; 0], "{ground:?}");
            // The object is kept like everything that the collector removes, but is not restored, because its owner
            // deleted it.
            let brought = bring_back(world.service(), None).await.unwrap();
            assert_eq!((brought.restored, brought.failed), (0, 0), "{ground:?} {what:?}: {brought:?}");
            assert_eq!(status(&world, &path).await, 410);
            if let C2pa(name) = what {
                assert_eq!(status(&world, &format!("/v1/manifests/{}", c2pa_id(name))).await, 410);
            }
            // A new store creates the proof again.
            store(&world, what).await;
            assert_eq!(status(&world, &path).await, 200);
            world.assert_tidy().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schedule_puts_it_away_too() {
    for ground in [Ground::Memory, Ground::Dynamo] {
        for what in [TEXT, C2pa("one")] {
            let (world, path) = with_restored_objects(ground, what).await;
            world.clock().advance_seconds(2 * ORPHAN_AGE_SECONDS);
            let report = world.clean_up_on_schedule().await;
            assert_eq!(report.failed, 0, "{ground:?} {what:?}: {report:?}");
            assert_eq!(status(&world, &path).await, 410, "{ground:?} {what:?}");
            world.assert_sound().await;
        }
    }
}

/// A store that meets such a record does not adopt it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_does_not_take_up_what_was_put_back() {
    for ground in [Ground::Memory, Ground::Folder, Ground::Dynamo] {
        let (world, path) = with_restored_objects(ground, C2pa("one")).await;
        store(&world, TEXT).await;
        let record = world.answer(get(&path)).await;
        let record: serde_json::Value = serde_json::from_slice(record.body()).unwrap();
        assert_eq!(record["manifest"]["sha256"], TEXT.digest().to_string(), "{ground:?}");
        assert_eq!(world.clean_up().await.failed, 0);
        world.assert_tidy().await;
    }
}

/// An unreadable record may name any manifest that nothing else names, but never one whose owner deleted it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_was_put_back_goes_beside_a_record_that_cannot_be_read() {
    for ground in [Ground::Memory, Ground::Dynamo] {
        let (world, path) = with_restored_objects(ground, C2pa("one")).await;
        let other = Json(r#"{"n":2}"#).body("b", 31_536_000);
        let request = text(Method::POST, "/v1/proofs", std::str::from_utf8(&other).unwrap());
        assert_eq!(world.answer(request).await.status(), 201);
        let key = ObjectKey::Record(proof_id("b"));
        let mut damaged = world.service().ports().objects().get(&key).await.unwrap().unwrap();
        damaged.body = bytes::Bytes::from_static(b"nonsense");
        put_back(&world, &key, damaged).await;
        let report = world.clean_up().await;
        assert_eq!(report.failed, 1, "{ground:?}: {report:?}");
        assert_eq!(status(&world, &path).await, 410, "{ground:?}");
        assert_eq!(status(&world, &format!("/v1/manifests/{}", c2pa_id("one"))).await, 410, "{ground:?}");
    }
}
