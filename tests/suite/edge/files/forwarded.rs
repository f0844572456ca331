//! Reads that the API answers: what it is asked, and what of its answer a reader gets.

use bytes::Bytes;
use credlink_core::file::Access;
use credlink_core::http::mark::MARK;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE, SET_COOKIE, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderName, Method, Response};

use super::album::Album;
use crate::edge::ground::CACHE_STATUS;
use crate::edge::origin::Origin;
use crate::edge::seeds::{LINK_KEYS, kind, read, slow};
use crate::engines::edge::{Edge, Mode};
use crate::http::ask::{ask, get, with};

const CLIENT: HeaderName = HeaderName::from_static("cf-connecting-ip");

async fn edge_over(origin: &Origin) -> Edge {
    let own =
        [("CREDLINK_ORIGIN_URL", origin.url().to_owned()), ("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())];
    Edge::with(slow().into_iter().chain(own)).await
}

/// An origin that gives this answer to every read of bytes.
fn answering(origin: &Origin, answer: Response<Bytes>) {
    origin.answer_with(move |request| request.uri().path().starts_with("/v1/media/").then(|| answer.clone()));
}

/// An answer of the API.
fn api(status: u16) -> http::response::Builder {
    Response::builder().status(status).header(MARK, "1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_asked_what_the_reader_asked_and_its_answer_is_kept_by_nobody() {
    let origin = Origin::start().await;
    let body = Bytes::from_static(b"the bytes");
    let answer = api(206)
        .header(CONTENT_TYPE, "image/jpeg")
        .header(CACHE_CONTROL, "private, no-store")
        .header(CONTENT_RANGE, "bytes 0-8/90")
        .header(ETAG, "\"a\"")
        .header(VARY, "accept")
        .header(SET_COOKIE, "not=ours");
    answering(&origin, answer.body(body.clone()).unwrap());
    let edge = edge_over(&origin).await;
    let album = Album::photo(1).open_to(Access::Private);
    album.put(&edge).await;
    let link = album.link("medium");
    for _ in 0..2 {
        let mut request = with(get(&format!("{link}&download=true")), RANGE, "bytes=0-8");
        for (name, value) in [
            (AUTHORIZATION, "Bearer the-owner"),
            (ACCEPT, "image/webp"),
            (ACCEPT_ENCODING, "gzip"),
            (IF_NONE_MATCH, "\"b\""),
            (IF_RANGE, "\"c\""),
            (CLIENT, "192.0.2.7"),
            (HeaderName::from_static("x-request-id"), "trace-1"),
        ] {
            request = with(request, name, value);
        }
        let answer = edge.send(request).await;
        assert_eq!((answer.status().as_u16(), answer.body()), (206, &body));
        for (name, value) in [
            (CONTENT_TYPE, "image/jpeg"),
            (CONTENT_LENGTH, "9"),
            (CONTENT_RANGE, "bytes 0-8/90"),
            (CACHE_CONTROL, "private, no-store"),
            (ETAG, "\"a\""),
            (VARY, "accept"),
            (CACHE_STATUS, "credlink; fwd=uri-miss"),
            (HeaderName::from_static("x-request-id"), "trace-1"),
            (HeaderName::from_static("x-content-type-options"), "nosniff"),
        ] {
            assert_eq!(answer.headers()[&name], value, "{name}");
        }
        // Only the API marks its answers, and decides which scripts may read them.
        for name in [MARK, SET_COOKIE, HeaderName::from_static("access-control-allow-origin")] {
            assert!(!answer.headers().contains_key(&name), "{name}");
        }
        edge.settle().await;
        let asked = origin.asked();
        let [asked] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!((&*asked.method, &asked.target), ("GET", &format!("/v1{link}&download=true")));
        for (name, value) in [
            (AUTHORIZATION, "Bearer the-owner"),
            (ACCEPT, "image/webp"),
            (ACCEPT_ENCODING, "identity"),
            (IF_NONE_MATCH, "\"b\""),
            (IF_RANGE, "\"c\""),
            (RANGE, "bytes=0-8"),
            (HeaderName::from_static("x-forwarded-for"), "192.0.2.7"),
            (HeaderName::from_static("x-request-id"), "trace-1"),
        ] {
            assert_eq!(asked.headers[&name], value, "{name}");
        }
    }
    assert_eq!(edge.kept().await, 0, "{:?}", edge.calls().await);
    assert_eq!((edge.count("bucket.get media").await, edge.count("bucket.put").await), (0, 0));
}

/// Owners get the originals of their public pictures, and every credential what it may read, by the API.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_the_apis_to_check() {
    let origin = Origin::start().await;
    answering(&origin, api(200).body(Bytes::from_static(b"from the API")).unwrap());
    let edge = edge_over(&origin).await;
    let (public, authenticated) = (Album::photo(1), Album::photo(2).open_to(Access::Authenticated));
    public.put(&edge).await;
    authenticated.put(&edge).await;
    for (album, name, credential, by_api) in [
        (&public, "medium.jpg", true, false),
        (&public, "medium.jpg", false, false),
        (&public, "original", true, true),
        (&public, "original", false, false),
        (&authenticated, "medium.jpg", true, true),
        // Whether it is there is the API's to say.
        (&authenticated, "medium.jpg", false, true),
    ] {
        for _ in 0..2 {
            let request = get(&album.path(name));
            let request = if credential { with(request, AUTHORIZATION, "Bearer x") } else { request };
            let answer = edge.send(request).await;
            edge.settle().await;
            assert_eq!(origin.asked().len(), usize::from(by_api), "{name} {credential}");
            assert_eq!(answer.body() == "from the API", by_api, "{name} {credential}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_r2_lacks_or_cannot_send_the_api_has() {
    let origin = Origin::start().await;
    answering(&origin, api(200).body(Bytes::from_static(b"from the API")).unwrap());
    let edge = edge_over(&origin).await;
    let (without_bytes, long) = (Album::photo(1), Album::document(2, 10_000_001));
    without_bytes.seed().put(&edge).await;
    long.put(&edge).await;
    let there = Album::photo(3);
    there.put(&edge).await;
    for path in [
        Album::photo(9).path("medium.jpg"),
        without_bytes.path("medium.jpg"),
        // An isolate has no room for it.
        long.path("original"),
    ] {
        let (answer, how) = read(&edge, &path).await;
        assert_eq!((answer.body(), &*how), (&Bytes::from_static(b"from the API"), "credlink; fwd=uri-miss"));
        assert_eq!(origin.asked().len(), 1, "{path}");
    }
    assert_eq!(
        edge.send(ask(Method::HEAD, &long.path("original"))).await.headers()[CONTENT_LENGTH],
        "10000001"
    );
    assert_eq!(origin.count(), 0, "its record says what there is");
    edge.set("bucket", Mode::Fails).await;
    assert_eq!(read(&edge, &there.path("medium.jpg")).await.0.body(), "from the API");
    assert_eq!(edge.count("bucket.put").await, 0, "nothing is filled");
}

/// Without the API, what only it could answer has an answer too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_api_each_lack_has_its_name() {
    let edge = Edge::with(slow()).await;
    let (without_bytes, long) = (Album::photo(1), Album::document(2, 10_000_001));
    without_bytes.seed().put(&edge).await;
    long.put(&edge).await;
    for (path, status, problem) in [
        (Album::photo(9).path("medium.jpg"), 404, "not-found"),
        (without_bytes.path("medium.jpg"), 502, "damaged"),
        (long.path("original"), 501, "not-configured"),
    ] {
        let (answer, _) = read(&edge, &path).await;
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (status, problem), "{path}");
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
    }
    edge.set("bucket", Mode::Fails).await;
    let (answer, _) = read(&edge, &Album::photo(3).path("medium.jpg")).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (503, "unavailable"));
}

/// A function answers with an address of the bytes. Sent back to the edge, a reader would go in circles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_passed_on_unless_it_leads_back_here() {
    let origin = Origin::start().await;
    let edge = edge_over(&origin).await;
    let path = Album::photo(1).path("medium.jpg");
    let to = |location: &str| api(307).header(LOCATION, location).body(Bytes::new()).unwrap();
    let elsewhere = "https://bucket.example/media/x?X-Amz-Signature=secret";
    answering(&origin, to(elsewhere));
    let (answer, _) = read(&edge, &path).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()[LOCATION]), (307, &elsewhere.parse().unwrap()));
    answering(&origin, to(&format!("{}{path}", edge.url())));
    let (answer, _) = read(&edge, &path).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (503, "unavailable"));
    assert!(answer.headers().contains_key("retry-after"));
}

/// A gateway or a web server in the API's place is not believed, whatever it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_api_is_believed() {
    let origin = Origin::start().await;
    let edge = edge_over(&origin).await;
    let path = Album::photo(1).path("medium.jpg");
    for status in [200, 307, 404, 410, 502] {
        let answer = Response::builder().status(status).header(LOCATION, "https://example.com");
        answering(&origin, answer.body(Bytes::from_static(b"<html>")).unwrap());
        let (answer, _) = read(&edge, &path).await;
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (503, "unavailable"), "{status}");
    }
    answering(&origin, api(401).header(WWW_AUTHENTICATE, "Bearer").body(Bytes::from_static(b"{}")).unwrap());
    let (answer, _) = read(&edge, &path).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[WWW_AUTHENTICATE]),
        (401, &"Bearer".parse().unwrap())
    );
}

/// A request counts as one look-up, whether R2, the API or both are asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_asks_for_much_is_told_to_stop() {
    let origin = Origin::start().await;
    answering(&origin, api(404).body(Bytes::from_static(b"{}")).unwrap());
    let own = [("CREDLINK_ORIGIN_URL", origin.url().to_owned())];
    let edge = Edge::limited(slow().into_iter().chain(own)).await;
    let album = Album::photo(1);
    album.put(&edge).await;
    album.assert_is(
        &edge.send(with(get(&album.path("medium.jpg")), CLIENT, "192.0.2.1")).await,
        "medium-1.jpg",
    );
    edge.settle().await;
    assert_eq!(edge.count("limiter.limit").await, 1);
    edge.forget().await;
    let mut refused = 0;
    for number in 50..60 {
        let path = Album::photo(number).path("medium.jpg");
        let answer = edge.send(with(get(&path), CLIENT, "192.0.2.1")).await;
        edge.settle().await;
        refused += usize::from(answer.status() == 429);
    }
    assert_eq!(edge.count("limiter.limit").await, 10);
    assert!((2..=7).contains(&refused), "{refused}");
    assert_eq!(origin.asked().len(), 10 - refused);
    // What the cache has is for everybody.
    for _ in 0..10 {
        let answer = edge.send(with(get(&album.path("medium.jpg")), CLIENT, "192.0.2.1")).await;
        album.assert_is(&answer, "medium-1.jpg");
    }
}
