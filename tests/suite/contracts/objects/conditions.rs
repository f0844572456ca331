//! Conditional writes, alone and when many race: each decides by what is stored, and one of them succeeds.

use std::collections::BTreeSet;

use credlink_core::object::{ObjectKey, StoredTag};
use credlink_ports::{Condition, ObjectWrite, Objects, Put};
use futures_util::future::join_all;

use super::super::attributes;
use super::{create, manifest, put, record};

pub(super) async fn absence_is_a_condition(objects: &impl Objects) {
    create(objects, &record("x"), b"first").await;
    assert_eq!(put(objects, &record("x"), b"second", Condition::Absent).await, Put::Lost);
    assert_eq!(objects.get(&record("x")).await.unwrap().unwrap().body, "first");
}

pub(super) async fn a_tag_is_a_condition(objects: &impl Objects) {
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

pub(super) async fn the_second_of_two_writes_follows_the_first(objects: &impl Objects) {
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

pub(super) async fn different_bytes_have_different_tags(objects: &impl Objects) {
    let mut tags = BTreeSet::new();
    for number in 0..20_u8 {
        tags.insert(create(objects, &manifest(&format!("urn:{number}")), &[number]).await.0);
    }
    assert_eq!(tags.len(), 20);
}

pub(super) async fn of_fifty_creations_one_succeeds(objects: &impl Objects) {
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

pub(super) async fn of_fifty_replacements_one_succeeds(objects: &impl Objects) {
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
