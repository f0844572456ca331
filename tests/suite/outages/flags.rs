//! A provider that missed something counts as behind exactly until the last repair is done. From then on, reads from it
//! need no index.

use std::time::Duration;

use credlink_core::replica::Replica;
use credlink_deployment::work::Dispatcher;
use credlink_deployment::work::drain::Limits;
use credlink_ports::Queue as _;
use credlink_runtime::clock::SystemClock;
use http::Method;

use super::load::{Manifest, expect, is_gone, proof, reads, store, supersede};
use super::site::{Process, Site, with_stack};
use crate::engines::proxy::Fault;
use crate::engines::unique;

fn text(text: &str) -> Manifest {
    Manifest::Json(text.to_owned())
}

/// Handles one message, as the function behind the queue or as a server.
async fn repair_one(worker: &Process, as_the_function: bool) {
    let queue = worker.0.waiting();
    if as_the_function {
        for delivery in queue.receive(1, 1).await.unwrap() {
            if Box::pin(worker.0.work(&delivery.text.parse().unwrap(), delivery.attempts)).await.is_ok() {
                queue.settle(&delivery.receipt).await.unwrap();
            }
        }
        return;
    }
    let limits = Limits { hidden_seconds: 1, messages: 1, ..Limits::default() };
    let (pair, rows) = (worker.pair(), worker.0.rows());
    let repairs = Dispatcher::repairing(pair.primary(), pair.fallback(), rows, &SystemClock);
    let done = Box::pin(repairs.drain(queue, limits));
    done.await.unwrap();
}

async fn outage(replica: Replica) {
    let when = format!("without the {replica}");
    let site = Site::new().await;
    let [a, b, c] = ["a", "b", "c"].map(unique);
    let process = site.process().await;
    for file in [&a, &b, &c] {
        expect(&process.send(store(file, &text("first"))).await, &[201], &when);
    }
    let tag = reads(&process, &a, &text("first"), &when).await;
    site.of(replica).set(Fault::Refuse);
    expect(&process.send(supersede(&a, &text("second"), &tag)).await, &[200], &when);
    expect(&process.ask(Method::DELETE, &proof(&b)).await, &[204], &when);
    assert!(site.is_behind(replica).await, "{when}");
    assert!(!site.is_behind(replica.other()).await, "{when}");
    site.end_outages();
    let served = async |when: &str| {
        let process = site.process().await;
        reads(&process, &a, &text("second"), when).await;
        is_gone(&process, &proof(&b), when).await;
        reads(&process, &c, &text("first"), when).await;
        process
    };
    served(&format!("{when}, over")).await;
    // One repair after the other: the flag is set while one is left.
    let worker = site.process().await;
    let mut before = site.replica_row(replica).await.unwrap().repairs.len();
    assert!(before >= 2, "{when}: a replacement and a deletion were missed");
    for round in 0..100 {
        let left = site.replica_row(replica).await.unwrap().repairs.len();
        assert_eq!(site.is_behind(replica).await, left > 0, "{when}, {round}");
        assert!(before - left <= 1, "{when}, {round}: one message is one repair");
        before = left;
        if left == 0 && worker.depth().await == 0 {
            break;
        }
        repair_one(&worker, replica == Replica::Primary).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    site.check_no_flag(&when).await;
    site.check_whole(&when).await;
    // Next the index is unreachable, and reads continue, even if only one provider is left to ask.
    let knows = served(&format!("{when}, repaired")).await;
    site.dynamodb.set(Fault::Refuse);
    tokio::time::sleep(site.look_every).await;
    reads(&knows, &c, &text("first"), &format!("{when}, and then without the index")).await;
    for process in [knows, site.process().await] {
        reads(&process, &a, &text("second"), &format!("{when}, and then without the index")).await;
        is_gone(&process, &proof(&b), &format!("{when}, and then without the index")).await;
    }
    site.end_outages();
}

#[test]
fn the_primary_is_trusted_again_after_the_last_repair() {
    with_stack(async || {
        outage(Replica::Primary).await;
    });
}

#[test]
fn the_fallback_is_trusted_again_after_the_last_repair() {
    with_stack(async || {
        outage(Replica::Fallback).await;
    });
}
