//! The function behind the schedule: what is due is deleted, what is young stays, and the next run continues one that
//! was cut short.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::row::{Row, RowKey, State};
use credlink_core::testing::manifest_store;
use credlink_ports::{Commit, Condition, Index as _, Objects, Put, Write};
use data_encoding::BASE64;
use http::Method;
use serde_json::{Value, json};

use super::functions::event;
use super::ground::Ground;
use crate::buckets::raw;
use crate::engines::ministack;
use crate::engines::proxy::{Fault, Proxy};
use crate::engines::runtime::Function;
use crate::http::ask::{json as request, media, proof, with};
use crate::world::tokens;

/// The time limit of a run that has only the time reserved for its last page.
const SHORT: Duration = Duration::from_secs(20);

/// The event of a schedule.
pub fn scheduled() -> Value {
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
        json!({"media_hash": media("cut off").to_string(), "manifest": {}}),
    ] {
        let stored = request(Method::POST, "/v1/proofs", &body);
        let stored = with(stored, http::header::AUTHORIZATION, format!("Bearer {}", tokens::SIGNER));
        assert_eq!(store.invoke(event(&stored)).await.unwrap()["statusCode"], 201);
    }
    // A deletion that was cut off after it had written its row.
    let row = ground.index.get(&RowKey::Proof(proof("cut off"))).await.unwrap().and_then(Row::proof).unwrap();
    let deleting = row.in_state(State::Deleting(row.created));
    let write = Write { row: Row::Proof(deleting), expected: Some(row.version) };
    assert_eq!(ground.index.commit(&[write]).await.unwrap(), Commit::Done);
    // Manifests that no row names, and uploads that were never completed. The proxy derives their age from their keys.
    let manifest_key = |id: &str| ObjectKey::Manifest(id.parse::<ManifestKey>().unwrap());
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

    let proxy = Proxy::to(ministack::endpoint().trim_start_matches("http://").parse().unwrap());
    proxy.set(Fault::Ages("old"));
    let mut variables = ground.variables("cleanup");
    variables.retain(|(name, _)| name != "STORAGE_ENDPOINT");
    variables.push(("STORAGE_ENDPOINT".to_owned(), proxy.url()));
    let cleanup = Function::start("cleanup", &variables);

    // Each short run handles what is due, and one page of one kind of objects.
    for (part, deleted) in [("aliases", 1), ("holds", 0), ("manifests", 0), ("removed", 1)] {
        let run = cleanup.invoke_within(SHORT, scheduled()).await.unwrap();
        assert_eq!((&run["deleted"], &run["failed"]), (&json!(deleted), &json!(0)), "{run}");
        assert_eq!((&run["resume"]["part"], &run["recounted"]), (&json!(part), &Value::Null), "{run}");
        assert_eq!(run["aborted_uploads"], Value::Null, "{run}");
        assert!(ground.index.bookmark("cleanup").await.unwrap().is_some_and(|text| text.contains(part)));
    }
    let end = cleanup.invoke_within(SHORT, scheduled()).await.unwrap();
    assert_eq!((&end["deleted"], &end["resume"]), (&json!(0), &Value::Null), "{end}");
    assert_eq!(end["aborted_uploads"], 1, "{end}");
    assert_eq!(ground.index.bookmark("cleanup").await.unwrap(), None);
    // The next walk is a week away.
    let next = cleanup.invoke_within(SHORT, scheduled()).await.unwrap();
    assert_eq!((&next["examined"], &next["resume"]), (&json!(0), &Value::Null), "{next}");

    let uploads = raw.list_multipart_uploads().bucket(&bucket).send().await.unwrap();
    let uploads: Vec<_> = uploads.uploads().iter().filter_map(|upload| upload.key()).collect();
    assert_eq!(uploads, ["manifests/young-upload"]);
    let tombstone = async |key: ObjectKey| {
        let head = ground.s3.head(&key).await.unwrap();
        head.is_none_or(|head| credlink_core::object::Facts::read(&head.attributes).unwrap().tombstone)
    };
    assert!(tombstone(ObjectKey::Record(proof("cut off"))).await);
    assert!(!tombstone(ObjectKey::Record(proof("kept"))).await);
    assert!(tombstone(manifest_key("urn:c2pa:old")).await);
    assert!(!tombstone(manifest_key("urn:c2pa:young")).await);
    assert!(!tombstone(kept).await);

    let inside = ground.inside().await;
    use credlink_ports::Ports as _;
    assert_eq!(inside.ports().index().totals().await.unwrap().proofs, 1);
    ground.assert_sound().await;
}
