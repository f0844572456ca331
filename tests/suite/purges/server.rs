//! `credlink serve` with an edge: its variables, the purges before an answer, and the later ones that it makes by
//! itself.

use http::Method;
use serde_json::json;

use super::edge::{Edge, Fault, TOKEN};
use crate::files::client::Client;
use crate::files::pictures::png;
use crate::http::ask::{media, proof, proof_path};
use crate::server::Server;

fn store(server: &Server, name: &str) {
    let body = json!({"media_hash": media(name).to_string(), "manifest": {"name": name}});
    assert_eq!(server.post("/v1/proofs", &body).0, 201);
}

fn key(name: &str) -> String {
    format!("proofs/{}", proof(name))
}

#[tokio::test]
async fn a_deletion_is_told_and_what_the_edge_missed_is_told_when_it_is_back() {
    let (folder, edge) = (tempfile::tempdir().unwrap(), Edge::start());
    let variables =
        [("CREDLINK_EDGE_URL", edge.url()), ("CREDLINK_EDGE_TOKEN", TOKEN), ("CREDLINK_LOG", "warn")];
    let log = folder.path().join("log");
    let server = Server::logging(&folder.path().join("data"), &variables, &log);
    for name in ["x", "y", "z"] {
        store(&server, name);
    }
    assert_eq!(server.delete(&proof_path("x")), 204);
    edge.until_told(&key("x")).await;
    assert_eq!(edge.calls().len(), 1);

    edge.set(Fault::Answer(401));
    for name in ["y", "z"] {
        assert_eq!(server.delete(&proof_path(name)), 204);
    }
    edge.until_called(1).await;
    let metrics = String::from_utf8(server.get_bytes("/metrics")).unwrap();
    let errors = metrics.lines().find(|line| line.starts_with("credlink_cache_errors_total{layer=\"edge\"}"));
    assert!(errors.is_some_and(|line| !line.ends_with(" 0")), "{metrics}");
    // The server gets no further request.
    edge.set(Fault::None);
    for name in ["y", "z"] {
        edge.until_told(&key(name)).await;
    }

    let log = std::fs::read_to_string(log).unwrap();
    let said: Vec<&str> = log.lines().filter(|line| line.contains("the edge is not told")).collect();
    let [line] = said[..] else { panic!("it is said once: {log}") };
    assert!(line.contains("CREDLINK_EDGE_TOKEN has to be the Worker's CREDLINK_PURGE_TOKEN"), "{line}");
    assert!(!log.contains(TOKEN));
}

/// A file is told when it becomes ready, since somebody may have asked for it too early, and whenever it changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_a_file_is_told() {
    let (folder, edge) = (tempfile::tempdir().unwrap(), Edge::start());
    let variables = [("CREDLINK_EDGE_URL", edge.url()), ("CREDLINK_EDGE_TOKEN", TOKEN)];
    let server = Server::with(folder.path(), &[], &variables);
    let client = Client::new(server.url());
    let at_work = client.clone();
    let act = move || at_work.file("item-photo", "image/png", &png(60, 40, 1), &json!({}));
    let id = tokio::task::spawn_blocking(act).await.unwrap();
    let key = format!("files/{id}");
    edge.until_told(&key).await;
    let path = format!("/v1/files/{id}");
    let (changing, deleting) = (client.clone(), client);
    let of_change = path.clone();
    let change = move || changing.json(&Method::PATCH, &of_change, &[], &json!({"alt": "a bicycle"})).status;
    edge.told();
    assert_eq!(tokio::task::spawn_blocking(change).await.unwrap(), 200);
    edge.until_told(&key).await;
    edge.told();
    assert_eq!(tokio::task::spawn_blocking(move || deleting.delete(&path).status).await.unwrap(), 204);
    edge.until_told(&key).await;
}

#[test]
fn an_edge_that_is_half_configured_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let said = Server::refuses(folder.path(), &[("CREDLINK_EDGE_URL", "https://cdn.example.com")]);
    assert!(said.contains("CREDLINK_EDGE_TOKEN is not set"), "{said}");
    let short = [("CREDLINK_EDGE_URL", "https://cdn.example.com"), ("CREDLINK_EDGE_TOKEN", "hush-hush")];
    let said = Server::refuses(folder.path(), &short);
    assert!(said.contains("CREDLINK_EDGE_TOKEN") && !said.contains("hush"), "{said}");
}
