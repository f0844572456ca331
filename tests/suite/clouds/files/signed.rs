//! Renditions that the function signs, in a process of its own.

use std::io::Cursor;

use c2pa::{Context, Reader, ValidationState};
use credlink_core::hash::MediaHash;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use http::Method;
use serde_json::json;

use super::*;
use crate::files::pictures::png;
use crate::files::signed::{AUTHORITY, CERTIFICATE, KEY, collections};

#[tokio::test]
async fn the_finaliser_signs_and_no_other_function_needs_the_certificate() {
    let collections = collections().to_string();
    let site = Site::new(&[("CREDLINK_COLLECTIONS", &collections)]).await;
    let picture = png(640, 480, 3);
    let announced = site.announce("redacted", "image/png", picture.len(), &json!({})).await;
    assert_eq!(put(&announced["put"], picture).await, 200);
    let messages = site.messages("ObjectCreated:Put").await;
    let signer =
        [("CREDLINK_SIGN_CERTIFICATE", CERTIFICATE.to_owned()), ("CREDLINK_SIGN_KEY", KEY.to_owned())];
    let finaliser = site.start_with("finalise", &signer);
    assert_eq!(finalise(&finaliser, &messages).await, [""; 0]);
    let state = site.state(announced["id"].as_str().unwrap()).await;
    assert_eq!(state["state"], "ready", "{state}");
    let id = state["file"].as_str().unwrap();
    for (name, format) in [("card.jpg", "image/jpeg"), ("face.webp", "image/webp")] {
        let sent = site.send_as(None, ask(Method::GET, &format!("/media/{id}/{name}"))).await;
        let served = follow(&sent, Method::GET).await;
        let proof = ProofId::derive(&Tenant::default(), &MediaHash::of(served.body()));
        let record = site.get(&format!("/v1/proofs/{proof}")).await;
        let label =
            record["manifest"]["id"].as_str().unwrap_or_else(|| panic!("{name}: {record}")).to_owned();
        let stored = site.send(ask(Method::GET, &format!("/v1/manifests/{label}"))).await;
        let settings = json!({
            "verify": {"verify_trust": true, "verify_timestamp_trust": false}, "trust": {"trust_anchors": AUTHORITY},
        });
        let context = Context::new().with_settings(settings.to_string()).unwrap();
        let served = Cursor::new(served.body().clone());
        let reader =
            Reader::from_context(context).with_manifest_data_and_stream(stored.body(), format, served);
        let reader = reader.unwrap();
        assert_eq!(reader.validation_state(), ValidationState::Trusted, "{name}: {reader}");
        assert_eq!(reader.active_label(), Some(label.as_str()));
    }
}
