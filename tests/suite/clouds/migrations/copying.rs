//! Copying the items of a source, and the tenants and readers that their copies get.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::link::own_path;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Row, RowKey};
use credlink_core::testing::manifest_store;
use credlink_ports::Index as _;
use credlink_ports::migration::ledger::{Entry, ItemState, Reason};
use data_encoding::BASE64;
use http::header::{AUTHORIZATION, LOCATION};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Operator, assert_migrated, entries, file, id, old_bucket, record, work_off_twice};
use crate::buckets;
use crate::clouds::functions::Functions;
use crate::clouds::ground::Ground;
use crate::http::api::Api as _;
use crate::http::ask::{c2pa, get, json as request, with};
use crate::world::tokens;

#[tokio::test]
async fn many_records_of_which_some_are_broken_are_migrated_although_every_message_comes_twice() {
    /// More than a page of a listing has. One in a hundred is broken.
    const RECORDS: usize = 1_200;
    const BROKEN: usize = RECORDS / 100;
    let ground = Arc::new(Ground::plain().await);
    let old = buckets::s3().await;
    let bucket = old.settings().bucket.clone();
    old_bucket(&bucket, RECORDS).await;
    let operator = Operator(Functions::reading(&ground, &format!("s3://{bucket}/old/=default")));
    let from = format!("s3://{bucket}/old/");

    let (status, begun, response) = operator.begin(json!({"name": "all", "from": from})).await;
    assert_eq!(status, 202, "{begun}");
    assert_eq!(response.headers()[LOCATION], "/v1/migrations/all");
    let to = format!("s3://{}", ground.s3.settings().bucket);
    assert_eq!((&begun["from"], &begun["to"]), (&json!(from), &json!(to)));
    assert_eq!(operator.progress("all").await["listed"], Value::Null);
    work_off_twice(&ground).await;

    let progress = operator.progress("all").await;
    assert!(progress["listed"].is_string() && progress["next"].is_null(), "{progress}");
    let bytes: usize = (0..RECORDS).map(|number| record(number).len()).sum();
    assert_eq!(
        progress["items"],
        json!({
            "total": RECORDS, "bytes": bytes, "planned": 0, "copying": 0, "copied": RECORDS - BROKEN, "verified": 0,
            "deleted": 0, "rolled_back": 0, "failed": {"invalid-record": BROKEN}, "skipped": {},
        })
    );
    for entry in entries(&ground, "all").await {
        match &entry.state {
            ItemState::Copied(copy) => assert!(copy.created && copy.exact, "{entry:?}"),
            ItemState::Failed { reason: Reason::InvalidRecord, detail } => assert!(!detail.is_empty()),
            other => panic!("{other:?}"),
        }
    }
    assert_migrated(&ground, RECORDS).await;
    let moved = operator.0.send(get("/v1/proofs/old-1")).await;
    assert_eq!(
        (moved.status(), moved.headers()[LOCATION].to_str().unwrap()),
        (StatusCode::PERMANENT_REDIRECT, id(1).to_string().as_str())
    );

    // Another run only looks, and picks up what is new and what was corrected.
    let client = buckets::raw();
    let put = client.put_object().bucket(&bucket).key("old/0/0.json").body(Bytes::from(record(1)).into());
    put.send().await.unwrap();
    let versions = |entries: Vec<Entry>| {
        entries.into_iter().map(|entry| (entry.key, entry.version)).collect::<BTreeMap<_, _>>()
    };
    let mut before = versions(entries(&ground, "all").await);
    assert_eq!(operator.begin(json!({"name": "all", "from": from, "batch_size": 60})).await.0, 202);
    work_off_twice(&ground).await;
    let items = &operator.progress("all").await["items"];
    assert_eq!(
        (&items["total"], &items["copied"]),
        (&json!(RECORDS), &json!(RECORDS - BROKEN + 1)),
        "{items}"
    );
    assert_eq!(items["failed"], json!({"invalid-record": BROKEN - 1}));
    let mut after = versions(entries(&ground, "all").await);
    let touched = |versions: &mut BTreeMap<String, u64>| {
        versions.retain(|key, _| !key.ends_with("00.json") && key != "old/0/0.json");
    };
    touched(&mut before);
    touched(&mut after);
    assert_eq!(after, before, "what was done is not written again");
}

/// Stores a public proof with a manifest, and another manifest by itself, and withdraws both manifests.
async fn withdrawn(functions: &Functions) -> [ManifestId; 2] {
    let ids = ["held", "alone"].map(|name| format!("urn:c2pa:{name}").parse::<ManifestId>().unwrap());
    let content = |id: &ManifestId| manifest_store(id.as_str(), file(2).digest());
    let proof =
        json!({"media_hash": file(2).to_string(), "manifest_base64": BASE64.encode(&content(&ids[0]))});
    let owned = |request| with(request, AUTHORIZATION, format!("Bearer {}", tokens::OWNER));
    for store in
        [request(Method::POST, "/v1/proofs", &proof), c2pa(Method::POST, "/v1/manifests", content(&ids[1]))]
    {
        assert_eq!(functions.send(owned(store)).await.status(), StatusCode::CREATED);
    }
    for id in &ids {
        let target = format!("/v1/manifests/{id}/visibility");
        let withdraw = request(Method::PUT, &target, &json!({"visibility": "private"}));
        assert_eq!(functions.send(owned(withdraw)).await.status(), StatusCode::NO_CONTENT);
    }
    ids
}

/// A private proof in the store of another CredLink stays private, and becomes a proof of the tenant that the list
/// names.
#[tokio::test]
async fn private_proofs_become_those_of_the_listed_tenant_and_stay_private() {
    let former = Arc::new(Ground::plain().await);
    let stored = Functions::start(&former);
    let body =
        json!({"media_hash": file(1).to_string(), "manifest": {"of": "a secret"}, "visibility": "private"});
    let store =
        with(request(Method::POST, "/v1/proofs", &body), AUTHORIZATION, format!("Bearer {}", tokens::OWNER));
    assert_eq!(stored.send(store).await.status(), StatusCode::CREATED);
    let manifests = withdrawn(&stored).await;
    let from = format!("s3://{}", former.s3.settings().bucket);
    for (tenant, becomes) in [("default>acme", "acme"), ("default", "default"), ("*", "default")] {
        let ground = Arc::new(Ground::plain().await);
        let operator = Operator(Functions::reading(&ground, &format!("{from}={tenant}")));
        assert_eq!(operator.begin(json!({"name": "a", "from": from})).await.0, 202);
        work_off_twice(&ground).await;
        assert_eq!(operator.progress("a").await["items"]["copied"], 3);
        for id in &manifests {
            let manifest = ManifestKey::new(&becomes.parse().unwrap(), id);
            let key = RowKey::Manifest(manifest.clone());
            let row = ground.index.get(&key).await.unwrap().and_then(Row::manifest).unwrap();
            assert_eq!(row.visibility, Visibility::Private, "{tenant}: {id}");
            let anonymous = operator.0.send(get(&format!("/v1{}", own_path(&manifest)))).await;
            assert_eq!(anonymous.status(), StatusCode::NOT_FOUND, "{tenant}: {id}");
        }
        for owner in ["default", "acme"] {
            let id = ProofId::derive(&owner.parse().unwrap(), &file(1));
            let row = ground.index.get(&RowKey::Proof(id)).await.unwrap().and_then(Row::proof);
            let found = row.map(|row| (row.tenant.to_string(), row.visibility));
            let expected = (owner == becomes).then(|| (owner.to_owned(), Visibility::Private));
            assert_eq!(found, expected, "{tenant}: {owner}");
        }
        let id = ProofId::derive(&becomes.parse().unwrap(), &file(1));
        let anonymous = operator.0.send(get(&format!("/v1/proofs/{id}"))).await;
        assert_eq!(anonymous.status(), StatusCode::NOT_FOUND);
    }
}
