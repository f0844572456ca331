//! Earlier records: they share the fate of the current one.

use std::time::Duration;

use super::seeds::{LINK_KEYS, Seed, kind, now, read, slow, state, warm};
use crate::engines::edge::Edge;
use crate::http::ask::get;

/// The fate of a current record, and the resulting answer for an earlier record.
type Fate = (&'static str, fn(Seed) -> Seed, u16, &'static str);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_record_shares_the_fate_of_the_current_one() {
    let edge = Edge::with(slow()).await;
    let later = now().plus_seconds(100);
    let fates: [Fate; 3] = [
        ("private", Seed::private, 404, "not-found"),
        ("expired", |seed| seed.but(|facts| facts.expires = Some(now())), 410, "expired"),
        ("of a later life", |seed| seed.but(|facts| facts.generation = 2), 404, "not-found"),
    ];
    let names = fates.map(|(name, ..)| name).into_iter().chain(["deleted", "about to expire"]);
    for name in names {
        let current = Seed::record(name).but(|facts| {
            facts.expires = (name == "about to expire").then_some(later);
        });
        for seed in [&current, &Seed::revision(name, 2), &Seed::revision(name, 3)] {
            seed.put(&edge).await;
            warm(&edge, &[seed]).await;
        }
    }
    for (name, change, ..) in fates {
        change(Seed::record(name).replaced()).put(&edge).await;
    }
    Seed::record("deleted").delete(&edge).await;
    // After the entry of a current record has expired, and before the other entries do.
    edge.set_ahead(Duration::from_secs(2_500)).await;
    for (name, _, status, problem) in
        fates.into_iter().chain([("deleted", Seed::private as fn(Seed) -> Seed, 410, "deleted")])
    {
        let answer = edge.send(get(&Seed::revision(name, 2).path())).await;
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (status, problem), "{name}");
    }
    // The present life of the proof began with its third record, so that record is not from an earlier life.
    assert_eq!(state(&edge, &Seed::revision("of a later life", 3).path()).await.0, 200);
    // R2 has not been consulted; the clock alone shows that the proof has expired.
    let answer = edge.send(get(&Seed::revision("about to expire", 2).path())).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (410, "expired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_record_without_a_current_one_is_not_there() {
    let edge = Edge::start().await;
    let revision = Seed::revision("alone", 1);
    revision.put(&edge).await;
    let (answer, _) = read(&edge, &revision.path()).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"));
    assert_eq!(edge.count("body").await, 0, "what may not be answered is not read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_of_an_earlier_record_opens_it_and_not_the_current_one() {
    let edge = Edge::with([("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())]).await;
    let (current, revision) = (Seed::record("private").private(), Seed::revision("private", 1).private());
    current.put(&edge).await;
    revision.put(&edge).await;
    revision.assert_is(&read(&edge, &revision.link()).await.0);
    let query = revision.link().split_once('?').unwrap().1.to_owned();
    let (answer, _) = read(&edge, &format!("{}?{query}", current.path())).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (403, "invalid-link"));
    let (answer, _) = read(&edge, &revision.path()).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"));
    edge.settle().await;
    assert_eq!(edge.kept().await, 0);
}
