//! Findings and repairs of fsck over S3, R2 and DynamoDB after deliberate damage.

use bytes::Bytes;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::row::{ManifestRow, Row, RowKey};
use credlink_ports::{Clock as _, Commit, Condition, Index as _, Objects, Ports as _, Put, Write};
use credlink_service::cleanup::{Limits, bring_back, cleanup};
use credlink_service::fsck::{Finding, Manner, Severity, Surrounding, check};

use super::full::{Client, fill_for_one, urn};
use super::memory::{clock, over};
use crate::http::ask::{get, proof};
use crate::outages::site::{Process, Site, with_stack};
use crate::world::tokens::OWNER;

async fn findings(process: &Process, manner: Manner) -> Vec<Finding> {
    let mut found = Vec::new();
    let note = |finding| found.push(finding);
    Box::pin(check(process.service(), Surrounding::Alone, manner, note)).await.unwrap();
    found
}

fn manifest(name: &str) -> ManifestKey {
    urn(name).parse().unwrap()
}

#[test]
fn every_fault_is_named() {
    with_stack(async || {
        let site = Site::new().await;
        let process = site.process().await;
        process.service().standing().await;
        fill_for_one(process.service()).await;
        process.0.rows().flush().await.unwrap();
        process.0.rows().recount(None, 60_000).await.unwrap();
        assert_eq!(findings(&process, Manner::Telling).await, []);

        let (primary, fallback) = (process.pair().primary(), process.pair().fallback());
        // A row without its object, a missing tombstone, and a record without its manifest.
        for key in [
            ObjectKey::Record(proof("plain")),
            ObjectKey::Record(proof("deleted")),
            ObjectKey::Manifest(manifest("signed")),
        ] {
            primary.delete(&key).await.unwrap();
            fallback.delete(&key).await.unwrap();
        }
        // An object without a row.
        let alone = ObjectKey::Manifest(manifest("alone"));
        let copy = primary.get(&alone).await.unwrap().unwrap();
        let orphan = ObjectKey::Manifest(manifest("nobody"));
        for provider in [primary, fallback] {
            let put =
                provider.put(&orphan, copy.body.clone(), &copy.head.attributes, Condition::Absent).await;
            assert!(matches!(put.unwrap(), Put::Stored(_)));
        }
        // A damaged copy, and a missing one.
        let mut body = copy.body.to_vec();
        body[0] ^= 1;
        let condition = Condition::Matches(copy.head.tag.clone());
        let put = primary.put(&alone, Bytes::from(body), &copy.head.attributes, condition).await.unwrap();
        assert!(matches!(put, Put::Stored(_)));
        fallback.delete(&ObjectKey::Record(proof("private"))).await.unwrap();
        // A wrong count.
        let key = RowKey::Manifest(manifest("held"));
        let row = process.0.rows().get(&key).await.unwrap().and_then(Row::manifest).unwrap();
        let (expected, next) = (row.version, ManifestRow { holders: 7, version: row.version + 1, ..row });
        let write = Write { row: Row::Manifest(next), expected: Some(expected) };
        assert_eq!(process.0.rows().commit(&[write]).await.unwrap(), Commit::Done);

        let found = findings(&process, Manner::Mending).await;
        let says = |severity, key: &ObjectKey, what: &str| {
            let key = key.to_string();
            let is_said = found.iter().any(|finding| {
                finding.severity == severity && finding.key == key && finding.what.contains(what)
            });
            assert!(is_said, "{key}: {what}: {found:#?}");
        };
        says(Severity::Broken, &ObjectKey::Record(proof("plain")), "live proof whose record is not stored");
        says(Severity::Broken, &ObjectKey::Record(proof("deleted")), "its tombstone is missing");
        says(Severity::Broken, &ObjectKey::Record(proof("signed")), "it names the manifest");
        says(Severity::Leftover, &orphan, "it has no row");
        says(Severity::Behind, &alone, "the primary, s3, is damaged");
        says(Severity::Behind, &ObjectKey::Record(proof("private")), "the fallback, r2, is missing");
        says(
            Severity::Broken,
            &ObjectKey::Manifest(manifest("held")),
            "counts 7 proofs that hold it; there are 1",
        );

        // Tombstones and counts are right again, and so are copies after their repairs. A lost object is still
        // reported.
        site.repair("mended").await;
        let left: Vec<_> = findings(&process, Manner::Telling).await;
        let mut keys: Vec<_> = left.iter().map(|finding| finding.key.as_str()).collect();
        let plain = ObjectKey::Record(proof("plain")).to_string();
        let signed = ObjectKey::Record(proof("signed")).to_string();
        let lost = ObjectKey::Manifest(manifest("signed")).to_string();
        let orphan = orphan.to_string();
        let mut wanted = [plain.as_str(), lost.as_str(), orphan.as_str(), signed.as_str()];
        keys.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(keys, wanted, "{left:#?}");
    });
}

#[tokio::test]
async fn what_was_removed_as_an_orphan_is_brought_back() {
    use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
    let clock = clock();
    let other = MemoryObjects::with_clock(clock.clone());
    Client(&over(other.clone(), MemoryIndex::new(), clock.clone())).put_manifest("x", OWNER, 201).await;
    let key = ObjectKey::Manifest(manifest("x"));
    let object = other.get(&key).await.unwrap().unwrap();

    let objects = MemoryObjects::with_clock(clock.clone());
    let service = over(objects.clone(), MemoryIndex::new(), clock.clone());
    service.standing().await;
    objects.put(&key, object.body, &object.head.attributes, Condition::Absent).await.unwrap();
    clock.advance_seconds(3_600);
    let limits = Limits::until(clock.now().plus_seconds(60));
    let report = cleanup(&service, limits, None).await.unwrap();
    assert_eq!((report.deleted, report.stopped), (1, None));
    let path = format!("/v1/manifests/{}", urn("x"));
    let client = Client(&service);
    assert_eq!(client.send(get(&path), OWNER).await.status(), 404);
    let brought = bring_back(&service, None).await.unwrap();
    assert_eq!((brought.restored, brought.failed), (1, 0), "{brought:?}");
    assert_eq!(client.send(get(&path), OWNER).await.status(), 200);
    // The manifest is held for itself, so that the next cleanup leaves it.
    clock.advance_seconds(7_200);
    let limits = Limits::until(clock.now().plus_seconds(60));
    assert_eq!(cleanup(&service, limits, None).await.unwrap().deleted, 0);
    assert_eq!(service.ports().index().totals().await.unwrap().manifests, 1);
}
