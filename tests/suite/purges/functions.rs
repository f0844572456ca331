//! The Lambdas with an edge: a function purges what it changed before it answers, because it is frozen afterwards.

use http::header::{AUTHORIZATION, ETAG, IF_MATCH};
use http::{Method, Request};
use serde_json::json;

use super::edge::{Edge, Fault, TOKEN};
use crate::clouds::functions::{event, response};
use crate::clouds::ground::Ground;
use crate::engines::runtime::Function;
use crate::http::ask::{ask, json as request, media, proof, proof_path, with};
use crate::world::tokens;

#[tokio::test]
async fn a_function_tells_before_it_answers() {
    let (ground, edge) = (Ground::plain().await, Edge::start());
    let start = |name: &str| {
        let mut variables = ground.variables(name);
        variables.push(("CREDLINK_EDGE_URL".to_owned(), edge.url().to_owned()));
        variables.push(("CREDLINK_EDGE_TOKEN".to_owned(), TOKEN.to_owned()));
        Function::start(name, &variables)
    };
    let (store, delete) = (start("store"), start("delete"));
    let send = async |function: &Function, status: u16, request: Request<bytes::Bytes>| {
        let request = with(request, AUTHORIZATION, format!("Bearer {}", tokens::OWNER));
        let response = response(&function.invoke(event(&request)).await.unwrap());
        assert_eq!(response.status(), status, "{}", String::from_utf8_lossy(response.body()));
        response
    };
    let key = |name: &str| format!("proofs/{}", proof(name));
    let body = |name: &str| json!({"media_hash": media(name).to_string(), "manifest": {"name": name}});
    let stored = send(&store, 201, request(Method::POST, "/v1/proofs", &body("x"))).await;
    send(&store, 201, request(Method::POST, "/v1/proofs", &body("y"))).await;
    assert_eq!(edge.calls(), []);
    let replacement = request(Method::PUT, &proof_path("x"), &json!({"manifest": {"draft": 2}}));
    send(&store, 200, with(replacement, IF_MATCH, stored.headers()[ETAG].as_bytes())).await;
    assert_eq!(edge.told(), [key("x")].into());

    edge.set(Fault::Answer(503));
    send(&delete, 204, ask(Method::DELETE, &proof_path("x"))).await;
    assert_eq!(edge.told(), [].into());
    edge.set(Fault::None);
    send(&delete, 204, ask(Method::DELETE, &proof_path("y"))).await;
    assert_eq!(edge.told(), [key("x"), key("y")].into(), "with what the same process could not tell before");
}
