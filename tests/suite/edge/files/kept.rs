//! Caching of public files: a record for a minute, bytes for as long as their kind allows.

use std::time::Duration;

use credlink_core::collection::Cache;
use credlink_core::file::Access;
use futures_util::future::join_all;
use http::header::{ACCEPT, AGE, IF_MATCH, IF_NONE_MATCH, RANGE};
use http::{Method, Request};

use super::album::Album;
use crate::edge::seeds::{Seed, kind, now, read, state};
use crate::engines::edge::{Edge, Mode};
use crate::http::ask::{ask, get, with};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const HIT: &str = "credlink; hit";
const MISS: &str = "credlink; fwd=uri-miss; stored";

fn accepting(target: &str, types: &str) -> Request<bytes::Bytes> {
    with(get(target), ACCEPT, types)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_is_loaded_once_and_then_takes_two_lookups() {
    let edge = Edge::start().await;
    let album = Album::photo(1);
    album.put(&edge).await;
    let (answer, how) = read(&edge, &album.path("medium.webp")).await;
    album.assert_is(&answer, "medium-1.webp");
    assert_eq!((&*how, answer.headers().contains_key(AGE)), (MISS, false));
    edge.settle().await;
    let url = |key: String| format!("{}/{key}", edge.url());
    let (record, bytes) = (album.record.key().to_string(), album.key("medium-1.webp").to_string());
    let mut calls = edge.calls().await;
    calls.sort();
    let mut expected = [
        format!("cache.match {}", url(record.clone())),
        format!("bucket.get {record}"),
        format!("body {record}"),
        format!("cache.put {}", url(record.clone())),
        format!("cache.match {}", url(bytes.clone())),
        format!("bucket.get {bytes}"),
        format!("body {bytes}"),
        format!("cache.put {}", url(bytes.clone())),
    ];
    expected.sort();
    assert_eq!(calls, expected);
    for _ in 0..2 {
        edge.forget().await;
        let (answer, how) = read(&edge, &album.path("medium.webp")).await;
        album.assert_is(&answer, "medium-1.webp");
        assert_eq!((&*how, &answer.headers()[AGE]), (HIT, &"0".parse().unwrap()));
        let expected =
            [format!("cache.match {}", url(record.clone())), format!("cache.match {}", url(bytes.clone()))];
        assert_eq!(edge.calls().await, expected);
    }
    // The record says everything but the bytes.
    let tag = answer.headers()["etag"].clone();
    for (request, status) in [
        (ask(Method::HEAD, &album.path("medium.webp")), 200),
        (with(get(&album.path("medium.webp")), IF_NONE_MATCH, tag.as_bytes()), 304),
        (with(get(&album.path("medium.webp")), IF_MATCH, "\"another\""), 412),
        (with(get(&album.path("medium.webp")), RANGE, "bytes=3000-"), 416),
        (get(&album.path("huge")), 404),
        (get(&album.path("original")), 404),
    ] {
        edge.forget().await;
        let answer = edge.send(request).await;
        assert_eq!(answer.status(), status);
        assert_eq!(edge.calls().await, [format!("cache.match {}", url(record.clone()))], "{status}");
    }
    let answer = edge.send(with(get(&album.path("medium.webp")), RANGE, "bytes=10-19")).await;
    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (206, &album.parts["medium-1.webp"][10..20]));
}

/// The address without an extension has one entry for each format, and no entry of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_format_is_kept_by_itself() {
    let edge = Edge::start().await;
    let album = Album::photo(1);
    album.put(&edge).await;
    for round in 0..2 {
        for (types, part) in [
            ("image/avif,image/webp,*/*;q=0.8", "medium-1.webp"),
            ("*/*", "medium-1.jpg"),
            ("image/webp", "medium-1.webp"),
        ] {
            for name in ["medium", "large"] {
                let answer = edge.send(accepting(&album.path(name), types)).await;
                album.assert_is(&answer, part);
                assert_eq!(answer.headers()["vary"], "accept");
                assert_eq!(answer.headers()["cache-control"], "public, max-age=2592000, immutable");
                edge.settle().await;
                assert!(round == 0 || answer.headers()["cache-status"] == HIT, "{types}: {answer:?}");
            }
        }
    }
    // A record and two renditions.
    assert_eq!((edge.count("bucket.get").await, edge.kept().await), (3, 3));
    let answer = edge.send(accepting(&album.path("medium.jpg"), "image/webp")).await;
    album.assert_is(&answer, "medium-1.jpg");
    assert!(!answer.headers().contains_key("vary") && answer.headers()["cache-status"] == HIT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_good_for_a_minute_and_bytes_for_their_time() {
    let edge = Edge::start().await;
    let (photo, document) = (Album::photo(1), Album::document(2, 20_000));
    for (album, name, part, days) in
        [(&photo, "medium.jpg", "medium-1.jpg", 30), (&document, "original", "original", 7)]
    {
        edge.set_ahead(Duration::ZERO).await;
        album.put(&edge).await;
        let ask = async |ahead: Duration| {
            edge.settle().await;
            edge.forget().await;
            edge.set_ahead(ahead).await;
            let (answer, how) = read(&edge, &album.path(name)).await;
            album.assert_is(&answer, part);
            edge.settle().await;
            let gets = edge
                .calls()
                .await
                .into_iter()
                .filter_map(|call| Some(call.strip_prefix("bucket.get ")?.split('/').next()?.to_owned()));
            (how, gets.collect::<Vec<_>>().join(" "))
        };
        let told = |how: &str, gets: &str| (how.to_owned(), gets.to_owned());
        assert_eq!(ask(Duration::ZERO).await, told(MISS, "files media"));
        assert_eq!(ask(MINUTE / 2 - Duration::from_secs(5)).await, told(HIT, ""));
        assert_eq!(ask(MINUTE - Duration::from_secs(5)).await, told("credlink; hit; detail=stale", "files"));
        // It was checked a moment ago.
        assert_eq!(ask(MINUTE).await, told(HIT, ""));
        assert_eq!(ask(5 * MINUTE).await, told("credlink; fwd=stale", "files"));
        // The cache forgets the record after an hour, and not the bytes.
        let last = days * DAY - MINUTE;
        assert_eq!(ask(last).await, told(MISS, "files"));
        assert_eq!(ask(days * DAY + MINUTE).await, told("credlink; fwd=uri-miss; stored", "files media"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_expires_or_is_closed_is_not_served_after_a_minute() {
    let edge = Edge::start().await;
    let deleted = Album::photo(1);
    let closed = Album::photo(2);
    let late = Album::photo(3).but(|record| record.expires = Some(now().plus_seconds(600)));
    for album in [&deleted, &closed, &late] {
        album.put(&edge).await;
        album.assert_is(&read(&edge, &album.path("medium.jpg")).await.0, "medium-1.jpg");
    }
    edge.settle().await;
    deleted.seed().delete(&edge).await;
    closed.clone().open_to(Access::Private).seed().put(&edge).await;
    edge.set_ahead(MINUTE).await;
    for (album, status, problem) in [(&deleted, 410, "deleted"), (&closed, 404, "not-found")] {
        for name in ["medium.jpg", "medium", "original", "huge"] {
            let (answer, _) = read(&edge, &album.path(name)).await;
            assert_eq!((answer.status().as_u16(), &*kind(&answer)), (status, problem), "{name}");
            edge.settle().await;
        }
    }
    // The record itself says when.
    assert_eq!(state(&edge, &late.path("medium.jpg")).await.0, 200);
    edge.set_ahead(10 * MINUTE + Duration::from_secs(1)).await;
    let (answer, _) = read(&edge, &late.path("medium.jpg")).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (410, "expired"));
}

/// An absence is kept for as long as one of a proof.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_is_seen_at_once() {
    let edge = Edge::start().await;
    let album = Album::photo(1);
    for how in [MISS, "credlink; hit; detail=absent"] {
        assert_eq!(state(&edge, &album.path("medium.jpg")).await, (404, how.to_owned()));
        edge.settle().await;
    }
    album.put(&edge).await;
    edge.set_ahead(Duration::from_secs(5)).await;
    assert_eq!(state(&edge, &album.path("medium.jpg")).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_may_keep_is_loaded_for_each_reader() {
    let edge = Edge::start().await;
    let album = Album::photo(1).but(|record| record.cache = Cache::None);
    album.put(&edge).await;
    for _ in 0..2 {
        let (answer, _) = read(&edge, &album.path("medium.jpg")).await;
        album.assert_is(&answer, "medium-1.jpg");
        assert_eq!(answer.headers()["cache-control"], "private, no-store");
        edge.settle().await;
    }
    assert_eq!(edge.kept().await, 1, "the record alone: {:?}", edge.calls().await);
    assert_eq!(edge.count(&format!("bucket.get {}", album.key("medium-1.jpg"))).await, 2);
}

/// Files with the same content share its bytes, whose attributes are those of the first one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_file_is_kept_though_its_bytes_were_a_private_ones() {
    let edge = Edge::start().await;
    let private = Album::photo(1).open_to(Access::Private);
    private.put(&edge).await;
    let public = Album { record: Album::photo(1).record, ..private.clone() };
    let public = public.but(|record| record.id = Album::photo(9).record.id);
    public.seed().put(&edge).await;
    for how in [MISS, HIT] {
        let (answer, state) = read(&edge, &public.path("medium.jpg")).await;
        public.assert_is(&answer, "medium-1.jpg");
        assert_eq!(state, how);
        edge.settle().await;
    }
    assert_eq!(state(&edge, &private.path("medium.jpg")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_loads_the_record_and_the_bytes_once() {
    let edge = Edge::start().await;
    let album = Album::photo(1);
    album.put(&edge).await;
    edge.set("bucket.get", Mode::Held).await;
    let path = album.path("medium.webp");
    let burst = join_all((0..20).map(|_| read(&edge, &path)));
    let open = async {
        while edge.count("cache.match").await < 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Whoever has looked in vain joins the load.
        tokio::time::sleep(Duration::from_millis(200)).await;
        edge.set("bucket.get", Mode::Well).await;
    };
    let (answers, ()) = tokio::join!(burst, open);
    for (answer, _) in answers {
        album.assert_is(&answer, "medium-1.webp");
    }
    edge.settle().await;
    assert_eq!(edge.count("bucket.get").await, 2, "{:?}", edge.calls().await);
}

/// The entry of a record has what decides about its bytes, and nothing that is its owner's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_served_to_nobody() {
    let edge = Edge::start().await;
    let album = Album::photo(1);
    album.put(&edge).await;
    album.assert_is(&read(&edge, &album.path("medium.jpg")).await.0, "medium-1.jpg");
    edge.settle().await;
    for target in [
        format!("/{}", album.record.key()),
        format!("/{}", album.key("medium-1.jpg")),
        album.path("medium-1.jpg"),
    ] {
        let (answer, _) = read(&edge, &target).await;
        assert_eq!(answer.status(), 404, "{target}: {:?}", answer.body());
    }
}

/// A record of a later version is no answer, and neither is one of another file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_the_record_of_the_file_is_damaged() {
    let edge = Edge::start().await;
    let (later, other) = (Album::photo(1).but(|record| record.version = 2), Album::photo(2));
    let id = Album::photo(3).record.id;
    later.seed().put(&edge).await;
    let seed = Seed { key: Album::photo(3).record.key(), ..other.seed() };
    seed.put(&edge).await;
    for path in [later.path("medium.jpg"), format!("/media/{id}/medium.jpg")] {
        let (answer, _) = read(&edge, &path).await;
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (502, "damaged"));
    }
    assert_eq!(edge.kept().await, 0);
}
