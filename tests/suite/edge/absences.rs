//! Absences: the edge remembers for a limited time that an object does not exist, or no longer exists.

use std::time::Duration;

use super::seeds::{Seed, kind, read, slow, state};
use crate::engines::edge::Edge;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absence_is_kept_for_a_while_and_no_longer() {
    let edge = Edge::with(slow()).await;
    let (absent, deleted, manifest) =
        (Seed::record("absent"), Seed::record("gone"), Seed::manifest("absent"));
    deleted.delete(&edge).await;
    let all = [(&absent, 404, "not-found"), (&deleted, 410, "deleted"), (&manifest, 404, "not-found")];
    for how in ["credlink; fwd=uri-miss; stored", "credlink; hit; detail=absent"] {
        for (seed, status, problem) in all {
            let (answer, found) = read(&edge, &seed.path()).await;
            assert_eq!((answer.status().as_u16(), &*found, &*kind(&answer)), (status, how, problem));
        }
        edge.settle().await;
    }
    assert_eq!(edge.count("bucket").await, 3, "{:?}", edge.calls().await);
    for (seed, ..) in all {
        seed.put(&edge).await;
        assert_ne!(state(&edge, &seed.path()).await.0, 200, "it is kept");
    }
    edge.set_ahead(Duration::from_secs(1_000)).await;
    for (seed, ..) in all {
        let (answer, how) = read(&edge, &seed.path()).await;
        seed.assert_is(&answer);
        assert_eq!(how, "credlink; fwd=uri-miss; stored");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_lifetime_an_absence_is_not_kept() {
    let edge = Edge::with([("CREDLINK_ABSENT", "0".to_owned())]).await;
    let (absent, deleted) = (Seed::record("absent"), Seed::record("gone"));
    deleted.delete(&edge).await;
    for seed in [&absent, &deleted] {
        let (_, how) = read(&edge, &seed.path()).await;
        assert_eq!(how, "credlink; fwd=uri-miss");
        edge.settle().await;
        seed.put(&edge).await;
        seed.assert_is(&read(&edge, &seed.path()).await.0);
    }
}
