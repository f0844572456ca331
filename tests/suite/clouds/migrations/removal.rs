//! The end of a job over an empty source, and the removal of jobs.

use std::sync::Arc;

use credlink_ports::migration::Ledger as _;
use credlink_s3::S3Objects;
use http::Method;
use serde_json::json;

use super::{Operator, ledger, work_off_twice};
use crate::buckets;
use crate::clouds::functions::Functions;
use crate::clouds::ground::Ground;
use crate::http::ask::{ask, get};
use crate::world::tokens;

/// A job over a source that holds nothing ends at once.
#[tokio::test]
async fn an_empty_source_ends_the_job() {
    let ground = Arc::new(Ground::plain().await);
    let old: S3Objects = buckets::s3().await;
    let from = format!("s3://{}", old.settings().bucket);
    let sources = format!("{from}=default");
    let operator = Operator(Functions::watched(&ground, &[("CREDLINK_MIGRATION_SOURCES", &sources)]));
    assert_eq!(operator.begin(json!({"name": "empty", "from": from})).await.0, 202);
    work_off_twice(&ground).await;
    let progress = operator.progress("empty").await;
    assert!(progress["listed"].is_string(), "{progress}");
    assert_eq!(progress["items"]["total"], 0);
    let remove = |query: &str| ask(Method::DELETE, &format!("/v1/migrations/empty{query}"));
    let (status, problem, _) = operator.ask_as(tokens::OWNER, remove("")).await;
    assert_eq!((status, &problem["scope"]), (403, &json!("operator")));
    assert_eq!(operator.ask(remove("?abandon=yes")).await.0, 400);
    assert!(ledger(&ground, "empty").claim("a run", 60).await.unwrap());
    let (status, problem, _) = operator.ask(remove("?abandon=true")).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:credlink:problem:contended")));
    ledger(&ground, "empty").release("a run").await.unwrap();
    assert_eq!(operator.ask(remove("")).await.0, 204);
    assert_eq!(operator.ask(remove("")).await.0, 404);
    assert_eq!(operator.ask(get("/v1/migrations/empty")).await.0, 404);

    // The name is free again. An unfinished job is removed only on request, and its messages then have no effect.
    assert_eq!(operator.begin(json!({"name": "empty", "from": from})).await.0, 202);
    let (status, problem, _) = operator.ask(remove("")).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:credlink:problem:job-conflict")), "{problem}");
    assert_eq!(operator.ask(remove("?abandon=true")).await.0, 204);
    work_off_twice(&ground).await;
    assert_eq!(operator.ask(get("/v1/migrations/empty")).await.0, 404);
    assert!(ledger(&ground, "empty").claim("the next", 1).await.unwrap(), "nobody has the job any more");
    operator.0.assert_rights(&["store dynamodb:Query", "delete dynamodb:Query", "retrieve dynamodb:Query"]);
}
