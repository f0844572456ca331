//! Functions that cannot work: they fail on every event, log why, and serve nothing.

use std::process::Command;

use http::Method;
use serde_json::json;

use super::functions::event;
use super::ground::{Ground, everything};
use crate::engines::runtime::{Function, built};
use crate::http::ask::{json as request, media};

#[tokio::test]
async fn a_function_that_cannot_work_fails_with_every_event_and_says_why() {
    let ground = Ground::plain().await;
    let body = json!({"media_hash": media("x").to_string(), "manifest": {"a": 1}});
    let store = event(&request(Method::POST, "/v1/proofs", &body));
    for (changed, value, reason) in [
        ("CREDLINK_TOKENS", None, "neither CREDLINK_JWKS nor CREDLINK_TOKENS is set"),
        ("CREDLINK_TOKENS", Some("[{}]"), "missing field `name`"),
        ("CREDLINK_TABLE", None, "set CREDLINK_TABLE"),
        ("CREDLINK_PUBLIC_URL", None, "CREDLINK_PUBLIC_URL is not set"),
    ] {
        let mut variables = ground.variables("store");
        variables.retain(|(name, _)| name != changed);
        variables.extend(value.map(|value| (changed.to_owned(), value.to_owned())));
        let function = Function::start("store", &variables);
        for _ in 0..2 {
            let error = function.invoke(store.clone()).await.unwrap_err();
            assert!(error["errorMessage"].as_str().unwrap().contains(reason), "{changed}: {error}");
        }
        let line = function.line(|line| line["message"] == "the function cannot work").await;
        assert!(line["reason"].as_str().unwrap().contains(reason), "{changed}: {line}");
    }
    assert_eq!(everything(&ground.s3).await, []);
}

/// The codecs of pictures are linked into the finaliser alone. A message of libjpeg tells whether they are.
#[test]
fn codecs_are_in_one_function() {
    let has_codecs = |name: &str| {
        let mut grep = Command::new("grep");
        grep.args(["-q", "-a", "Improper call to JPEG library in state"]).arg(built(name));
        grep.status().unwrap().success()
    };
    for name in ["store", "retrieve", "delete", "migrate", "cleanup"] {
        assert!(!has_codecs(name), "{name}");
    }
    assert!(has_codecs("finalise"));
}
