//! Every kind of orphan: left alone while it may be in use, then removed in such a way that it can be restored, and
//! purged after a week.

use credlink_core::bounds::{ORPHAN_AGE_SECONDS, REMOVED_GRACE_SECONDS};
use credlink_core::manifest_key::ManifestKey;
use credlink_core::note::HoldNote;
use credlink_core::object::ObjectKey;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::tombstone::Tombstone;
use credlink_ports::{Clock as _, Objects as _, Ports as _};
use credlink_service::cleanup::bring_back;
use credlink_service::fsck::Severity;
use http::{Method, StatusCode};

use super::{put, put_manifest};
use crate::faults::act::What::{C2pa, Json};
use crate::faults::act::{What, c2pa_id, proof_id};
use crate::http::ask::{ask, get, text};
use crate::world::{Ground, World};

/// Only in memory do objects carry the time of the test's own clock.
const GROUNDS: [Ground; 2] = [Ground::Memory, Ground::Dynamo];

const MANIFEST: What = C2pa("orphan");

async fn store(world: &World, what: What) {
    let body = what.body("a", 31_536_000);
    let request = text(Method::POST, "/v1/proofs", std::str::from_utf8(&body).unwrap());
    assert_eq!(world.answer(request).await.status(), StatusCode::CREATED);
}

async fn status(world: &World, path: &str) -> u16 {
    world.answer(get(path)).await.status().as_u16()
}

fn manifest_path() -> String {
    format!("/v1/manifests/{}", c2pa_id("orphan"))
}

fn manifest_id() -> ManifestKey {
    c2pa_id("orphan").parse().unwrap()
}

/// The keys of the objects under `removed/`, without the instant.
async fn removed(world: &World) -> Vec<String> {
    let keys = world.keys().await.into_iter();
    let removed = keys.filter_map(|key| Some(key.strip_prefix("removed/")?.split_once('/')?.1.to_owned()));
    removed.collect()
}

/// Cleans up just before an orphan is due, which does nothing, and again when the orphan is due, which removes exactly
/// `wanted`.
async fn assert_removed(world: &World, due: u64, wanted: &[String]) {
    let before = world.keys().await;
    world.clock().advance_seconds(due - 1);
    let report = world.clean_up_on_schedule().await;
    assert_eq!((report.deleted, report.failed), (0, 0), "{report:?}");
    assert_eq!(world.keys().await, before);
    world.clock().advance_seconds(1);
    let report = world.clean_up_on_schedule().await;
    assert_eq!((report.deleted, report.failed), (1, 0), "{report:?}");
    assert_eq!(removed(world).await, wanted);
}

/// Asserts that nothing is kept any longer a week later.
async fn assert_purged(world: &World) {
    world.clock().advance_seconds(REMOVED_GRACE_SECONDS - 1);
    let kept = removed(world).await.len();
    world.clean_up_on_schedule().await;
    assert_eq!(removed(world).await.len(), kept);
    world.clock().advance_seconds(1);
    world.clean_up_on_schedule().await;
    assert_eq!(removed(world).await, [""; 0]);
    world.assert_tidy().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_nothing_names() {
    for ground in GROUNDS {
        for brought_back in [false, true] {
            let world = World::on(ground);
            let key = put_manifest(world.service().ports().objects(), "orphan", world.clock().now()).await;
            assert_eq!(status(&world, &manifest_path()).await, 200);
            assert_removed(&world, 2 * ORPHAN_AGE_SECONDS, &[key.to_string()]).await;
            assert_eq!(status(&world, &manifest_path()).await, 404, "nobody was told of it");
            if brought_back {
                world.clock().advance_seconds(REMOVED_GRACE_SECONDS - 1);
                let brought = bring_back(world.service(), None).await.unwrap();
                assert_eq!((brought.restored, brought.taken, brought.failed), (1, 0, 0));
                assert_eq!(status(&world, &manifest_path()).await, 200);
                // The manifest is held for itself from now on.
                world.clock().advance_seconds(86_400);
                assert_eq!(world.clean_up_on_schedule().await.deleted, 0);
                assert_eq!(status(&world, &manifest_path()).await, 200);
                assert_eq!(removed(&world).await, [""; 0]);
                assert_eq!(world.answer(ask(Method::DELETE, &manifest_path())).await.status(), 204);
                assert_eq!(status(&world, &manifest_path()).await, 410);
                world.assert_tidy().await;
            } else {
                assert_purged(&world).await;
                assert_eq!(status(&world, &manifest_path()).await, 404);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_without_its_manifest() {
    for ground in GROUNDS {
        let world = World::on(ground);
        let (body, attributes) =
            HoldNote::new(manifest_id().id, Tenant::default()).object(0, world.clock().now());
        let key = ObjectKey::Hold(manifest_id(), 0);
        put(world.service().ports().objects(), &key, body.into(), &attributes).await;
        assert_removed(&world, ORPHAN_AGE_SECONDS, &[key.to_string()]).await;
        // The record is of no use without its manifest. It stays under `removed/`, and the restored manifest is removed
        // once more.
        let brought = bring_back(world.service(), None).await.unwrap();
        assert_eq!((brought.restored, brought.taken, brought.failed), (0, 0, 1));
        world.clock().advance_seconds(ORPHAN_AGE_SECONDS);
        assert_eq!(world.clean_up_on_schedule().await.deleted, 1);
        assert_eq!(removed(&world).await, [key.to_string(), key.to_string()]);
        world.clock().advance_seconds(REMOVED_GRACE_SECONDS);
        world.clean_up_on_schedule().await;
        assert_eq!(removed(&world).await, [""; 0]);
        world.assert_tidy().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_of_an_earlier_life() {
    for ground in GROUNDS {
        let world = World::on(ground);
        store(&world, Json(r#"{"n":1}"#)).await;
        let objects = world.service().ports().objects();
        let record = objects.get(&ObjectKey::Record(proof_id("a"))).await.unwrap().unwrap();
        assert_eq!(
            world.answer(ask(Method::DELETE, &format!("/v1/proofs/{}", proof_id("a")))).await.status(),
            204
        );
        store(&world, Json(r#"{"n":2}"#)).await;
        let key = ObjectKey::Revision(proof_id("a"), 1);
        put(objects, &key, record.body, &record.head.attributes).await;
        assert_eq!(status(&world, &format!("/v1/proofs/{}/1", proof_id("a"))).await, 404, "it is not served");
        assert_removed(&world, ORPHAN_AGE_SECONDS, &[key.to_string()]).await;
        assert_eq!(status(&world, &format!("/v1/proofs/{}", proof_id("a"))).await, 200);
        assert_purged(&world).await;
    }
}

/// A record that names a missing manifest: its store was cut off, and the manifest was then deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_without_its_manifest() {
    for ground in GROUNDS {
        for brought_back in [false, true] {
            let world = World::on(ground);
            let now = world.clock().now();
            let draft = Draft::parse(&MANIFEST.body("a", 31_536_000), Tenant::default(), None).unwrap();
            let record = draft.record(1, now);
            let key = ObjectKey::Record(proof_id("a"));
            let bytes = record.to_bytes();
            let (body, attributes) = record.stored(&bytes, credlink_core::hash::Digest::of(&bytes), &key);
            let objects = world.service().ports().objects();
            put(objects, &key, body, &attributes).await;
            // A lost manifest cannot be told from one that never existed, so the record is kept.
            world.clock().advance_seconds(ORPHAN_AGE_SECONDS);
            let report = world.clean_up_on_schedule().await;
            assert_eq!((report.deleted, report.failed), (0, 1), "{report:?}");
            // The manifest was deleted before the record was reported to any caller.
            let manifest = ObjectKey::Manifest(manifest_id());
            let at = world.clock().now();
            let (tombstone, marked) = Tombstone::new(at, 0).object(&manifest, &Tenant::default());
            put(objects, &manifest, tombstone.into(), &marked).await;
            world.clock().advance_seconds(86_400);
            let report = world.clean_up_on_schedule().await;
            assert_eq!((report.deleted, report.failed), (1, 0), "{report:?}");
            assert_eq!(removed(&world).await, [key.to_string()]);
            objects.delete(&manifest).await.unwrap();
            let path = format!("/v1/proofs/{}", proof_id("a"));
            assert_eq!(status(&world, &path).await, 404, "nobody was told of it");
            if brought_back {
                // The manifest is found again.
                put_manifest(world.service().ports().objects(), "orphan", now).await;
                let brought = bring_back(world.service(), Some(now)).await.unwrap();
                assert_eq!((brought.restored, brought.taken, brought.failed), (1, 0, 0));
                assert_eq!(status(&world, &path).await, 200);
                assert_eq!(world.totals().await.proofs, 1);
                assert_eq!(world.findings(Severity::Leftover).await, [""; 0]);
                world.clock().advance_seconds(86_400);
                assert_eq!(world.clean_up_on_schedule().await.deleted, 0);
                world.assert_tidy().await;
            } else {
                // The key is free.
                store(&world, Json(r#"{"n":2}"#)).await;
                let brought = bring_back(world.service(), None).await.unwrap();
                assert_eq!((brought.restored, brought.taken, brought.failed), (0, 1, 0));
                assert_purged(&world).await;
                assert_eq!(status(&world, &path).await, 200);
            }
        }
    }
}
