//! The memory that the worst bodies cost, as a multiple of their length (guarantee 9). This is a binary of its own with
//! a single test, because its allocator counts for the whole process.

use std::io::Write as _;

use bytes::Bytes;
use credlink_core::bounds::{
    MAX_BODY_BYTES, MAX_C2PA_MANIFEST_BYTES, MAX_GZIP_MEMBERS, MAX_JUMBF_BOXES, MAX_JUMBF_DEPTH,
};
use credlink_core::c2pa::signature::Signature;
use credlink_core::encoding::Coding;
use credlink_core::encoding::{DecodeError, decode};
use credlink_core::hash::MediaHash;
use credlink_core::manifest::Manifest;
use credlink_core::rules::batch_delete::BatchDeleteBody;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::testing::{data_box, store_of, superbox};
use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The most that a body may cost, as a multiple of its length, including the body itself.
const MOST: f64 = 3.0;

/// Bytes of CBOR that fit a store beside its boxes.
const CONTENT: usize = MAX_C2PA_MANIFEST_BYTES - 1_000;

#[test]
fn the_worst_bodies_cost_less_than_three_times_their_length() {
    let claims: Vec<(&str, Vec<u8>)> = vec![
        ("a list of integers", list(CONTENT, b"\x01")),
        ("a list of tagged integers", list(CONTENT, b"\xc1\x01")),
        ("a list of lists", list(CONTENT, b"\x80")),
        ("a list without an end", [b"\x9f".to_vec(), vec![1; CONTENT]].concat()),
        ("lists within lists", vec![0x81; CONTENT]),
        ("lists without an end within lists", vec![0x9f; CONTENT]),
        ("tags within tags", vec![0xc1; CONTENT]),
        ("a text in chunks", [&b"\xa1\x7f"[..], &b"\x61a".repeat(CONTENT / 2 - 8), b"\xff\x01"].concat()),
        ("a map with one key", pairs(CONTENT, b"\x63url\x01")),
        ("references", claim_of(CONTENT, b"\xa1\x63url\x61/")),
        ("empty references", claim_of(CONTENT, b"\xa0")),
        (
            "a length that no memory has",
            [&b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"[..], &vec![1; CONTENT]].concat(),
        ),
    ];
    for (what, claim) in claims {
        let store = signed_store(&claim);
        drop(claim);
        assert!(store.len() > MAX_C2PA_MANIFEST_BYTES - 1_000, "{what}: {}", store.len());
        costs(what, store, MOST, |store| {
            assert!(Manifest::c2pa(store.clone()).is_ok(), "{what}");
            assert_eq!(Signature::read(&store), None, "{what}");
        });
    }

    let boxes = store_of(&vec![data_box(*b"free", &[0; 400]); MAX_JUMBF_BOXES - 2]);
    costs("many boxes", boxes, MOST, |store| assert!(Manifest::c2pa(store.clone()).is_err()));
    let small = store_of(&vec![superbox([7; 16], "a", &[]); MAX_JUMBF_BOXES / 2 - 2]);
    costs("many small boxes", small, MOST, |store| assert!(Manifest::c2pa(store.clone()).is_err()));
    let deep = (0..MAX_JUMBF_DEPTH + 9).fold(vec![0; 9_000_000], |inner, _| superbox([7; 16], "a", &[inner]));
    costs("boxes within boxes", deep, MOST, |store| assert!(Manifest::c2pa(store.clone()).is_err()));

    let hash = MediaHash::of(b"x");
    let with = |rest: &str| format!(r#"{{"media_hash":"{hash}","manifest":{{}},{rest}}}"#).into_bytes();
    let entries =
        |count: usize, entry: &dyn Fn(usize) -> String| (0..count).map(entry).collect::<Vec<_>>().join(",");
    let long = "x".repeat(MAX_BODY_BYTES - 200);
    let bodies = [
        ("tags", with(&format!(r#""tags":{{{}}}"#, entries(1_150_000, &|n| format!(r#""{n}":"""#))))),
        ("long tags", with(&format!(r#""tags":{{"a":"{long}"}}"#))),
        ("a long name", with(&format!(r#""{long}":1"#))),
        ("a long name of a tag", with(&format!(r#""tags":{{"{long}":1}}"#))),
        ("a text in place of tags", with(&format!(r#""tags":"{long}""#))),
        ("a long signature", with(&format!(r#""signature":"{long}""#))),
        ("a text in place of a number", with(&format!(r#""expires_in":"{}""#, r"\u0001".repeat(2_200_000)))),
        ("a long number", with(&format!(r#""expires_in":{}"#, long.replace('x', "1")))),
        ("a JSON manifest", format!(r#"{{"media_hash":"{hash}","manifest":{{"a":"{long}"}}}}"#).into_bytes()),
        (
            "a JSON manifest of lists",
            format!(r#"{{"manifest":[{}]}}"#, entries(4_000_000, &|_| "[]".into())).into_bytes(),
        ),
        ("lists within lists", vec![b'['; MAX_BODY_BYTES]),
        ("spaces", vec![b' '; MAX_BODY_BYTES]),
    ];
    drop(long);
    for (what, body) in bodies {
        costs(what, body, MOST, |body| {
            assert!(Draft::parse(&body, Tenant::default(), None).is_err(), "{what}");
        });
    }
    // Bits that are all set encode as slashes, which some writers of JSON escape.
    for (what, slash, length) in
        [("base64", "/", 9_000_000), ("escaped slashes", r"\/", 4_900_000), ("escapes", r"\u002f", 1_600_000)]
    {
        let filled = data_box(*b"free", &vec![0xff; length]);
        let store = store_of(&[superbox(uuid(*b"c2ma"), "urn:c2pa:x", &[filled])]);
        let text = BASE64.encode(&store).replace('/', slash);
        let body = format!(r#"{{"media_hash":"{hash}","manifest_base64":"{text}"}}"#).into_bytes();
        assert!(body.len() <= MAX_BODY_BYTES, "{what}");
        drop((store, text));
        costs(what, body, MOST, |body| {
            let draft = Draft::parse(&body, Tenant::default(), None);
            assert!(draft.is_ok(), "{what}");
        });
    }
    let escaped =
        format!(r#"{{"media_hash":"{hash}","manifest_base64":"{}"}}"#, r"\/".repeat(6_000_000)).into_bytes();
    costs("slashes", escaped, MOST, |body| assert!(Draft::parse(&body, Tenant::default(), None).is_err()));

    for (what, body) in [
        ("ids", format!(r#"{{"ids":[{}]}}"#, vec![r#""""#; 4_400_000].join(",")).into_bytes()),
        ("long ids", format!(r#"{{"ids":["{}"]}}"#, "x".repeat(13_000_000)).into_bytes()),
        ("ids that are lists", format!(r#"{{"ids":[{}]}}"#, vec!["[]"; 4_400_000].join(",")).into_bytes()),
    ] {
        costs(what, body, MOST, |body| assert!(BatchDeleteBody::parse(&body).is_err(), "{what}"));
    }

    let empty = packed(&[]);
    let members = empty.repeat(MAX_BODY_BYTES / empty.len());
    costs("members of gzip", members, MOST, |body| {
        assert_eq!(decode(&body, Some(Coding::Gzip), MAX_BODY_BYTES), Err(DecodeError::TooManyMembers));
    });
    let most = empty.repeat(MAX_GZIP_MEMBERS);
    costs("as many members as may be", most, 20.0, |body| {
        assert!(decode(&body, Some(Coding::Gzip), MAX_BODY_BYTES).is_ok());
    });
    // Here the bound on the decoded length is the measure, since the body itself is tiny.
    for (what, length) in [("the longest body, packed", MAX_BODY_BYTES), ("a bomb", 10 * MAX_BODY_BYTES)] {
        let bomb = packed(&vec![0; length]);
        let most = MOST * MAX_BODY_BYTES as f64 / bomb.len() as f64;
        costs(what, bomb, most, |body| {
            assert_eq!(decode(&body, Some(Coding::Gzip), MAX_BODY_BYTES).is_ok(), length <= MAX_BODY_BYTES);
        });
    }
}

/// Runs `read` over `body`, and asserts its peak cost, including the body.
fn costs(what: &str, body: Vec<u8>, most: f64, read: impl FnOnce(Bytes)) {
    let body = Bytes::from(body.into_boxed_slice());
    let (length, before) = (body.len(), ALLOCATOR.current_usage() - body.len());
    ALLOCATOR.reset_peak_usage();
    read(body);
    let cost = (ALLOCATOR.peak_usage() - before) as f64 / length as f64;
    assert!(cost < most, "{what}: {cost:.2} times its {length} bytes");
}

/// Returns a store of one manifest whose claim is `claim`, with an empty assertion store and a stand-in for a
/// signature.
fn signed_store(claim: &[u8]) -> Vec<u8> {
    let part = |kind, label: &str, cbor: &[u8]| superbox(kind, label, &[data_box(*b"cbor", cbor)]);
    store_of(&[superbox(
        uuid(*b"c2ma"),
        "urn:c2pa:x",
        &[
            superbox(uuid(*b"c2as"), "c2pa.assertions", &[]),
            part(uuid(*b"c2cl"), "c2pa.claim.v2", claim),
            part(uuid(*b"c2cs"), "c2pa.signature", b"\xd2\x84\x43\xa1\x01\x26\xa0\xf6\x41s"),
        ],
    )])
}

const fn uuid([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [a, b, c, d, 0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71]
}

/// Returns a claim whose `assertions` are as many of `item` as fit `length`.
fn claim_of(length: usize, item: &[u8]) -> Vec<u8> {
    [&b"\xa1\x6aassertions"[..], &list(length - 20, item)].concat()
}

/// Returns an array of as many of `item` as fit `length`.
fn list(length: usize, item: &[u8]) -> Vec<u8> {
    let count = ((length - 5) / item.len()) as u32;
    [&b"\x9a"[..], &count.to_be_bytes(), &item.repeat(count as usize)].concat()
}

/// Returns a map of as many of `pair` as fit `length`.
fn pairs(length: usize, pair: &[u8]) -> Vec<u8> {
    let mut map = list(length, pair);
    map[0] = 0xba;
    map
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to a vector does not fail.
    let _ = encoder.write_all(content);
    encoder.finish().unwrap_or_default()
}
