//! A request is cut off at each of its writes, and then a caller reads. If the index is free to query, the reader, the
//! listing and the next writer agree at once.

use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use credlink_service::fsck::Severity;
use http::header::{ETAG, IF_MATCH};
use http::{HeaderValue, Request};
use serde_json::Value;

use crate::faults::act::What::{C2pa, Json};
use crate::faults::act::{Act, Outcome, proof_id};
use crate::faults::request::{handle, send};
use crate::faults::world::Step::Do;
use crate::faults::world::{Memory, Step, World, ready};

const OTHER: crate::faults::act::What = Json(r#"{"other":true}"#);

fn path() -> String {
    format!("/v1/proofs/{}", proof_id("a"))
}

/// Returns the revision of the proof in a listing.
fn listed(world: &World) -> Option<u64> {
    let page: Value = serde_json::from_slice(world.get("/v1/proofs").body()).unwrap();
    let proofs = page["proofs"].as_array().unwrap().clone();
    let proof = proofs.into_iter().find(|proof| proof["id"] == proof_id("a").to_string());
    proof.and_then(|proof| proof["revision"].as_u64())
}

/// The answer to a request with this body.
fn ask(world: &World, method: &str, path: &str, tag: Option<&HeaderValue>) -> (u16, Value) {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    if let Some(tag) = tag {
        request = request.header(IF_MATCH, tag);
    }
    let answer = ready(handle(&world.calm(), &request.body(OTHER.body("a", 31_536_000)).unwrap()));
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
}

/// Cuts `act` off at each of its writes. Returns the number of writes.
fn cut_off(steps: &[Step], act: &Act, memory: &dyn Fn() -> Memory) -> u64 {
    for k in 1.. {
        for by_put in [false, true] {
            let world = World::after(steps, memory());
            let asked = world.request(act);
            let plan = FaultPlan::from(k, Flavour::Lost);
            let outcome = ready(send(&world.process(&plan, &crate::faults::gate::Gate::open()), &asked));
            if !matches!(outcome, Outcome::Failed(_)) {
                return k - 1;
            }
            let when = format!("{act:?} cut off at {k}");
            // An answer that was cached before stays fresh for a minute.
            world.clock.advance_seconds(61);
            let read = world.get(&path());
            let body: Value = serde_json::from_slice(read.body()).unwrap();
            let is_there = read.status() == 200;
            let revision = body["revision"].as_u64().filter(|_| is_there);
            assert_eq!(listed(&world), revision, "{when}: the listing differs from the reader");
            let none = HeaderValue::from_static("*");
            match (by_put, is_there) {
                (true, true) => {
                    let (status, body) = ask(&world, "PUT", &path(), Some(&read.headers()[ETAG]));
                    assert_eq!((status, body["revision"].as_u64()), (200, revision.map(|n| n + 1)), "{when}");
                }
                (true, false) => {
                    let (status, _) = ask(&world, "PUT", &path(), Some(&none));
                    assert_eq!(status, read.status().as_u16(), "{when}");
                }
                (false, true) => {
                    let (status, body) = ask(&world, "POST", "/v1/proofs", None);
                    assert_eq!((status, body["revision"].as_u64()), (200, revision), "{when}: {body}");
                    assert_eq!(body["identical"], false, "{when}");
                }
                (false, false) => {
                    let (status, _) = ask(&world, "POST", "/v1/proofs", None);
                    assert_eq!(status, 201, "{when}");
                }
            }
            world.check_store(Severity::Broken, &when);
        }
    }
    unreachable!()
}

fn every_request(memory: &dyn Fn() -> Memory) {
    let stored = Do(Act::Store("a", C2pa("one")));
    let replaced = Do(Act::Supersede("a", C2pa("two")));
    let cases: [(&[Step], Act); 6] = [
        (&[], Act::Store("a", C2pa("one"))),
        (&[stored.clone(), Do(Act::Delete("a"))], Act::Store("a", C2pa("two"))),
        (std::slice::from_ref(&stored), Act::Supersede("a", C2pa("two"))),
        (&[stored.clone(), replaced.clone()], Act::Supersede("a", C2pa("three"))),
        (std::slice::from_ref(&stored), Act::Delete("a")),
        (&[stored.clone(), replaced], Act::Delete("a")),
    ];
    for (steps, act) in cases {
        assert!(cut_off(steps, &act, memory) >= 3, "{act:?}");
    }
}

#[test]
fn who_reads_agrees_at_once_with_listings_and_writers() {
    every_request(&|| Memory::None);
}

#[test]
fn who_reads_behind_a_cache_agrees_within_a_minute() {
    every_request(&Memory::cached);
}
