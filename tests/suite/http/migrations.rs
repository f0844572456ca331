//! Migrations over HTTP without a queue: the faults of a request are reported first, and then that there is no queue.
//! `clouds::migrations` tests them with a queue.

use http::Method;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::ask::{get, json as request, with};
use super::session::exchange;
use crate::world::{Ground, World, tokens};

#[tokio::test]
async fn a_service_without_a_queue_says_what_is_missing() {
    let world = World::with_tokens(Ground::Memory);
    let by_operator = |request| with(request, AUTHORIZATION, format!("Bearer {}", tokens::OPERATOR));
    let begin = |body: Value| request(Method::POST, "/v1/migrations", &body);
    for (asked, status, says) in [
        (begin(json!({"name": "Not a name", "from": "s3://old"})), 400, "`name`: a job's name has 1 to 64"),
        (
            begin(json!({"name": "a", "from": "s3://old", "batch_size": 101})),
            400,
            "a whole number of items from 1 to 100",
        ),
        (begin(json!({"name": "a"})), 400, "missing field `from`"),
        (begin(json!({"name": "a", "from": "s3://old", "to": "s3://new"})), 400, "unknown field `to`"),
        (begin(json!({"name": "a", "from": "s3://old"})), 501, "set CREDLINK_TABLE and CREDLINK_QUEUE_URL"),
        (get("/v1/migrations/Not-a-name"), 400, "a job's name has 1 to 64"),
        (get("/v1/migrations/a?limit=7"), 400, "limit"),
        (get("/v1/migrations/a"), 501, "`credlink migrate run`"),
    ] {
        let uri = asked.uri().clone();
        let answer = exchange(&world, by_operator(asked)).await;
        let problem: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(answer.status(), status, "{uri}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
}
