//! A Worker whose program is aborted, as by a panic: the requests of that moment fail, and no later one does.

use http::Method;

use super::seeds::{Seed, read};
use crate::engines::edge::{Edge, Mode};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aborted_program_starts_anew() {
    let edge = Edge::start().await;
    let (seed, other) = (Seed::record("before"), Seed::record("after"));
    for seed in [&seed, &other] {
        seed.put(&edge).await;
    }
    seed.assert_is(&read(&edge, &seed.path()).await.0);
    edge.settle().await;
    // Twice, since a restarted program may be aborted again.
    for _ in 0..2 {
        edge.set("clock", Mode::Fails).await;
        assert_eq!(edge.send(seed.asked(Method::GET)).await.body(), "aborted");
        edge.set("clock", Mode::Well).await;
        let (answer, how) = read(&edge, &seed.path()).await;
        seed.assert_is(&answer);
        assert_eq!(how, "credlink; hit", "the cache is not the program's");
    }
    other.assert_is(&read(&edge, &other.path()).await.0);
    edge.settle().await;
    assert_eq!(read(&edge, &other.path()).await.1, "credlink; hit");
}
