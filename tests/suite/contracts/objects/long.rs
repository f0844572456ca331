//! The contract of `LongObjects`: objects that are read and written piece by piece.

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::{Attributes, ObjectKey, StoredTag};
use credlink_ports::{Condition, Failure, FailureKind, LongObjects, LongWrite, PIECE_BYTES, Pieces, Put};
use futures_util::stream;

use super::super::{attributes, over_every_store, stores};
use super::{create, noise, original};

over_every_store! {
    {
        a_piece_is_of_the_object_that_was_asked_for,
        pieces_make_an_object_if_the_condition_holds,
        what_breaks_off_is_not_there,
    }
}

async fn a_piece_is_of_the_object_that_was_asked_for(objects: &impl LongObjects) {
    let (key, body) = (original(1), noise(9_000_000));
    let other = StoredTag("no tag of this provider".to_owned());
    assert_eq!(objects.get_piece(&key, &other, 0..10).await.unwrap(), None);
    let put = objects.put(&key, body.clone(), &attributes(), Condition::Absent).await.unwrap();
    let Put::Stored(tag) = put else { panic!("{key} is there already") };
    for range in [0..1, 0..PIECE_BYTES, PIECE_BYTES..9_000_000, 8_999_999..9_000_000] {
        let piece = objects.get_piece(&key, &tag, range.clone()).await.unwrap().unwrap();
        assert!(piece == body[range.start as usize..range.end as usize], "{range:?}");
    }
    assert_eq!(objects.get_piece(&key, &other, 0..10).await.unwrap(), None);
}

/// A write of `body`, of which the pieces are what they are.
fn write(body: &Bytes, pieces: Vec<Result<Bytes, Failure>>, condition: Condition) -> LongWrite {
    LongWrite {
        size: body.len() as u64,
        sha256: Digest::of(body),
        pieces: Pieces::new(stream::iter(pieces)),
        attributes: attributes(),
        condition,
    }
}

async fn pieces_make_an_object_if_the_condition_holds(objects: &impl LongObjects) {
    let body = noise(12_000_001);
    let pieces = || body.chunks(5_000_000).map(|piece| Ok(body.slice_ref(piece))).collect();
    let key = original(1);
    let other = Condition::Matches(StoredTag("no tag of this provider".to_owned()));
    assert_eq!(objects.put_pieces(&key, write(&body, pieces(), other.clone())).await.unwrap(), Put::Lost);
    let put = objects.put_pieces(&key, write(&body, pieces(), Condition::Absent)).await.unwrap();
    let object = objects.get(&key).await.unwrap().unwrap();
    assert_eq!(put, Put::Stored(object.head.tag.clone()));
    assert!(object.body == body);
    let Attributes { content_type, metadata, .. } = object.head.attributes;
    assert_eq!((content_type, metadata), (attributes().content_type, attributes().metadata));
    for condition in [Condition::Absent, other] {
        assert_eq!(objects.put_pieces(&key, write(&body, pieces(), condition)).await.unwrap(), Put::Lost);
    }
    // A damaged copy is replaced.
    let key = ObjectKey::Front("urn:c2pa:x".parse().unwrap());
    let tag = create(objects, &key, b"another").await;
    let put = objects.put_pieces(&key, write(&body, pieces(), Condition::Matches(tag))).await.unwrap();
    assert!(matches!(put, Put::Stored(_)));
    assert_eq!(objects.head(&key).await.unwrap().unwrap().size, 12_000_001);
}

async fn what_breaks_off_is_not_there(objects: &impl LongObjects) {
    let body = noise(9_000_000);
    let first = || Ok(body.slice(..PIECE_BYTES as usize));
    let message = "the other provider does not answer".to_owned();
    let failure = Failure { provider: "tests", kind: FailureKind::Unavailable, message };
    for (number, pieces) in [(1, vec![first(), Err(failure)]), (2, vec![first()]), (3, vec![])] {
        let key = original(number);
        let put = objects.put_pieces(&key, write(&body, pieces, Condition::Absent)).await;
        assert!(put.is_err(), "{put:?}");
        assert_eq!(objects.head(&key).await.unwrap(), None, "{number}");
    }
}
