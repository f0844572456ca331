//! Request coalescing: of many concurrent requests for the same object, one fetches it for all.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::origin::{Origin, stored_form};
use super::seeds::{LINK_KEYS, Seed, kind, read, slow, state, until};
use crate::engines::edge::{Edge, Mode};

/// Number of concurrent readers.
const READERS: usize = 64;

/// An origin that holds only this object, and a Worker over it.
async fn over_origin(seed: &Seed) -> (Arc<Edge>, Origin) {
    let origin = Origin::start().await;
    let own = seed.clone();
    origin.answer_with(move |_| Some(stored_form(&own)));
    let variables =
        [("CREDLINK_ORIGIN_URL", origin.url().to_owned()), ("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())];
    // Longer than any pause of a machine that is building at the same time.
    let patient = [("CREDLINK_TIMEOUT", "25000".to_owned())];
    (Arc::new(Edge::with(slow().into_iter().chain(variables).chain(patient)).await), origin)
}

/// Resets a connection at once, as when a client is switched off. A closed connection might still be read from.
fn go_away(client: TcpStream) {
    client.set_zero_linger().unwrap();
    drop(client);
}

/// Waits until this many readers have looked into the cache in vain.
async fn arrived(edge: &Edge, readers: usize) {
    until("all have come", async || edge.count("cache.match").await >= readers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misses_at_once_are_one_fetch_of_the_origin() {
    let seed = Seed::record("at once");
    let (edge, origin) = over_origin(&seed).await;
    origin.hold(true);
    let path = seed.path();
    let readers = join_all((0..READERS).map(|_| read(&edge, &path)));
    let (answers, ()) = tokio::join!(readers, async {
        arrived(&edge, READERS).await;
        origin.hold(false);
    });
    for (answer, how) in &answers {
        seed.assert_is(answer);
        assert_eq!(how, "credlink; fwd=uri-miss; stored");
    }
    edge.settle().await;
    let counts = (origin.count(), edge.count("bucket.get").await, edge.count("bucket.put").await);
    assert_eq!(counts, (1, 1, 1), "{:?}", edge.calls().await);
    assert_eq!(state(&edge, &path).await, (200, "credlink; hit".to_owned()));
}

/// The client for which the fetch was started has gone away; the other clients get its result.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_began_a_fetch_may_go_away() {
    let seed = Seed::manifest("gone");
    let (edge, origin) = over_origin(&seed).await;
    origin.hold(true);
    let authority = edge.url().trim_start_matches("http://");
    let mut first = TcpStream::connect(authority).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nhost: {authority}\r\n\r\n", seed.path());
    first.write_all(request.as_bytes()).await.unwrap();
    origin.wait_for(1).await;
    let path = seed.path();
    let readers = join_all((0..READERS).map(|_| read(&edge, &path)));
    let (answers, ()) = tokio::join!(readers, async {
        arrived(&edge, READERS / 2).await;
        go_away(first);
        arrived(&edge, READERS + 1).await;
        origin.hold(false);
    });
    for (answer, _) in &answers {
        seed.assert_is(answer);
    }
    edge.settle().await;
    assert_eq!((origin.count(), edge.count("bucket.put").await), (1, 1), "{:?}", edge.calls().await);
    assert_eq!(seed.there(&edge).await, Some((seed.attributes(), seed.stored())));
}

/// No client is left, and the fetched object is kept all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_goes_on_without_its_client() {
    let seed = Seed::record("nobody");
    let (edge, origin) = over_origin(&seed).await;
    origin.hold(true);
    let authority = edge.url().trim_start_matches("http://");
    let mut client = TcpStream::connect(authority).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nhost: {authority}\r\n\r\n", seed.path());
    client.write_all(request.as_bytes()).await.unwrap();
    origin.wait_for(1).await;
    go_away(client);
    // Another client's request passes through the Worker, which has by then seen that the connection is closed.
    assert_eq!(state(&edge, "/nowhere").await.0, 404);
    origin.hold(false);
    edge.settle().await;
    assert_eq!(state(&edge, &seed.path()).await, (200, "credlink; hit".to_owned()));
    assert_eq!(origin.count(), 1);
}

/// A fetched object is served until the cache has it: requests in between fetch nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_is_shared_until_it_is_kept() {
    let seed = Seed::record("kept");
    let (edge, origin) = over_origin(&seed).await;
    edge.set("cache.put", Mode::Held).await;
    for _ in 0..4 {
        let (answer, how) = read(&edge, &seed.path()).await;
        seed.assert_is(&answer);
        assert_eq!(how, "credlink; fwd=uri-miss; stored");
    }
    assert_eq!((origin.count(), edge.count("bucket.get").await), (1, 1), "{:?}", edge.calls().await);
    edge.set("cache.put", Mode::Well).await;
    edge.settle().await;
    assert_eq!(state(&edge, &seed.path()).await, (200, "credlink; hit".to_owned()));
}

/// A link may open an object that other callers are refused, so requests with and without a link are not coalesced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_a_link_shares_with_nobody_who_does_not() {
    let seed = Seed::record("linked").private();
    let (edge, origin) = over_origin(&seed).await;
    let own = seed.clone();
    origin.answer_with(move |request| {
        let is_signed = request.uri().query().is_some_and(|query| query.contains("signature="));
        is_signed.then(|| stored_form(&own))
    });
    // Without a link the service behind answers that there is no such proof, and that answer goes only to the request
    // without a link.
    origin.hold(true);
    let (path, link) = (seed.path(), seed.link());
    let (linked, plain, ()) = tokio::join!(read(&edge, &link), read(&edge, &path), async {
        origin.wait_for(2).await;
        origin.hold(false);
    });
    seed.assert_is(&linked.0);
    assert_eq!((plain.0.status().as_u16(), &*kind(&plain.0)), (404, "not-found"));
}
