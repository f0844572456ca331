//! The index is unreachable: public objects can still be read, and nothing is half stored, half replaced or half
//! deleted.

use std::time::Duration;

use bytes::Bytes;
use credlink_core::replica::Replica;
use http::{Method, Request, Response};

use super::load::{Manifest, expect, is_gone, manifest, proof, reads, reads_manifest, store, supersede};
use super::site::{Process, Site, with_stack};
use crate::engines::proxy::Fault;
use crate::engines::unique;

fn text(text: &str) -> Manifest {
    Manifest::Json(text.to_owned())
}

/// Asserts that the answer is a failure that a client can handle: a problem document that says when to retry.
#[track_caller]
fn is_refused(response: &Response<Bytes>, what: &str) {
    expect(response, &[503], what);
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{what}");
    let seconds = response.headers()["retry-after"].to_str().unwrap().parse::<u64>();
    assert!(seconds.is_ok_and(|seconds| seconds > 0), "{what}");
}

fn delete(file: &str) -> Request<Bytes> {
    Request::builder().method(Method::DELETE).uri(proof(file)).body(Bytes::new()).unwrap()
}

async fn outage(fault: Fault) {
    let when = format!("{fault:?}");
    // The time that a hanging call takes.
    let site = Site { timeout: "4000", ..Site::new().await };
    let [a, b, c, d] = ["a", "b", "c", "d"].map(unique);
    let first = site.process().await;
    for (file, manifest) in [(&a, text("a")), (&b, Manifest::C2pa(b.clone())), (&c, text("c"))] {
        expect(&first.send(store(file, &manifest)).await, &[201], &when);
    }
    let warm = site.process().await;
    let tag = reads(&warm, &a, &text("a"), &when).await;
    site.dynamodb.set(fault);
    let fresh = site.process().await;
    let served = async |process: &Process, when: &str| {
        reads(process, &a, &text("a"), when).await;
        reads(process, &b, &Manifest::C2pa(b.clone()), when).await;
        reads_manifest(process, &b, when).await;
        reads(process, &c, &text("c"), when).await;
        expect(&process.get(&proof(&d)).await, &[404], when);
    };
    served(&warm, &when).await;
    served(&fresh, &format!("{when}, a process that never knew the index")).await;
    let requests = [
        (store(&d, &text("d")), 201),
        (store(&a, &text("a")), 200),
        (supersede(&a, &text("second"), &tag), 200),
        (delete(&c), 204),
    ];
    for (request, _) in &requests {
        is_refused(&warm.send(request.clone()).await, &format!("{when}: {}", request.method()));
    }
    is_refused(&warm.get("/v1/stats").await, &when);
    served(&site.process().await, &format!("{when}, after writes were refused")).await;
    site.end_outages();
    served(&site.process().await, &format!("{when}, over")).await;
    for (request, status) in requests {
        expect(&warm.send(request).await, &[status], &format!("{when}, over"));
    }
    let last = site.process().await;
    reads(&last, &a, &text("second"), &when).await;
    is_gone(&last, &proof(&c), &when).await;
    reads(&last, &d, &text("d"), &when).await;
    site.repair(&when).await;
    site.check_whole(&when).await;
}

#[test]
fn refuses() {
    with_stack(async || {
        outage(Fault::Refuse).await;
    });
}

#[test]
fn hangs() {
    with_stack(async || {
        outage(Fault::Hang).await;
    });
}

#[test]
fn loses_every_answer() {
    with_stack(async || {
        outage(Fault::ResetAfter(20)).await;
    });
}

#[test]
fn answers_503() {
    with_stack(async || {
        outage(Fault::Answer(503)).await;
    });
}

#[test]
fn is_slow() {
    with_stack(async || {
        let site = Site::new().await;
        site.dynamodb.set(Fault::Slow(Duration::from_millis(300)));
        let (process, file) = (site.process().await, unique("a"));
        expect(&process.send(store(&file, &Manifest::C2pa(file.clone()))).await, &[201], "slow");
        reads_manifest(&process, &file, "slow").await;
        expect(&process.send(delete(&file)).await, &[204], "slow");
        is_gone(&site.process().await, &manifest(&file), "slow").await;
        site.end_outages();
        site.repair("slow").await;
        site.check_whole("slow").await;
    });
}

/// A provider was unreachable during a deletion and is back. Then the index is unreachable, and a process starts that
/// never learnt of the deletion.
#[test]
fn what_the_providers_do_not_agree_on_is_not_served_without_it() {
    with_stack(async || {
        for replica in [Replica::Primary, Replica::Fallback] {
            let site = Site::new().await;
            let (process, file) = (site.process().await, unique("a"));
            expect(&process.send(store(&file, &text("a"))).await, &[201], "before");
            site.of(replica).set(Fault::Refuse);
            expect(&process.send(delete(&file)).await, &[204], "meanwhile");
            site.end_outages();
            site.dynamodb.set(Fault::Refuse);
            let answer = site.process().await.get(&proof(&file)).await;
            expect(&answer, &[404, 410, 503], &format!("the {replica} missed the deletion"));
            // The process that was running during the deletion knows of it.
            let answer = process.get(&proof(&file)).await;
            expect(&answer, &[404, 410, 503], &format!("the {replica} missed the deletion"));
        }
    });
}
