//! The acts of the sweeper, and its omissions: by a clock in doubt, by a row that has changed since it was listed, and with a
//! provider that does not answer.

use std::pin::pin;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::bounds::{MAX_CLOCK_JUMP_SECONDS, UNHELD_BLOB_SECONDS};
use credlink_core::file::BlobId;
use credlink_core::file::UploadId;
use credlink_core::hash::MediaHash;
use credlink_core::object::{Facts, MediaKey, ObjectKey};
use credlink_core::replica::Replica;
use credlink_core::row::{Row, RowKey, State, UploadRow};
use credlink_core::rules::upload::Plan;
use credlink_files::Others;
use credlink_ports::doubles::faults::FaultPlan;
use credlink_ports::{Clock as _, Commit, Condition, Index as _, Objects as _, Write};
use credlink_service::Service;
use http::Method;
use serde_json::{Value, json};

use super::ground::{Ground, PICTURE, of_item};
use crate::faults::gate::{Gate, Gated};
use crate::faults::outage::Second;

const DAY: u64 = 86_400;

/// A service that doubts its clock, over the ground.
fn guarded(ground: &Ground) -> Service<impl credlink_ports::Ports> {
    ground.service_over(ground.objects.clone(), ground.index.clone())
}

#[tokio::test]
async fn a_clock_in_doubt_ends_no_upload_and_removes_no_bytes() {
    let ground = Ground::new();
    let service = guarded(&ground);
    service.standing().await;
    service.tick().await.unwrap();
    assert!(service.may_destroy().await.is_ok());
    let (files, right) = (ground.use_cases(), ground.clock.now());
    let ready = ground.arrived("item-photo", PICTURE, &of_item()).await;
    files.finalise(&service, &ready, Others::Possible).await.unwrap();
    // A client that sends once more, after the end.
    assert!(ground.quarantine.receive(&ground.upload(&ready).await, None, Bytes::from_static(PICTURE)));
    let body = json!({"collection": "item-photo", "type": "image/png", "size": 10});
    let (_, waiting) = ground.sound().send(Method::POST, "/v1/uploads", &body).await;
    let waiting: UploadId = waiting["id"].as_str().unwrap().parse().unwrap();
    ground.clock.set(right.plus_seconds(MAX_CLOCK_JUMP_SECONDS + DAY));
    let swept = files.sweep(&service, Others::Possible).await.unwrap();
    assert_eq!((swept.done, swept.failed), (0, 2));
    assert_eq!(ground.upload(&waiting).await.state.name(), "pending");
    assert!(!ground.quarantine.is_empty_for(&ready));
    // The clock is right again, and the time passes.
    for _ in 0..2 {
        ground.clock.set(right.plus_seconds(DAY / 2));
        service.standing().await;
        service.tick().await.unwrap();
    }
    let later = right.plus_seconds(7 * DAY + 60);
    ground.clock.set(later);
    service.standing().await;
    let swept = files.sweep(&service, Others::Possible).await.unwrap();
    assert_eq!((swept.done, swept.failed), (2, 0));
    assert_eq!(ground.upload(&waiting).await.state.name(), "expired");
    assert!(ground.quarantine.is_empty_for(&ready));
}

#[tokio::test]
async fn a_clock_that_is_ahead_unnoticed_deletes_no_file_that_just_left_its_list() {
    let ground = Ground::new();
    let service = guarded(&ground);
    service.standing().await;
    let upload = ground.arrived("item-photo", PICTURE, &of_item()).await;
    ground.use_cases().finalise(&service, &upload, Others::Possible).await.unwrap();
    service.tick().await.unwrap();
    let file = ground.files().await[0].id;
    let list = "/v1/entities/item/1/item-photo";
    let (status, _) = ground.sound().send(Method::POST, list, &json!({"detach": file})).await;
    assert_eq!(status, 200);
    ground.clock.advance_seconds(MAX_CLOCK_JUMP_SECONDS - 60);
    assert!(service.may_destroy().await.is_ok(), "nobody notices");
    let swept = ground.use_cases().sweep(&service, Others::Possible).await.unwrap();
    assert_eq!((swept.done, swept.failed), (0, 0));
    assert_eq!(ground.files().await[0].state, State::Live);
}

#[test]
fn a_file_that_is_put_into_a_list_after_the_sweeper_listed_it_stays() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut attached_before, mut deleted) = (0, 0);
    for k in 0.. {
        let (ground, path) = runtime.block_on(Ground::with_file());
        let file = path.rsplit_once('/').unwrap().1.to_owned();
        let send = |list: &str, body: Value| {
            let list = format!("/v1/entities/{list}/item-photo");
            runtime.block_on(async { ground.sound().send(Method::POST, &list, &body).await.0 })
        };
        assert_eq!(send("item/1", json!({"detach": file})), 200);
        ground.clock.advance_seconds(10 * DAY);
        let gate = Gate::before(k);
        let objects = Gated::new(ground.objects.clone(), gate.clone());
        let service =
            ground.service_over(objects, Gated::new(ground.index.clone(), gate.clone())).unguarded();
        let files = ground.use_cases();
        let _entered = runtime.enter();
        let mut sweep = pin!(files.sweep(&service, Others::Possible));
        if gate.run(sweep.as_mut()).is_some() {
            // It was stopped before each of the calls of a sweep that nobody disturbs, and either may win.
            assert_eq!(attached_before + deleted, gate.passed(), "{attached_before} {deleted}");
            assert!(attached_before > 3 && deleted > 2, "{attached_before} {deleted}");
            return;
        }
        let attached = send("item/2", json!({"attach": file}));
        gate.lift();
        // It may wait for a moment before it looks again.
        runtime.block_on(sweep).unwrap();
        let row = runtime.block_on(ground.files()).remove(0);
        match attached {
            200 => {
                assert_eq!(row.state, State::Live, "stopped before call {k}");
                attached_before += 1;
            }
            status => {
                assert!([404, 409, 410].contains(&status), "stopped before call {k}: {status}");
                assert!(matches!(row.state, State::Deleted(_)), "stopped before call {k}");
                deleted += 1;
            }
        }
        runtime.block_on(ground.assert_sound(&format!("stopped before call {k}")));
    }
}

#[tokio::test]
async fn a_large_upload_that_nobody_completes_is_found_within_hours() {
    const SIZE: u64 = 100_000_001;
    let ground = Ground::new();
    let body = json!({"collection": "temp", "type": "image/png", "size": 10});
    let (_, announced) = ground.sound().send(Method::POST, "/v1/uploads", &body).await;
    let id: UploadId = announced["id"].as_str().unwrap().parse().unwrap();
    let row = ground.upload(&id).await;
    let large = Row::Upload(UploadRow { size: SIZE, version: 2, ..row });
    let write = Write { row: large, expected: Some(1) };
    assert_eq!(ground.index.commit(&[write]).await.unwrap(), Commit::Done);
    let asked = json!({"numbers": [1]});
    let (status, _) = ground.sound().send(Method::POST, &format!("/v1/uploads/{id}/parts"), &asked).await;
    assert_eq!(status, 200);
    // As on Lambda, where another function makes the file.
    let process = ground.sound();
    let (service, files) = (process.service, process.files.leaving_uploads_to_others());
    let sweep = async || files.sweep(&service, Others::Possible).await.unwrap();
    ground.clock.advance_seconds(3_599);
    assert_eq!(sweep().await.done, 0);
    ground.clock.advance_seconds(1);
    assert_eq!(sweep().await.done, 1, "it looks");
    let row = ground.upload(&id).await;
    assert_eq!((row.state.name(), row.due), ("uploading", Some(row.created.plus_seconds(7_200))));
    let plan = Plan::of(SIZE);
    for number in 1..=plan.count() {
        let part = plan.part(number).unwrap();
        let bytes = Bytes::from(vec![0; usize::try_from(part.length()).unwrap()]);
        assert!(ground.quarantine.receive(&row, Some(&part), bytes));
    }
    ground.clock.advance_seconds(3_600);
    assert_eq!(sweep().await.done, 1);
    assert_eq!(ground.upload(&id).await.state.name(), "received");
}

#[tokio::test]
async fn a_blob_is_gone_from_both_providers_before_its_row_says_so() {
    let (ground, path) = Ground::with_file().await;
    assert_eq!(ground.sound().send(Method::DELETE, &path, &Value::Null).await.0, 204);
    ground.clock.advance_seconds(UNHELD_BLOB_SECONDS + 1);
    let second = Second::new(&ground.clock);
    // One that only the other provider has, and that no row names: a writer was cut off.
    let blob = BlobId::derive(&Default::default(), &MediaHash::of(PICTURE));
    let key = ObjectKey::Media(MediaKey::Rendition(blob, "large-9.jpg".parse().unwrap()));
    let facts = Facts::of(b"other", Default::default(), Visibility::Private, ground.clock.now());
    let attributes = facts.attributes(&key, Default::default());
    second.objects.put(&key, Bytes::from_static(b"other"), &attributes, Condition::Absent).await.unwrap();
    let (plan, gate) = (FaultPlan::none(), Gate::open());
    let both = second.store(&ground.objects, &ground.index, &ground.clock, &plan, &gate);
    let service = ground.service_over(both, ground.index.clone()).unguarded();
    let files = ground.use_cases();
    let state = async || {
        let row = ground.index.get(&RowKey::Blob(blob)).await.unwrap();
        row.and_then(Row::blob).unwrap().state
    };
    second.outage.of(Replica::Fallback);
    let swept = files.sweep(&service, Others::Possible).await.unwrap();
    assert_eq!((swept.done, swept.failed), (0, 1), "one provider alone proves nothing");
    assert!(matches!(state().await, State::Deleting(_)));
    second.outage.end();
    ground.clock.advance_seconds(3_600);
    let swept = files.sweep(&service, Others::Possible).await.unwrap();
    assert_eq!((swept.done, swept.failed), (1, 0));
    assert!(matches!(state().await, State::Deleted(_)));
    for objects in [&ground.objects, &second.objects] {
        let left = objects.list(MediaKey::MEDIA, None, 1_000).await.unwrap();
        assert!(left.items.is_empty(), "{:?}", left.items);
    }
}
