//! R2 accepts one write a second for each key. A faster writer waits, and nothing else happens: no provider is taken
//! for unreachable, and nothing is left to repair.

use std::time::{Duration, Instant};

use credlink_core::replica::Replica;
use credlink_ports::{BreakerState, Replicas as _};
use futures_util::future::join_all;
use http::{Method, StatusCode};

use super::load::{Manifest, expect, is_gone, manifest, proof, reads, reads_manifest, store, supersede};
use super::site::{Process, Site, with_stack};
use crate::engines::proxy::Fault;
use crate::engines::unique;

fn text(text: &str) -> Manifest {
    Manifest::Json(text.to_owned())
}

/// Asserts that the throttling has left nothing behind.
async fn check_calm(site: &Site, process: &Process, when: &str) {
    assert_eq!(process.depth().await, 0, "{when}: a repair is left");
    site.check_no_flag(when).await;
    // The process checks the flags again, too.
    tokio::time::sleep(site.look_every).await;
    expect(&process.get(&proof(&unique("nothing"))).await, &[404], when);
    for provider in process.0.store().providers() {
        assert_eq!((provider.breaker, provider.behind), (BreakerState::Closed, false), "{when}");
    }
    site.check_whole(when).await;
}

#[test]
fn a_store_a_replacement_and_a_deletion_within_a_second() {
    with_stack(async || {
        let site = Site::new().await;
        site.r2.set(Fault::OneWriteASecond);
        let (process, file) = (site.process().await, unique("a"));
        expect(&process.send(store(&file, &text("first"))).await, &[201], "a store");
        let tag = reads(&process, &file, &text("first"), "stored").await;
        expect(&process.send(supersede(&file, &text("second"), &tag)).await, &[200], "a replacement");
        reads(&process, &file, &text("second"), "replaced").await;
        expect(&process.ask(Method::DELETE, &proof(&file)).await, &[204], "a deletion");
        is_gone(&process, &proof(&file), "deleted").await;
        check_calm(&site, &process, "within a second").await;
        // It was indeed throttled: three writes to one key took more attempts.
        let path = proof(&file).trim_start_matches("/v1").to_owned();
        let puts = site.r2.requests().into_iter().filter(|seen| {
            seen.method == "PUT" && seen.path.split('?').next().unwrap_or_default().ends_with(&path)
        });
        assert!(puts.count() > 3);
        // Even a caller that reads only the fallback is not served what was deleted.
        site.s3.set(Fault::Refuse);
        is_gone(&site.process().await, &proof(&file), "without S3").await;
    });
}

#[test]
fn a_manifest_that_is_deleted_and_stored_again_within_a_second() {
    with_stack(async || {
        let site = Site::new().await;
        site.r2.set(Fault::OneWriteASecond);
        let (process, name) = (site.process().await, unique("a"));
        for round in 0..2 {
            let when = format!("round {round}");
            expect(&process.send(store(&name, &Manifest::C2pa(name.clone()))).await, &[201], &when);
            reads_manifest(&process, &name, &when).await;
            expect(&process.ask(Method::DELETE, &proof(&name)).await, &[204], &when);
            is_gone(&process, &manifest(&name), &when).await;
        }
        check_calm(&site, &process, "twice").await;
    });
}

#[test]
fn two_writers_of_one_key() {
    with_stack(async || {
        let site = Site::new().await;
        site.r2.set(Fault::OneWriteASecond);
        let (one, other, file) = (site.process().await, site.process().await, unique("a"));
        let (requests, same) = ([store(&file, &text("one")), store(&file, &text("other"))], unique("b"));
        let [first, second] = requests;
        let stored = join_all([one.send(first), other.send(second)]).await;
        let count = |status: StatusCode| stored.iter().filter(|response| response.status() == status).count();
        assert_eq!((count(StatusCode::CREATED), count(StatusCode::OK)), (1, 1), "{stored:?}");
        let again = join_all([one.send(store(&same, &text("b"))), other.send(store(&same, &text("b")))]);
        for response in again.await {
            expect(&response, &[200, 201], "the same by two");
        }
        // The fallback itself decided which of two different records it has; the repair follows the row.
        site.repair("two writers").await;
        check_calm(&site, &one, "two writers").await;
        let tag = one.get(&proof(&file)).await.headers()["etag"].clone();
        let [first, second] = ["third", "fourth"].map(|word| supersede(&file, &text(word), &tag));
        let replaced = join_all([one.send(first), other.send(second)]).await;
        let done = replaced.iter().filter(|response| response.status() == StatusCode::OK).count();
        assert_eq!(done, 1, "{replaced:?}");
        site.repair("two replacements").await;
        check_calm(&site, &one, "two replacements").await;
    });
}

/// S3 decides, and takes as long as a call may.
#[test]
fn an_answer_of_s3_that_comes_late_is_no_failure() {
    with_stack(async || {
        let site = Site::new().await;
        let (process, file) = (site.process().await, unique("a"));
        expect(&process.send(store(&unique("warm"), &text("warm"))).await, &[201], "before");
        site.s3.set(Fault::SlowWrites(Duration::from_secs(3)));
        let began = Instant::now();
        expect(&process.send(store(&file, &text("first"))).await, &[201], "late");
        assert!(began.elapsed() >= Duration::from_secs(3));
        check_calm(&site, &process, "late").await;
        site.end_outages();
        site.of(Replica::Fallback).set(Fault::Refuse);
        reads(&site.process().await, &file, &text("first"), "from S3").await;
    });
}
