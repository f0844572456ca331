//! The contract of `Objects`.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use credlink_core::object::{Attributes, ObjectKey, StoredTag};
use credlink_core::replica::Replica;
use credlink_disk::folder::Folder;
use credlink_ports::doubles::{MemoryIndex, MemoryObjects, MemoryQueue};
use credlink_ports::{Condition, ObjectWrite, Objects, Put};
use credlink_replication::{Replicated, ReplicationSettings};
use credlink_runtime::clock::SystemClock;
use futures_util::future::{join, join_all};

use super::{attributes, over_every_adapter, proof_id};
use crate::buckets;
use crate::faults::outage::{Cut, Outage};

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
        a_record_and_its_revisions_stand_side_by_side,
        listings_are_in_the_order_of_keys,
        listings_begin_behind_any_text,
        a_listing_under_way_shows_every_object_once,
        acknowledged_changes_are_listed,
    }
    memory => ((), MemoryObjects::new()),
    folder => {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::open(directory.path()).unwrap();
        (directory, folder)
    },
    s3 => ((), buckets::s3().await),
    r2 => ((), buckets::r2().await),
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

async fn absence_is_a_condition(objects: &impl Objects) {
    create(objects, &record("x"), b"first").await;
    assert_eq!(put(objects, &record("x"), b"second", Condition::Absent).await, Put::Lost);
    assert_eq!(objects.get(&record("x")).await.unwrap().unwrap().body, "first");
}

async fn a_tag_is_a_condition(objects: &impl Objects) {
    let key = record("x");
    let foreign = Condition::Matches(StoredTag("no tag of this provider".into()));
    assert_eq!(put(objects, &key, b"x", foreign.clone()).await, Put::Lost);
    assert_eq!(objects.get(&key).await.unwrap(), None);
    let first = create(objects, &key, b"first").await;
    assert_eq!(put(objects, &key, b"x", foreign).await, Put::Lost);
    let second = put(objects, &key, b"second", Condition::Matches(first.clone())).await;
    assert!(matches!(second, Put::Stored(_)));
    assert_eq!(put(objects, &key, b"third", Condition::Matches(first.clone())).await, Put::Lost);
    assert_eq!(objects.get(&key).await.unwrap().unwrap().body, "second");
    objects.delete(&key).await.unwrap();
    assert_eq!(put(objects, &key, b"third", Condition::Matches(first)).await, Put::Lost);
}

async fn the_second_of_two_writes_follows_the_first(objects: &impl Objects) {
    let write = |key: ObjectKey, body: &'static str| ObjectWrite {
        key,
        body: body.into(),
        attributes: attributes(),
        condition: Condition::Absent,
    };
    let (one, other) = (manifest("urn:c2pa:1"), record("x"));
    let put = objects.put_in_order(write(one.clone(), "one"), write(other.clone(), "other")).await.unwrap();
    for (key, put, body) in [(&one, Some(put.0), "one"), (&other, put.1, "other")] {
        let object = objects.get(key).await.unwrap().unwrap();
        assert_eq!(
            (object.head.attributes.content_type, object.body),
            (attributes().content_type, body.into())
        );
        assert_eq!(put, Some(Put::Stored(object.head.tag)));
    }
    // The first is lost, and the second is not tried.
    let new = record("y");
    let put = objects.put_in_order(write(one.clone(), "late"), write(new.clone(), "late")).await.unwrap();
    assert_eq!(put, (Put::Lost, None));
    assert_eq!(objects.get(&new).await.unwrap(), None);
    // The second alone is lost.
    let put = objects.put_in_order(write(new.clone(), "early"), write(other.clone(), "late")).await.unwrap();
    assert!(matches!(put, (Put::Stored(_), Some(Put::Lost))), "{put:?}");
    for (key, body) in [(&one, "one"), (&other, "other"), (&new, "early")] {
        assert_eq!(objects.get(key).await.unwrap().unwrap().body, body);
    }
}

async fn different_bytes_have_different_tags(objects: &impl Objects) {
    let mut tags = BTreeSet::new();
    for number in 0..20_u8 {
        tags.insert(create(objects, &manifest(&format!("urn:{number}")), &[number]).await.0);
    }
    assert_eq!(tags.len(), 20);
}

async fn of_fifty_creations_one_succeeds(objects: &impl Objects) {
    for round in 0..5 {
        let key = record(&round.to_string());
        let race = (0..50_u8).map(|racer| {
            let key = &key;
            async move { (racer, put(objects, key, &[racer; 500], Condition::Absent).await) }
        });
        let done = join_all(race).await;
        let stored: Vec<_> = done.iter().filter(|(_, put)| matches!(put, Put::Stored(_))).collect();
        assert_eq!(stored.len(), 1, "{stored:?}");
        assert_eq!(objects.get(&key).await.unwrap().unwrap().body, [stored[0].0; 500].as_slice());
    }
}

async fn of_fifty_replacements_one_succeeds(objects: &impl Objects) {
    let key = record("x");
    let mut tag = create(objects, &key, b"").await;
    for _ in 0..5 {
        let race = (0..50_u32).map(|racer| {
            let (key, tag) = (&key, &tag);
            let body = format!("{racer} after {tag:?}");
            async move { put(objects, key, body.as_bytes(), Condition::Matches(tag.clone())).await }
        });
        let stored: Vec<_> = join_all(race)
            .await
            .into_iter()
            .filter_map(|put| match put {
                Put::Stored(tag) => Some(tag),
                Put::Lost => None,
            })
            .collect();
        assert_eq!(stored.len(), 1);
        tag.clone_from(&stored[0]);
        assert_eq!(objects.head(&key).await.unwrap().unwrap().tag, tag);
    }
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

async fn a_record_and_its_revisions_stand_side_by_side(objects: &impl Objects) {
    let id = proof_id("x");
    let mut expected = vec![create(objects, &ObjectKey::Record(id), b"current").await];
    for revision in [1, 2, 10] {
        expected
            .push(create(objects, &ObjectKey::Revision(id, revision), revision.to_string().as_bytes()).await);
    }
    assert_eq!(expected.iter().map(|tag| &tag.0).collect::<BTreeSet<_>>().len(), 4);
    assert_eq!(objects.get(&ObjectKey::Revision(id, 10)).await.unwrap().unwrap().body, "10");
    assert_eq!(objects.get(&ObjectKey::Record(id)).await.unwrap().unwrap().body, "current");
    let revisions: Vec<_> = [1, 10, 2].map(|n| ObjectKey::Revision(id, n).to_string()).into();
    assert_eq!(keys(objects, &ObjectKey::revisions(&id), None, 2).await, revisions);
}

/// Keys of all kinds whose prefixes interleave: `ur…` around `urn:c2pa:…`, and IDs that are prefixes of one another.
fn many() -> Vec<ObjectKey> {
    let mut keys: Vec<_> = (0..40).map(|number| record(&number.to_string())).collect();
    keys.extend((1..12).map(|revision| ObjectKey::Revision(proof_id("7"), revision)));
    keys.extend(
        (0..40_u32).map(|number| manifest(&format!("urn:c2pa:{:08x}", number.wrapping_mul(0x0763_4219)))),
    );
    let odd = [
        "urn:c2pa:",
        "urn:c2p:",
        "urn:c2pb:",
        "ura:",
        "urz:1",
        "urn:",
        "urn::",
        "a:",
        "a:.b",
        "Z:1",
        "urn-x:",
    ];
    keys.extend(odd.map(manifest));
    keys.extend(
        ["contentauth:urn:uuid:00", "contentauth:urn:uuid:f0", "contentauth:x", "urn:uuid:5"].map(manifest),
    );
    keys
}

async fn listings_are_in_the_order_of_keys(objects: &impl Objects) {
    let mut all = Vec::new();
    for key in many() {
        create(objects, &key, key.to_string().as_bytes()).await;
        all.push(key.to_string());
    }
    all.sort();
    for limit in [1, 2, 7, 1_000] {
        assert_eq!(keys(objects, "", None, limit).await, all);
    }
    let record = record("7").to_string();
    for prefix in
        ["p", "proofs/", "manifests/", "manifests/urn%3A", "manifests/urn%3Ac2pa%3A", "manifests/ur", &record]
    {
        let expected: Vec<_> = all.iter().filter(|key| key.starts_with(prefix)).cloned().collect();
        assert!(!expected.is_empty());
        for limit in [1, 5, 1_000] {
            assert_eq!(keys(objects, prefix, None, limit).await, expected, "{prefix}");
        }
    }
    assert_eq!(keys(objects, "nothing/", None, 5).await, Vec::<String>::new());
    // The last page reports that it is the last, even if it is full.
    let page = objects.list("", None, all.len()).await.unwrap();
    assert_eq!((page.items.len(), page.next), (all.len(), None));
}

async fn listings_begin_behind_any_text(objects: &impl Objects) {
    let mut all: Vec<_> = many().iter().map(ToString::to_string).collect();
    for key in many() {
        create(objects, &key, b"").await;
    }
    all.sort();
    let texts = all.iter().flat_map(|key| [key.clone(), key[..key.len() - 1].to_owned(), format!("{key}!")]);
    for after in texts.chain(["", "a", "manifests/", "proofs/zzz", "zzz"].map(str::to_owned)) {
        let expected: Vec<_> = all.iter().filter(|key| **key > after).take(3).cloned().collect();
        let page = objects.list("", Some(&after), 3).await.unwrap();
        assert_eq!(
            page.items.into_iter().map(|item| item.key).collect::<Vec<_>>(),
            expected,
            "behind {after}"
        );
        let within: Vec<_> =
            all.iter().filter(|key| **key > after && key.starts_with("manifests/urn")).cloned().collect();
        assert_eq!(keys(objects, "manifests/urn", Some(&after), 4).await, within, "behind {after}");
    }
}

async fn a_listing_under_way_shows_every_object_once(objects: &impl Objects) {
    // All are in one shard of a folder and are replaced continually, while others come and go around them.
    let stays: Vec<_> = (0..150).map(|number| manifest(&format!("urn:c2pa:ff{number:03}"))).collect();
    let changes: Vec<_> = (0..40).map(|number| record(&number.to_string())).collect();
    let mut tags = Vec::new();
    for key in &stays {
        create(objects, key, b"").await;
    }
    for key in &changes {
        tags.push(create(objects, key, b"").await);
    }
    let expected: BTreeSet<_> = stays.iter().chain(&changes).map(ToString::to_string).collect();
    let listing = async {
        for limit in [7, 50, 1_000, 13] {
            let seen = keys(objects, "", None, limit).await;
            assert!(seen.is_sorted());
            let there: Vec<_> = seen.iter().filter(|key| expected.contains(*key)).collect();
            assert_eq!(there.len(), expected.len(), "each once");
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "none twice");
        }
    };
    let replacing = async {
        for round in 0..4_u8 {
            join_all(changes.iter().zip(&mut tags).map(|(key, tag)| async move {
                match put(objects, key, &[round], Condition::Matches(tag.clone())).await {
                    Put::Stored(new) => *tag = new,
                    Put::Lost => panic!("nobody else writes"),
                }
            }))
            .await;
        }
    };
    let coming_and_going = async {
        for number in 0..60 {
            let key = manifest(&format!("urn:c2pa:ff{:03}x", number * 2));
            create(objects, &key, b"").await;
            if number % 2 == 0 {
                objects.delete(&key).await.unwrap();
            }
        }
    };
    join(listing, join(replacing, coming_and_going)).await;
}

async fn acknowledged_changes_are_listed(objects: &impl Objects) {
    for number in 0..20 {
        let key = record(&number.to_string());
        create(objects, &key, b"12345").await;
        let text = key.to_string();
        let page = objects.list(&text, None, 1).await.unwrap();
        assert_eq!(page.items[0].key, text);
        assert!(page.items[0].size >= 5);
        assert_eq!(page.items[0].modified, objects.head(&key).await.unwrap().unwrap().modified);
        objects.delete(&key).await.unwrap();
        assert_eq!(keys(objects, &text, None, 1).await, Vec::<String>::new());
    }
}
