//! The contract of `Objects`: reads, writes and deletions here, `conditions` of writes, `listings`, and `long` objects that are
//! read and written piece by piece.

mod conditions;
mod listings;
mod long;

use std::time::Duration;

use bytes::Bytes;
use credlink_core::object::{Attributes, ObjectKey, StoredTag};
use credlink_core::replica::Replica;
use credlink_ports::doubles::{MemoryIndex, MemoryObjects, MemoryQueue};
use credlink_ports::{Condition, Objects, Put};
use credlink_replication::{Replicated, ReplicationSettings};
use credlink_runtime::clock::SystemClock;
use futures_util::future::{join, join_all};

use super::{attributes, over_every_adapter, over_every_store, proof_id, stores};
use crate::faults::outage::{Cut, Outage};
use conditions::{
    a_tag_is_a_condition, absence_is_a_condition, different_bytes_have_different_tags,
    of_fifty_creations_one_succeeds, of_fifty_replacements_one_succeeds,
    the_second_of_two_writes_follows_the_first,
};
use listings::{
    a_listing_under_way_shows_every_object_once, a_record_and_its_revisions_stand_side_by_side,
    acknowledged_changes_are_listed, listings_are_in_the_order_of_keys, listings_begin_behind_any_text,
};

over_every_store! {
    {
        what_is_written_is_read_exactly,
        an_absent_object_is_none,
        absence_is_a_condition,
        a_tag_is_a_condition,
        the_second_of_two_writes_follows_the_first,
        different_bytes_have_different_tags,
        of_fifty_creations_one_succeeds,
        of_fifty_replacements_one_succeeds,
        readers_see_whole_objects,
        deleting_nothing_is_no_failure,
        a_deleted_object_is_gone,
        large_bodies_come_back,
        long_files_come_back,
        a_record_and_its_revisions_stand_side_by_side,
        listings_are_in_the_order_of_keys,
        listings_begin_behind_any_text,
        a_listing_under_way_shows_every_object_once,
        acknowledged_changes_are_listed,
    }
}

over_every_adapter! {
    {
        what_is_written_is_read_exactly,
        an_absent_object_is_none,
        absence_is_a_condition,
        a_tag_is_a_condition,
        the_second_of_two_writes_follows_the_first,
        different_bytes_have_different_tags,
        of_fifty_creations_one_succeeds,
        of_fifty_replacements_one_succeeds,
        readers_see_whole_objects,
        deleting_nothing_is_no_failure,
        a_deleted_object_is_gone,
        large_bodies_come_back,
        long_files_come_back,
        a_record_and_its_revisions_stand_side_by_side,
        listings_are_in_the_order_of_keys,
        listings_begin_behind_any_text,
        a_listing_under_way_shows_every_object_once,
        acknowledged_changes_are_listed,
    }
    two_providers => ((), two(None)),
}

// While one of two providers is unreachable, absence cannot be established and is reported as a failure. Cases that
// look for absence are left out.
over_every_adapter! {
    {
        what_is_written_is_read_exactly,
        absence_is_a_condition,
        different_bytes_have_different_tags,
        of_fifty_creations_one_succeeds,
        of_fifty_replacements_one_succeeds,
        readers_see_whole_objects,
        deleting_nothing_is_no_failure,
        large_bodies_come_back,
        a_record_and_its_revisions_stand_side_by_side,
        listings_are_in_the_order_of_keys,
        listings_begin_behind_any_text,
        a_listing_under_way_shows_every_object_once,
        acknowledged_changes_are_listed,
        absence_is_not_known,
    }
    without_the_primary => ((), two(Some(Replica::Primary))),
    without_the_fallback => ((), two(Some(Replica::Fallback))),
}

/// Two providers, one of which may be unreachable from the start.
fn two(dead: Option<Replica>) -> impl Objects {
    let outage = Outage::default();
    if let Some(dead) = dead {
        outage.of(dead);
    }
    let cut = |replica| Cut::new(MemoryObjects::new(), replica, outage.clone());
    // There are no other processes to wait for.
    let settings = ReplicationSettings { look_every: Duration::ZERO, ..ReplicationSettings::default() };
    let (primary, fallback) = (cut(Replica::Primary), cut(Replica::Fallback));
    Replicated::new(primary, fallback, MemoryQueue::default(), MemoryIndex::new(), SystemClock, settings)
}

async fn absence_is_not_known(objects: &impl Objects) {
    assert!(objects.get(&record("x")).await.is_err());
    assert!(objects.head(&record("x")).await.is_err());
    create(objects, &record("x"), b"first").await;
    assert_eq!(objects.get(&record("x")).await.unwrap().unwrap().body, "first");
}

fn record(name: &str) -> ObjectKey {
    ObjectKey::Record(proof_id(name))
}

fn manifest(id: &str) -> ObjectKey {
    ObjectKey::Manifest(id.parse().unwrap())
}

async fn put(objects: &impl Objects, key: &ObjectKey, body: &[u8], condition: Condition) -> Put {
    objects.put(key, Bytes::copy_from_slice(body), &attributes(), condition).await.unwrap()
}

async fn create(objects: &impl Objects, key: &ObjectKey, body: &[u8]) -> StoredTag {
    match put(objects, key, body, Condition::Absent).await {
        Put::Stored(tag) => tag,
        Put::Lost => panic!("{key} is there already"),
    }
}

/// Every key of a listing, page by page.
async fn keys(objects: &impl Objects, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let mut keys = Vec::new();
    let mut after = after.map(str::to_owned);
    loop {
        let page = objects.list(prefix, after.as_deref(), limit).await.unwrap();
        assert!(page.items.len() <= limit);
        keys.extend(page.items.into_iter().map(|item| item.key));
        match page.next {
            None => return keys,
            next => after = next,
        }
    }
}

async fn what_is_written_is_read_exactly(objects: &impl Objects) {
    let bodies: [&[u8]; 3] = [b"", b"some bytes", &(0..=255).collect::<Vec<u8>>()];
    for (number, body) in bodies.into_iter().enumerate() {
        for attributes in [attributes(), Attributes::default()] {
            let key = manifest(&format!("urn:c2pa:{number}:{}", attributes.tags.len()));
            let put = objects
                .put(&key, Bytes::copy_from_slice(body), &attributes, Condition::Absent)
                .await
                .unwrap();
            let object = objects.get(&key).await.unwrap().unwrap();
            assert_eq!(&object.body[..], body);
            let mut said = object.head.attributes.clone();
            if said.tags.is_empty() {
                // A read may omit tags.
                said.tags.clone_from(&attributes.tags);
            }
            assert_eq!(said, attributes);
            assert_eq!(object.head.size, body.len() as u64);
            assert_eq!(put, Put::Stored(object.head.tag.clone()));
            assert!(object.head.modified.to_string().starts_with("20"));
            assert_eq!(objects.head(&key).await.unwrap(), Some(object.head));
        }
    }
}

async fn an_absent_object_is_none(objects: &impl Objects) {
    assert_eq!(objects.get(&record("x")).await.unwrap(), None);
    assert_eq!(objects.head(&record("x")).await.unwrap(), None);
    assert_eq!(keys(objects, "", None, 10).await, Vec::<String>::new());
}

async fn readers_see_whole_objects(objects: &impl Objects) {
    let key = &record("x");
    // The bytes and attributes of each write carry the same number.
    let write = |number: u8, condition| {
        let attributes = Attributes { content_type: number.to_string(), ..Attributes::default() };
        async move { objects.put(key, vec![number; 100_000].into(), &attributes, condition).await.unwrap() }
    };
    let Put::Stored(mut tag) = write(0, Condition::Absent).await else { panic!("the key was free") };
    let writes = async {
        for number in 1..60 {
            match write(number, Condition::Matches(tag.clone())).await {
                Put::Stored(new) => tag = new,
                Put::Lost => panic!("nobody else writes"),
            }
        }
    };
    let reads = join_all((0..4).map(|_| async {
        let mut last = 0;
        while last < 59 {
            let object = objects.get(key).await.unwrap().expect("it is never absent");
            let number = object.body[0];
            assert!(object.body.len() == 100_000 && object.body.iter().all(|byte| *byte == number));
            assert_eq!(object.head.attributes.content_type, number.to_string());
            assert!(number >= last, "{number} was read after {last}");
            last = number;
            tokio::task::yield_now().await;
        }
    }));
    join(writes, reads).await;
}

async fn deleting_nothing_is_no_failure(objects: &impl Objects) {
    objects.delete(&record("x")).await.unwrap();
    create(objects, &record("x"), b"").await;
    objects.delete(&record("x")).await.unwrap();
    objects.delete(&record("x")).await.unwrap();
}

async fn a_deleted_object_is_gone(objects: &impl Objects) {
    create(objects, &record("x"), b"first").await;
    create(objects, &record("y"), b"stays").await;
    objects.delete(&record("x")).await.unwrap();
    assert_eq!(objects.get(&record("x")).await.unwrap(), None);
    assert_eq!(objects.head(&record("x")).await.unwrap(), None);
    assert_eq!(keys(objects, "", None, 10).await, [record("y").to_string()]);
    create(objects, &record("x"), b"again").await;
}

async fn large_bodies_come_back(objects: &impl Objects) {
    let body: Vec<u8> =
        (0..10_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let key = manifest("urn:c2pa:large");
    create(objects, &key, &body).await;
    // More reads at once than an adapter may do at a time: all wait for their turn, and none is refused.
    let readers = (0..12).map(|_| objects.get(&key));
    for object in join_all(readers).await {
        let object = object.unwrap().unwrap();
        assert!(object.body == body && object.head.size == 10_000_000);
    }
}

/// The bytes of a file are longer than any manifest.
async fn long_files_come_back(objects: &impl Objects) {
    for (number, length) in [(1, 10_000_001), (2, 10_065_537), (3, 30_000_000)] {
        let (key, body) = (original(number), noise(length));
        assert!(matches!(
            objects.put(&key, body.clone(), &attributes(), Condition::Absent).await,
            Ok(Put::Stored(_))
        ));
        let object = objects.get(&key).await.unwrap().unwrap();
        assert!(object.body == body && object.head.size == length as u64, "{length}");
    }
}

/// The key of the bytes of a file.
fn original(number: u8) -> ObjectKey {
    format!("media/{}/original", "a".repeat(31) + &char::from(b'a' + number).to_string()).parse().unwrap()
}

fn noise(length: usize) -> Bytes {
    (0..length as u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}
