//! Long objects account for most of the memory of an isolate. Three are loaded and checked at a time, whatever their
//! origin, and a load that fails gives its place to the next.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::Attributes;
use http::Method;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::origin::{Origin, stored_form};
use super::seeds::{LINK_KEYS, Seed, kind, read, slow, state, until, write};
use crate::engines::edge::{Edge, Mode};

/// Number of places in an isolate.
const PLACES: usize = 3;

/// A manifest of more than 1 MiB.
fn long(name: &str) -> Seed {
    let bytes: Vec<u8> =
        (0..40_000).flat_map(|part| *Digest::of(format!("{name} {part}").as_bytes()).as_bytes()).collect();
    Seed::new(Seed::manifest(name).key, bytes)
}

fn several(name: &str) -> Vec<Seed> {
    (0..PLACES).map(|number| long(&format!("{name}-{number}"))).collect()
}

/// A Worker that gives R2 this many milliseconds, and the origin the same.
async fn edge_with(milliseconds: u32, origin: Option<&Origin>) -> Arc<Edge> {
    let retry_policy =
        [("CREDLINK_TIMEOUT", milliseconds.to_string()), ("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())];
    let origin = origin.map(|origin| ("CREDLINK_ORIGIN_URL", origin.url().to_owned()));
    Arc::new(Edge::with(slow().into_iter().chain(retry_policy).chain(origin)).await)
}

/// Reads all of these objects at once.
fn read_all(edge: &Arc<Edge>, seeds: &[Seed]) -> JoinSet<(Seed, http::Response<Bytes>)> {
    let mut reading = JoinSet::new();
    for seed in seeds.iter().cloned() {
        let edge = Arc::clone(edge);
        reading.spawn(async move {
            let answer = read(&edge, &seed.path()).await.0;
            (seed, answer)
        });
    }
    reading
}

/// Asserts that a long object is loaded without a wait for a place that is never given back. During such a wait the
/// time limit of a load would pass.
async fn assert_free(edge: &Edge, name: &str) {
    let seed = long(name);
    seed.put(edge).await;
    seed.assert_is(&read(edge, &seed.path()).await.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_object_of_ours_takes_no_place() {
    let edge = edge_with(3_000, None).await;
    for seed in several("foreign") {
        let attributes = Attributes { content_type: "text/plain".to_owned(), ..Attributes::default() };
        write(&edge.objects(), &seed.key, seed.stored(), &attributes).await;
        assert_eq!(kind(&read(&edge, &seed.path()).await.0), "not-found");
    }
    for seed in several("too-long") {
        let mut attributes = seed.attributes();
        attributes.metadata.insert("length".to_owned(), "10000001".to_owned());
        write(&edge.objects(), &seed.key, seed.stored(), &attributes).await;
        assert_eq!(kind(&read(&edge, &seed.path()).await.0), "damaged");
    }
    assert_free(&edge, "ours").await;
}

/// R2 takes longer than its timeout: the load has ended for its reader, and the runtime ends the reader's request in
/// the middle of the load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_too_late_takes_no_place() {
    let edge = edge_with(3_000, None).await;
    let late = several("late");
    for seed in &late {
        seed.put(&edge).await;
    }
    edge.set("body", Mode::Held).await;
    let answers = read_all(&edge, &late).join_all().await;
    assert!(answers.iter().all(|(_, answer)| answer.status() == 503));
    edge.set("body", Mode::Well).await;
    assert_free(&edge, "in-time").await;
}

/// Requests that time out while they wait for a place do not take one later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waited_in_vain_takes_no_place() {
    let edge = edge_with(3_000, None).await;
    let (first, second) = (several("first"), several("second"));
    for seed in first.iter().chain(&second) {
        seed.put(&edge).await;
    }
    edge.set("digest", Mode::Held).await;
    let reading = read_all(&edge, &first);
    until("all places are taken", async || edge.count("digest").await == PLACES).await;
    let answers = read_all(&edge, &second).join_all().await;
    assert!(answers.iter().all(|(_, answer)| answer.status() == 503));
    edge.set("digest", Mode::Well).await;
    for (seed, answer) in reading.join_all().await {
        seed.assert_is(&answer);
    }
    assert_free(&edge, "after").await;
}

/// A client that goes away while long objects are loaded leaves no place taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_away_takes_no_place() {
    let edge = edge_with(3_000, None).await;
    let gone = several("gone");
    let authority = edge.url().trim_start_matches("http://").to_owned();
    edge.set("body", Mode::Held).await;
    for seed in &gone {
        seed.put(&edge).await;
        let mut client = TcpStream::connect(&authority).await.unwrap();
        let request = format!("GET {} HTTP/1.1\r\nhost: {authority}\r\n\r\n", seed.path());
        client.write_all(request.as_bytes()).await.unwrap();
        until("it is loaded", async || {
            edge.calls().await.contains(&format!("body.arrayBuffer {}", seed.key))
        })
        .await;
        client.set_zero_linger().unwrap();
    }
    assert_eq!(state(&edge, "/nowhere").await.0, 404);
    edge.settle().await;
    edge.set("body", Mode::Well).await;
    assert_free(&edge, "there").await;
}

/// An object from the origin takes as much memory as an object from R2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_from_the_origin_takes_the_same_places() {
    let origin = Origin::start().await;
    let edge = edge_with(25_000, Some(&origin)).await;
    let (near, far) = (several("near"), [several("far"), several("farther")].concat());
    for seed in &near {
        seed.put(&edge).await;
    }
    let seeds = far.clone();
    origin.answer_with(move |request| {
        let seed = seeds.iter().find(|seed| request.uri().path().ends_with(&seed.path()))?;
        Some(stored_form(seed))
    });
    edge.set("digest", Mode::Held).await;
    let all = [far.clone(), near].concat();
    let reading = read_all(&edge, &all);
    origin.wait_for(far.len()).await;
    until("all places are taken", async || edge.count("digest").await >= PLACES).await;
    // In this time, objects without a place would be checked if they could be.
    for _ in 0..100 {
        assert_eq!(edge.count("digest").await, PLACES, "{:?}", edge.calls().await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    edge.set("digest", Mode::Well).await;
    for (seed, answer) in reading.join_all().await {
        seed.assert_is(&answer);
    }
}

/// An answer of the origin that is not an object takes no place either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_answer_of_the_origin_takes_no_place() {
    let origin = Origin::start().await;
    let edge = edge_with(3_000, Some(&origin)).await;
    origin.answer_with(|request| {
        let status = if request.uri().path().contains("status") { 404 } else { 200 };
        let body = Bytes::from(vec![b' '; 2_000_000]);
        (request.method() == Method::GET)
            .then(|| http::Response::builder().status(status).body(body).unwrap())
    });
    for seed in [several("status"), several("type")].concat() {
        assert_eq!(read(&edge, &seed.path()).await.0.status(), 503);
    }
    assert_free(&edge, "object").await;
}
