//! The function behind the schedule: what is due goes, what is young stays, and a run that is cut short is gone on with.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_core::manifest_id::ManifestId;
use credlink_core::object::ObjectKey;
use credlink_core::testing::manifest_store;
use credlink_service::ports::{Condition, Index as _, Objects, Put};
use data_encoding::BASE64;
use http::Method;
use serde_json::{Value, json};

use super::functions::{RUN, event};
use super::ground::Ground;
use crate::buckets::raw;
use crate::engines::ministack;
use crate::engines::proxy::{Fault, Proxy};
use crate::engines::runtime::Function;
use crate::http::ask::{json as request, media, proof, with};
use crate::world::tokens;

/// A run that has no more time than it keeps for its last page.
const SHORT: Duration = Duration::from_secs(20);

/// The event of a schedule.
fn scheduled() -> Value {
    json!({
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": "aws.scheduler", "account": "000000000000", "time": "2026-11-21T12:00:00Z",
        "region": "eu-central-1", "resources": [], "detail": "{}",
    })
}

#[tokio::test]
async fn a_run_deletes_what_is_due_and_the_next_goes_on_where_it_ended() {
    let ground = Ground::plain().await;
    let store = Function::start("store", &ground.variables("store"));
    let manifest = manifest_store("urn:c2pa:00000000-0000-4000-8000-000000000001", media("kept").digest());
    for body in [
        json!({"media_hash": media("kept").to_string(), "manifest_base64": BASE64.encode(&manifest)}),
        json!({"media_hash": media("brief").to_string(), "manifest": {}, "expires_in": 1}),
    ] {
        let stored = request(Method::POST, "/v1/proofs", &body);
        let stored = with(stored, http::header::AUTHORIZATION, format!("Bearer {}", tokens::SIGNER));
        assert_eq!(store.invoke(event(&stored)).await.unwrap()["statusCode"], 201);
    }
    // Manifests that no row names, and uploads that nobody completed; by their keys the proxy tells their age.
    let manifest_key = |id: &str| ObjectKey::Manifest(id.parse::<ManifestId>().unwrap());
    let kept = manifest_key("urn:c2pa:00000000-0000-4000-8000-000000000001");
    let model = ground.s3.get(&kept).await.unwrap().unwrap();
    for name in ["urn:c2pa:old", "urn:c2pa:young"] {
        let body = model.body.clone();
        let put = ground.s3.put(&manifest_key(name), body, &model.head.attributes, Condition::Absent).await;
        assert!(matches!(put, Ok(Put::Stored(_))));
    }
    let (raw, bucket) = (raw(), ground.s3.settings().bucket.clone());
    for key in ["manifests/old-upload", "manifests/young-upload"] {
        raw.create_multipart_upload().bucket(&bucket).key(key).send().await.unwrap();
    }
    // Sums that have drifted.
    let drifted = ground.index.client().update_item().table_name(ground.index.table());
    let drifted = drifted
        .key("pk", AttributeValue::S("STATS#00".to_owned()))
        .key("sk", AttributeValue::S("SUM".to_owned()))
        .update_expression("ADD proofs :more")
        .expression_attribute_values(":more", AttributeValue::N("1000".to_owned()));
    drifted.send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;

    let proxy = Proxy::to(ministack::endpoint().trim_start_matches("http://").parse().unwrap());
    proxy.set(Fault::Ages("old"));
    let mut variables = ground.variables("cleanup");
    variables.retain(|(name, _)| name != "STORAGE_ENDPOINT");
    variables.push(("STORAGE_ENDPOINT".to_owned(), proxy.url()));
    let cleanup = Function::start("cleanup", &variables);

    // Each short run does one page of one kind: rows that are due, records, manifests.
    let first = cleanup.invoke_within(SHORT, scheduled()).await.unwrap();
    assert_eq!((&first["deleted"], &first["failed"]), (&json!(1), &json!(0)), "{first}");
    assert_eq!((&first["resume"]["phase"], &first["recounted"]), (&json!("proofs"), &Value::Null));
    assert_eq!(first["aborted_uploads"], 1, "{first}");
    assert!(ground.index.bookmark("cleanup").await.unwrap().is_some_and(|text| text.contains("proofs")));
    let second = cleanup.invoke_within(SHORT, scheduled()).await.unwrap();
    assert_eq!((&second["resume"]["phase"], &second["aborted_uploads"]), (&json!("manifests"), &json!(0)));
    let third = cleanup.invoke_within(SHORT, scheduled()).await.unwrap();
    assert_eq!((&third["deleted"], &third["resume"]), (&json!(1), &Value::Null), "{third}");
    assert_eq!(ground.index.bookmark("cleanup").await.unwrap(), None);

    let uploads = raw.list_multipart_uploads().bucket(&bucket).send().await.unwrap();
    let uploads: Vec<_> = uploads.uploads().iter().filter_map(|upload| upload.key()).collect();
    assert_eq!(uploads, ["manifests/young-upload"]);
    let tombstone = async |key: ObjectKey| {
        let head = ground.s3.head(&key).await.unwrap();
        head.is_none_or(|head| credlink_core::object::Facts::read(&head.attributes).unwrap().tombstone)
    };
    assert!(tombstone(ObjectKey::Record(proof("brief"))).await);
    assert!(!tombstone(ObjectKey::Record(proof("kept"))).await);
    assert!(tombstone(manifest_key("urn:c2pa:old")).await);
    assert!(!tombstone(manifest_key("urn:c2pa:young")).await);
    assert!(!tombstone(kept).await);

    let last = cleanup.invoke_within(RUN, scheduled()).await.unwrap();
    assert_eq!((&last["recounted"], &last["deleted"]), (&json!(true), &json!(0)), "{last}");
    let inside = ground.inside().await;
    use credlink_service::ports::Ports as _;
    assert_eq!(inside.ports().index().totals().await.unwrap().proofs, 1);
    ground.assert_sound().await;
}
