//! Operations over many keys: listings, sums, batch deletion.

use std::collections::BTreeSet;

use bytes::Bytes;
use credlink_core::object::Attributes;
use credlink_s3::{Body, Entry, S3Objects, Sum};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::over_both;

over_both! {
    nothing_is_capped_in_silence,
    a_shallow_walk_shows_prefixes,
}

async fn fill(objects: &S3Objects, keys: &[String]) {
    let puts = keys.iter().map(|key| async move {
        let body = Body::whole(Bytes::copy_from_slice(key.as_bytes()));
        objects.upload(key, &Attributes::default(), None, body).await.unwrap();
    });
    stream::iter(puts).buffer_unordered(16).collect::<Vec<_>>().await;
}

async fn walk(objects: &S3Objects, prefix: &str, deep: bool) -> Vec<Entry> {
    objects.walk(prefix, deep).try_collect().await.unwrap()
}

async fn nothing_is_capped_in_silence(objects: S3Objects) {
    let mut keys: Vec<_> = (0..2_300).map(|number| format!("many/{number:05}")).collect();
    keys.extend(["many/ü +&<>\"%41".to_owned(), "other/x".to_owned()]);
    fill(&objects, &keys).await;
    let listed = walk(&objects, "many/", true).await;
    let listed: Vec<_> = listed.iter().map(Entry::key).collect();
    assert!(listed.is_sorted());
    let expected: BTreeSet<_> =
        keys.iter().filter(|key| key.starts_with("many/")).map(String::as_str).collect();
    assert_eq!(listed.len(), 2_301);
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected);
    let bytes = expected.iter().map(|key| key.len() as u64).sum();
    assert_eq!(objects.sum("many/").await.unwrap(), Sum { objects: 2_301, bytes });
    assert_eq!(objects.sum("nothing/").await.unwrap(), Sum::default());

    // Some of them do not exist, so that there are two full requests and a partial one.
    let mut all: Vec<_> = expected.into_iter().map(str::to_owned).collect();
    all.extend((0..199).map(|number| format!("absent/{number}")));
    let deletion = objects.remove_all(&all).await;
    assert_eq!((deletion.deleted, deletion.failed), (2_500, Vec::new()));
    let left = walk(&objects, "", true).await;
    assert_eq!(left.iter().map(Entry::key).collect::<Vec<_>>(), ["other/x"]);
}

async fn a_shallow_walk_shows_prefixes(objects: S3Objects) {
    let keys = ["a", "b/1", "b/2", "b/c/3", "d", "e/1"].map(str::to_owned);
    fill(&objects, &keys).await;
    let names = |entries: Vec<Entry>| -> Vec<String> {
        entries
            .into_iter()
            .map(|entry| match entry {
                Entry::Object(object) => object.key,
                Entry::Prefix(prefix) => format!("{prefix}*"),
            })
            .collect()
    };
    assert_eq!(names(walk(&objects, "", false).await), ["a", "b/*", "d", "e/*"]);
    assert_eq!(names(walk(&objects, "b/", false).await), ["b/1", "b/2", "b/c/*"]);
    assert_eq!(names(walk(&objects, "b", false).await), ["b/*"]);
    assert_eq!(names(walk(&objects, "b", true).await), ["b/1", "b/2", "b/c/3"]);
    assert_eq!(names(walk(&objects, "z", false).await), Vec::<String>::new());
}

#[tokio::test]
async fn keys_that_cannot_be_deleted_are_named_with_the_reason() {
    let nowhere = crate::buckets::open(crate::buckets::s3_settings("there-is-no-such-bucket"));
    let keys: Vec<_> = (0..1_001).map(|number| number.to_string()).collect();
    let deletion = nowhere.remove_all(&keys).await;
    assert_eq!((deletion.deleted, deletion.failed.len()), (0, 1_001));
    assert_eq!(deletion.failed[1_000].0, "1000");
    assert!(deletion.failed[1_000].1.contains("NoSuchBucket"), "{}", deletion.failed[1_000].1);
}
