//! One CredLink in each of its forms: its data folder, its objects in a folder and in a bucket, and its API. All yield
//! the same proofs.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::record::Record;
use credlink_core::testing::manifest_store;
use credlink_deployment::configuration::Variables;
use credlink_deployment::migration::source::AnySource;
use credlink_disk::folder::Folder;
use credlink_migrate_io::source::bucket::Bucket;
use credlink_ports::migration::{Content, Item, Removal, Revision, Source};
use credlink_ports::{Condition, FailureKind, Objects as _};
use credlink_s3::S3Objects;

use crate::gateway;
use crate::migrate::ground::{c2pa, fill, id, items};
use crate::server::Server;
use crate::storage;

storage::over_both! {
    objects_in_a_bucket_are_read_as_proofs,
}

async fn open(place: &str) -> AnySource {
    AnySource::open(&place.parse().unwrap(), &Variables::new(|_| None), None).await.unwrap()
}

/// The proofs of a source by ID.
async fn proofs(source: &impl Source) -> BTreeMap<String, Vec<Revision>> {
    let mut proofs = BTreeMap::new();
    for limit in [1, 2, 1_000] {
        proofs.clear();
        for item in items(source, limit).await {
            let id = item.key.trim_start_matches("proofs/").to_owned();
            match source.read(&item.key).await.unwrap() {
                Some(Content::Proof(revisions)) => assert_eq!(proofs.insert(id, revisions), None),
                other => panic!("{}: {other:?}", item.key),
            }
            let looked = source.look(&item.key).await.unwrap().unwrap();
            assert_eq!(looked.version, item.version, "{}", item.key);
        }
    }
    proofs
}

fn check(proofs: &BTreeMap<String, Vec<Revision>>) {
    let mut names: Vec<_> =
        ["json", "c2pa", "private", "reborn"].iter().map(|name| id(name).to_string()).collect();
    names.sort_unstable();
    assert_eq!(proofs.keys().cloned().collect::<Vec<_>>(), names, "what was deleted is not there");
    let records: Vec<_> = proofs[&id("c2pa").to_string()]
        .iter()
        .map(|revision| (Record::parse(&revision.record).unwrap(), revision.manifest.as_ref()))
        .collect();
    let manifests: Vec<_> = records
        .iter()
        .map(|(record, manifest)| {
            (record.revision, record.manifest.id.as_ref().map(ToString::to_string), manifest.is_some())
        })
        .collect();
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(
        manifests,
        [(1, named("urn:c2pa:first"), true), (2, None, false), (3, named("urn:c2pa:third"), true)]
    );
    let reborn = &proofs[&id("reborn").to_string()];
    assert_eq!(reborn.len(), 1, "records of an earlier life are none of this");
    assert_eq!(Record::parse(&reborn[0].record).unwrap().first_revision, 2);
}

/// Copies every object, as `credlink storage cp` does.
async fn copy(folder: &Path, to: &S3Objects) {
    let folder = Folder::open(folder).unwrap();
    for prefix in [ObjectKey::PROOFS, ObjectKey::MANIFESTS] {
        for listed in folder.list(prefix, None, 1_000).await.unwrap().items {
            let key: ObjectKey = listed.key.parse().unwrap();
            let object = folder.get(&key).await.unwrap().unwrap();
            to.put(&key, object.body, &object.head.attributes, Condition::Absent).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_is_read_by_its_index_and_by_its_objects_alone() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let place = format!("dir:{}", folder.path().display());
    let by_index = {
        let source = open(&place).await;
        assert!(matches!(source, AnySource::DataFolder(_)));
        proofs(&source).await
    };
    check(&by_index);
    std::fs::remove_file(folder.path().join("index.redb")).unwrap();
    let source = open(&place).await;
    assert!(matches!(source, AnySource::Layout(_)));
    assert_eq!(proofs(&source).await, by_index);
    let item = items(&source, 10).await.remove(0);
    assert_eq!(source.remove(&item).await.unwrap_err().kind, FailureKind::AccessDenied);
}

async fn objects_in_a_bucket_are_read_as_proofs(objects: S3Objects) {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    copy(folder.path(), &objects).await;
    // A manifest that no record names is an item of its own.
    let alone = Bytes::from(manifest_store("urn:c2pa:alone", &Digest::of(b"film")));
    let bucket = Bucket::new(objects.clone(), "");
    assert!(bucket.left_behind().is_none(), "nothing is known before it is listed");
    let found = proofs(&bucket).await;
    check(&found);
    assert_eq!(found, proofs(&open(&format!("dir:{}", folder.path().display())).await).await);
    let item = items(&bucket, 1_000).await.remove(0);
    assert_eq!(bucket.remove(&item).await.unwrap_err().kind, FailureKind::AccessDenied);
    let deleted = ObjectKey::Record(id("deleted")).to_string();
    assert_eq!(bucket.read(&deleted).await.unwrap(), None);
    assert!(bucket.left_behind().is_some());
    let key = ObjectKey::Manifest("urn:c2pa:alone".parse().unwrap());
    let first = ObjectKey::Manifest("urn:c2pa:first".parse().unwrap());
    let attributes = objects.head(&first).await.unwrap().unwrap().attributes;
    let facts = Facts {
        sha256: Digest::of(&alone),
        length: alone.len() as u64,
        coding: None,
        ..Facts::read(&attributes).unwrap()
    };
    objects
        .put(&key, alone.clone(), &facts.attributes(&key, BTreeMap::new()), Condition::Absent)
        .await
        .unwrap();
    let all = items(&Bucket::new(objects.clone(), ""), 3).await;
    let manifests: Vec<_> = all.iter().filter(|item| item.key.starts_with("manifests/")).collect();
    assert_eq!(manifests.iter().map(|item| &item.key).collect::<Vec<_>>(), [&key.to_string()]);
    assert_eq!(bucket.look(&manifests[0].key).await.unwrap().as_ref(), Some(manifests[0]));
    let read = bucket.read(&manifests[0].key).await.unwrap();
    assert_eq!(
        read,
        Some(Content::Manifest { bytes: alone, tenant: Some(facts.tenant), visibility: facts.visibility })
    );
    // A check that the bucket answers reads no record for the sake of held manifests. Any item with a key can be read.
    let sample = AnySource::Bucket(Bucket::new(objects.clone(), "")).sample(1_000).await.unwrap();
    assert!(sample.contains(&first.to_string()) && all.iter().all(|item| sample.contains(&item.key)));
    assert!(sample.iter().all(|key| !matches!(key.parse(), Ok(ObjectKey::Revision(..)))), "{sample:?}");
    // A missing part is damage, not an absence.
    objects.remove_all(&["manifests/urn%3Ac2pa%3Athird".to_owned()]).await;
    let failure = bucket.read(&ObjectKey::Record(id("c2pa")).to_string()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Damaged);
    assert!(failure.message.contains("it is not there"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_gives_what_the_folder_behind_it_has() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let place = format!("dir:{}", folder.path().display());
    let expected = proofs(&open(&place).await).await;
    let server = Server::over(folder.path(), &[]);
    let source = open(&format!("credlink:{}", server.url())).await;
    let found = proofs(&source).await;
    assert_eq!(found, expected);
    check(&found);

    let in_use = AnySource::open(&place.parse().unwrap(), &Variables::new(|_| None), None).await.unwrap_err();
    assert!(in_use.to_string().contains("used by another process"), "{in_use}");
    for key in [id("deleted").to_string(), id("never").to_string(), "nonsense".to_owned()] {
        assert_eq!(source.read(&key).await.unwrap(), None, "{key}");
        assert_eq!(source.look(&key).await.unwrap(), None, "{key}");
    }
    assert_eq!(source.list(Some("nonsense"), 10).await.unwrap_err().kind, FailureKind::Unavailable);
}

/// A description of each item besides proofs, by key.
async fn beside(source: &impl Source) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut follow = false;
    for item in items(source, 1).await {
        assert!(source.follows(&item) || !follow, "{} comes behind what follows it", item.key);
        follow = source.follows(&item);
        let said = match source.read(&item.key).await.unwrap().unwrap() {
            Content::Proof(_) => continue,
            Content::Alias { id, record } => format!("{id} of {}", Record::parse(&record).unwrap().id),
            Content::Manifest { bytes, .. } => format!("{} bytes", bytes.len()),
            other => panic!("{other:?}"),
        };
        assert_eq!(source.look(&item.key).await.unwrap().as_ref(), Some(&item), "{}", item.key);
        found.insert(item.key, said);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_proof_is_read_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let alone = manifest_store("urn:c2pa:alone", &Digest::of(b"film"));
    let held = manifest_store("urn:c2pa:first", &Digest::of(b"c2pa"));
    {
        let server = Server::over(folder.path(), &[]);
        for (store, status) in [(&alone, 201), (&held, 201)] {
            assert_eq!(server.post_bytes("/v1/manifests", "application/c2pa", store).0, status);
        }
        assert_eq!(server.post("/v1/proofs", &c2pa("gone", "urn:c2pa:gone")).0, 201);
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        for (alias, name) in [("p-1", "json"), ("p-2", "c2pa"), ("p-3", "gone")] {
            let put = agent.put(format!("{}/v1/aliases/{alias}", server.url()));
            let body = serde_json::json!({"proof": id(name)}).to_string();
            assert_eq!(put.header("content-type", "application/json").send(body).unwrap().status(), 201);
        }
        assert_eq!(server.delete(&format!("/v1/proofs/{}", id("gone"))), 204);
    }
    let place = format!("dir:{}", folder.path().display());
    let gone = "it names the proof";
    let check = async |source: &AnySource, left_behind: bool| {
        assert_eq!(source.left_behind().is_some(), left_behind);
        let Some(Content::Gone(why)) = source.read("/aliases/p-3").await.unwrap() else { panic!() };
        assert!(why.starts_with(gone), "{why}");
        assert_eq!(source.look("/aliases/p-3").await.unwrap(), None, "it leads nowhere");
        assert_eq!(source.read("/aliases/p-4").await.unwrap(), None);
        let item = Item { key: "/aliases/p-1".to_owned(), size: 0, version: id("json").to_string() };
        assert_eq!(source.remove(&item).await.unwrap_err().kind, FailureKind::AccessDenied);
    };
    let expected = [
        ("/aliases/p-1", format!("p-1 of {}", id("json"))),
        ("/aliases/p-2", format!("p-2 of {}", id("c2pa"))),
        ("/manifests/urn:c2pa:alone", format!("{} bytes", alone.len())),
        ("/manifests/urn:c2pa:first", format!("{} bytes", held.len())),
    ];
    let expected: BTreeMap<_, _> = expected.map(|(key, said)| (key.to_owned(), said)).into();
    let without_gone = async |source: &AnySource| {
        let keys: Vec<_> = items(source, 2).await.into_iter().map(|item| item.key).collect();
        assert!(keys.contains(&"/aliases/p-3".to_owned()), "it is listed, and skipped with its reason");
    };
    {
        let source = open(&place).await;
        check(&source, false).await;
        without_gone(&source).await;
    }
    {
        let server = Server::over(folder.path(), &[]);
        let source = open(&format!("credlink:{}", server.url())).await;
        check(&source, false).await;
        without_gone(&source).await;
        let rebound = server.delete(&format!("/v1/aliases/p-3?proof={}", id("gone")));
        assert_eq!(rebound, 204);
        assert_eq!(beside(&source).await, expected);
    }
    assert_eq!(beside(&open(&place).await).await, expected);
    // Objects alone show neither IDs, nor that a proof's manifest was also stored for itself.
    std::fs::remove_file(folder.path().join("index.redb")).unwrap();
    let source = open(&place).await;
    assert!(source.left_behind().is_some_and(|what| what.contains("credlink:URL")));
    let found = beside(&source).await;
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["/manifests/urn:c2pa:alone"]);
}

/// Removes all items, one of which was replaced since it was listed.
async fn remove_all(source: &impl Source, listed: &[Item]) {
    let changed = Item { version: "another".to_owned(), ..listed[0].clone() };
    assert_eq!(source.remove(&changed).await.unwrap(), Removal::Changed);
    assert_eq!(items(source, 10).await.len(), listed.len());
    for item in listed {
        assert_eq!(source.remove(item).await.unwrap(), Removal::Removed);
        assert_eq!(source.remove(item).await.unwrap(), Removal::Absent);
    }
    assert!(items(source, 10).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_are_removed_as_a_deletion_removes_them() {
    for is_served in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        if is_served {
            let server = Server::over(folder.path(), &[]);
            let source = open(&format!("credlink:{}", server.url())).await;
            let listed = items(&source, 10).await;
            assert_eq!(
                server.replace(&format!("/v1/proofs/{}", id("json")), &serde_json::json!({"manifest": {}})).0,
                200
            );
            let json = listed.iter().find(|item| item.key == id("json").to_string()).unwrap();
            assert_eq!(source.remove(json).await.unwrap(), Removal::Changed, "it was replaced");
            remove_all(&source, &items(&source, 10).await).await;
        } else {
            let source = open(&format!("dir:{}", folder.path().display())).await;
            remove_all(&source, &items(&source, 10).await).await;
        }
        let server = Server::over(folder.path(), &[]);
        let (status, _) = server.post("/v1/proofs", &c2pa("c2pa", "urn:c2pa:first"));
        assert_eq!(status, 201, "and can be stored again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_404_hides_nothing_that_a_source_has() {
    let source = open(&format!("credlink:{}", gateway::start())).await;
    for key in [id("a").to_string().as_str(), "/manifests/urn:c2pa:x", "/aliases/old-a"] {
        let item = Item { key: key.to_owned(), size: 0, version: "revision 1".to_owned() };
        for call in [
            source.read(key).await.map(drop),
            source.look(key).await.map(drop),
            source.remove(&item).await.map(drop),
        ] {
            assert_eq!(call.unwrap_err().kind, FailureKind::AccessDenied, "{key}");
        }
    }
    assert_eq!(source.list(None, 10).await.unwrap_err().kind, FailureKind::AccessDenied);
}

#[tokio::test]
async fn a_source_that_does_not_answer_is_out_of_reach() {
    let source = open("credlink:http://127.0.0.1:9").await;
    assert_eq!(source.list(None, 10).await.unwrap_err().kind, FailureKind::Unavailable);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    std::fs::write(&file, "[]").unwrap();
    let server = Server::with(folder.path(), &[], &[("CREDLINK_TOKENS", file.to_str().unwrap())]);
    let source = open(&format!("credlink:{}", server.url())).await;
    assert_eq!(source.list(None, 10).await.unwrap_err().kind, FailureKind::AccessDenied);
}
