//! Legacy records as objects, over S3 and over R2.

use bytes::Bytes;
use credlink_core::bounds::MAX_LEGACY_RECORD_BYTES;
use credlink_core::encoding::at_rest_again;
use credlink_core::object::Attributes;
use credlink_migrate_io::source::bucket::Bucket;
use credlink_ports::migration::{Content, Item, Removal, Source as _};
use credlink_s3::{Body, S3Objects};

use crate::migrate::ground::{items, legacy};
use crate::storage::over_both;

over_both! {
    records_are_read_in_whatever_form_they_are_stored,
    a_prefix_is_what_keys_begin_with,
    what_is_there_all_the_while_is_listed,
    only_what_is_unchanged_is_removed,
    what_is_gone_is_absent,
}

async fn put(objects: &S3Objects, key: &str, content: &[u8], coding: Option<&str>) {
    let attributes = Attributes {
        content_type: "application/json".to_owned(),
        content_encoding: coding.map(str::to_owned),
        ..Attributes::default()
    };
    objects.upload(key, &attributes, None, Body::whole(Bytes::copy_from_slice(content))).await.unwrap();
}

fn gzip(content: &[u8]) -> Vec<u8> {
    at_rest_again(content, 1).bytes.into_owned()
}

async fn records_are_read_in_whatever_form_they_are_stored(objects: S3Objects) {
    let record = legacy("a");
    let packed = gzip(record.as_bytes());
    let long = vec![b' '; MAX_LEGACY_RECORD_BYTES + 1];
    for (key, content, coding) in [
        ("old/encoded.json", &packed[..], Some("gzip")),
        ("old/named.json.gz", &packed, None),
        ("old/plain.json", record.as_bytes(), None),
        ("old/said-and-not.json", record.as_bytes(), Some("gzip")),
        ("old/x-brotli.json", b"\x0b\x02\x80{}\x03", Some("br")),
        ("old/x-cut.json", &packed[..packed.len() - 9], Some("gzip")),
        ("old/x-long.json", &long, None),
        ("old/x-bomb.json", &gzip(&long), Some("gzip")),
    ] {
        put(&objects, key, content, coding).await;
    }
    put(&objects, "old/folder/", b"", None).await;
    let bucket = Bucket::new(objects, "old/");
    let items = items(&bucket, 3).await;
    assert_eq!(items.len(), 8, "the folder of a console is none: {items:?}");
    for Item { key, version, .. } in &items {
        assert!(!version.is_empty());
        match bucket.read(key).await.unwrap().unwrap() {
            Content::Legacy(text) => {
                assert!(!key.contains("/x-"), "{key}");
                assert_eq!(text, record, "{key}");
            }
            Content::Unreadable(why) => {
                let says = match key.as_str() {
                    "old/x-brotli.json" => "its Content-Encoding is `br`",
                    "old/x-cut.json" => "the gzip data is damaged",
                    "old/x-long.json" => "a legacy record has at most",
                    "old/x-bomb.json" => "the gzip data holds more than",
                    _ => "nothing",
                };
                assert!(why.contains(says), "{key}: {why}");
            }
            other => panic!("{key} is {other:?}"),
        }
        assert_eq!(bucket.look(key).await.unwrap().map(|item| item.version).as_ref(), Some(version));
    }
}

async fn a_prefix_is_what_keys_begin_with(objects: S3Objects) {
    let own = "proofs/ym32rzlpvukwoewqzin4wsrs3w55fqze";
    let odd = "old/ü +&<>\"%41.json";
    for key in ["old/a.json", "older/b.json", odd, "other.json"] {
        put(&objects, key, legacy("a").as_bytes(), None).await;
    }
    put(&objects, &format!("old/{own}"), b"{}", None).await;
    let keys = async |prefix: &str| -> Vec<String> {
        let bucket = Bucket::new(objects.clone(), prefix);
        items(&bucket, 2).await.into_iter().map(|item| item.key).collect()
    };
    let behind = format!("old/{own}");
    assert_eq!(keys("old/").await, ["old/a.json", &behind, odd]);
    assert_eq!(keys("old").await, ["old/a.json", &behind, odd, "older/b.json"]);
    assert_eq!(keys("").await.len(), 5);
    assert!(keys("nothing/").await.is_empty());
    let bucket = Bucket::new(objects.clone(), "old/");
    assert_eq!(bucket.read(odd).await.unwrap(), Some(Content::Legacy(legacy("a").into())));
    match bucket.read(&behind).await.unwrap() {
        Some(Content::Unreadable(why)) => assert!(why.contains("name its bucket without a prefix"), "{why}"),
        other => panic!("{other:?}"),
    }
}

async fn what_is_there_all_the_while_is_listed(objects: S3Objects) {
    let stays: Vec<String> = (0..60).map(|number| format!("{number:02}.json")).collect();
    for key in &stays {
        put(&objects, key, b"{}", None).await;
    }
    let bucket = Bucket::new(objects.clone(), "");
    let (mut seen, mut after) = (Vec::new(), None);
    for page in 0.. {
        let listed = bucket.list(after.as_deref(), 10).await.unwrap();
        seen.extend(listed.items.into_iter().map(|item| item.key));
        put(&objects, &format!("{page}0-new.json"), b"{}", None).await;
        after = listed.next;
        if after.is_none() {
            break;
        }
    }
    assert!(stays.iter().all(|key| seen.iter().filter(|listed| *listed == key).count() == 1), "{seen:?}");
}

async fn only_what_is_unchanged_is_removed(objects: S3Objects) {
    for key in ["a.json", "b.json"] {
        put(&objects, key, b"{}", None).await;
    }
    let bucket = Bucket::new(objects.clone(), "");
    let listed = items(&bucket, 10).await;
    put(&objects, "b.json", b"{ }", None).await;
    assert_eq!(bucket.remove(&listed[0]).await.unwrap(), Removal::Removed);
    assert_eq!(bucket.remove(&listed[1]).await.unwrap(), Removal::Changed);
    assert_eq!(bucket.remove(&listed[0]).await.unwrap(), Removal::Absent);
    assert!(!objects.exists("a.json").await.unwrap() && objects.exists("b.json").await.unwrap());
}

async fn what_is_gone_is_absent(objects: S3Objects) {
    put(&objects, "a.json", b"{}", None).await;
    let bucket = Bucket::new(objects.clone(), "");
    assert_eq!(items(&bucket, 10).await.len(), 1);
    objects.remove_all(&["a.json".to_owned()]).await;
    assert_eq!(bucket.read("a.json").await.unwrap(), None);
    assert_eq!(bucket.look("a.json").await.unwrap(), None);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_no_empty_one() {
    let nowhere = crate::buckets::open(crate::buckets::s3_settings("there-is-no-such-bucket"));
    let bucket = Bucket::new(nowhere, "");
    assert!(bucket.list(None, 10).await.is_err());
    assert!(bucket.read("a.json").await.is_err());
}
