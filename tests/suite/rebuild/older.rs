//! An index that was restored from an earlier instant: a rebuild brings it up to date, and destroys nothing because of
//! it.

use std::fs;
use std::path::Path;

use credlink_core::row::{Row, RowKey, State};
use credlink_disk::folder::Folder;
use credlink_embedded::index::EmbeddedIndex;
use credlink_ports::{Commit, Index as _, Ports, Write};
use credlink_service::Service;
use credlink_service::fsck::fsck;
use credlink_service::rebuild::Manner;
use serde_json::json;

use super::full::{Client, fill, rows};
use super::memory::{clock, over, rebuild, similar};
use crate::http::ask::{get, proof};
use crate::world::tokens::{OWNER, STRANGER};

fn open(folder: &Path) -> Service<impl Ports<Objects = Folder, Index = EmbeddedIndex>> {
    let objects = Folder::open(folder).unwrap();
    over(objects, EmbeddedIndex::open(folder.join("index.redb")).unwrap(), clock())
}

#[tokio::test]
async fn an_older_index_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let (index, old) = (folder.path().join("index.redb"), folder.path().join("old.redb"));
    {
        let service = open(folder.path());
        fill(&service).await;
        let client = Client(&service);
        client.signed("goes", "passed-on", json!({}), OWNER, 201).await;
        client.signed("returns", "returns", json!({}), OWNER, 201).await;
        client.put_manifest("alone-returns", OWNER, 201).await;
        client.store("half-gone", json!({}), 201).await;
        // A deletion that has just begun.
        let row = service.ports().index().get(&RowKey::Proof(proof("half-gone"))).await.unwrap();
        let row = row.and_then(Row::proof).unwrap();
        let deleting = Row::Proof(row.in_state(State::Deleting("2026-01-01T12:00:00.250Z".parse().unwrap())));
        let write = Write { row: deleting, expected: Some(row.version) };
        assert_eq!(service.ports().index().commit(&[write]).await.unwrap(), Commit::Done);
        service.tick().await.unwrap();
    }
    fs::copy(&index, &old).unwrap();
    let after = {
        let service = open(folder.path());
        let client = Client(&service);
        // Two replacements, a new proof, a deletion, and a life after one.
        client.replace("plain", json!({"manifest": {"revision": 2}})).await;
        client.replace("plain", json!({"manifest": {"revision": 3}})).await;
        client.replace("revised", json!({"manifest": {"revision": 5}})).await;
        client.store("new", json!({}), 201).await;
        client.delete("signed").await;
        client.delete("private").await;
        client.store("private", json!({}), 201).await;
        // The manifest of a deleted proof has passed to another proof.
        client.signed("goes", "passed-on", json!({}), STRANGER, 201).await;
        client.delete("goes").await;
        client.delete("half-gone").await;
        client.store("half-gone", json!({"manifest": {"life": 2}}), 201).await;
        // A manifest that was deleted is held again by another proof, and another manifest is by itself again.
        client.delete("returns").await;
        client.signed("returns", "returns", json!({}), OWNER, 201).await;
        client.replace("returns", json!({"manifest": {"revision": 2}})).await;
        client.delete_manifest("alone-returns", OWNER).await;
        client.put_manifest("alone-returns", OWNER, 201).await;
        client.delete_manifest("alone", OWNER).await;
        // Legacy IDs.
        client.withdraw("old-2", "old").await;
        client.bind("old-2", "new", 201).await;
        client.withdraw("named-1", "named").await;
        service.tick().await.unwrap();
        rows(service.ports().index()).await
    };
    fs::copy(&old, &index).unwrap();
    let service = open(folder.path());
    assert!(service.standing().await.has("index_older"));
    let (found, counted) = rebuild(&service, Manner::Counting).await;
    assert_eq!(found, []);
    assert!(counted.changed > 5 && !counted.joined, "{counted:?}");
    let (found, report) = rebuild(&service, Manner::Writing).await;
    assert_eq!(found, []);
    assert!(report.joined, "{report:?}");
    similar(&after, &rows(service.ports().index()).await);
    assert_eq!(service.standing().await.doubts, []);
    let mut found = Vec::new();
    fsck(&service, |finding| found.push(finding)).await.unwrap();
    assert_eq!(found, []);
    let client = Client(&service);
    for name in ["returns", "half-gone", "new", "plain"] {
        let path = crate::http::ask::proof_path(name);
        assert_eq!(client.send(get(&path), OWNER).await.status(), 200, "{name}");
    }
}
