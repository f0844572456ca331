use std::collections::BTreeMap;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::MediaHash;
use credlink_core::testing::manifest_store;
use credlink_ports::migration::RevisionManifest;
use credlink_ports::migration::ledger::StoredObject;
use credlink_ports::migration::target::Target;

use super::not_copied::MAX_DETAIL_CHARS;
use super::*;

const NOW: fn() -> Timestamp = || Timestamp::from_milliseconds(1_767_225_600_000);

fn owners(keep: bool) -> Owners {
    Owners { tenant: Tenant::default(), keep, from: None }
}

fn legacy(change: impl Fn(String) -> String) -> Result<Incoming, NotCopied> {
    let text = format!(
        r#"{{"proofId":"p-1","imageHash":"{}","manifest":{{"a":1}},"signature":"c2ln","timestamp":1700000000000}}"#,
        MediaHash::of(b"file")
    );
    incoming(&Content::Legacy(change(text).into()), &owners(true), NOW())
}

/// A record of the tenant `press`, with its C2PA manifest.
fn revision(number: u32, expires: Timestamp) -> Revision {
    let manifest =
        Bytes::from(manifest_store(&format!("urn:c2pa:{number}"), MediaHash::of(b"file").digest()));
    let draft = Draft {
        tenant: "press".parse().unwrap(),
        media_hash: MediaHash::of(b"file"),
        media_type: Some("image/jpeg".to_owned()),
        manifest: Manifest::c2pa(manifest.clone()).unwrap(),
        signature: Some("c2ln".to_owned()),
        lifetime: 0,
        tags: BTreeMap::from([("album".to_owned(), "x".to_owned())]),
        visibility: Visibility::Private,
        origin: Some(Origin {
            created: NOW(),
            expires,
            legacy: None,
            restores: None,
            manifest_visibility: None,
        }),
    };
    Revision {
        record: draft.record(number, NOW()).to_bytes(),
        manifest: Some(RevisionManifest { bytes: manifest, visibility: Visibility::Private }),
    }
}

fn later() -> Timestamp {
    NOW().plus_seconds(1)
}

fn proof(revisions: Vec<Revision>) -> Result<Incoming, NotCopied> {
    incoming(&Content::Proof(revisions), &owners(true), NOW())
}

#[test]
fn a_legacy_record_becomes_one_draft() {
    let read = legacy(|text| text).unwrap();
    assert_eq!(read.payload.drafts().len(), 1);
    assert_eq!(read.payload.drafts()[0].tenant, Tenant::default());
    let other = legacy(|text| text.replace("\"a\":1", "\"a\":2")).unwrap();
    assert_ne!(read.source, other.source);
}

#[test]
fn a_proof_keeps_everything_that_is_its_own() {
    let read = proof(vec![revision(3, later()), revision(4, later())]).unwrap();
    let [first, last] = read.payload.drafts() else { panic!() };
    assert_eq!((first.tenant.as_str(), first.visibility), ("press", Visibility::Private));
    assert_eq!((last.media_type.as_deref(), last.tags.len()), (Some("image/jpeg"), 1));
    assert_eq!(last.manifest.id().unwrap().as_str(), "urn:c2pa:4");
    let origin = last.origin.as_ref().unwrap();
    assert_eq!((origin.created, origin.expires, origin.restores), (NOW(), later(), None));
    let content = Content::Proof(vec![revision(3, later())]);
    let from = Owners { from: "press".parse().ok(), ..owners(false) };
    let moved = incoming(&content, &from, NOW()).unwrap();
    assert_eq!(moved.payload.drafts()[0].tenant, Tenant::default());
    assert_ne!(Some(read.source), digest(&content));
}

/// The manifest of a proof with another visibility than its own, and a manifest by itself.
#[test]
fn a_manifest_keeps_its_readers() {
    let mut withdrawn = revision(3, later());
    let mut record = Record::parse(&withdrawn.record).unwrap();
    record.visibility = Visibility::Public;
    withdrawn.record = record.to_bytes();
    let readers = |revision: &Revision, readers| {
        let mut revision = revision.clone();
        revision.manifest.as_mut().unwrap().visibility = readers;
        proof(vec![revision]).unwrap()
    };
    let drafted = |read: &Incoming| {
        let draft = &read.payload.drafts()[0];
        (draft.visibility, draft.origin.as_ref().unwrap().manifest_visibility, draft.manifest_visibility())
    };
    let (public, private) = (Visibility::Public, Visibility::Private);
    let (hidden, shown) = (readers(&withdrawn, private), readers(&withdrawn, public));
    assert_eq!(drafted(&hidden), (public, Some(private), private));
    assert_eq!(drafted(&shown), (public, None, public));
    assert_eq!(drafted(&readers(&revision(3, later()), public)), (private, Some(public), public));
    assert_eq!(drafted(&readers(&revision(3, later()), private)), (private, None, private));
    assert_ne!(hidden.source, shown.source, "a verification tells them apart");

    let bytes = withdrawn.manifest.unwrap().bytes;
    let alone = |visibility| {
        let content = Content::Manifest { bytes: bytes.clone(), tenant: None, visibility };
        incoming(&content, &owners(true), NOW()).unwrap()
    };
    for visibility in [public, private] {
        let Payload::Manifest(manifest_draft) = alone(visibility).payload else { panic!() };
        assert_eq!(manifest_draft.visibility, visibility);
    }
    assert_eq!(alone(public).source, Digest::of(&bytes));
    assert_ne!(alone(private).source, alone(public).source);
}

#[test]
fn other_readers_alone_are_told_from_another_content() {
    let copy = |source: &Content, objects: Vec<(Digest, bool)>| CopiedItem {
        target: "urn:c2pa:3".parse().map(Target::Manifest).unwrap(),
        legacy: None,
        source: digest(source).unwrap(),
        created: true,
        exact: true,
        objects: objects
            .into_iter()
            .map(|(content, private)| StoredObject {
                key: "x".to_owned(),
                content,
                stored: None,
                crc64nvme: None,
                coding: None,
                private,
            })
            .collect(),
    };
    let with = |number, visibility| {
        let mut revision = revision(number, later());
        revision.manifest.as_mut().unwrap().visibility = visibility;
        revision
    };
    let sha256 = |number| Digest::of(&with(number, Visibility::Public).manifest.unwrap().bytes);
    let (public, private) = (Visibility::Public, Visibility::Private);
    let proof = |third, fourth| Content::Proof(vec![with(3, third), with(4, fourth)]);
    let copied = copy(&proof(public, private), vec![(sha256(4), true), (sha256(3), false)]);
    for (third, fourth) in [(private, private), (public, public), (private, public)] {
        assert!(is_same_for_other_readers(&proof(third, fourth), &copied), "{third} {fourth}");
    }
    assert!(!is_same_for_other_readers(&proof(public, private), &copied), "it is the same");
    let longer = Content::Proof(vec![with(3, private), with(4, private), with(5, private)]);
    assert!(!is_same_for_other_readers(&longer, &copied), "it has one more record");

    let alone = |visibility| Content::Manifest {
        bytes: with(3, public).manifest.unwrap().bytes,
        tenant: None,
        visibility,
    };
    let copied = copy(&alone(public), vec![(sha256(3), false)]);
    assert!(is_same_for_other_readers(&alone(private), &copied));
    assert!(!is_same_for_other_readers(&alone(public), &copied));
    assert!(!is_same_for_other_readers(&Content::Unreadable("no gzip".to_owned()), &copied));
}

#[test]
fn every_fault_has_its_reason() {
    let (hash, other) = (MediaHash::of(b"file").to_string(), MediaHash::of(b"other").to_string());
    for (outcome, reason) in [
        (legacy(|_| "{".to_owned()), Reason::InvalidRecord),
        (legacy(|text| text.replace("p-1", "p/1")), Reason::InvalidRecord),
        (legacy(|text| text.replace(r#"{"a":1}"#, "7")), Reason::InvalidManifest),
        (legacy(|text| text.replace(r#"{"a":1}"#, "\"AAAA\"")), Reason::InvalidManifest),
        (
            legacy(|text| text.replace(r#"{"a":1}"#, &format!(r#"{{"imageHash":"{other}"}}"#))),
            Reason::HashMismatch,
        ),
        (
            legacy(|text| text.replace("1700000000000}", r#"1700000000000,"expiresAt":1767225600000}"#)),
            Reason::Expired,
        ),
        (proof(vec![]), Reason::Damaged),
        (proof(vec![Revision { manifest: None, ..revision(1, later()) }]), Reason::Damaged),
        (
            proof(vec![Revision { manifest: revision(2, later()).manifest, ..revision(1, later()) }]),
            Reason::Damaged,
        ),
        (proof(vec![revision(2, later()), revision(1, later())]), Reason::Damaged),
        (proof(vec![Revision { record: "{}".into(), manifest: None }]), Reason::Damaged),
        (proof(vec![revision(1, NOW())]), Reason::Expired),
        (incoming(&Content::Unreadable("no gzip".to_owned()), &owners(true), NOW()), Reason::InvalidRecord),
    ] {
        let not_copied = outcome.unwrap_err();
        assert_eq!(not_copied.reason, reason, "{not_copied:?}");
        assert_eq!(not_copied.is_skip(), reason == Reason::Expired);
        assert!(!not_copied.detail.is_empty());
    }
    // An earlier revision may have expired.
    assert!(proof(vec![revision(1, NOW()), revision(2, later())]).is_ok());
    // The manifest names the hash of the file itself.
    assert!(legacy(|text| text.replace(r#"{"a":1}"#, &format!(r#"{{"imageHash":"{hash}"}}"#))).is_ok());
}

#[test]
fn a_long_reason_is_cut() {
    let long = NotCopied::new(Reason::Refused, "ä".repeat(10_000));
    assert_eq!(long.detail.chars().count(), MAX_DETAIL_CHARS + 1);
}

/// A job that keeps no tenants imports the items of one tenant of a CredLink, and moves nothing to a tenant that nobody
/// named.
#[test]
fn what_is_another_tenants_does_not_become_the_jobs() {
    let record = revision(1, later());
    let manifest = record.manifest.clone().unwrap();
    let contents = [
        Content::Proof(vec![record.clone()]),
        Content::Alias { id: "old".parse().unwrap(), record: record.record },
        Content::Manifest {
            bytes: manifest.bytes,
            tenant: "press".parse().ok(),
            visibility: Visibility::Public,
        },
    ];
    for content in contents {
        let told = |tenant: &str, from: Option<&str>| {
            let from = from.map(|from| from.parse().unwrap());
            let owners = Owners { tenant: tenant.parse().unwrap(), keep: false, from };
            match incoming(&content, &owners, NOW()) {
                Ok(incoming) => Ok(incoming.payload.tenant().unwrap().to_string()),
                Err(not_copied) => Err((not_copied.reason, not_copied.is_skip())),
            }
        };
        assert_eq!(told("press", None), Ok("press".to_owned()));
        assert_eq!(told("acme", None), Err((Reason::OtherTenant, false)));
        assert_eq!(told("acme", Some("press")), Ok("acme".to_owned()));
        assert_eq!(told("press", Some("acme")), Err((Reason::LeftOut, true)));
    }
}
