//! A proof is extended, and the request is cut off at each of its writes. Then the old lifetime ends: a caller that has
//! seen the extension must not lose the proof, whatever happens next.

use credlink_core::object::ObjectKey;
use credlink_core::record::Record;
use credlink_ports::Objects as _;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use credlink_service::fsck::Severity;
use http::StatusCode;
use serde_json::Value;

use crate::faults::act::What::{C2pa, Json};
use crate::faults::act::{Act, Outcome, What, proof_id};
use crate::faults::gate::Gate;
use crate::faults::request::send;
use crate::faults::world::Step::Do;
use crate::faults::world::{Memory, World, ready};

const TEXT: What = Json(r#"{ "title" : 1.0 }"#);
const EIGHT_DAYS: u64 = 8 * 86_400;

/// The steps after the old lifetime of the proof has ended.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// A caller stores the file again at once.
    Store,
    /// Cleanup runs days later.
    CleanUp,
    /// A caller stores the file again, and cleanup runs days later.
    Both,
    /// A caller stores the file days later, before cleanup runs.
    StoreLate,
}

fn path() -> String {
    format!("/v1/proofs/{}", proof_id("a"))
}

/// The revision of the record in place, as a GET shows that does not consult the index.
fn shown(world: &World) -> u32 {
    let object = ready(world.objects().get(&ObjectKey::Record(proof_id("a")))).unwrap().unwrap();
    let verified = credlink_core::object::Verified::check(object).unwrap();
    Record::parse(&verified.content()).unwrap().revision
}

fn done(world: &World, act: &Act) {
    let outcome = ready(send(&world.calm(), &world.request(act)));
    assert!(matches!(outcome, Outcome::Done(_)), "{act:?}: {outcome:?}");
}

/// Cuts the extension off at its write `k`, and continues with `then`. Returns whether there is such a write, and
/// whether the extension was visible.
fn cut_off(first: What, extension: What, k: u64, then: Then) -> (bool, bool) {
    let when = format!("{first:?} to {extension:?}, cut off at {k}, then {then:?}");
    let world = World::after(&[Do(Act::StoreShortly("a", first))], Memory::None);
    let asked = world.request(&Act::Supersede("a", extension));
    let outcome = ready(send(&world.process(&FaultPlan::from(k, Flavour::Lost), &Gate::open()), &asked));
    let is_shown = shown(&world) == 2;
    world.clock.advance_seconds(30);
    match then {
        Then::Store | Then::Both => done(&world, &Act::Store("a", TEXT)),
        Then::CleanUp | Then::StoreLate => {}
    }
    world.clock.advance_seconds(EIGHT_DAYS);
    match then {
        Then::CleanUp | Then::Both => done(&world, &Act::Cleanup),
        Then::StoreLate => done(&world, &Act::Store("a", TEXT)),
        Then::Store => {}
    }
    let read = world.get(&path());
    let body: Value = serde_json::from_slice(read.body()).unwrap();
    let stored_anew = !matches!(then, Then::CleanUp);
    match (is_shown, stored_anew) {
        (true, _) => {
            assert_eq!(read.status(), StatusCode::OK, "{when}: the extension was shown, and is lost: {body}");
            assert_eq!(body["manifest"]["sha256"], extension.digest().to_string(), "{when}");
        }
        (false, true) => {
            assert_eq!(read.status(), StatusCode::OK, "{when}: {body}");
            assert_eq!(body["manifest"]["sha256"], TEXT.digest().to_string(), "{when}");
        }
        (false, false) => assert_eq!(read.status(), StatusCode::GONE, "{when}: {body}"),
    }
    world.check_store(Severity::Broken, &when);
    (matches!(outcome, Outcome::Failed(_)), is_shown)
}

#[test]
fn an_extension_that_was_shown_is_never_lost() {
    for (first, extension) in
        [(C2pa("one"), C2pa("two")), (C2pa("one"), C2pa("one")), (TEXT, Json(r#"{"b":2}"#))]
    {
        for then in [Then::Store, Then::CleanUp, Then::Both, Then::StoreLate] {
            let mut halves = 0;
            for k in 1.. {
                let (failed, is_shown) = cut_off(first, extension, k, then);
                halves += usize::from(failed && is_shown);
                if !failed {
                    break;
                }
            }
            assert!(halves > 0, "no cut left a record ahead of its row");
        }
    }
}
