//! What the tests of the edge stand on: a Worker answers, over a bucket that our adapter writes to.

use std::time::Duration;

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::{Attributes, ObjectKey};
use credlink_service::ports::{Condition, Objects as _};

use crate::engines::edge::{Edge, Mode};
use crate::http::ask::get;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_answers_and_its_bucket_is_written_to() {
    let edge = Edge::with([("CREDLINK_ABSENT", "1".to_owned())]).await;
    let objects = edge.objects();
    let key: ObjectKey = "manifests/urn%3Ac2pa%3Akept".parse().unwrap();
    let packed = credlink_core::encoding::at_rest(&b"{\"a\": 1}".repeat(500)).bytes.into_owned();
    let body = Bytes::from(packed);
    let attributes = Attributes { content_encoding: Some("gzip".to_owned()), ..Attributes::default() };
    objects.put(&key, body.clone(), &attributes, Condition::Absent).await.unwrap();
    let kept = objects.get(&key).await.unwrap().unwrap();
    assert_eq!(Digest::of(&kept.body), Digest::of(&body));
    assert_eq!(edge.send(get("/health")).await.status(), 200);
    edge.set("bucket", Mode::Fails).await;
    edge.set("bucket", Mode::Well).await;
    edge.set_ahead(Duration::from_secs(1)).await;
    edge.without_front().await;
    edge.settle().await;
    edge.forget().await;
    assert!(edge.url().starts_with("http://127.0.0.1:"));
    assert_eq!((edge.count("bucket").await, edge.logs().await.len()), (0, 0));
}
