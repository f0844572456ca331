//! Rows that are behind their records, because a request was cut off between the two writes. The record is what the owner of a
//! file was told, so nothing is destroyed or refused because of such a row.

use std::future::ready;

use credlink_core::row::State;
use credlink_files::WithFiles;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use credlink_service::plain::Plain;
use http::{Method, Request};
use serde_json::{Value, json};

use super::ground::{Ground, Process};

const DAY: u64 = 86_400;

/// A ground with a file that expires in a day, and that was then given life for ever by a request that was cut off after
/// the record. Returns the path of the file.
async fn cut_off() -> (Ground, String) {
    let (ground, path) = Ground::with_file().await;
    let (status, _) = ground.sound().send(Method::PATCH, &path, &json!({"expires_in": DAY})).await;
    assert_eq!(status, 200);
    let broken = ground.process(&FaultPlan::from(2, Flavour::Lost));
    let (status, answer) = broken.send(Method::PATCH, &path, &json!({"expires_in": null})).await;
    assert_eq!(status, 503, "{answer}");
    (ground, path)
}

impl Ground {
    /// Asserts that the file is there, for readers and in the index, long after its former end.
    async fn assert_lives_on(&self, path: &str, when: &str) {
        for _ in 0..3 {
            self.clock.advance_seconds(10 * DAY);
            let swept = self.sound().sweep().await;
            assert_eq!(swept.failed, 0, "{when}");
        }
        let (status, answer) = self.sound().send(Method::GET, path, &Value::Null).await;
        assert_eq!((status, &answer["expires"]), (200, &Value::Null), "{when}: {answer}");
        let row = self.files().await.remove(0);
        assert_eq!((row.state, row.expires), (State::Live, None), "{when}");
        assert_eq!(u64::from(row.revision), answer["revision"].as_u64().unwrap(), "{when}");
        self.assert_sound(when).await;
    }
}

#[tokio::test]
async fn a_file_whose_longer_life_is_only_in_its_record_lives_on() {
    let (ground, path) = cut_off().await;
    assert!(ground.files().await[0].expires.is_some(), "the row is behind");
    ground.assert_lives_on(&path, "nobody asks again").await;
}

#[tokio::test]
async fn a_request_that_finds_its_change_done_brings_the_row_up() {
    for (method, below, body) in [
        (Method::PATCH, "", json!({"expires_in": null})),
        (Method::PATCH, "", json!({})),
        (Method::POST, "/renditions", Value::Null),
    ] {
        let when = format!("{method} {below} {body}");
        let (ground, path) = cut_off().await;
        let (status, answer) = ground.sound().send(method, &format!("{path}{below}"), &body).await;
        assert_eq!((status, &answer["expires"]), (200, &Value::Null), "{when}: {answer}");
        assert_eq!(ground.files().await[0].expires, None, "{when}");
        ground.assert_lives_on(&path, &when).await;
    }
}

#[tokio::test]
async fn a_change_to_a_list_that_was_done_brings_record_and_row_up() {
    let (ground, path) = Ground::with_file().await;
    let file = path.rsplit_once('/').unwrap().1.to_owned();
    let list = "/v1/entities/item/2/item-photo";
    let detached = json!({"detach": file});
    let (status, _) = ground.sound().send(Method::POST, "/v1/entities/item/1/item-photo", &detached).await;
    assert_eq!(status, 200);
    // The commit of the list is the first write, the record the second, and the row's own commit the third.
    for number in [2, 3] {
        let broken = ground.process(&FaultPlan::at(number, Flavour::Lost));
        let (status, _) = broken.send(Method::POST, list, &json!({"attach": file})).await;
        assert_eq!(status, 200, "the list is what was asked for");
        let (status, _) = ground.sound().send(Method::POST, list, &json!({"attach": file})).await;
        assert_eq!(status, 200);
        let (_, answer) = ground.sound().send(Method::GET, &path, &Value::Null).await;
        assert_eq!(answer["entity"], json!({"type": "item", "id": "2"}), "{number}");
        let row = ground.files().await.remove(0);
        assert_eq!(u64::from(row.revision), answer["revision"].as_u64().unwrap(), "{number}");
        let (status, _) = ground.sound().send(Method::POST, list, &json!({"detach": file})).await;
        assert_eq!(status, 200);
    }
}

impl Process {
    /// Deletes the file at `path`, if its record has this `ETag`.
    async fn delete_if(&self, path: &str, etag: &str) -> u16 {
        let request = Request::builder().method(Method::DELETE).uri(path).header("if-match", etag);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let handler = WithFiles::new(&self.files, &Plain);
        self.service.handle_by(&handler, &parts, ready(Ok(bytes::Bytes::new()))).await.status().as_u16()
    }

    /// The `ETag` of the record at `path`, as readers get it.
    async fn etag(&self, path: &str) -> String {
        let request = Request::builder().method(Method::GET).uri(path);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let handler = WithFiles::new(&self.files, &Plain);
        let answer = self.service.handle_by(&handler, &parts, ready(Ok(bytes::Bytes::new()))).await;
        answer.headers()["etag"].to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_deletion_names_the_record_that_readers_see() {
    let (ground, path) = Ground::with_file().await;
    let before = ground.sound().etag(&path).await;
    let broken = ground.process(&FaultPlan::from(2, Flavour::Lost));
    let (status, _) = broken.send(Method::PATCH, &path, &json!({"alt": "A bicycle"})).await;
    assert_eq!(status, 503);
    let after = ground.sound().etag(&path).await;
    assert_ne!(before, after);
    assert_eq!(ground.sound().delete_if(&path, &before).await, 412);
    assert_eq!(ground.sound().delete_if(&path, &after).await, 204);
    assert_eq!(ground.sound().send(Method::GET, &path, &Value::Null).await.0, 410);
}
