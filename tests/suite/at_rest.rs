//! C2PA manifests at rest: they are stored and served as they came. Stores hold manifests in gzip as well: those that
//! were stored again after a deletion, and those that earlier versions compressed. They are read like any other.

use std::collections::BTreeMap;

use bytes::Bytes;
use credlink_core::encoding::{AtRest, Coding, as_it_came, at_rest};
use credlink_core::http::conditional::entity_tag;
use credlink_core::object::{Facts, Object, ObjectKey};
use credlink_core::testing::{data_box, manifest_store};
use credlink_ports::{Condition, Objects as _, Ports as _, Put};
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, RANGE,
};
use http::{HeaderName, Method, Request, Response};

use crate::http::ask::{ask, c2pa, get, media, with};
use crate::world::{Ground, World};

const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";
const PATH: &str = "/v1/manifests/urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";
const GROUNDS: [Ground; 2] = [Ground::Memory, Ground::Folder];

fn key() -> ObjectKey {
    ObjectKey::Manifest(ID.parse().unwrap())
}

/// A manifest store of 66 KB, nearly all of it padding, which gzip would reduce to a hundredth.
fn manifest() -> Bytes {
    let store = manifest_store(ID, media("padded").digest());
    let (_, inside) = store.split_at(8);
    data_box(*b"jumb", &[inside, &data_box(*b"free", &[0; 66_000])].concat()).into()
}

/// A world that has stored the manifest.
async fn holding(ground: Ground) -> World {
    let world = World::on(ground);
    let stored = world.answer(c2pa(Method::POST, "/v1/manifests", manifest().to_vec())).await;
    assert_eq!(stored.status(), 201, "{stored:?}");
    world
}

async fn object(world: &World) -> Object {
    world.service().ports().objects().get(&key()).await.unwrap().unwrap()
}

/// A world that holds the manifest in this form.
async fn holding_form(ground: Ground, form: AtRest<'_>) -> World {
    let world = holding(ground).await;
    let Object { head, .. } = object(&world).await;
    let facts = Facts { coding: form.coding, ..Facts::read(&head.attributes).unwrap() };
    let attributes = facts.attributes(&key(), BTreeMap::new());
    let body = Bytes::from(form.bytes.into_owned());
    let objects = world.service().ports().objects();
    objects.delete(&key()).await.unwrap();
    let put = objects.put(&key(), body, &attributes, Condition::Absent).await.unwrap();
    assert!(matches!(put, Put::Stored(_)));
    world
}

/// A request for a part.
fn part(range: &str) -> Request<Bytes> {
    with(get(PATH), RANGE, range)
}

fn gzip(request: Request<Bytes>) -> Request<Bytes> {
    with(request, ACCEPT_ENCODING, "gzip, br")
}

fn said<'a>(answer: &'a Response<Bytes>, name: &HeaderName) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Asserts that `answer` is the manifest, or these bytes of it, without a content coding.
fn assert_plain(answer: &Response<Bytes>, part: Option<std::ops::Range<usize>>, about: &str) {
    let (content, tag) = (manifest(), entity_tag(&credlink_core::hash::Digest::of(&manifest()), None));
    let range = part.as_ref().map(|part| format!("bytes {}-{}/{}", part.start, part.end - 1, content.len()));
    assert_eq!(answer.status(), if part.is_some() { 206 } else { 200 }, "{about}");
    assert_eq!(answer.body(), &content.slice(part.unwrap_or(0..content.len())), "{about}");
    assert_eq!(said(answer, &CONTENT_RANGE).map(str::to_owned), range, "{about}");
    assert_eq!(said(answer, &CONTENT_ENCODING), None, "{about}");
    assert_eq!(said(answer, &ACCEPT_RANGES), Some("bytes"), "{about}");
    assert_eq!(said(answer, &CONTENT_LENGTH), Some(&*answer.body().len().to_string()), "{about}");
    assert_eq!(said(answer, &ETAG), Some(&*tag), "{about}");
}

/// Asserts that a client that accepts no coding can read the manifest and its parts.
async fn assert_read_without_gzip(world: &World) {
    let (length, tag) = (manifest().len(), entity_tag(&credlink_core::hash::Digest::of(&manifest()), None));
    assert_plain(&world.answer(get(PATH)).await, None, "the whole");
    for (range, expected) in [
        ("bytes=0-0", 0..1),
        ("bytes=4-7", 4..8),
        ("bytes=60000-", 60_000..length),
        ("bytes=-100", length - 100..length),
        ("bytes=100-999999", 100..length),
    ] {
        let answer = world.answer(part(range)).await;
        assert_plain(&answer, Some(expected.clone()), range);
        let same = world.answer(with(part(range), IF_RANGE, &tag)).await;
        assert_plain(&same, Some(expected), "the tag is the same");
        let other = world.answer(with(part(range), IF_RANGE, "\"other\"")).await;
        assert_plain(&other, None, "the tag is another");
    }
    let beyond = world.answer(part(&format!("bytes={length}-"))).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(said(&beyond, &CONTENT_RANGE), Some(&*format!("bytes */{length}")));
    let head = world.answer(with(ask(Method::HEAD, PATH), RANGE, "bytes=4-7")).await;
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    assert_eq!(said(&head, &CONTENT_LENGTH), Some(&*length.to_string()));
    assert_eq!(said(&head, &CONTENT_ENCODING), None);
    assert_eq!(said(&head, &ETAG), Some(&*tag));
}

#[tokio::test]
async fn a_manifest_is_stored_and_served_as_it_came() {
    for ground in GROUNDS {
        let world = holding(ground).await;
        let Object { head, body } = object(&world).await;
        assert_eq!(
            head.attributes.content_encoding, None,
            "nothing is compressed, however well it would shrink"
        );
        assert_eq!(body, manifest());
        assert_read_without_gzip(&world).await;
        // The selected representation is the same for a client that accepts gzip, and so are its parts.
        assert_plain(&world.answer(gzip(get(PATH))).await, None, "gzip accepted");
        assert_plain(&world.answer(gzip(part("bytes=4-7"))).await, Some(4..8), "a part, gzip accepted");
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn a_manifest_in_gzip_is_read_by_everybody() {
    let content = manifest();
    for ground in GROUNDS {
        for form in [at_rest(&content), as_it_came(&content, 1)] {
            assert_eq!(form.coding, Some(Coding::Gzip));
            let stored = Bytes::from(form.bytes.clone().into_owned());
            let world = holding_form(ground, form).await;
            assert_read_without_gzip(&world).await;
            // A client that accepts gzip gets the stored bytes, and always whole: a part of them is of no use.
            let sha256 = credlink_core::hash::Digest::of(&content);
            for request in [gzip(get(PATH)), gzip(part("bytes=4-7")), gzip(ask(Method::HEAD, PATH))] {
                let expected = if request.method() == Method::HEAD { Bytes::new() } else { stored.clone() };
                let answer = world.answer(request).await;
                assert_eq!((answer.status().as_u16(), answer.body()), (200, &expected));
                assert_eq!(said(&answer, &CONTENT_ENCODING), Some("gzip"));
                assert_eq!(said(&answer, &ACCEPT_RANGES), Some("none"));
                assert_eq!(said(&answer, &CONTENT_RANGE), None);
                assert_eq!(said(&answer, &ETAG), Some(&*entity_tag(&sha256, Some(Coding::Gzip))));
            }
            // It is the same manifest: a store of it finds it, and a deletion removes it.
            let again = world.answer(c2pa(Method::POST, "/v1/manifests", content.to_vec())).await;
            assert_eq!(again.status(), 200);
            world.assert_sound().await;
            assert_eq!(world.answer(ask(Method::DELETE, PATH)).await.status(), 204);
            assert_eq!(world.answer(get(PATH)).await.status(), 410);
        }
    }
}

#[tokio::test]
async fn a_manifest_that_is_stored_again_has_other_bytes_and_the_same_content() {
    for ground in GROUNDS {
        let world = holding(ground).await;
        let first = object(&world).await;
        assert_eq!(world.answer(ask(Method::DELETE, PATH)).await.status(), 204);
        let stored = world.answer(c2pa(Method::POST, "/v1/manifests", manifest().to_vec())).await;
        assert_eq!(stored.status(), 201);
        let second = object(&world).await;
        assert_ne!(first.head.tag, second.head.tag, "a late deletion of the first does not match");
        assert!(second.body.len() > manifest().len(), "it is not compressed");
        assert_read_without_gzip(&world).await;
        world.assert_sound().await;
    }
}
