//! The queue is unreachable. A write that one provider missed would never be repaired, so no caller is told that it
//! succeeded.

use credlink_core::replica::Replica;
use http::Method;

use super::load::{Manifest, expect, is_gone, proof, reads, store, supersede};
use super::site::{Site, with_stack};
use crate::engines::proxy::Fault;
use crate::engines::unique;

async fn outage(replica: Replica, fault: Fault) {
    let when = format!("without the {replica}, and a queue with {fault:?}");
    let site = Site { timeout: "4000", ..Site::new().await };
    let [a, b, c, d] = ["a", "b", "c", "d"].map(unique);
    let text = |text: &str| Manifest::Json(text.to_owned());
    let process = site.process().await;
    for file in [&a, &b, &d] {
        expect(&process.send(store(file, &text("first"))).await, &[201], &when);
    }
    let tag = reads(&process, &a, &text("first"), &when).await;
    site.sqs.set(fault);
    // While both providers work, nothing needs the queue.
    expect(&process.ask(Method::DELETE, &proof(&d)).await, &[204], &when);
    site.of(replica).set(Fault::Refuse);
    expect(&process.send(supersede(&a, &text("second"), &tag)).await, &[503], &when);
    expect(&process.send(store(&c, &text("first"))).await, &[503], &when);
    expect(&process.ask(Method::DELETE, &proof(&b)).await, &[503], &when);
    is_gone(&site.process().await, &proof(&d), &when).await;
    // The queue is back, and the provider is not: the same requests succeed now, and repairs are queued.
    site.sqs.set(Fault::Pass);
    let answer = process.send(supersede(&a, &text("second"), &tag)).await;
    expect(&answer, &[200, 412], &when);
    expect(&process.send(store(&c, &text("first"))).await, &[200, 201], &when);
    expect(&process.ask(Method::DELETE, &proof(&b)).await, &[204], &when);
    let check = async |when: &str| {
        let process = site.process().await;
        reads(&process, &a, &text("second"), when).await;
        is_gone(&process, &proof(&b), when).await;
        reads(&process, &c, &text("first"), when).await;
        is_gone(&process, &proof(&d), when).await;
    };
    check(&when).await;
    assert!(process.depth().await > 0, "{when}");
    site.end_outages();
    check(&format!("{when}, over")).await;
    site.repair(&when).await;
    site.check_whole(&when).await;
    check(&format!("{when}, repaired")).await;
}

#[test]
fn refuses_while_the_primary_is_missed() {
    with_stack(async || {
        outage(Replica::Primary, Fault::Refuse).await;
    });
}

#[test]
fn refuses_while_the_fallback_is_missed() {
    with_stack(async || {
        outage(Replica::Fallback, Fault::Refuse).await;
    });
}

#[test]
fn answers_503_while_the_fallback_is_missed() {
    with_stack(async || {
        outage(Replica::Fallback, Fault::Answer(503)).await;
    });
}

#[test]
fn hangs_while_the_primary_is_missed() {
    with_stack(async || {
        outage(Replica::Primary, Fault::Hang).await;
    });
}
