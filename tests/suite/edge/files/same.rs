//! One table of reads, which a real `credlink serve` and the edge answer alike.
//!
//! The server keeps its objects in a folder and replicates them into the bucket that the Worker reads. Each row is asked
//! once of the server and twice of the edge, once past its cache and once from it, and says whether the edge asks the server
//! meanwhile.

use bytes::Bytes;
use credlink_core::object::{MediaKey, Object, ObjectKey};
use credlink_ports::Objects as _;
use http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderName, Method, Request, Response};
use serde_json::json;

use crate::edge::seeds::{LINK_KEYS, slow, until};
use crate::engines::edge::Edge;
use crate::files::client::Client;
use crate::files::pictures::{document, png};
use crate::http::ask::{ask, with};
use crate::http::auth::issuer::{AUDIENCE, ISSUER, Published, claims, signed, with as claim};
use crate::server::Server;

/// A reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Nobody,
    Owner,
    /// Another subject of the same tenant.
    Other,
    MediaAdmin,
}

/// The part that answers a reader of the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Edge,
    Api,
}

/// A read, and the answer to expect: its status, its type and its cache policy.
struct Row {
    target: String,
    method: Method,
    headers: Vec<(HeaderName, String)>,
    who: Who,
    by: By,
    status: u16,
    kind: &'static str,
    cache: &'static str,
}

const PROBLEM: &str = "application/problem+json";
const MONTH: &str = "public, max-age=2592000, immutable";
const WEEK: &str = "public, max-age=604800, immutable";
const NONE: &str = "private, no-store";
/// The policy of problems.
const NEVER: &str = "no-store";

fn row(target: &str, who: Who, by: By, status: u16, kind: &'static str, cache: &'static str) -> Row {
    let (target, headers) = (target.to_owned(), Vec::new());
    Row { target, method: Method::GET, headers, who, by, status, kind, cache }
}

impl Row {
    fn and(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn head(self) -> Self {
        Self { method: Method::HEAD, ..self }
    }
}

/// A server, the Worker over its replica, and their readers.
struct Site {
    server: Server,
    edge: Edge,
    _published: Published,
    _folder: tempfile::TempDir,
}

/// A collection of documents that everybody may read.
const COLLECTIONS: &str = r#"{"version": 1, "collections": {"brochure": {
    "version": 1, "types": ["application/pdf"], "max_bytes": 20000000, "access": "public",
    "metadata": {"published": "keep"}
}}}"#;

fn token(who: Who) -> Option<String> {
    let (subject, scope) = match who {
        Who::Nobody => return None,
        Who::Owner => ("anna", "media:write"),
        Who::Other => ("bert", "media:write"),
        Who::MediaAdmin => ("backend", "media:admin"),
    };
    Some(signed(&claim(claims(scope), "sub", subject)))
}

impl Site {
    async fn start() -> Self {
        let edge = Edge::with(slow().into_iter().chain([("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())])).await;
        let mut variables: Vec<(&str, String)> = edge.as_fallback().into();
        variables.push(("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned()));
        let started = tokio::task::spawn_blocking(move || {
            let (published, folder) = (Published::new(), tempfile::tempdir().unwrap());
            let collections = folder.path().join("collections.json");
            std::fs::write(&collections, COLLECTIONS).unwrap();
            variables.push(("CREDLINK_COLLECTIONS", collections.to_str().unwrap().to_owned()));
            let keys = published.path();
            let arguments =
                ["--jwks", keys.to_str().unwrap(), "--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE];
            let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let server = Server::with(&folder.path().join("data"), &arguments, &variables);
            (server, published, folder)
        });
        let (server, published, folder) = started.await.unwrap();
        edge.give([("CREDLINK_ORIGIN_URL", server.url())]).await;
        Self { server, edge, _published: published, _folder: folder }
    }

    /// Does something as a client of the server.
    async fn client<R: Send + 'static>(
        &self,
        who: Who,
        act: impl FnOnce(&Client) -> R + Send + 'static,
    ) -> R {
        let url = self.server.url().to_owned();
        let act = move || {
            let client =
                token(who).map_or_else(|| Client::new(&url), |token| Client::with_token(&url, &token));
            act(&client)
        };
        tokio::task::spawn_blocking(act).await.unwrap()
    }

    /// Uploads a file for its owner, and returns its ID when the replica has its record and nothing more is to come.
    async fn upload(&self, collection: &'static str, kind: &'static str, bytes: Vec<u8>) -> String {
        let file = move |client: &Client| client.file(collection, kind, &bytes, &json!({}));
        let id = self.client(Who::Owner, file).await;
        self.replicated(&id, |object| object.is_some()).await;
        id
    }

    /// Waits until the record of a file in the bucket of the edge is as it shall be.
    async fn replicated(&self, id: &str, holds: impl Fn(Option<&Object>) -> bool) {
        let (objects, key) = (self.edge.objects(), ObjectKey::Media(MediaKey::File(id.parse().unwrap())));
        until("the replica follows", async || holds(objects.get(&key).await.unwrap().as_ref())).await;
    }

    async fn link(&self, id: &str, name: &str) -> String {
        let path = format!("/v1/files/{id}/url?name={name}&expires_in=3600");
        let link = self.client(Who::Owner, move |client| client.get(&path).json()).await;
        let url = link["url"].as_str().unwrap_or_else(|| panic!("{link}"));
        url[url.find("/media/").unwrap()..].to_owned()
    }
}

/// An answer as text that a person can compare, without what a server adds to each, and what only one of the two sends.
fn shown(response: &Response<Bytes>, who: Who) -> String {
    let is_left_out = |name: &str| {
        let own =
            ["age", "cache-status", "connection", "credlink-api", "date", "keep-alive", "transfer-encoding"];
        // The edge does not know whether the credential of a read of something public was accepted, and has no callers
        // that may be told more about a malformed request than others.
        let is_open = who != Who::Nobody || response.status() == 400 || response.status() == 405;
        own.contains(&name) || is_open && name.starts_with("access-control-")
    };
    let headers = response.headers().iter().filter(|(name, _)| !is_left_out(name.as_str()));
    let mut lines: Vec<String> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    lines.sort();
    format!("{}\n{}\n{:?}", response.status(), lines.join("\n"), response.body())
}

async fn send(authority: &str, request: Request<Bytes>) -> Response<Bytes> {
    use http_body_util::{BodyExt as _, Full};
    let stream = tokio::net::TcpStream::connect(authority).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(with(request, HOST, authority).map(Full::new)).await.unwrap();
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edge_answers_as_the_server_does() {
    let site = Site::start().await;
    let photo = site.upload("item-photo", "image/png", png(1_000, 500, 81)).await;
    let brochure = site.upload("brochure", "application/pdf", document(40_000, 82)).await;
    let passport = site.upload("verification-document", "application/pdf", document(30_000, 83)).await;
    let members = site.upload("item-photo", "image/png", png(400, 300, 84)).await;
    let deleted = site.upload("item-photo", "image/png", png(300, 300, 85)).await;
    let file = format!("/v1/files/{members}");
    let changed = move |client: &Client| {
        client.json(&Method::PATCH, &file, &[], &json!({"access": "authenticated"})).status
    };
    assert_eq!(site.client(Who::Owner, changed).await, 200);
    let is_private = |object: Option<&Object>| {
        object.is_some_and(|object| object.head.attributes.metadata["visibility"] == "private")
    };
    site.replicated(&members, is_private).await;
    let file = format!("/v1/files/{deleted}");
    assert_eq!(site.client(Who::Owner, move |client| client.delete(&file).status).await, 204);
    let is_tombstone = |object: Option<&Object>| {
        object.is_some_and(|object| object.head.attributes.content_type.contains("tombstone"))
    };
    site.replicated(&deleted, is_tombstone).await;

    let server = site.server.url().trim_start_matches("http://").to_owned();
    let of = |id: &str, name: &str| format!("/media/{id}/{name}");
    let medium = send(&server, ask(Method::GET, &of(&photo, "medium.webp"))).await;
    let (tag, length) = (medium.headers()[ETAG].to_str().unwrap().to_owned(), medium.body().len());
    let (webp, jpeg, png, pdf) = ("image/webp", "image/jpeg", "image/png", "application/pdf");
    let (nobody, owner, other, admin) = (Who::Nobody, Who::Owner, Who::Other, Who::MediaAdmin);
    let chromium = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";
    let of_photo = site.link(&photo, "original").await;
    let of_passport = site.link(&passport, "original").await;
    let of_members = site.link(&members, "medium").await;
    let absent = "a".repeat(32);
    let part = |name: &str, range: &str, status| {
        row(&of(&photo, name), nobody, By::Edge, status, webp, MONTH).and(RANGE, range)
    };
    let table = vec![
        // A public picture.
        row(&of(&photo, "medium"), nobody, By::Edge, 200, jpeg, MONTH),
        row(&of(&photo, "medium"), nobody, By::Edge, 200, webp, MONTH).and(ACCEPT, chromium),
        row(&of(&photo, "medium"), nobody, By::Edge, 200, jpeg, MONTH).and(ACCEPT, "image/webp;q=0, */*"),
        row(&of(&photo, "medium"), nobody, By::Edge, 200, webp, MONTH).and(ACCEPT, chromium).head(),
        row(&of(&photo, "large.jpg"), nobody, By::Edge, 200, jpeg, MONTH).and(ACCEPT, webp),
        row(&of(&photo, "medium.webp"), nobody, By::Edge, 200, webp, MONTH),
        row(&of(&photo, "medium.webp?download=true"), nobody, By::Edge, 200, webp, MONTH),
        row(&of(&photo, "medium.webp"), other, By::Edge, 200, webp, MONTH),
        part("medium.webp", "bytes=10-19", 206),
        part("medium.webp", "bytes=-7", 206),
        part("medium.webp", "bytes=10-19", 206).and(IF_RANGE, &tag),
        part("medium.webp", "bytes=10-19", 200).and(IF_RANGE, "\"other\""),
        part("medium.webp", "bytes=10-19,30-39", 200),
        part("medium.webp", "bytes=10-19", 200).head(),
        row(&of(&photo, "medium.webp"), nobody, By::Edge, 416, PROBLEM, NEVER)
            .and(RANGE, &format!("bytes={length}-")),
        row(&of(&photo, "medium.webp"), nobody, By::Edge, 304, "", MONTH).and(IF_NONE_MATCH, &tag),
        row(&of(&photo, "medium.webp"), nobody, By::Edge, 304, "", MONTH).and(IF_NONE_MATCH, &tag).head(),
        row(&of(&photo, "medium.webp"), nobody, By::Edge, 412, PROBLEM, NEVER).and(IF_MATCH, "\"other\""),
        row(&of(&photo, "huge"), nobody, By::Edge, 404, PROBLEM, NEVER),
        row(&of(&photo, "medium.avif"), nobody, By::Edge, 404, PROBLEM, NEVER),
        row(&of(&photo, "Medium"), nobody, By::Edge, 400, PROBLEM, NEVER),
        row(&of(&photo, "medium?download=perhaps"), nobody, By::Edge, 400, PROBLEM, NEVER),
        row("/media/x/medium", nobody, By::Edge, 400, PROBLEM, NEVER),
        // Its original is its owner's.
        row(&of(&photo, "original"), nobody, By::Edge, 404, PROBLEM, NEVER),
        row(&of(&photo, "original"), other, By::Api, 404, PROBLEM, NEVER),
        row(&of(&photo, "original"), owner, By::Api, 200, png, NONE),
        row(&of(&photo, "original"), admin, By::Api, 200, png, NONE).and(RANGE, "bytes=0-99").head(),
        row(&of_photo, nobody, By::Edge, 200, png, NONE),
        row(&of_photo, nobody, By::Edge, 206, png, NONE).and(RANGE, "bytes=1-2"),
        row(&of_photo.replace("life=0", "life=1"), nobody, By::Edge, 403, PROBLEM, NEVER),
        row(&of_photo.replace("/original", "/medium"), nobody, By::Edge, 403, PROBLEM, NEVER),
        row(of_photo.split('&').next().unwrap(), nobody, By::Edge, 403, PROBLEM, NEVER),
        // A public document.
        row(&of(&brochure, "original"), nobody, By::Edge, 200, pdf, WEEK),
        row(&of(&brochure, "original"), nobody, By::Edge, 206, pdf, WEEK).and(RANGE, "bytes=39990-"),
        row(&of(&brochure, "medium"), nobody, By::Edge, 404, PROBLEM, NEVER),
        // A private document: every read of it is the API's.
        row(&of(&passport, "original"), nobody, By::Api, 404, PROBLEM, NEVER),
        row(&of(&passport, "original"), other, By::Api, 404, PROBLEM, NEVER),
        row(&of(&passport, "original"), owner, By::Api, 200, pdf, NONE),
        row(&of(&passport, "original"), owner, By::Api, 206, pdf, NONE).and(RANGE, "bytes=5-9"),
        row(&of(&passport, "original"), owner, By::Api, 416, PROBLEM, NEVER).and(RANGE, "bytes=30000-"),
        row(&of(&passport, "original"), admin, By::Api, 200, pdf, NONE).head(),
        row(&of_passport, nobody, By::Api, 200, pdf, NONE),
        row(&format!("{of_passport}&download=true"), nobody, By::Api, 200, pdf, NONE),
        row(&of_passport.replace("life=0", "life=1"), nobody, By::Edge, 403, PROBLEM, NEVER),
        // A picture for every credential.
        row(&of(&members, "medium"), nobody, By::Api, 404, PROBLEM, NEVER),
        row(&of(&members, "medium"), other, By::Api, 200, webp, NONE).and(ACCEPT, chromium),
        row(&of(&members, "medium"), other, By::Api, 200, jpeg, NONE),
        row(&of_members, nobody, By::Edge, 200, jpeg, NONE),
        row(&of_members, nobody, By::Edge, 200, webp, NONE).and(ACCEPT, chromium),
        row(&of_members, nobody, By::Edge, 206, jpeg, NONE).and(RANGE, "bytes=0-0"),
        row(&of_members.replace("life=0", "life=7"), nobody, By::Edge, 403, PROBLEM, NEVER),
        // What is not there, and what was.
        row(&of(&absent, "medium"), nobody, By::Api, 404, PROBLEM, NEVER),
        row(&of(&absent, "medium"), owner, By::Api, 404, PROBLEM, NEVER),
        row(&of(&deleted, "medium"), nobody, By::Edge, 410, PROBLEM, NEVER),
        row(&of(&deleted, "medium"), nobody, By::Edge, 410, PROBLEM, NEVER).head(),
        row(&of(&deleted, "original"), owner, By::Edge, 410, PROBLEM, NEVER),
        // Other methods.
        Row { method: Method::POST, ..row(&of(&photo, "medium"), nobody, By::Edge, 405, PROBLEM, NEVER) },
        Row { method: Method::OPTIONS, ..row(&of(&photo, "medium"), nobody, By::Edge, 204, "", "") },
    ];
    for (number, row) in table.iter().enumerate() {
        let mut request =
            with(ask(row.method.clone(), &row.target), HeaderName::from_static("x-request-id"), "of-a-test");
        for (name, value) in &row.headers {
            request = with(request, name.clone(), value);
        }
        if let Some(token) = token(row.who) {
            request = with(request, AUTHORIZATION, format!("Bearer {token}"));
        }
        let what = format!("{} {} {:?} by {:?}", row.method, row.target, row.headers, row.who);
        let expected = send(&server, request.clone()).await;
        let header =
            |name: HeaderName| expected.headers().get(name).map_or("", |value| value.to_str().unwrap());
        let told = (expected.status().as_u16(), header(CONTENT_TYPE), header(CACHE_CONTROL));
        assert_eq!(told, (row.status, row.kind, row.cache), "{what}");
        // Each row has a domain, and so a cache, of its own.
        let domain = format!("row-{number}.test");
        for round in ["past the cache", "from it"] {
            site.edge.forget().await;
            let answer = site.edge.send(with(request.clone(), HOST, &domain)).await;
            site.edge.settle().await;
            assert_eq!(
                shown(&answer, row.who),
                shown(&expected, row.who),
                "{what}, {round}: the edge's (left) is not the server's"
            );
            let fetched = site.edge.count("fetch").await;
            assert_eq!(fetched, usize::from(row.by == By::Api), "{what}, {round}");
        }
    }
}
