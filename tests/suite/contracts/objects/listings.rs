//! Listings: their order and their pages, also while objects come and go.

use std::collections::BTreeSet;

use credlink_core::object::ObjectKey;
use credlink_ports::{Condition, Objects, Put};
use futures_util::future::{join, join_all};

use super::super::proof_id;
use super::{create, keys, manifest, put, record};

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

pub(super) async fn listings_are_in_the_order_of_keys(objects: &impl Objects) {
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

pub(super) async fn listings_begin_behind_any_text(objects: &impl Objects) {
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

pub(super) async fn a_listing_under_way_shows_every_object_once(objects: &impl Objects) {
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

pub(super) async fn acknowledged_changes_are_listed(objects: &impl Objects) {
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

pub(super) async fn a_record_and_its_revisions_stand_side_by_side(objects: &impl Objects) {
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
