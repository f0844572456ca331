//! The calls that result from changes. No test waits for time to pass: an edge that hangs does so until a test ends it.

use std::collections::BTreeSet;
use std::time::Duration;

use credlink_cache::purge::EdgeSettings;
use credlink_cache::{Layered, Layers};
use credlink_core::hash::MediaHash;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_ports::Cache as _;
use credlink_ports::request::within_request;
use credlink_runtime::deadline::within;

use super::edge::{Edge, Fault};

fn id(name: &str) -> ProofId {
    ProofId::derive(&Tenant::default(), &MediaHash::of(name.as_bytes()))
}

fn record(name: &str) -> ObjectKey {
    ObjectKey::Record(id(name))
}

fn cache(settings: EdgeSettings) -> Layered {
    Layered::new(Layers { edge: Some(settings), ..Layers::default() })
}

#[tokio::test]
async fn changes_of_one_moment_are_one_call() {
    let edge = Edge::start();
    let cache = cache(edge.settings());
    let manifest = "urn:c2pa:f095f30e-6cd5-4bf7-8c44-ce8420ca9fb7:adobe:2_3";
    for key in [
        record("x"),
        ObjectKey::Revision(id("x"), 1),
        ObjectKey::Revision(id("x"), 2),
        ObjectKey::Manifest(manifest.parse().unwrap()),
        record("x"),
    ] {
        cache.invalidate(&key).await;
    }
    assert_eq!(edge.calls(), [], "nothing is told before all is done");
    within_request("request-7".into(), cache.announce()).await;
    let calls = edge.calls();
    let [call] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(
        (&call.proofs[..], &call.manifests[..]),
        (&[id("x").to_string()][..], &[manifest.to_owned()][..])
    );
    assert_eq!(call.request_id.as_deref(), Some("request-7"));
    cache.announce().await;
    assert_eq!(edge.calls(), [], "it is told once");
}

/// The edge forgets the bytes of a file together with its record.
#[tokio::test]
async fn a_file_is_told_and_its_bytes_are_not() {
    let edge = Edge::start();
    let cache = cache(edge.settings());
    let (file, blob) = ("a".repeat(32), "b".repeat(32));
    let keys =
        [format!("files/{file}"), format!("media/{blob}/original"), format!("media/{blob}/large-1.jpg")];
    for key in &keys {
        cache.invalidate(&key.parse().unwrap()).await;
    }
    cache.announce().await;
    assert_eq!(edge.told(), BTreeSet::from([format!("files/{file}")]));
    assert_eq!(edge.calls().len(), 1);
    for key in &keys[1..] {
        cache.invalidate(&key.parse().unwrap()).await;
    }
    cache.announce().await;
    assert_eq!(edge.calls(), []);
}

#[tokio::test]
async fn an_absence_is_not_told() {
    let edge = Edge::start();
    let cache = cache(edge.settings());
    cache.forget_absence(&record("x")).await;
    cache.announce().await;
    assert_eq!(edge.calls(), []);
}

#[tokio::test]
async fn a_thousand_changes_are_ten_calls() {
    let edge = Edge::start();
    let cache = cache(edge.settings());
    let names: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    for name in &names {
        cache.invalidate(&record(name)).await;
    }
    cache.announce().await;
    assert_eq!(edge.calls().len(), 10);
    let expected: BTreeSet<String> = names.iter().map(|name| format!("proofs/{}", id(name))).collect();
    assert_eq!(edge.told(), expected);
}

/// Fifty requests that end at once do not make fifty calls of one key each, one after the other.
#[tokio::test]
async fn who_waits_for_a_call_shares_the_next() {
    let edge = Edge::with(Fault::Hold);
    let cache = cache(edge.settings());
    let change = async |name: &str| {
        cache.invalidate(&record(name)).await;
        cache.announce().await;
    };
    let names: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let others = async {
        edge.until_called(1).await;
        let open = async {
            // Polled after the others, all of which wait by now.
            tokio::task::yield_now().await;
            edge.set(Fault::None);
        };
        let all = futures_util::future::join_all(names.iter().map(|name| change(name)));
        tokio::join!(all, open);
    };
    tokio::join!(change("first"), others);
    assert_eq!(edge.told().len(), 51);
    let calls = edge.calls();
    assert!(calls.len() <= 3, "{} calls", calls.len());
}

/// Otherwise a copy that the edge made between the change before the call and the change after it would stay.
#[tokio::test]
async fn what_changes_again_while_it_is_told_is_told_again() {
    let edge = Edge::with(Fault::Hold);
    let cache = cache(edge.settings());
    cache.invalidate(&record("x")).await;
    let again = async {
        edge.until_called(1).await;
        cache.invalidate(&record("x")).await;
        edge.set(Fault::None);
    };
    tokio::join!(cache.announce(), again);
    assert_eq!(edge.calls().len(), 1);
    cache.announce().await;
    assert_eq!(edge.calls().len(), 1);
}

#[tokio::test]
async fn what_did_not_get_there_is_told_later() {
    for fault in [
        Fault::Answer(500),
        Fault::Answer(503),
        Fault::Answer(401),
        Fault::Answer(404),
        Fault::Answer(429),
        Fault::Answer(301),
        Fault::Close,
    ] {
        let edge = Edge::with(fault);
        let cache = cache(edge.settings());
        for round in ["x", "y", "z", "x"] {
            cache.invalidate(&record(round)).await;
            cache.announce().await;
        }
        assert_eq!(edge.told(), BTreeSet::new(), "{fault:?}");
        edge.calls();
        edge.set(Fault::None);
        cache.announce().await;
        let told = edge.told();
        assert_eq!(told, ["x", "y", "z"].map(|name| format!("proofs/{}", id(name))).into(), "{fault:?}");
        assert_eq!(edge.calls().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn an_edge_that_is_not_there_costs_nothing_but_its_calls() {
    let settings = EdgeSettings {
        url: format!("http://127.0.0.1:{}", crate::engines::free_port()),
        ..Edge::start().settings()
    };
    let cache = cache(settings);
    for name in ["x", "y", "z"] {
        cache.invalidate(&record(name)).await;
        cache.announce().await;
    }
}

/// Another version of the Worker, which parses IDs differently, would refuse the same call for ever.
#[tokio::test]
async fn what_the_edge_cannot_read_is_not_told_again() {
    for status in [400, 413] {
        let edge = Edge::with(Fault::Answer(status));
        let cache = cache(edge.settings());
        cache.invalidate(&record("x")).await;
        cache.announce().await;
        assert_eq!(edge.calls().len(), 1);
        edge.set(Fault::None);
        cache.announce().await;
        assert_eq!(edge.calls(), []);
    }
}

/// A connection that ended while it was idle is not a failure of the edge. After a Lambda was frozen, that is the rule.
#[tokio::test]
async fn a_connection_that_ended_is_made_anew() {
    let edge = Edge::with(Fault::CloseKept);
    let rest = Duration::from_secs(3_600);
    let cache = cache(EdgeSettings { rest, longest_rest: rest, ..edge.settings() });
    for round in 0..5 {
        cache.invalidate(&record("x")).await;
        cache.announce().await;
        assert_eq!(edge.told().len(), 1, "{round}");
    }
    assert_eq!(edge.calls().len(), 9, "each but the first went over a connection that had ended");
}

#[tokio::test]
async fn after_three_failures_it_is_let_alone() {
    let edge = Edge::with(Fault::Answer(500));
    let rest = Duration::from_secs(3_600);
    let cache = cache(EdgeSettings { rest, longest_rest: rest, ..edge.settings() });
    for number in 0..20 {
        cache.invalidate(&record(&number.to_string())).await;
        cache.announce().await;
    }
    assert_eq!(edge.calls().len(), 3);
}

/// The first request waits in vain until its timeout, and those after it do not wait at all.
#[tokio::test(start_paused = true)]
async fn an_edge_that_hangs_is_waited_for_once() {
    let edge = Edge::with(Fault::Hang);
    let settings = edge.settings();
    let wait = settings.wait;
    let cache = cache(settings);
    cache.invalidate(&record("first")).await;
    let time_passes = async {
        edge.until_called(1).await;
        tokio::time::advance(wait).await;
    };
    tokio::join!(cache.announce(), time_passes);
    let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    for name in &names {
        cache.invalidate(&record(name)).await;
        cache.announce().await;
        assert_eq!(edge.open(), 1, "the first call is still under way");
    }
    assert_eq!(edge.calls().len(), 1, "and the only one");

    edge.set(Fault::None);
    edge.until_told(&format!("proofs/{}", id("first"))).await;
    // The edge has answered. Keys that were noted meanwhile are purged with the next request.
    while edge.told().len() < 100 {
        cache.announce().await;
        tokio::task::yield_now().await;
    }
    edge.calls();
    edge.set(Fault::Hold);
    cache.invalidate(&record("after")).await;
    let answers = async {
        edge.until_called(1).await;
        edge.set(Fault::None);
    };
    tokio::join!(cache.announce(), answers);
    assert_eq!(edge.told().len(), 1, "it is waited for again");
}

/// A wait that ends early because the request runs out of time does not count as a failure of the edge.
#[tokio::test(start_paused = true)]
async fn a_request_waits_no_longer_than_it_has_time() {
    let edge = Edge::with(Fault::Hold);
    let settings = edge.settings();
    let brief = settings.wait / 2;
    let cache = cache(settings);
    cache.invalidate(&record("x")).await;
    let time_passes = async {
        edge.until_called(1).await;
        tokio::time::advance(brief).await;
    };
    let deadline = tokio::time::Instant::now() + brief;
    tokio::join!(within(deadline, cache.announce()), time_passes);
    assert_eq!((edge.open(), edge.told().len()), (1, 0), "the call goes on for itself");
    cache.invalidate(&record("y")).await;
    let answers = async {
        tokio::task::yield_now().await;
        edge.set(Fault::None);
    };
    tokio::join!(cache.announce(), answers);
    assert_eq!(edge.told().len(), 2, "the next one waits for it");
}

/// Keys beyond the limit of the memory are dropped; the lifetimes at the edge bound the effect.
#[tokio::test]
async fn what_is_too_much_to_be_remembered_is_not_told() {
    let edge = Edge::with(Fault::Answer(500));
    let cache = cache(EdgeSettings { remembered: 2, ..edge.settings() });
    for name in ["x", "y", "z"] {
        cache.invalidate(&record(name)).await;
        cache.announce().await;
    }
    edge.set(Fault::None);
    cache.announce().await;
    assert_eq!(edge.told().len(), 2);
    cache.invalidate(&record("z")).await;
    cache.announce().await;
    assert_eq!(edge.told().len(), 1);
}
