//! Objects in R2 that differ from what was stored: they are never served and never kept, and are served again once they
//! are repaired.

use std::collections::BTreeMap;

use bytes::Bytes;
use credlink_core::encoding::Coding;
use credlink_core::http::problem::Problem;
use credlink_core::http::reply::Body;
use credlink_core::object::{Attributes, Facts};
use futures_util::future::join_all;
use http::header::{ACCEPT_ENCODING, RANGE};
use http::{HeaderName, Method};

use super::seeds::{Seed, read, slow, warm, write};
use crate::engines::edge::Edge;
use crate::http::ask::{ask, get, with};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A way to damage a stored object.
type Damage = fn(&Seed) -> (Attributes, Bytes);

/// The object with other bytes.
fn bytes(seed: &Seed, change: impl FnOnce(&mut Vec<u8>)) -> (Attributes, Bytes) {
    let mut bytes = seed.stored().to_vec();
    change(&mut bytes);
    (seed.attributes(), bytes.into())
}

/// The object with an entry of its metadata changed.
fn entry(seed: &Seed, name: &str, value: &str) -> (Attributes, Bytes) {
    let mut attributes = seed.attributes();
    attributes.metadata.insert(name.to_owned(), value.to_owned());
    (attributes, seed.stored())
}

/// Every damage by name. The flag is `true` if the attributes can still be read, so that a private object is known to
/// be private.
const DAMAGES: [(&str, bool, Damage); 16] = [
    ("the first bit of the content", true, |seed| bytes(seed, |bytes| bytes[12] ^= 1)),
    ("the last bit", true, |seed| bytes(seed, |bytes| *bytes.last_mut().unwrap() ^= 1)),
    ("a byte less", true, |seed| bytes(seed, |bytes| bytes.truncate(bytes.len() - 1))),
    ("a byte more", true, |seed| bytes(seed, |bytes| bytes.push(0))),
    ("nothing", true, |seed| bytes(seed, Vec::clear)),
    ("no gzip", true, |seed| {
        (Attributes { content_encoding: Some("gzip".to_owned()), ..seed.attributes() }, seed.content.clone())
    }),
    ("a shorter length", true, |seed| entry(seed, "length", &(seed.facts.length - 1).to_string())),
    ("a longer length", true, |seed| entry(seed, "length", &(seed.facts.length + 1).to_string())),
    ("a length beyond all bounds", true, |seed| entry(seed, "length", "10000001")),
    ("a length beyond all numbers", false, |seed| entry(seed, "length", "18446744073709551616")),
    ("a bomb", true, |seed| {
        let bomb = credlink_core::encoding::at_rest(&vec![b' '; 60_000_000]).bytes.into_owned();
        (Attributes { content_encoding: Some("gzip".to_owned()), ..seed.attributes() }, bomb.into())
    }),
    ("another digest", true, |seed| entry(seed, "sha256", &"0".repeat(64))),
    ("no digest", false, |seed| entry(seed, "sha256", "")),
    ("no attributes", false, |seed| {
        (Attributes { content_type: "text/plain".to_owned(), ..Attributes::default() }, seed.stored())
    }),
    ("somebody else's attributes", false, |seed| {
        let metadata = BTreeMap::from([("uploaded-by".to_owned(), "somebody".to_owned())]);
        (Attributes { metadata, ..seed.attributes() }, seed.stored())
    }),
    ("an unknown coding", false, |seed| {
        (Attributes { content_encoding: Some("br".to_owned()), ..seed.attributes() }, seed.stored())
    }),
];

/// Asserts that the answer is the API's own for damaged content, and checks what the answer leaves behind.
async fn assert_damaged(edge: &Edge, what: &str, seed: &Seed) {
    let id = format!("damaged-{}", seed.key.to_string().replace('%', "."));
    let answer = edge.send(with(get(&seed.path()), REQUEST_ID, &id)).await;
    let own = Problem::damaged().reply(Some(&id));
    let Body::Bytes(body) = own.body else { panic!("a problem has a body") };
    assert_eq!((answer.status(), answer.body()), (own.status, &body), "{what}");
    for (name, value) in &own.headers {
        assert_eq!(&answer.headers()[name], value, "{what}");
    }
    assert_eq!(answer.headers()["cache-status"], "credlink; fwd=uri-miss", "{what}");
    let said = edge.logs().await;
    let said: Vec<_> = said.iter().filter(|line| line["request_id"] == *id).collect();
    let error =
        said.iter().find(|line| line["level"] == "error").unwrap_or_else(|| panic!("{what}: no error"));
    assert_eq!(error["message"], "an object is damaged", "{what}");
    assert!(error["reason"].as_str().unwrap().starts_with(&seed.key.to_string()), "{what}: {error}");
    for other in [
        with(get(&seed.path()), RANGE, "bytes=0-3"),
        with(get(&seed.path()), ACCEPT_ENCODING, "gzip"),
        ask(Method::HEAD, &seed.path()),
    ] {
        assert_eq!(edge.send(other).await.status(), 502, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_is_not_answered_with() {
    let edge = &Edge::with(slow()).await;
    let kinds = [Seed::record as fn(&str) -> Seed, Seed::manifest];
    let cases =
        kinds.iter().flat_map(|kind| DAMAGES.iter().enumerate().map(move |(at, damage)| (kind, at, damage)));
    // If the attributes cannot be read, it is not known whether the object is private, so it is absent, as below.
    let cases = cases.filter(|(_, _, (_, is_readable, _))| *is_readable);
    let cases: Vec<_> = cases.map(|(kind, at, damage)| (kind(&format!("damaged-{at}")), damage)).collect();
    join_all(cases.iter().map(async |(seed, (what, _, damage))| {
        let (attributes, body) = damage(seed);
        write(&edge.objects(), &seed.key, body, &attributes).await;
        assert_damaged(edge, &format!("{}: {what}", seed.key), seed).await;
    }))
    .await;
    edge.settle().await;
    assert_eq!(edge.count("cache.put").await, 0);
    join_all(cases.iter().map(async |(seed, _)| {
        seed.put(edge).await;
        seed.assert_is(&read(edge, &seed.path()).await.0);
    }))
    .await;
}

/// A caller that may not read an object is not even told that it is damaged (guarantee 13). If its attributes cannot be
/// read, it is not known who may read it. The operator finds the damage in the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_private_and_damaged_is_absent() {
    let edge = Edge::with(slow()).await;
    for (at, (what, is_readable, damage)) in DAMAGES.iter().enumerate() {
        let seed = Seed::manifest(&format!("private-{at}-there")).private();
        let (attributes, body) = damage(&seed);
        assert_eq!(Facts::read(&attributes).is_ok(), *is_readable, "{what}");
        let absent = read(&edge, &Seed::manifest(&format!("private-{at}")).path()).await;
        write(&edge.objects(), &seed.key, body, &attributes).await;
        let there = read(&edge, &seed.path()).await;
        assert_eq!((there.0.status(), &there.1), (absent.0.status(), &absent.1), "{what}");
        assert_eq!(there.0.status(), 404, "{what}");
        let names = |answer: &http::Response<Bytes>| {
            answer.headers().keys().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(&there.0), names(&absent.0), "{what}");
        let is_logged = edge.logs().await.iter().any(|line| {
            let is_damage = line["message"] == "an object is damaged";
            is_damage && line["reason"].as_str().unwrap_or_default().starts_with(&seed.key.to_string())
        });
        assert_eq!(is_logged, !is_readable, "{what}");
    }
}

/// The longest object allowed, and one that is longer by a byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_over_the_bound_is_damaged() {
    let edge = Edge::start().await;
    let seed =
        Seed::new(Seed::manifest("large").key, vec![0_u8; 10_000_001]).but(|facts| facts.coding = None);
    seed.put(&edge).await;
    assert_damaged(&edge, "one byte too many", &seed).await;
    let packed =
        Seed::new(seed.key.clone(), vec![0_u8; 10_000_001]).but(|facts| facts.coding = Some(Coding::Gzip));
    packed.put(&edge).await;
    assert_damaged(&edge, "one byte too many, packed", &packed).await;
    let right =
        Seed::new(seed.key.clone(), vec![0_u8; 10_000_000]).but(|facts| facts.coding = Some(Coding::Gzip));
    right.put(&edge).await;
    right.assert_is(&read(&edge, &right.path()).await.0);
}

/// An entry in the cache is served for its whole freshness lifetime, and a damaged object does not replace it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_is_not_kept_in_place_of_what_was_right() {
    let edge = Edge::with(slow()).await;
    let seed = Seed::record("later");
    seed.put(&edge).await;
    warm(&edge, &[&seed]).await;
    let (attributes, body) = bytes(&seed, |bytes| bytes.truncate(30));
    write(&edge.objects(), &seed.key, body, &attributes).await;
    edge.set_ahead(std::time::Duration::from_secs(1_500)).await;
    for _ in 0..2 {
        let (answer, how) = read(&edge, &seed.path()).await;
        seed.assert_is(&answer);
        assert_eq!(how, "credlink; hit; detail=stale");
        edge.settle().await;
    }
    edge.set_ahead(std::time::Duration::from_secs(2_500)).await;
    let (answer, how) = read(&edge, &seed.path()).await;
    assert_eq!((answer.status().as_u16(), &*how), (502, "credlink; fwd=stale"));
    // Damage is not an outage: R2 has answered.
    assert_eq!(edge.count("cache.put").await, 0);
}

/// Lengths at which buffers grow, and at which decompression in one step ends: intact objects are not taken for
/// damaged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_right_is_not_damaged_whatever_its_length() {
    let edge = &Edge::start().await;
    let around = |length: usize| [length - 1, length, length + 1];
    let lengths = [512, 16_384, 65_536, 131_072, 1_048_576].into_iter().flat_map(around);
    let lengths = lengths.chain([100_000, 200_000, 700_000, 5_000_000]);
    join_all(lengths.map(async |length| {
        let content = b"provenance ".iter().copied().cycle().take(length).collect::<Vec<_>>();
        let seed = Seed::new(Seed::manifest(&format!("length-{length}")).key, content);
        assert_eq!(seed.facts.coding, Some(Coding::Gzip));
        seed.put(edge).await;
        for _ in 0..2 {
            seed.assert_is(&read(edge, &seed.path()).await.0);
        }
    }))
    .await;
}
