//! The API, wherever it runs: the same requests are sent to a service in this process, or to a base URL.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use tempfile::TempDir;

use crate::server::Server;
use crate::world::{PUBLIC_URL, World, tokens};

/// The longest answer that is read, in bytes: longer than any answer of the API.
const MAX_ANSWER_BYTES: u64 = 64_000_000;

/// A service that answers requests as CredLink's API does.
pub trait Api {
    /// Answers a request whose URI is a path and a query.
    async fn send(&self, request: Request<Bytes>) -> Response<Bytes>;

    /// The URL with which the links in its answers begin.
    fn base(&self) -> &str;

    /// Lets this many seconds pass by the clock of the API.
    async fn wait_seconds(&self, seconds: u64);
}

impl Api for World {
    /// Takes a second for every request, so that no two things happen at the same time.
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
    /// The API at `url`, which has no trailing slash.
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

/// A `credlink serve` over a folder of its own, which requires [`tokens`] and runs for as long as this value lives.
pub struct Serve {
    api: BaseUrl,
    // Dropped before its folder is removed.
    _server: Server,
    _folder: TempDir,
}

impl Serve {
    /// Starts the binary that was built beside the tests.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens_file = folder.path().join("tokens.json");
        std::fs::write(&tokens_file, tokens::file()).unwrap();
        let (data, several) = (folder.path().join("data"), [("CREDLINK_TENANTS", "several")]);
        let server = Server::with(&data, &["--tokens", tokens_file.to_str().unwrap()], &several);
        Self { api: BaseUrl::new(server.url()), _server: server, _folder: folder }
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
