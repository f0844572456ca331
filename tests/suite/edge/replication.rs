//! Two ways into R2: the service replicates, and the edge fills in what is missing. Both leave the same objects behind.

use bytes::Bytes;
use credlink_core::link::path;
use credlink_core::object::ObjectKey;
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use serde_json::json;

use super::seeds::{Seed, read};
use crate::engines::edge::Edge;
use crate::http::ask::{media, proof};
use crate::server::Server;
use crate::world::tokens;

const MANIFEST: &str = "urn:c2pa:00000000-0000-4000-8000-00000000000c";

/// The real `credlink serve` replicates into one bucket, and a Worker reads through it into another: the contents of
/// both are the same to the last attribute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_through_is_what_is_replicated() {
    let replica = Edge::start().await;
    let variables = replica.as_fallback();
    let server = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let mut server = Server::with(folder.path(), &[], &variables);
        let manifest = manifest_store(MANIFEST, media("c2pa").digest());
        for (name, member, manifest) in [
            ("json", "manifest", json!({"note": "provenance ".repeat(100)})),
            ("short", "manifest", json!({})),
            ("c2pa", "manifest_base64", json!(BASE64.encode(&manifest))),
        ] {
            let hash = media(name).to_string();
            let body =
                json!({"media_hash": hash, member: manifest, "tags": {"of": name}, "expires_in": 86_400});
            let (status, stored) = server.post("/v1/proofs", &body);
            assert_eq!(status, 201, "{stored}");
        }
        server.stop();
        // The edge is not a program on this machine, and reads public objects from a server with tokens.
        let tokens = folder.path().join("tokens.json");
        std::fs::write(&tokens, tokens::file()).unwrap();
        (Server::with(folder.path(), &["--tokens", tokens.to_str().unwrap()], &variables), folder)
    });
    let (server, _folder) = server.await.unwrap();
    let edge = Edge::with([("CREDLINK_ORIGIN_URL", server.url().to_owned())]).await;
    let keys = ["json", "c2pa", "short"].map(|name| ObjectKey::Record(proof(name)));
    for key in keys.into_iter().chain([ObjectKey::Manifest(MANIFEST.parse().unwrap())]) {
        let path = path(&key);
        let there = Seed::new(key.clone(), Bytes::new()).there(&replica).await.expect("it is replicated");
        let replicated = read(&replica, &path).await.0;
        let (answer, how) = read(&edge, &path).await;
        assert_eq!((answer.status().as_u16(), &*how), (200, "credlink; fwd=uri-miss; stored"), "{key}");
        assert!(answer.body() == replicated.body(), "{key}");
        edge.settle().await;
        let filled = Seed::new(key.clone(), Bytes::new()).there(&edge).await.expect("it is filled");
        assert_eq!(filled, there, "{key}");
    }
}
