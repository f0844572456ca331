//! Streams, ranges, parts, copies and moves.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use credlink_aws::{Error, ErrorKind};
use credlink_core::object::Attributes;
use credlink_core::time::Timestamp;
use credlink_s3::{Body, Range, S3Objects};
use futures_util::TryStreamExt as _;
use futures_util::stream;

use super::over_both;
use crate::buckets;

over_both! {
    large_streams_go_in_parts_and_come_back,
    a_stream_of_exactly_one_part_takes_no_more,
    ranges_are_what_was_asked_for,
    a_stream_that_breaks_leaves_nothing,
    copies_are_equal_and_originals_stay,
    moves_leave_nothing_behind,
}

const PART: usize = 8 * 1_024 * 1_024;

/// The time that a test waits for an expected event.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes in which no two stretches are alike.
fn noise(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_u32;
    let byte = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(byte).collect::<Vec<_>>().into()
}

fn attributes() -> Attributes {
    Attributes {
        content_type: "video/mp4".into(),
        cache_control: Some("no-store".into()),
        metadata: BTreeMap::from([("name".into(), " a  name ".into())]),
        ..Attributes::default()
    }
}

/// A body in pieces that do not align with any part.
fn pieces(bytes: &Bytes) -> impl futures_util::Stream<Item = Result<Bytes, Error>> + Send + use<> {
    let bytes = bytes.clone();
    let starts = (0..bytes.len()).step_by(1_000_003);
    let pieces: Vec<_> = starts.map(|at| Ok(bytes.slice(at..bytes.len().min(at + 1_000_003)))).collect();
    stream::iter(pieces)
}

async fn read(objects: &S3Objects, key: &str, range: Option<Range>) -> Option<Vec<u8>> {
    let download = objects.download(key, range).await.unwrap()?;
    let chunks: Vec<Bytes> = download.body.try_collect().await.unwrap();
    Some(chunks.concat())
}

async fn large_streams_go_in_parts_and_come_back(objects: S3Objects) {
    let bytes = noise(20_000_000);
    let uploaded = objects.upload("a clip+1.mp4", &attributes(), None, pieces(&bytes)).await.unwrap();
    assert_eq!((uploaded.size, uploaded.parts), (20_000_000, 3));
    let head = objects.describe("a clip+1.mp4").await.unwrap().unwrap();
    assert_eq!((head.size, head.attributes), (20_000_000, attributes()));
    assert!(read(&objects, "a clip+1.mp4", None).await.unwrap() == bytes);
    assert!(objects.exists("a clip+1.mp4").await.unwrap());
    assert!(!objects.exists("a clip 1.mp4").await.unwrap());
}

async fn a_stream_of_exactly_one_part_takes_no_more(objects: S3Objects) {
    for (length, parts) in [(0, 1), (1, 1), (PART - 1, 1), (PART, 1), (PART + 1, 2), (2 * PART, 2)] {
        let bytes = noise(length);
        let uploaded = objects.upload("x", &attributes(), Some(length as u64), pieces(&bytes)).await.unwrap();
        assert_eq!((uploaded.size, uploaded.parts), (length as u64, parts));
        assert!(read(&objects, "x", None).await.unwrap() == bytes, "{length}");
    }
}

async fn ranges_are_what_was_asked_for(objects: S3Objects) {
    let bytes = noise(1_000);
    objects.upload("x", &attributes(), None, Body::whole(bytes.clone())).await.unwrap();
    for (range, expected) in [
        (Range::Bounded(0, 0), 0..1),
        (Range::Bounded(10, 19), 10..20),
        (Range::Bounded(990, 5_000), 990..1_000),
        (Range::From(600), 600..1_000),
        (Range::Last(7), 993..1_000),
    ] {
        let download = objects.download("x", Some(range)).await.unwrap().unwrap();
        assert_eq!(download.head.size, 1_000, "of the whole");
        assert!(read(&objects, "x", Some(range)).await.unwrap() == bytes[expected], "{range:?}");
    }
    let error = objects.download("x", Some(Range::From(1_000))).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Refused, Some(416)));
    assert!(objects.download("y", Some(Range::From(0))).await.unwrap().is_none());
}

async fn a_stream_that_breaks_leaves_nothing(objects: S3Objects) {
    let broken = || Err(Error::new("a test", ErrorKind::Unavailable, "it broke off"));
    for whole in [100, 2 * PART] {
        let body = stream::iter([Ok(noise(whole)), broken()]);
        let error = objects.upload("x", &attributes(), None, body).await.unwrap_err();
        assert_eq!(error.message, "it broke off");
        assert!(!objects.exists("x").await.unwrap());
    }
}

async fn copies_are_equal_and_originals_stay(objects: S3Objects) {
    let bytes = noise(5_000);
    objects.upload("from/ü +%", &attributes(), None, Body::whole(bytes.clone())).await.unwrap();
    let copied = objects.copy("from/ü +%", "to/x").await.unwrap().unwrap();
    assert_eq!(copied.size, 5_000);
    for key in ["from/ü +%", "to/x"] {
        assert!(read(&objects, key, None).await.unwrap() == bytes);
        assert_eq!(objects.describe(key).await.unwrap().unwrap().attributes, attributes());
    }
    assert_eq!(objects.copy("nothing", "to/x").await.unwrap(), None);
    assert!(objects.exists("to/x").await.unwrap());
}

async fn moves_leave_nothing_behind(objects: S3Objects) {
    for length in [100, PART + 1] {
        let bytes = noise(length);
        objects.upload("from", &attributes(), None, Body::whole(bytes.clone())).await.unwrap();
        assert_eq!(objects.rename("from", "to").await.unwrap().unwrap().size, length as u64);
        assert!(!objects.exists("from").await.unwrap());
        assert!(read(&objects, "to", None).await.unwrap() == bytes);
    }
    assert!(objects.rename("to", "to").await.unwrap().is_some());
    assert!(objects.exists("to").await.unwrap(), "moved onto itself, it is still there");
    assert_eq!(objects.rename("nothing", "to").await.unwrap(), None);
}

/// The number of uploads in the bucket that were neither completed nor aborted.
async fn begun(objects: &S3Objects) -> usize {
    let bucket = &objects.settings().bucket;
    buckets::raw().list_multipart_uploads().bucket(bucket).send().await.unwrap().uploads().len()
}

// R2's engine cannot list uploads.
#[tokio::test]
async fn uploads_that_fail_or_are_dropped_or_forgotten_are_aborted() {
    let objects = buckets::s3().await;
    a_stream_that_breaks_leaves_nothing(objects.clone()).await;
    assert_eq!(begun(&objects).await, 0, "a failure aborts");

    // The stream never ends. The upload is not awaited, so it is dropped before its ID is known.
    let begins = stream::iter([Ok(noise(PART + 1))]);
    let endless = futures_util::StreamExt::chain(begins, stream::pending());
    let attributes = attributes();
    let mut upload = Box::pin(objects.upload("x", &attributes, None, endless));
    assert!(futures_util::poll!(&mut upload).is_pending());
    until_begun(&objects, 1).await;
    drop(upload);
    until_begun(&objects, 0).await;

    // Dropped while its parts are being sent.
    let begins = stream::iter([Ok(noise(PART + 1))]);
    let endless = futures_util::StreamExt::chain(begins, stream::pending());
    let upload = objects.upload("x", &attributes, None, endless);
    tokio::select! {
        _ = upload => panic!("it has no end"),
        () = until_begun(&objects, 1) => {}
    }
    until_begun(&objects, 0).await;

    let bucket = &objects.settings().bucket;
    for key in ["a", "b"] {
        buckets::raw().create_multipart_upload().bucket(bucket).key(key).send().await.unwrap();
    }
    let (past, future) = ("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z");
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(objects.abort_uploads(at(past)).await.unwrap(), 0, "young ones stay");
    assert_eq!(begun(&objects).await, 2);
    assert_eq!(objects.abort_uploads(at(future)).await.unwrap(), 2);
    assert_eq!(begun(&objects).await, 0);
}

/// Waits until this many uploads have begun and not ended.
async fn until_begun(objects: &S3Objects, expected: usize) {
    let seen = async {
        while begun(objects).await != expected {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("never {expected} uploads"));
}

#[tokio::test]
async fn tags_are_kept_where_there_are_any() {
    let tags = BTreeMap::from([("Größe".to_owned(), "schön +1".to_owned()), ("k".to_owned(), String::new())]);
    let tagged = Attributes { tags: tags.clone(), ..attributes() };
    let s3 = buckets::s3().await;
    for length in [10, PART + 1] {
        s3.upload("x", &tagged, None, Body::whole(noise(length))).await.unwrap();
        assert_eq!(s3.tags("x").await.unwrap(), Some(tags.clone()));
        s3.copy("x", "y").await.unwrap().unwrap();
        assert_eq!(s3.tags("y").await.unwrap(), Some(tags.clone()));
    }
    assert_eq!(s3.tags("nothing").await.unwrap(), None);
    let r2 = buckets::r2().await;
    r2.upload("x", &tagged, None, Body::whole(noise(10))).await.unwrap();
    assert_eq!(r2.tags("x").await.unwrap(), Some(BTreeMap::new()));
    assert_eq!(r2.tags("nothing").await.unwrap(), None);
}
