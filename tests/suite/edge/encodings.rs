//! Content codings (RFC 9110, section 12.5.3): an object stored in gzip is sent as it is to clients that accept gzip,
//! and decompressed to all others, byte for byte, from R2 and from the cache.

use bytes::Bytes;
use credlink_core::encoding::Coding;
use credlink_core::object::ObjectKey;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_MATCH,
    IF_NONE_MATCH, IF_RANGE, RANGE, VARY,
};
use http::{HeaderName, Method, Response};

use super::forms::{manifest, record};
use super::ground::{CACHE_STATUS, Ground};
use super::seeds::Seed;
use crate::http::ask::with;

/// Values of `Accept-Encoding`, and whether each accepts gzip.
const ACCEPTED: [(Option<&str>, bool); 11] = [
    (None, false),
    (Some(""), false),
    (Some("gzip"), true),
    (Some("GZIP"), true),
    (Some("*"), true),
    (Some("br, gzip;q=0.5"), true),
    (Some("br"), false),
    (Some("identity"), false),
    (Some("gzip;q=0"), false),
    (Some("gzip;q=0, *"), false),
    (Some("identity, gzip;q=0.5"), false),
];

/// The requests of the matrix, as a method and a range.
const ASKED: [(Method, Option<&str>); 3] =
    [(Method::GET, None), (Method::HEAD, None), (Method::GET, Some("bytes=2-40"))];

/// A record and a manifest in each coding, and manifests of more than one chunk.
fn seeds() -> Vec<Seed> {
    let large: Bytes = (0_u32..140_000).map(|number| format!("{number:07} ")).collect::<String>().into();
    let large = Seed::new(manifest(3), large);
    assert_eq!(large.facts.coding, Some(Coding::Gzip));
    vec![
        Seed::plain(record("plain")),
        Seed::packed(record("packed")),
        Seed::plain(manifest(1)),
        Seed::packed(manifest(2)),
        Seed { key: manifest(4), ..large.clone().unpacked() },
        large,
    ]
}

/// Returns the faults in an answer to a client that accepts gzip, or does not.
fn faults(seed: &Seed, gzip: bool, asked: &(Method, Option<&str>), answer: &Response<Bytes>) -> Vec<String> {
    let (method, range) = asked;
    let packed = seed.facts.coding.filter(|_| gzip);
    let whole = if packed.is_some() { seed.stored() } else { seed.content.clone() };
    let part = range.filter(|_| packed.is_none());
    let (status, body) = if part.is_some() { (206, whole.slice(2..41)) } else { (200, whole.clone()) };
    let is_head = *method == Method::HEAD;
    // A HEAD need not state the length of a compressed body (section 9.3.2), and the API's does not.
    let length = (!is_head || packed.is_none()).then(|| body.len().to_string());
    let expected: [(HeaderName, Option<String>); 6] = [
        (CONTENT_LENGTH, length),
        (CONTENT_ENCODING, packed.map(|_| "gzip".to_owned())),
        (CONTENT_RANGE, part.map(|_| format!("bytes 2-40/{}", whole.len()))),
        (ACCEPT_RANGES, Some(if packed.is_some() { "none" } else { "bytes" }.to_owned())),
        (ETAG, Some(seed.tag(packed))),
        (VARY, Some("accept-encoding".to_owned())),
    ];
    let mut faults = Vec::new();
    if answer.status() != status {
        faults.push(format!("{}, not {status}", answer.status()));
    }
    if *answer.body() != if is_head { Bytes::new() } else { body } {
        faults.push(format!("the body, of {} bytes", answer.body().len()));
    }
    for (name, value) in expected {
        let said = answer.headers().get(&name).map(|value| value.to_str().unwrap().to_owned());
        if said != value {
            faults.push(format!("`{name}`: {said:?}, not {value:?}"));
        }
    }
    faults
}

async fn check(ground: &Ground, seeds: &[Seed]) {
    let mut wrong = Vec::new();
    for seed in seeds {
        for (number, (accepted, gzip)) in ACCEPTED.into_iter().enumerate() {
            for (at, asked) in ASKED.iter().enumerate() {
                let mut request = seed.asked(asked.0.clone());
                for (name, value) in [(ACCEPT_ENCODING, accepted), (RANGE, asked.1)] {
                    if let Some(value) = value {
                        request = with(request, name, value);
                    }
                }
                let domain = format!("accepts-{number}.asks-{at}.test");
                for cached in ["credlink; fwd=uri-miss; stored", "credlink; hit"] {
                    let answer = ground.ask(&domain, request.clone()).await;
                    ground.edge.settle().await;
                    let mut found = faults(seed, gzip, asked, &answer);
                    if answer.headers()[CACHE_STATUS] != cached {
                        found.push(format!("the cache: {:?}", answer.headers()[CACHE_STATUS]));
                    }
                    let about = format!("{}, {accepted:?}, {asked:?}, {cached}", seed.key);
                    wrong.extend(found.iter().map(|fault| format!("{about}: {fault}")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_coding_reaches_who_accepts_it_byte_for_byte() {
    let seeds = seeds();
    check(&Ground::holding(&seeds).await, &seeds).await;
}

/// Long content passes in pieces: every part of it is the same from R2 and from the cache, even if many parts are
/// requested at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_long_content_are_exact() {
    let seeds: Vec<Seed> = seeds().into_iter().filter(|seed| seed.content.len() > 1_048_576).collect();
    assert_eq!(seeds.len(), 2, "one in gzip and one as it is");
    let ground = Ground::holding(&seeds).await;
    for seed in &seeds {
        let length = seed.content.len();
        let ranges = [0..1, length - 1..length, 65_535..65_537, 1_000..1_048_577, 0..length];
        for (at, range) in ranges.into_iter().enumerate() {
            let asked = format!("bytes={}-{}", range.start, range.end - 1);
            for cached in ["credlink; fwd=uri-miss; stored", "credlink; hit"] {
                let request = with(seed.asked(Method::GET), RANGE, &asked);
                let answer = ground.ask(&format!("part-{at}.test"), request).await;
                ground.edge.settle().await;
                assert_eq!(answer.status(), 206, "{asked}, {cached}");
                assert_eq!(answer.body(), &seed.content.slice(range.clone()), "{asked}, {cached}");
                assert_eq!(answer.headers()[CACHE_STATUS], cached, "{asked}");
            }
        }
        let first = with(seed.asked(Method::GET), RANGE, "bytes=0-0");
        let together = (0..12).map(|at| {
            let (ground, first) = (&ground, first.clone());
            async move { ground.ask(&format!("together-{at}.test"), first).await }
        });
        for answer in futures_util::future::join_all(together).await {
            assert_eq!((answer.status().as_u16(), answer.body()), (206, &seed.content.slice(0..1)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_where_the_header_is_all_that_is_known() {
    let seeds: Vec<Seed> =
        seeds().into_iter().filter(|seed| matches!(seed.key, ObjectKey::Record(_))).collect();
    let ground = Ground::holding(&seeds).await;
    ground.edge.without_front().await;
    check(&ground, &seeds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tag_of_a_gzip_is_one_of_its_own() {
    let seed = Seed::packed(manifest(1));
    let ground = Ground::holding(std::slice::from_ref(&seed)).await;
    let (tag, gzip) = (seed.tag(None), seed.tag(Some(Coding::Gzip)));
    for (clause, name, value, status) in [
        ("13.1.2", IF_NONE_MATCH, &gzip, 304),
        ("13.1.2", IF_NONE_MATCH, &tag, 304),
        ("13.1.1", IF_MATCH, &gzip, 200),
        ("13.1.1", IF_MATCH, &tag, 200),
        // Section 14.2: a range of gzip data is of no use.
        ("13.1.5", IF_RANGE, &gzip, 200),
        ("13.1.5", IF_RANGE, &tag, 200),
    ] {
        let request = with(seed.asked(Method::GET), ACCEPT_ENCODING, "gzip");
        let request = with(with(request, RANGE, "bytes=2-4"), name.clone(), value);
        let answer = ground.ask("gzip.test", request).await;
        assert_eq!(answer.status(), status, "section {clause}: {name}: {value}");
        assert_eq!(answer.headers()[ETAG], gzip, "section 8.8.3.3: {name}: {value}");
    }
}
