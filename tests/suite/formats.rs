//! Properties of the formats that are stored and sent: any input is either read back unaltered or refused, and nothing
//! panics.

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::encoding::Coding;
use credlink_core::encoding::{as_it_came, at_rest, at_rest_again, decode};
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::http::conditional::{Validators, evaluate_read, range_applies};
use credlink_core::http::query::Query;
use credlink_core::http::range::{RequestedRange, wanted};
use credlink_core::link::{LinkKey, LinkKeys, Signature};
use credlink_core::manifest::Manifest;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, Head, Object, ObjectKey, StoredTag, Verified};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{ProofRow, Row, State};
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
use http::{HeaderMap, HeaderValue};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

/// JSON white space, which must be preserved around a manifest.
const SPACE: &str = "[ \t\r\n]{0,3}";

fn instants() -> impl Strategy<Value = Timestamp> {
    (0..253_000_000_000_000_i64).prop_map(Timestamp::from_milliseconds)
}

fn digests() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn tenants() -> impl Strategy<Value = Tenant> {
    "[a-z0-9][a-z0-9-]{0,20}[a-z0-9]".prop_filter_map("no tenant", |name| name.parse().ok())
}

fn manifest_ids() -> impl Strategy<Value = ManifestId> {
    "[a-zA-Z0-9][a-zA-Z0-9:._-]{0,70}:[a-zA-Z0-9:._-]{0,70}".prop_filter_map("no id", |id| id.parse().ok())
}

fn manifest_keys() -> impl Strategy<Value = ManifestKey> {
    (manifest_ids(), tenants()).prop_map(|(id, tenant)| ManifestKey { id, tenant })
}

/// JSON manifests of any text: numbers that a second serialisation would change, escapes, and white space.
fn manifests() -> impl Strategy<Value = Manifest> {
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?";
    let text = any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap());
    let value = prop_oneof![number.prop_map(String::from), text, Just("null".to_owned())];
    let members = vec(("[a-zé]{0,8}", SPACE, value), 0..8);
    (SPACE, members, SPACE).prop_map(|(before, members, after)| {
        let members: Vec<String> =
            members.iter().map(|(name, space, value)| format!("\"{name}\"{space}:{space}{value}")).collect();
        Manifest::json(Bytes::from(format!("{before}{{{}}}{after}", members.join(",")))).unwrap()
    })
}

fn drafts() -> impl Strategy<Value = Draft> {
    let text = option::of("[ -~]{1,60}");
    let tags = btree_map("[a-zé]{1,9}", "[a-z +=._:/@-]{0,9}", 0..10);
    (tenants(), digests(), text.clone(), manifests(), text, any::<bool>(), tags).prop_map(
        |(tenant, media_hash, media_type, manifest, signature, public, tags)| Draft {
            tenant,
            media_hash: MediaHash::from(media_hash),
            media_type,
            manifest,
            signature,
            lifetime: 60,
            tags,
            visibility: if public { Visibility::Public } else { Visibility::Private },
            origin: None,
        },
    )
}

/// Values that a hostile client may put into a header.
fn header_values() -> impl Strategy<Value = HeaderValue> {
    let near =
        "(W/)?(\"[!-~]{0,8}\"?[, ]{0,2}){0,4}|bytes=[0-9, -]{0,12}|\\*|[A-Z][a-z]{2}, [0-9: A-Za-z]{0,30}";
    prop_oneof![
        near.prop_filter_map("no header", |text| HeaderValue::from_str(&text).ok()),
        vec(any::<u8>(), 0..40).prop_filter_map("no header", |bytes| HeaderValue::from_bytes(&bytes).ok()),
    ]
}

proptest! {
    #[test]
    fn a_record_reads_back_with_its_manifest_to_the_byte(
        draft in drafts(),
        revision in 1_u32..100,
        now in instants(),
    ) {
        let record = draft.record(revision, now);
        let bytes = record.to_bytes();
        let read = Record::parse(&bytes).unwrap();
        prop_assert_eq!(read.manifest.inline_bytes().unwrap(), Some(draft.manifest.bytes().clone()));
        prop_assert_eq!(read.to_bytes(), bytes.clone());
        let key = ObjectKey::Record(record.id);
        let (body, attributes) = record.stored(&bytes, Digest::of(&bytes), &key);
        let facts = Facts::read(&attributes).unwrap();
        prop_assert_eq!(facts.attributes(&key, record.tags.clone()), attributes.clone());
        let head = Head { attributes, size: body.len() as u64, tag: StoredTag(String::new()), modified: now };
        prop_assert_eq!(Verified::check(Object { head, body }).unwrap().content(), bytes);
    }

    #[test]
    fn a_row_reads_back(draft in drafts(), revision in 1_u32..100, now in instants(), state in 0..3_usize) {
        let record = draft.record(revision, now);
        let row = ProofRow::publish(&record, Digest::of(&record.to_bytes()), None);
        let state = [State::Live, State::Deleting(now), State::Deleted(now)][state];
        let row = Row::Proof(row.in_state(state));
        let text = serde_json::to_string(&row).unwrap();
        prop_assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
    }

    #[test]
    fn a_tombstone_reads_back(at in instants(), last in any::<u32>(), id in manifest_ids()) {
        let tombstone = Tombstone::new(at, last);
        let (body, attributes) = tombstone.object(&ObjectKey::Manifest(ManifestKey::new(&Tenant::default(), &id)), &Tenant::default());
        prop_assert_eq!(Tombstone::parse(&body), Ok(tombstone));
        prop_assert!(Facts::read(&attributes).unwrap().tombstone);
    }

    #[test]
    fn names_have_one_spelling(
        tenant in tenants(),
        digest in digests(),
        id in manifest_ids(),
        revision in any::<u32>(),
        now in instants(),
    ) {
        let media = MediaHash::from(digest);
        let proof = ProofId::derive(&tenant, &media);
        prop_assert_eq!(proof.to_string().parse(), Ok(proof));
        prop_assert_eq!(media.to_string().parse(), Ok(media));
        prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        prop_assert_eq!(id.to_string().parse(), Ok(id.clone()));
        prop_assert_eq!(tenant.to_string().parse(), Ok(tenant.clone()));
        prop_assert_eq!(now.to_string().parse(), Ok(now));
        let manifest = ManifestKey::new(&tenant, &id);
        prop_assert_eq!(manifest.to_string().parse(), Ok(manifest.clone()));
        for key in [
            ObjectKey::Record(proof),
            ObjectKey::Revision(proof, revision),
            ObjectKey::Front(id.clone()),
            ObjectKey::Manifest(ManifestKey::new(&Tenant::default(), &id)),
            ObjectKey::Hold(manifest.clone(), revision),
            ObjectKey::Manifest(manifest),
        ] {
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn what_is_read_as_a_name_is_written_the_same(text in "(proofs/|manifests/)?[a-zA-Z0-9%:/._-]{0,60}") {
        if let Ok(key) = text.parse::<ObjectKey>() {
            prop_assert_eq!(key.to_string(), text.clone());
        }
        if let Ok(proof) = text.parse::<ProofId>() {
            prop_assert_eq!(proof.to_string(), text);
        }
    }

    #[test]
    fn no_condition_panics(values in vec((0..6_usize, header_values()), 0..6), modified in instants()) {
        let names = [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE, RANGE];
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(names[name].clone(), value);
        }
        let validators = Validators { sha256: Digest::of(b""), coding: None, modified };
        let _ = evaluate_read(&headers, &validators);
        let _ = range_applies(&headers, &validators);
    }

    #[test]
    fn a_part_lies_within_its_content(
        text in "(bytes|Bytes|rows)?[= ]{0,2}[0-9]{0,22} ?- ?[0-9]{0,22}[,0-9-]{0,3}",
        length in prop_oneof![0..100_u64, any::<u64>()],
    ) {
        if let RequestedRange::Part(part) = wanted(&text, length) {
            prop_assert!(part.start < part.end && part.end <= length, "{part:?} of {length}");
        }
    }

    #[test]
    fn no_more_than_the_bound_comes_out_of_gzip(
        content in vec(any::<u8>(), 0..3_000),
        limit in 0..3_000_usize,
        generation in 0_u32..9,
    ) {
        let manifest = as_it_came(&content, generation);
        for stored in [at_rest(&content), at_rest_again(&content, generation), manifest] {
            match decode(&stored.bytes, stored.coding, limit) {
                Ok(decoded) => prop_assert!(content.len() <= limit && *decoded == content[..]),
                Err(_) => prop_assert!(content.len() > limit),
            }
        }
    }

    #[test]
    fn damaged_gzip_is_bounded_and_never_panics(bytes in vec(any::<u8>(), 0..400), limit in 0..400_usize) {
        let bytes = [&[0x1f, 0x8b, 8, 0], bytes.as_slice()].concat();
        if let Ok(decoded) = decode(&bytes, Some(Coding::Gzip), limit) {
            prop_assert!(decoded.len() <= limit);
        }
    }

    #[test]
    fn a_link_opens_what_it_was_signed_for_until_it_expires(
        secret in vec(any::<u8>(), 32..64),
        one in manifest_keys(),
        other in manifest_keys(),
        now in instants(),
        seconds in 1..1_000_000_u64,
        flipped in 0..1_000_usize,
    ) {
        let keys = LinkKeys { current: LinkKey::new("k", secret).unwrap(), previous: None };
        let (key, expires) = (ObjectKey::Manifest(one.clone()), now.plus_seconds(seconds));
        let query = keys.sign(&key, 7, expires);
        let read = |query: &str| Signature::read(&Query::parse(query).unwrap()).map(Option::unwrap);
        let signature = read(&query).unwrap();
        prop_assert!(signature.verify(&keys, &key, now).is_ok());
        prop_assert!(signature.verify(&keys, &key, expires).is_err());
        prop_assert!(one == other || signature.verify(&keys, &ObjectKey::Manifest(other), now).is_err());
        // A different letter in any place means another time, another key, another signature, or no link at all.
        let at = flipped % query.len();
        let letter = if query.as_bytes()[at] == b'7' { "8" } else { "7" };
        let mut tampered = query.clone();
        tampered.replace_range(at..=at, letter);
        let parsed = Query::parse(&tampered).ok().and_then(|query| Signature::read(&query).ok().flatten());
        prop_assert!(parsed.is_none_or(|signature| signature.verify(&keys, &key, now).is_err()), "{tampered}");
    }
}
