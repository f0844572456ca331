//! A rebuild over S3 and DynamoDB, with R2 as the second provider: a table that is lost, and providers that differ
//! while nothing is left to tell which of them is behind.

use bytes::Bytes;
use credlink_aws::http_client;
use credlink_core::object::ObjectKey;
use credlink_ports::{Condition, Objects, Put};
use credlink_service::fsck::{Finding, Manner, Severity, Surrounding, check};
use credlink_service::rebuild::Manner as Rebuilding;
use serde_json::json;

use super::full::{Client, fill_for_one, rows, urn};
use super::memory::{rebuild, similar};
use crate::engines::dynoxide::{self, copied, index_at, patient};
use crate::http::ask::{get, proof, proof_path};
use crate::outages::site::{Site, with_stack};
use crate::world::tokens::OWNER;

/// Overwrites whatever content is under a key.
async fn overwrite(provider: &impl Objects, key: &ObjectKey, of: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let object = provider.get(key).await.unwrap().unwrap();
    let body = Bytes::from(of(object.body.to_vec()));
    let condition = Condition::Matches(object.head.tag.clone());
    let put = provider.put(key, body, &object.head.attributes, condition).await.unwrap();
    assert!(matches!(put, Put::Stored(_)));
}

#[test]
fn a_table_that_is_lost_comes_back_from_two_providers_that_differ() {
    with_stack(async || {
        let mut site = Site::new().await;
        let before = {
            let process = site.process().await;
            process.service().standing().await;
            fill_for_one(process.service()).await;
            process.service().tick().await.unwrap();
            let before = rows(process.0.rows()).await;
            let (primary, fallback) = (process.pair().primary(), process.pair().fallback());
            // The primary lacks a record, and has a damaged manifest.
            primary.delete(&ObjectKey::Record(proof("plain"))).await.unwrap();
            let manifest = ObjectKey::Manifest(urn("signed").parse().unwrap());
            overwrite(primary, &manifest, |mut body| {
                body[0] ^= 1;
                body
            })
            .await;
            // Each of the two has an earlier record of one proof.
            for (provider, name) in [(0, "revised"), (1, "named")] {
                let key = ObjectKey::Record(proof(name));
                let earlier = ObjectKey::Revision(proof(name), 1);
                let old = primary.get(&earlier).await.unwrap().unwrap();
                let replace = async |objects: &credlink_deployment::provider::Provider| {
                    let tag = objects.head(&key).await.unwrap().unwrap().tag;
                    let condition = Condition::Matches(tag);
                    objects.put(&key, old.body.clone(), &old.head.attributes, condition).await.unwrap()
                };
                let put = if provider == 0 { replace(primary).await } else { replace(fallback).await };
                assert!(matches!(put, Put::Stored(_)));
            }
            before
        };
        site.table = dynoxide::index().await.table().to_owned();
        let process = site.process().await;
        assert!(process.service().standing().await.has("index_new"));
        let (found, report) = Box::pin(rebuild(process.service(), Rebuilding::Writing)).await;
        assert_eq!(found, []);
        assert!(report.joined && report.behind == 3, "{report:?}");
        similar(&before, &rows(process.0.rows()).await);
        assert_eq!(process.service().standing().await.doubts, []);
        for name in ["plain", "revised", "named", "signed"] {
            assert_eq!(process.send(get(&proof_path(name))).await.status(), 200, "{name}");
        }
        process.0.rows().flush().await.unwrap();
        // A rebuild does not read the bytes of manifests; fsck does.
        let mut behind = Vec::new();
        let note =
            |finding: Finding| behind.extend((finding.severity == Severity::Behind).then_some(finding.key));
        Box::pin(check(process.service(), Surrounding::Alone, Manner::Mending, note)).await.unwrap();
        assert!(
            behind.contains(&ObjectKey::Manifest(urn("signed").parse().unwrap()).to_string()),
            "{behind:?}"
        );
        site.repair("rebuilt").await;
        site.check_whole("rebuilt").await;
    });
}

#[test]
fn a_table_that_was_restored_to_an_earlier_instant_is_brought_up_to_date() {
    with_stack(async || {
        let mut site = Site::new().await;
        let (earlier, after) = {
            let process = site.process().await;
            process.service().standing().await;
            fill_for_one(process.service()).await;
            process.service().tick().await.unwrap();
            let index = index_at(dynoxide::endpoint(), &site.table, http_client(), patient()).await;
            let earlier = copied(&index).await;
            let client = Client(process.service());
            client.replace("plain", json!({"manifest": {"revision": 2}})).await;
            client.replace("plain", json!({"manifest": {"revision": 3}})).await;
            client.replace("revised", json!({"manifest": {"revision": 5}})).await;
            client.store("new", json!({}), 201).await;
            client.delete("signed").await;
            client.delete("private").await;
            client.store("private", json!({}), 201).await;
            client.delete_manifest("alone", OWNER).await;
            client.withdraw("old-2", "old").await;
            client.bind("old-2", "new", 201).await;
            for _ in 0..2 {
                process.service().tick_for_all().await.unwrap();
            }
            (earlier, rows(process.0.rows()).await)
        };
        site.table = earlier.table().to_owned();
        let process = site.process().await;
        assert!(process.service().standing().await.has("index_older"));
        let (found, report) = Box::pin(rebuild(process.service(), Rebuilding::Writing)).await;
        assert_eq!(found, []);
        assert!(report.joined && report.changed > 5, "{report:?}");
        similar(&after, &rows(process.0.rows()).await);
        assert_eq!(process.service().standing().await.doubts, []);
        site.repair("restored").await;
        site.check_whole("restored").await;
    });
}
