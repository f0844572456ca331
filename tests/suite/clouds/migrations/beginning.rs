//! Requests to begin a migration, and to see its progress.

use std::sync::Arc;

use credlink_ports::migration::Ledger as _;
use http::Method;
use serde_json::json;

use super::{Operator, ledger};
use crate::clouds::functions::Functions;
use crate::clouds::ground::Ground;
use crate::http::ask::{get, json as request};
use crate::world::tokens;

#[tokio::test]
async fn a_request_is_refused_where_it_cannot_be_done() {
    let ground = Arc::new(Ground::plain().await);
    let listed = "s3://one=default,s3://two=default,s3://three=acme,r2://four=*";
    let operator = Operator(Functions::reading(&ground, listed));
    for (from, says) in [
        ("dir:/var/lib/proofs", "a queued job reads from s3://BUCKET/PREFIX or r2://BUCKET/PREFIX"),
        ("jsonl:dump.jsonl", "not from jsonl:dump.jsonl"),
        ("credlink:https://a.example.com", "a queued job reads from"),
        ("gs://bucket", "is no place"),
    ] {
        let (status, problem, _) = operator.begin(json!({"name": "a", "from": from})).await;
        assert_eq!((status, &problem["field"]), (400, &json!("from")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    // Neither the deployment's own bucket nor another bucket that is not on the list is accepted.
    for from in [&format!("s3://{}", ground.s3.settings().bucket), "s3://one/below", "r2://one"] {
        let (status, problem, _) = operator.begin(json!({"name": "a", "from": from})).await;
        assert_eq!((status, &problem["type"]), (403, &json!("urn:credlink:problem:source-not-listed")));
        assert!(problem["detail"].as_str().unwrap().contains("CREDLINK_MIGRATION_SOURCES"), "{problem}");
    }
    // A tenant's administrator may start no job at all, so that nobody can take the name of one of the operator's jobs.
    let legacy = json!({"name": "legacy", "from": "s3://one"});
    for token in [tokens::OWNER, tokens::STRANGER] {
        let asked = request(Method::POST, "/v1/migrations", &legacy);
        let (status, problem, _) = operator.ask_as(token, asked).await;
        assert_eq!((status, &problem["scope"]), (403, &json!("operator")), "{problem}");
    }
    assert_eq!(ledger(&ground, "legacy").job().await.unwrap(), None);
    let (status, problem, _) = operator.ask(get("/v1/migrations/a")).await;
    assert_eq!((status, &problem["detail"]), (404, &json!("there is no job `a`")));
    assert_eq!(operator.begin(json!({"name": "a", "from": "s3://one"})).await.0, 202);
    let (status, problem, _) = operator.begin(json!({"name": "a", "from": "s3://two"})).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("is from s3://one to"), "{problem}");
    assert!(ledger(&ground, "a").claim("somebody", 60).await.unwrap());
    let (status, problem, _) = operator.begin(json!({"name": "a", "from": "s3://one"})).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:credlink:problem:contended")));
    // A tenant's administrator sees the jobs that create proofs of that tenant.
    for (name, from, tenant, keep_tenants, seen) in [
        ("b", "s3://three", "acme", false, 404),
        ("c", "r2://four", "default", true, 404),
        ("d", "s3://two", "default", false, 200),
    ] {
        let (status, begun, _) = operator.begin(json!({"name": name, "from": from})).await;
        assert_eq!(
            (status, &begun["tenant"], &begun["keep_tenants"]),
            (202, &json!(tenant), &json!(keep_tenants))
        );
        let progress = || get(&format!("/v1/migrations/{name}"));
        assert_eq!(operator.ask(progress()).await.0, 200);
        assert_eq!(operator.ask_as(tokens::OWNER, progress()).await.0, seen, "{name}");
    }
}
