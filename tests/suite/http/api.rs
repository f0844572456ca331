//! The API, wherever it runs: the same requests go to a service in this process, or to a base URL.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use tempfile::TempDir;

use crate::world::{PUBLIC_URL, World, tokens};

/// Longest answer that is read, in bytes: more than any that the API gives.
const MAX_ANSWER_BYTES: u64 = 64_000_000;

/// Something that answers requests as CredLink's API does.
pub trait Api {
    /// Answers a request whose URI is a path and a query.
    async fn send(&self, request: Request<Bytes>) -> Response<Bytes>;

    /// What stands before the paths of the links that it gives.
    fn base(&self) -> &str;

    /// Lets so many seconds pass, by the clock that the API goes by.
    async fn wait_seconds(&self, seconds: u64);
}

impl Api for World {
    /// Every request takes a second, so that nothing happens at the same time as anything else.
    async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.clock().advance_seconds(1);
        self.answer(request).await
    }

    fn base(&self) -> &str {
        PUBLIC_URL
    }

    async fn wait_seconds(&self, seconds: u64) {
        self.clock().advance_seconds(seconds);
    }
}

/// An API that is reached over HTTP.
pub struct BaseUrl {
    url: String,
    agent: ureq::Agent,
}

impl BaseUrl {
    /// The API at `url`, which has no slash at its end.
    pub fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .allow_non_standard_methods(true);
        Self { url: url.to_owned(), agent: config.build().new_agent() }
    }
}

impl Api for BaseUrl {
    async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (mut parts, body) = request.into_parts();
        parts.uri = format!("{}{}", self.url, parts.uri).parse::<Uri>().unwrap();
        let agent = self.agent.clone();
        let exchange = move || {
            let has_body = !body.is_empty();
            let answer = if has_body {
                agent.run(Request::from_parts(parts, body.to_vec()))
            } else {
                agent.run(Request::from_parts(parts, ()))
            };
            let (parts, mut body) = answer.unwrap().into_parts();
            let bytes = body.with_config().limit(MAX_ANSWER_BYTES).read_to_vec().unwrap();
            Response::from_parts(parts, Bytes::from(bytes))
        };
        tokio::task::spawn_blocking(exchange).await.unwrap()
    }

    fn base(&self) -> &str {
        &self.url
    }

    async fn wait_seconds(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// `credlink serve` over a folder of its own, for as long as this value lives.
pub struct Serve {
    child: Child,
    api: BaseUrl,
    _folder: TempDir,
}

impl Serve {
    /// Starts the binary that was built beside the tests.
    pub fn start() -> Self {
        // target/debug/deps/suite-… → target/debug/credlink
        let tests = std::env::current_exe().unwrap();
        let binary: PathBuf = tests.parent().and_then(Path::parent).unwrap().join("credlink");
        assert!(binary.exists(), "{} is missing: run `cargo build -p credlink` first", binary.display());
        let folder = tempfile::tempdir().unwrap();
        let tokens_file = folder.path().join("tokens.json");
        std::fs::write(&tokens_file, tokens::file()).unwrap();
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--json", "--data-dir"])
            .arg(folder.path().join("data"))
            .arg("--tokens")
            .arg(tokens_file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: serde_json::Value = serde_json::from_str(&line).unwrap();
        let api = BaseUrl::new(started["url"].as_str().unwrap());
        Self { child, api, _folder: folder }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Api for Serve {
    async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.api.send(request).await
    }

    fn base(&self) -> &str {
        self.api.base()
    }

    async fn wait_seconds(&self, seconds: u64) {
        self.api.wait_seconds(seconds).await;
    }
}
