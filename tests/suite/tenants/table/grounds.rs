//! The deployments on which the table is tried.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use tempfile::TempDir;

use super::stage::Stage;
use super::{Cast, rows::ROWS};
use crate::clouds::functions::Functions;
use crate::clouds::ground::{Ground, LINK_KEYS};
use crate::engines::edge::Edge;
use crate::http::api::BaseUrl;
use crate::server::Server;
use crate::tenants::{token_file, world};

const TOKEN_OF_A_PURGE: &str = "0123456789abcdef0123456789abcdef";

const ACME_BY_BAD: Cast = Cast { victim: "acme", attacker: "bad" };
const ACME_BY_DEFAULT: Cast = Cast { victim: "acme", attacker: "default" };
const DEFAULT_BY_BAD: Cast = Cast { victim: "default", attacker: "bad" };

/// The service in this process, where a faulty rule shows within a second.
#[tokio::test]
async fn nothing_is_anothers_in_memory() {
    for cast in [ACME_BY_BAD, ACME_BY_DEFAULT, DEFAULT_BY_BAD] {
        Stage::new(&world(), cast).play().await;
    }
}

/// A `credlink serve` with the edge's bucket as its second provider, and the edge in front of it.
struct Site {
    api: BaseUrl,
    edge: Edge,
    // Dropped before its folder is removed.
    _server: Server,
    _folder: TempDir,
}

impl Site {
    async fn start(tenants: &'static str) -> Self {
        let edge = Edge::start().await;
        let fallback = edge.as_fallback();
        let started = tokio::task::spawn_blocking(move || {
            let folder = tempfile::tempdir().unwrap();
            let tokens = folder.path().join("tokens.json");
            std::fs::write(&tokens, token_file()).unwrap();
            let own = [
                ("CREDLINK_TENANTS", tenants),
                ("CREDLINK_LINK_KEYS", LINK_KEYS),
                ("CREDLINK_UPLOADS_PER_MINUTE", "10000"),
            ];
            let fallback = fallback.iter().map(|(name, value)| (*name, value.as_str()));
            let variables: Vec<_> = fallback.chain(own).collect();
            let data = folder.path().join("data");
            (Server::with(&data, &["--tokens", tokens.to_str().unwrap()], &variables), folder)
        });
        let (server, folder) = started.await.unwrap();
        edge.give([
            ("CREDLINK_TENANTS", tenants),
            ("CREDLINK_LINK_KEYS", LINK_KEYS),
            ("CREDLINK_ORIGIN_URL", server.url()),
            ("CREDLINK_PURGE_TOKEN", TOKEN_OF_A_PURGE),
        ])
        .await;
        Self { api: BaseUrl::new(server.url()), edge, _server: server, _folder: folder }
    }

    async fn play(&self, cast: Cast) {
        Stage::new(&self.api, cast).with_edge(&self.edge).with_files().play().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_anothers_on_one_machine_and_at_the_edge() {
    // With the other casts the service writes other keys, which is tried in memory.
    Site::start("several").await.play(ACME_BY_BAD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_anothers_on_one_machine_and_at_the_edge_with_one_tenant() {
    Site::start("one").await.play(DEFAULT_BY_BAD).await;
}

/// The functions over their own engines, where jobs create proofs of the victim.
async fn play_functions(tenants: &str, cast: Cast) {
    let ground = Arc::new(Ground::plain().await);
    let source = "s3://old-store/proofs/";
    let sources = format!("{source}={}", cast.victim);
    let tokens = token_file();
    let own = [
        ("CREDLINK_TENANTS", tenants),
        ("CREDLINK_TOKENS", tokens.as_str()),
        ("CREDLINK_MIGRATION_SOURCES", sources.as_str()),
    ];
    let functions = Functions::watched(&ground, &own);
    Stage::new(&functions, cast).with_jobs(source.to_owned()).play().await;
    functions.assert_rights(&[
        "store dynamodb:Query",
        "store s3:PutObject",
        "delete dynamodb:UpdateItem",
        "retrieve s3:GetObject",
        "cleanup dynamodb:Query",
    ]);
    ground.assert_sound().await;
}

#[tokio::test]
async fn nothing_is_anothers_on_aws() {
    play_functions("several", ACME_BY_BAD).await;
}

#[tokio::test]
async fn nothing_is_anothers_on_aws_with_one_tenant() {
    play_functions("one", DEFAULT_BY_BAD).await;
}

/// The edge has the routes of its rows, and none of the API's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edge_has_the_routes_of_the_table_and_no_other() {
    let site = Site::start("several").await;
    for row in ROWS {
        let path = row.path.replace("{id}", "p-1").replace("{job}", "a");
        let path = path.replace("{revision}", "1").replace("{media_hash}", &"0".repeat(64));
        let path = path.replace("{manifest_id}", "urn:c2pa:x").replace("{tenant}", "acme");
        let path = path.replace("{file}", &"a".repeat(32)).replace("{upload}", &"a".repeat(32));
        let path =
            path.replace("{name}", "original").replace("{type}", "item").replace("{collection}", "temp");
        let asked = Request::builder().method(row.method).uri(&path).body(Bytes::new()).unwrap();
        let answer: Response<Bytes> = site.edge.send(asked).await;
        let is_no_route = String::from_utf8_lossy(answer.body()).contains("problem:no-such-route");
        assert_eq!(is_no_route, row.place == super::Place::Api, "{} {path}: {:?}", row.method, answer.body());
    }
}
