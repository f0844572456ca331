//! The finaliser and the sweeper over doubles: each write of a finalisation fails once, in both ways, and time passes.

use std::collections::BTreeSet;

use credlink_core::file::{Rejection, UploadId};
use credlink_core::object::MediaKey;
use credlink_core::row::State;
use credlink_files::Others;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use http::Method;
use serde_json::{Value, json};

use super::ground::{Ground, PICTURE, of_item};

/// The number of writes that make a file of an upload.
async fn writes_of_a_finalisation(collection: &str) -> u64 {
    let ground = Ground::new();
    let id = ground.arrived(collection, PICTURE, &of_anna()).await;
    let plan = FaultPlan::none();
    ground.process(&plan).finalise(&id, Others::Possible).await.unwrap();
    plan.writes()
}

fn of_anna() -> Value {
    json!({"entity": {"type": "user", "id": "anna"}})
}

#[tokio::test]
async fn a_finalisation_survives_the_failure_of_each_of_its_writes() {
    let counting = writes_of_a_finalisation("item-photo").await;
    assert!(counting > 10, "{counting}");
    for flavour in [Flavour::Lost, Flavour::Kept] {
        for number in 1..=counting {
            let when = format!("write {number} of {counting}, {flavour:?}");
            let ground = Ground::new();
            let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
            let plan = FaultPlan::at(number, flavour);
            let first = ground.process(&plan).finalise(&id, Others::Possible).await;
            ground.assert_sound_but_for_uncommitted(&when).await;
            // The next process takes over at once, as after a crash.
            ground.sound().finalise(&id, Others::None).await.unwrap();
            let row = ground.upload(&id).await;
            assert_eq!(row.state.name(), "ready", "{when}: {first:?}");
            assert_eq!(ground.files().await.len(), 1, "{when}");
            assert_eq!(ground.quota().await, (PICTURE.len() as u64, 0, 1, 0), "{when}");
            assert!(ground.quarantine.is_empty_for(&id), "{when}");
            ground.assert_sound(&when).await;
        }
    }
}

#[tokio::test]
async fn two_finalisers_make_one_file() {
    let ground = Ground::new();
    let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
    let (one, two) = (ground.sound(), ground.sound());
    let (first, second) =
        futures_util::future::join(one.finalise(&id, Others::Possible), two.finalise(&id, Others::None))
            .await;
    assert_eq!((first, second), (Ok(()), Ok(())));
    one.finalise(&id, Others::Possible).await.unwrap();
    assert_eq!(ground.files().await.len(), 1);
    assert_eq!(ground.quota().await, (PICTURE.len() as u64, 0, 1, 0));
    ground.assert_sound("after two").await;
}

#[tokio::test]
async fn a_rejected_upload_leaves_nothing_but_its_row() {
    let mut ground = Ground::new();
    ground.refusal = Some(Rejection::Truncated);
    let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
    ground.sound().finalise(&id, Others::Possible).await.unwrap();
    assert_eq!(ground.upload(&id).await.state.name(), "rejected");
    assert_eq!(ground.quota().await, (0, 0, 0, 0));
    assert!(ground.quarantine.is_empty_for(&id));
    assert_eq!(ground.keys("").await, [""; 0]);
}

#[tokio::test]
async fn an_upload_that_meets_a_full_list_is_rejected_and_leaves_nothing() {
    let ground = Ground::new();
    let first = ground.arrived("profile-photo", PICTURE, &of_anna()).await;
    let second = ground.arrived("profile-photo", b"\x89PNG\r\n\x1a\nother", &of_anna()).await;
    ground.sound().finalise(&first, Others::Possible).await.unwrap();
    let keys = ground.keys("").await;
    ground.sound().finalise(&second, Others::Possible).await.unwrap();
    assert_eq!(ground.upload(&second).await.state.name(), "rejected");
    assert_eq!(ground.keys("").await, keys);
    ground.assert_sound("after the rejection").await;
}

#[tokio::test]
async fn a_list_that_fills_while_an_upload_is_processed_rejects_it_and_its_blob_is_removed_later() {
    let ground = Ground::new();
    let first = ground.arrived("profile-photo", PICTURE, &of_anna()).await;
    let second = ground.arrived("profile-photo", b"\x89PNG\r\n\x1a\nother", &of_anna()).await;
    // Cut off after the record was written: the last write is the commit.
    let writes = writes_of_a_finalisation("profile-photo").await;
    let broken = ground.process(&FaultPlan::from(writes, Flavour::Lost));
    assert!(broken.finalise(&second, Others::Possible).await.is_err());
    assert_eq!(ground.keys(MediaKey::FILES).await.len(), 1, "the record is written");
    ground.sound().finalise(&first, Others::Possible).await.unwrap();
    ground.sound().finalise(&second, Others::None).await.unwrap();
    assert_eq!(ground.upload(&second).await.state.name(), "rejected");
    ground.assert_sound("after the rejection").await;
    assert_eq!(ground.keys(MediaKey::FILES).await.len(), 1);
    let blobs = async || {
        let keys = ground.keys(MediaKey::MEDIA).await;
        keys.iter().map(|key| key[..38].to_owned()).collect::<BTreeSet<String>>()
    };
    assert_eq!(blobs().await.len(), 2, "{:?}", blobs().await);
    ground.clock.advance_seconds(86_401);
    ground.sound().sweep().await;
    assert_eq!(blobs().await.len(), 1, "{:?}", blobs().await);
}

#[tokio::test]
async fn an_upload_that_nobody_spoke_of_is_found_when_it_is_due() {
    let ground = Ground::new();
    let arrived = ground.arrived("item-photo", PICTURE, &of_item()).await;
    let body = json!({"collection": "item-photo", "type": "image/png", "size": 10});
    let (_, never) = ground.sound().send(Method::POST, "/v1/uploads", &body).await;
    let never: UploadId = never["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(ground.sound().sweep().await.done, 0);
    ground.clock.advance_seconds(86_401);
    assert_eq!(ground.sound().sweep().await.done, 2);
    assert_eq!(ground.upload(&arrived).await.state.name(), "ready");
    assert_eq!(ground.upload(&never).await.state.name(), "expired");
    assert_eq!(ground.quota().await, (PICTURE.len() as u64, 0, 1, 0));
    // Ended uploads are looked at once more, and never again.
    ground.clock.advance_seconds(700_000);
    let swept = ground.sound().sweep().await;
    assert_eq!((swept.done, swept.failed), (2, 0));
    ground.clock.advance_seconds(100 * 365 * 86_400);
    let swept = ground.sound().sweep().await;
    assert_eq!((swept.done, swept.failed), (0, 0));
    assert_eq!((ground.upload(&arrived).await.due, ground.upload(&never).await.due), (None, None));
}

#[tokio::test]
async fn what_fails_again_and_again_is_given_up() {
    let ground = Ground::new();
    let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
    for attempt in 1..=5 {
        // After two, they are not made at each start.
        ground.clock.advance_seconds(if attempt > 2 { 900 } else { 0 });
        let broken = ground.process(&FaultPlan::from(2, Flavour::Lost));
        assert!(broken.finalise(&id, Others::None).await.is_err(), "attempt {attempt}");
    }
    ground.clock.advance_seconds(900);
    ground.sound().finalise(&id, Others::None).await.unwrap();
    let row = ground.upload(&id).await;
    assert_eq!(serde_json::to_value(&row).unwrap()["reason"], "failed");
    assert_eq!(ground.quota().await, (0, 0, 0, 0));
}

#[tokio::test]
async fn files_in_no_list_and_expired_ones_go_and_their_blobs_after_them() {
    let ground = Ground::new();
    let loose = ground.arrived("item-photo", PICTURE, &json!({})).await;
    let temporary = ground.arrived("temp", b"\x89PNG\r\n\x1a\ntemporary", &json!({})).await;
    let kept = ground.arrived("item-photo", b"\x89PNG\r\n\x1a\nkept", &of_item()).await;
    for id in [&loose, &temporary, &kept] {
        ground.sound().finalise(id, Others::Possible).await.unwrap();
    }
    let live = async || {
        let files = ground.files().await;
        files.iter().filter(|row| row.state == State::Live).count()
    };
    assert_eq!(live().await, 3);
    // A day of life and a week of grace; nine days without a list.
    ground.clock.advance_seconds(8 * 86_400 + 1);
    ground.sound().sweep().await;
    assert_eq!(live().await, 2);
    ground.clock.advance_seconds(86_400);
    ground.sound().sweep().await;
    assert_eq!(live().await, 1);
    ground.assert_sound("after the deletions").await;
    ground.clock.advance_seconds(86_401);
    ground.sound().sweep().await;
    let originals = ground.keys(MediaKey::MEDIA).await;
    assert_eq!(originals.iter().filter(|key| key.ends_with("/original")).count(), 1, "{originals:?}");
    assert_eq!(ground.quota().await, (12, 0, 1, 0));
    // The same content can come again.
    let again = ground.arrived("item-photo", PICTURE, &of_item()).await;
    ground.sound().finalise(&again, Others::Possible).await.unwrap();
    assert_eq!(live().await, 2);
    ground.assert_sound("after the same content came again").await;
}

#[tokio::test]
async fn a_deletion_survives_the_failure_of_each_of_its_writes() {
    let counting = {
        let (ground, path) = Ground::with_file().await;
        let plan = FaultPlan::none();
        let (status, _) = ground.process(&plan).send(Method::DELETE, &path, &Value::Null).await;
        assert_eq!(status, 204);
        plan.writes()
    };
    assert!(counting > 2, "{counting}");
    for flavour in [Flavour::Lost, Flavour::Kept] {
        for number in 1..=counting {
            let when = format!("write {number} of {counting}, {flavour:?}");
            let (ground, path) = Ground::with_file().await;
            let broken = ground.process(&FaultPlan::at(number, flavour));
            let (status, _) = broken.send(Method::DELETE, &path, &Value::Null).await;
            assert_eq!(status, 503, "{when}");
            let (status, _) = ground.sound().send(Method::DELETE, &path, &Value::Null).await;
            assert_eq!(status, 204, "{when}");
            let (status, _) = ground.sound().send(Method::GET, &path, &Value::Null).await;
            assert_eq!(status, 410, "{when}");
            assert!(matches!(ground.files().await[0].state, State::Deleted(_)), "{when}");
            assert_eq!(ground.quota().await, (0, 0, 0, 0), "{when}");
        }
    }
}

#[tokio::test]
async fn an_upload_that_is_aborted_meanwhile_becomes_no_file() {
    let ground = Ground::new();
    let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
    let counting = writes_of_a_finalisation("item-photo").await;
    // Cut off after the record was written: the last write is the commit.
    let broken = ground.process(&FaultPlan::from(counting, Flavour::Lost));
    assert!(broken.finalise(&id, Others::Possible).await.is_err());
    assert_eq!(ground.keys(MediaKey::FILES).await.len(), 1, "the record is written");
    assert!(ground.files().await.is_empty(), "and nothing is committed");
    let path = format!("/v1/uploads/{id}");
    assert_eq!(ground.sound().send(Method::DELETE, &path, &Value::Null).await.0, 204);
    ground.sound().finalise(&id, Others::None).await.unwrap();
    assert!(ground.files().await.is_empty());
    assert_eq!(ground.quota().await, (0, 0, 0, 0));
    assert_eq!(ground.keys(MediaKey::FILES).await, [""; 0]);
    ground.assert_sound("after the end").await;
}
