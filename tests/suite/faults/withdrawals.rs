//! A manifest is withdrawn by a request that is cut off at each of its steps, or runs beside a deletion: a manifest
//! that is deleted afterwards stays deleted, and nothing is left that a later life of the manifest would take for its
//! own.

use std::pin::pin;

use bytes::Bytes;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use credlink_service::fsck::Severity;
use http::{Method, Request};

use super::act::Act::{Cleanup, Delete, DeleteManifest, Store, StoreManifest};
use super::act::What::C2pa;
use super::act::{Outcome, c2pa_id};
use super::gate::Gate;
use super::request::{handle, send};
use super::world::Step::Do;
use super::world::{Memory, World, ready};

fn withdrawal() -> Request<Bytes> {
    let request = Request::builder()
        .method(Method::PUT)
        .uri(format!("/v1/manifests/{}/visibility", c2pa_id("one")))
        .header("content-type", "application/json");
    request.body(Bytes::from_static(br#"{"visibility":"private"}"#)).unwrap()
}

/// Reads the manifest as its owner. Returns the status, and whether other callers may read it, according to the cache
/// directives.
fn read(world: &World) -> (u16, bool) {
    let response = world.get(&format!("/v1/manifests/{}", c2pa_id("one")));
    let is_private = response.headers()["cache-control"] == "private, no-store";
    (response.status().as_u16(), is_private)
}

/// Asserts that a later life of a deleted manifest ends with its proof.
fn comes_back_and_goes(world: &mut World, when: &str) {
    assert_eq!(read(world).0, 410, "{when}");
    for act in [Store("a", C2pa("one")), Cleanup, Delete("a"), Cleanup] {
        world.clean();
        let asked = world.request(&act);
        let outcome = ready(send(&world.calm(), &asked));
        assert!(matches!(outcome, Outcome::Done(_)), "{when}, {act:?}: {outcome:?}");
    }
    assert_eq!(read(world).0, 410, "{when}, after its next life");
    world.clean();
    world.check_store(Severity::Leftover, when);
}

fn delete(world: &World, when: &str) {
    let asked = world.request(&DeleteManifest("one"));
    assert_eq!(ready(send(&world.calm(), &asked)), Outcome::Done(None), "{when}");
}

/// Drops a withdrawal at each stop of its gate. Returns the number of its steps.
fn cut_off(
    gate: &dyn Fn(u64) -> Gate,
    memory: &dyn Fn() -> Memory,
    then: &mut dyn FnMut(&mut World, &str),
) -> u64 {
    for k in 0..100 {
        let when = format!("dropped at {k}");
        let mut world = World::after(&[Do(StoreManifest("one"))], memory());
        assert_eq!(read(&world), (200, false));
        let gate = gate(k);
        let process = world.process(&FaultPlan::none(), &gate);
        let request = withdrawal();
        if let Some(response) = gate.run(pin!(handle(&process, &request))) {
            assert_eq!((response.status().as_u16(), read(&world)), (204, (200, true)), "{when}");
            return k;
        }
        world.check_store(Severity::Broken, &when);
        then(&mut world, &when);
    }
    panic!("it does not end");
}

fn at_every_step(then: &dyn Fn(&mut World, &str)) {
    assert!(
        cut_off(&Gate::before, &|| Memory::None, &mut |world, when| then(world, when)) > 5,
        "it has steps"
    );
    assert!(
        cut_off(&Gate::around, &Memory::cached, &mut |world, when| then(world, when)) > 5,
        "it has steps"
    );
}

#[test]
fn the_same_request_goes_on() {
    at_every_step(&|world, when| {
        let response = ready(handle(&world.calm(), &withdrawal()));
        assert_eq!((response.status().as_u16(), read(world)), (204, (200, true)), "{when}");
        world.clean();
        world.check_store(Severity::Leftover, when);
    });
}

/// A reader of the manifest is told the same as its owner's listing says.
#[test]
fn a_reader_ends_it() {
    let mut withdrawn = 0;
    cut_off(&Gate::before, &|| Memory::None, &mut |world, when| {
        let listed = String::from_utf8_lossy(world.get("/v1/manifests").body()).into_owned();
        let is_private = listed.contains(r#""visibility":"private""#);
        withdrawn += u32::from(is_private);
        assert_eq!(read(world), (200, is_private), "{when}");
        world.clean();
        world.check_store(Severity::Leftover, when);
    });
    assert!(withdrawn > 0, "it is cut off behind its row");
}

/// Nothing can be written: the owner reads the withdrawn manifest, and no caller is told of a failure.
#[test]
fn a_reader_that_cannot_end_it_answers_as_if_it_had() {
    let mut withdrawn = 0;
    cut_off(&Gate::before, &|| Memory::None, &mut |world, when| {
        let listed = String::from_utf8_lossy(world.get("/v1/manifests").body()).into_owned();
        let is_private = listed.contains(r#""visibility":"private""#);
        withdrawn += u32::from(is_private);
        let process = world.process(&FaultPlan::from(1, Flavour::Lost), &Gate::open());
        let asked = Request::get(format!("/v1/manifests/{}", c2pa_id("one"))).body(Bytes::new()).unwrap();
        let response = ready(handle(&process, &asked));
        let said_private = response.headers()["cache-control"] == "private, no-store";
        assert_eq!((response.status().as_u16(), said_private), (200, is_private), "{when}");
    });
    assert!(withdrawn > 0, "it is cut off behind its row");
}

#[test]
fn cleanup_brings_it_to_an_end() {
    at_every_step(&|world, when| {
        world.clean();
        world.check_store(Severity::Leftover, when);
        assert_eq!(read(world).0, 200, "{when}");
        delete(world, when);
        comes_back_and_goes(world, when);
    });
}

#[test]
fn what_is_deleted_next_is_deleted() {
    at_every_step(&|world, when| {
        delete(world, when);
        comes_back_and_goes(world, when);
    });
}

#[test]
fn a_deletion_beside_it_deletes() {
    for is_first in [true, false] {
        for (k, l) in (0..40).flat_map(|k| (0..40).map(move |l| (k, l))) {
            let when = format!("the withdrawal is first: {is_first}, to {k}; the other one to {l}");
            let mut world = World::after(&[Do(StoreManifest("one"))], Memory::None);
            let (gate_one, gate_two) = (Gate::before(k), Gate::before(l));
            let process_one = world.process(&FaultPlan::none(), &gate_one);
            let process_two = world.process(&FaultPlan::none(), &gate_two);
            let (request, deletion) = (withdrawal(), world.request(&DeleteManifest("one")));
            let withdraws = async |process| match handle(process, &request).await.status().as_u16() {
                204 | 410 => Outcome::Done(None),
                other => Outcome::Failed(other),
            };
            let deletes = async |process| send(process, &deletion).await;
            let withdrawn_by = if is_first { (&gate_one, &process_one) } else { (&gate_two, &process_two) };
            let deleted_by = if is_first { (&gate_two, &process_two) } else { (&gate_one, &process_one) };
            let mut withdrawing = pin!(withdraws(withdrawn_by.1));
            let mut deleting = pin!(deletes(deleted_by.1));
            let (mut withdrawn, mut deleted) = (None, None);
            for turn in [is_first, !is_first] {
                if turn {
                    withdrawn = withdrawn_by.0.run(withdrawing.as_mut());
                } else {
                    deleted = deleted_by.0.run(deleting.as_mut());
                }
            }
            gate_one.lift();
            gate_two.lift();
            let withdrawn = withdrawn.unwrap_or_else(|| withdrawn_by.0.run(withdrawing).expect("lifted"));
            let deleted = deleted.unwrap_or_else(|| deleted_by.0.run(deleting).expect("lifted"));
            assert_eq!((withdrawn, deleted), (Outcome::Done(None), Outcome::Done(None)), "{when}");
            world.check_store(Severity::Broken, &when);
            comes_back_and_goes(&mut world, &when);
        }
    }
}
