//! The edge reads from the second provider. While that was behind, the edge may have read a deleted object, so it is
//! purged again when the provider has caught up.

use credlink_core::message::{Message, Work};
use credlink_core::object::ObjectKey;
use credlink_core::replica::Replica;
use http::Method;
use http::header::{ETAG, IF_MATCH};
use serde_json::json;

use super::edge::{Edge, TOKEN};
use crate::engines::proxy::Fault;
use crate::http::ask::{json as request, media, proof, proof_path, with};
use crate::outages::site::{Site, with_stack};

#[test]
fn what_is_repaired_is_told() {
    with_stack(async || {
        let edge = Edge::start();
        let mut site = Site::new().await;
        site.edge = Some((edge.url().to_owned(), TOKEN));
        let process = site.process().await;
        let names = ["deleted", "replaced", "right"];
        let mut tags = Vec::new();
        for name in names {
            let body = json!({"media_hash": media(name).to_string(), "manifest": {"name": name}});
            let stored = process.send(request(Method::POST, "/v1/proofs", &body)).await;
            assert_eq!(stored.status(), 201);
            tags.push(stored.headers()[ETAG].clone());
        }
        site.r2.set(Fault::Refuse);
        assert_eq!(process.ask(Method::DELETE, &proof_path("deleted")).await.status(), 204);
        let replacement = request(Method::PUT, &proof_path("replaced"), &json!({"manifest": {"draft": 2}}));
        let replaced = process.send(with(replacement, IF_MATCH, tags[1].as_bytes())).await;
        assert_eq!(replaced.status(), 200, "{}", String::from_utf8_lossy(replaced.body()));
        let key = |name: &str| format!("proofs/{}", proof(name));
        edge.until_told(&key("deleted")).await;
        edge.until_told(&key("replaced")).await;
        edge.told();

        site.r2.set(Fault::Pass);
        let keys = names.map(|name| ObjectKey::Record(proof(name))).to_vec();
        let work = Work::Replicate { to: Replica::Fallback, keys, mark: None };
        let message = Message { request_id: "repair".to_owned(), work };
        Box::pin(process.0.work(&message, 1)).await.unwrap();
        assert_eq!(edge.told(), [key("deleted"), key("replaced")].into());
        Box::pin(process.0.work(&message, 1)).await.unwrap();
        assert_eq!(edge.told(), [].into(), "everything is there");
    });
}
