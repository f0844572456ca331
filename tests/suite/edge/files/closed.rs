//! Files that not everybody may read: their bytes are in no cache, and nobody can tell them from absent ones.

use credlink_core::file::Access;
use http::header::{HOST, RANGE};

use super::album::Album;
use crate::edge::origin::Origin;
use crate::edge::seeds::{LINK_KEYS, kind, read, slow};
use crate::edge::unlinked::{questions, shown};
use crate::engines::edge::Edge;
use crate::engines::proxy::{Fault, Proxy};
use crate::http::ask::{get, with};

fn keys() -> (&'static str, String) {
    ("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())
}

/// A link is checked here for what the edge may serve by one: a file for every credential, and the original of a public one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_opens_what_the_edge_may_serve_and_leaves_nothing_behind() {
    let edge = Edge::with(slow().into_iter().chain([keys()])).await;
    let (authenticated, public) = (Album::photo(1).open_to(Access::Authenticated), Album::photo(2));
    for (album, name, part) in [
        (&authenticated, "medium.jpg", "medium-1.jpg"),
        (&authenticated, "original", "original"),
        (&public, "original", "original"),
    ] {
        album.put(&edge).await;
        let link = album.link(name);
        for _ in 0..2 {
            let (answer, how) = read(&edge, &link).await;
            album.assert_is(&answer, part);
            assert_eq!(answer.headers()["cache-control"], "private, no-store");
            assert!(!answer.headers().contains_key("cache-tag"));
            assert_eq!(how, "credlink; fwd=uri-miss");
            edge.settle().await;
            let (answer, _) = read(&edge, &album.path(name)).await;
            assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"));
            edge.settle().await;
        }
        let part = edge.send(with(get(&link), RANGE, "bytes=1-3")).await;
        assert_eq!(part.status(), 206);
        for forged in [link.replace("life=0", "life=1"), link.replacen("signature=", "signature=A", 1)] {
            let (answer, _) = read(&edge, &forged).await;
            assert_eq!((answer.status().as_u16(), &*kind(&answer)), (403, "invalid-link"), "{forged}");
        }
        let other = link.replacen(name, "thumbnail.jpg", 1);
        assert_eq!(kind(&read(&edge, &other).await.0), "invalid-link");
    }
    edge.settle().await;
    // The record of the public file.
    assert_eq!(edge.kept().await, 1, "{:?}", edge.calls().await);
    edge.set_ahead(std::time::Duration::from_secs(3_600)).await;
    assert_eq!(
        kind(&read(&edge, &public.link("original").replace("expires=", "expires=1")).await.0),
        "invalid-link"
    );
}

/// The API logs reads of private files, so the edge answers none of them, not even by a link.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_file_is_never_answered_here() {
    let edge = Edge::with(slow().into_iter().chain([keys()])).await;
    let album = Album::photo(1).open_to(Access::Private);
    album.put(&edge).await;
    // So is one whose readers are many, and logged.
    let logged = Album::photo(2).open_to(Access::Authenticated).but(|record| record.audited = true);
    logged.put(&edge).await;
    for album in [album, logged] {
        for target in [album.path("medium.jpg"), album.link("medium.jpg"), album.link("original")] {
            for _ in 0..2 {
                let (answer, _) = read(&edge, &target).await;
                assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"));
                edge.settle().await;
            }
        }
    }
    assert_eq!(edge.count("bucket.get media").await, 0, "its bytes are not even read");
    assert_eq!(edge.kept().await, 0, "{:?}", edge.calls().await);
}

/// Without keys no link opens anything here, and public files are public with any.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_keys_links_are_ignored() {
    let edge = Edge::with(slow()).await;
    let (public, authenticated) = (Album::photo(1), Album::photo(2).open_to(Access::Authenticated));
    public.put(&edge).await;
    authenticated.put(&edge).await;
    let forged = public.link("medium.jpg").replace("life=0", "life=1");
    public.assert_is(&read(&edge, &forged).await.0, "medium-1.jpg");
    for album in [&public, &authenticated] {
        assert_eq!(read(&edge, &album.link("original")).await.0.status(), 404);
    }
}

async fn answers(edge: &Edge, album: &Album) -> Vec<(String, Vec<String>)> {
    let id = album.record.id.to_string();
    let mut all = Vec::new();
    let asked = ["medium", "original"].into_iter().flat_map(|name| questions(&album.path(name)));
    for (number, question) in asked.enumerate() {
        for _ in 0..2 {
            edge.forget().await;
            let answer = edge.send(with(question.clone(), HOST, format!("question-{number}.test"))).await;
            edge.settle().await;
            // The head of an object arrives with the beginning of its body, which is discarded.
            let calls = edge.calls().await.into_iter().filter(|call| !call.starts_with("body "));
            all.push((shown(&answer, &id), calls.map(|call| call.replace(&id, "ID")).collect()));
        }
    }
    all
}

async fn check(edge: &Edge) {
    let closed = |number, access| Album::photo(number).open_to(access);
    let gone = |album: Album| album.seed().but(|facts| facts.tombstone = true);
    let (private, deleted) = (closed(1, Access::Private), closed(2, Access::Private));
    let authenticated = closed(3, Access::Authenticated);
    private.put(edge).await;
    authenticated.put(edge).await;
    gone(deleted.clone()).put(edge).await;
    let expected = answers(edge, &Album::photo(100)).await;
    for (what, album) in [("private", private), ("deleted", deleted), ("authenticated", authenticated)] {
        let found = answers(edge, &album).await;
        for (number, ((answer, calls), (absent, of_absent))) in found.iter().zip(&expected).enumerate() {
            assert_eq!(answer, absent, "{what}, question {number}: it (left) is told from what is not there");
            assert_eq!(calls, of_absent, "{what}, question {number}: it takes longer, or less long");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_closed_looks_as_if_it_were_not_there() {
    for own in [Some(keys()), None] {
        check(&Edge::with(slow().into_iter().chain(own)).await).await;
    }
}

/// The origin is asked about both, and has neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_closed_looks_as_if_it_were_not_there_before_an_origin_too() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(origin.url().trim_start_matches("http://").parse().unwrap());
    for fault in [Fault::Pass, Fault::Refuse, Fault::Answer(503)] {
        proxy.set(fault);
        let own = [("CREDLINK_ORIGIN_URL", proxy.url()), keys()];
        check(&Edge::with(slow().into_iter().chain(own)).await).await;
    }
}
