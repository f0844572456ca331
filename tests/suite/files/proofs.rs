//! The proofs of files, over doubles: an upload that is rejected leaves none behind, and none is public before its file is.

use credlink_core::access::Visibility;
use credlink_core::collection::Collections;
use credlink_core::file::Access;
use credlink_core::row::{ProofRow, Row, State};
use credlink_files::Others;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use http::Method;
use serde_json::{Value, json};

use super::ground::{Ground, PICTURE};

/// A ground whose only collection, `photo`, binds its renditions, has one file for each entity, and is private.
fn ground() -> Ground {
    let profile = json!({
        "name": "card", "version": 1, "fit": "cover", "width": 300, "height": 300, "formats": [{"format": "jpg"}],
    });
    let collection = json!({
        "version": 1, "types": ["image/png"], "max_bytes": 1_000, "max_per_entity": 1, "access": "private",
        "widest_access": "public", "provenance": "bind", "renditions": [profile],
    });
    let collections = json!({"version": 1, "collections": {"photo": collection}});
    let mut ground = Ground::new();
    ground.collections = Collections::parse(collections.to_string().as_bytes()).unwrap();
    ground
}

impl Ground {
    async fn proofs(&self) -> Vec<ProofRow> {
        self.rows().await.into_iter().filter_map(Row::proof).collect()
    }
}

fn of_user() -> Value {
    json!({"entity": {"type": "user", "id": "anna"}})
}

#[tokio::test]
async fn an_upload_that_meets_a_full_list_leaves_no_proof() {
    let ground = ground();
    let first = ground.arrived("photo", PICTURE, &of_user()).await;
    let second = ground.arrived("photo", b"\x89PNG\r\n\x1a\nother", &of_user()).await;
    ground.sound().finalise(&first, Others::Possible).await.unwrap();
    let proofs = ground.proofs().await;
    assert_eq!(proofs.len(), 1);
    ground.sound().finalise(&second, Others::Possible).await.unwrap();
    assert_eq!(ground.upload(&second).await.state.name(), "rejected");
    assert_eq!(ground.proofs().await, proofs);
}

/// A change is cut off at each of its writes, and then another one is made.
#[tokio::test]
async fn no_proof_is_public_before_its_file() {
    publishes(json!({"access": "public"})).await;
}

/// The renditions that are made anew have proofs of their own.
#[tokio::test]
async fn no_proof_of_a_rendition_that_is_cut_anew_is_public_before_its_file() {
    publishes(json!({"access": "public", "focal": {"x": 0.9, "y": 0.9}})).await;
}

async fn publishes(publish: Value) {
    let mut number = 0;
    loop {
        number += 1;
        let ground = ground();
        let id = ground.arrived("photo", PICTURE, &of_user()).await;
        ground.sound().finalise(&id, Others::Possible).await.unwrap();
        let row = ground.files().await.remove(0);
        assert_eq!(row.access, Access::Private);
        let public = async || {
            let record = ground.record(&row).await;
            let named: Vec<_> = record.renditions.iter().filter_map(|made| made.proof).collect();
            let proofs = ground.proofs().await.into_iter();
            let public = proofs.filter(|row| row.visibility == Visibility::Public).map(|row| row.id);
            let public: Vec<_> = public.collect();
            (public.len(), named.iter().all(|proof| public.contains(proof)))
        };
        assert_eq!(public().await, (0, false));
        let path = format!("/v1/files/{}", row.id);
        let broken = ground.process(&FaultPlan::at(number, Flavour::Lost));
        let (status, _) = broken.send(Method::PATCH, &path, &publish).await;
        let (_, read) = ground.sound().send(Method::GET, &path, &Value::Null).await;
        if read["access"] == "private" {
            assert_eq!(public().await.0, 0, "write {number}");
        }
        // It says again who may read the file, whatever else it changes.
        let mut other = publish.clone();
        other["alt"] = json!("a bicycle");
        let (changed, _) = ground.sound().send(Method::PATCH, &path, &other).await;
        assert_eq!(changed, 200, "write {number}");
        assert!(public().await.1, "write {number}");
        if status == 200 {
            break;
        }
    }
    assert!(number > 3, "the record, its row, and the proof: {number}");
}

#[tokio::test]
async fn a_deleted_proof_stays_deleted_when_its_file_becomes_public() {
    let ground = ground();
    let id = ground.arrived("photo", PICTURE, &of_user()).await;
    ground.sound().finalise(&id, Others::Possible).await.unwrap();
    let file = ground.files().await.remove(0).id;
    let proof = ground.proofs().await.remove(0).id;
    let process = ground.sound();
    assert_eq!(process.send(Method::DELETE, &format!("/v1/proofs/{proof}"), &Value::Null).await.0, 204);
    let publish = json!({"access": "public"});
    assert_eq!(process.send(Method::PATCH, &format!("/v1/files/{file}"), &publish).await.0, 200);
    assert!(ground.proofs().await.iter().all(|row| row.state != State::Live));
}
