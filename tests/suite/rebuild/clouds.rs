//! The same over S3 and DynamoDB, with R2 as the second provider: a table that is lost, and providers that differ with nobody
//! left to say which of them is behind.

use bytes::Bytes;
use credlink_core::object::ObjectKey;
use credlink_service::fsck::{Finding, Manner, Severity, Surrounding, check};
use credlink_service::ports::{Condition, Objects, Put};
use credlink_service::rebuild::Manner as Rebuilding;

use super::full::{fill_for_one, rows, urn};
use super::memory::{rebuild, similar};
use crate::engines::dynoxide;
use crate::http::ask::{get, proof, proof_path};
use crate::outages::site::{Site, with_stack};

/// Puts another content under a key, whatever stands there.
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
                let replace = async |objects: &credlink_adapters::provider::Provider| {
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
        // A rebuild reads no manifest's bytes; fsck does.
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
