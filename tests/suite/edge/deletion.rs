//! A deletion and a replacement end to end: the real `credlink serve` writes to the bucket and notifies the real
//! Worker, and readers of the Worker see the change with their next request, long before anything expires.

use credlink_core::link::path;
use credlink_core::object::ObjectKey;
use serde_json::json;

use super::seeds::read;
use crate::engines::edge::Edge;
use crate::http::ask::{media, proof, proof_path};
use crate::server::Server;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_service_deletes_is_gone_at_the_edge_with_its_answer() {
    let edge = Edge::with([("CREDLINK_PURGE_TOKEN", TOKEN.to_owned())]).await;
    let (fallback, url) = (edge.as_fallback(), edge.url().to_owned());
    let server = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let told = [("CREDLINK_EDGE_URL", url.as_str()), ("CREDLINK_EDGE_TOKEN", TOKEN)];
        let fallback = fallback.iter().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<_> = fallback.chain(told).collect();
        let server = Server::with(folder.path(), &[], &variables);
        for name in ["goes", "stays"] {
            let body = json!({"media_hash": media(name).to_string(), "manifest": {"name": name}});
            assert_eq!(server.post("/v1/proofs", &body).0, 201);
        }
        (server, folder)
    });
    let (server, folder) = server.await.unwrap();
    let paths = ["goes", "stays"].map(|name| path(&ObjectKey::Record(proof(name))));
    for path in &paths {
        for expected in ["credlink; fwd=uri-miss; stored", "credlink; hit"] {
            let (answer, how) = read(&edge, path).await;
            edge.settle().await;
            assert_eq!((answer.status().as_u16(), &*how), (200, expected), "{path}");
        }
    }
    let deleted = tokio::task::spawn_blocking(move || {
        let status = server.delete(&proof_path("goes"));
        drop((server, folder));
        status
    });
    assert_eq!(deleted.await.unwrap(), 204);
    let (answer, how) = read(&edge, &paths[0]).await;
    assert_eq!((answer.status().as_u16(), &*how), (410, "credlink; fwd=uri-miss; stored"));
    let (answer, how) = read(&edge, &paths[1]).await;
    assert_eq!((answer.status().as_u16(), &*how), (200, "credlink; hit"), "nothing else was forgotten");
}
