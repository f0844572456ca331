//! Two providers: one is unreachable from each call of each use case on, for a while or to its end.
//!
//! Afterwards no acknowledged change is lost, and nothing that was deleted or replaced is served: not when the provider
//! is back and no repair has run, not when the other provider is then unreachable, and not after any of the repairs.
//! After the repairs, both hold the same, byte for byte, and neither counts as behind.

use std::pin::pin;

use credlink_core::object::{Object, ObjectKey};
use credlink_core::record::Record;
use credlink_core::replica::Replica;
use credlink_core::row::{Row, RowKey};
use credlink_core::rules::replica_lag::stands;
use credlink_core::time::Timestamp;
use credlink_deployment::work::Dispatcher;
use credlink_deployment::work::drain::{Limits, Report};
use credlink_ports::doubles::faults::FaultPlan;
use credlink_ports::{Clock as _, Condition, Index as _, Objects as _, Put, Queue as _};
use credlink_service::fsck::{Manner, Severity, Surrounding, check};

use super::act::What::C2pa;
use super::act::{Act, Outcome, proof_id};
use super::cases::{OTHER, TEXT, replaced, use_cases};
use super::check::{FILES, Left, expected};
use super::gate::Gate;
use super::outage::How;
use super::request::send;
use super::world::Step::{self, Do};
use super::world::{World, ready};

/// Times and timers need a runtime, though nothing here waits for one; and in an unoptimised build two providers need
/// more stack than the thread of a test has.
fn in_a_runtime(test: impl FnOnce() + Send) {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        test();
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(32 << 20).spawn_scoped(scope, run).unwrap();
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

impl World {
    /// Asserts that nothing stale is served while `replica` is unreachable. An error is not a stale answer.
    fn check_failover(&self, replica: Replica, left: &Left, when: &str) {
        let second = self.second.as_ref().unwrap();
        second.outage.of(replica);
        for file in FILES {
            let response = self.get(&format!("/v1/proofs/{}", proof_id(file)));
            let current = match response.status().as_u16() {
                200 => Some(Record::parse(response.body()).unwrap().manifest.sha256),
                404 | 410 => None,
                503 => continue,
                status => panic!("{when}: {file} is answered with {status}"),
            };
            let serves =
                |served: &super::check::Served| served.as_ref().map(|(sha256, _)| *sha256) == current;
            let fits = self.known.0.iter().any(|model| serves(&expected(model, file)));
            assert!(
                fits || left.records_of(file).any(serves),
                "{when}, then without the {replica}: {file} is {current:?}; {:#?}",
                self.known
            );
        }
        second.outage.end();
    }

    /// Returns `true` if a provider counts as behind.
    fn is_behind(&self, replica: Replica) -> bool {
        let row = ready(self.index.get(&RowKey::Replica(replica))).unwrap().and_then(Row::replica);
        row.is_some_and(|row| stands(&row, self.clock.now()))
    }

    /// Runs one repair after the other, and checks the world after each of them.
    fn check_each_repair(&self, left: &Left, when: &str) {
        let second = self.second.as_ref().unwrap();
        second.queue_clock.advance_seconds(1_000);
        let limits = Limits { messages: 1, ..Limits::default() };
        for number in 1..100 {
            let (primary, fallback) = (self.objects(), &second.objects);
            let repairs = Dispatcher::repairing(primary, fallback, &self.index, &self.clock);
            if ready(repairs.drain(&second.queue, limits)).unwrap().received == 0 {
                return;
            }
            let when = format!("{when}, repair {number}");
            self.check_failover(Replica::Primary, left, &when);
            self.check_failover(Replica::Fallback, left, &when);
        }
        panic!("{when}: the repairs do not end");
    }

    /// Works through the queue, as far as that is possible now.
    pub fn drain(&self) -> Report {
        let second = self.second.as_ref().unwrap();
        let mut last = Report::default();
        for _ in 0..4 {
            second.queue_clock.advance_seconds(1_000);
            let (primary, fallback) = (self.objects(), &second.objects);
            let repairs = Dispatcher::repairing(primary, fallback, &self.index, &self.clock);
            last = ready(repairs.drain(&second.queue, Limits::default())).unwrap();
            if last.received == 0 {
                break;
            }
        }
        last
    }

    /// The whole contents of a provider.
    fn contents(&self, of: Replica) -> Vec<(String, Object)> {
        let second = self.second.as_ref().unwrap();
        let objects = if of == Replica::Primary { self.objects() } else { &second.objects };
        let page = ready(objects.list("", None, 1_000)).unwrap();
        let read = |key: String| {
            let object = ready(objects.get(&key.parse().unwrap())).unwrap().unwrap();
            (key, object)
        };
        page.items.into_iter().map(|item| read(item.key)).collect()
    }

    fn check_repaired(&mut self, left: &Left, crashed: bool, when: &str) {
        self.drain();
        self.check_store(Severity::Broken, &format!("{when}, repaired"));
        self.check_parts(left, &format!("{when}, repaired"));
        self.settle(&format!("{when}, repaired"));
        let report = self.drain();
        assert_eq!(report.received, 0, "{when}: not repaired: {:#?}", self);
        assert_eq!(ready(self.second.as_ref().unwrap().queue.depth()).unwrap(), 0, "{when}");
        for replica in [Replica::Primary, Replica::Fallback] {
            // The flag of a process that ended before it queued its repair stays set until its time is over.
            let may_stand = crashed && self.is_behind(replica);
            assert!(
                may_stand || !self.is_behind(replica),
                "{when}: the {replica} counts as behind: {:#?}",
                self
            );
        }
        let mut primary = self.contents(Replica::Primary);
        let mut fallback = self.contents(Replica::Fallback);
        // A repair writes at a later time.
        for (_, object) in primary.iter_mut().chain(&mut fallback) {
            object.head.modified = Timestamp::from_milliseconds(0);
        }
        assert_eq!(primary, fallback, "{when}: {:#?}", self);
    }
}

/// Makes one provider unreachable for the calls `from..to` of `act`. Returns `true` if there were that many calls, and
/// the outage mattered.
fn outage(steps: &[Step], act: &Act, replica: Replica, how: How, calls: (u64, u64), when: &str) -> bool {
    let mut left = Left::by(steps, &[act]);
    let mut world = World::over_two(steps);
    let asked = world.request(act);
    let outages = world.second.as_ref().unwrap().outage.clone();
    outages.plan(replica, calls.0..calls.1, how);
    let outcome = ready(send(&world.calm(), &asked));
    let (seen, failed) = outages.end();
    if seen <= calls.0 {
        return false;
    }
    if failed == 0 {
        return true;
    }
    assert!(!matches!(outcome, Outcome::Refused(_)), "{when}: {outcome:?}");
    world.note(&asked, outcome);
    left.after(&asked.act, outcome);
    world.check_store(Severity::Broken, when);
    world.check_parts(&left, when);
    world.check_failover(Replica::Primary, &left, when);
    world.check_failover(Replica::Fallback, &left, when);
    world.check_each_repair(&left, when);
    world.check_repaired(&left, false, when);
    world.check_failover(Replica::Primary, &left, when);
    true
}

fn every_outage(replica: Replica, how: How) {
    in_a_runtime(|| {
        for (name, steps, act) in use_cases() {
            'starts: for from in 0..500_u64 {
                for length in [1, u64::MAX] {
                    let to = from.saturating_add(length);
                    let when = format!("{name}, {replica} out of reach {from}..{to} ({how:?})");
                    if !outage(&steps, &act, replica, how, (from, to), &when) {
                        break 'starts;
                    }
                }
            }
        }
    });
}

#[test]
fn what_is_acknowledged_survives_every_outage_of_the_primary() {
    every_outage(Replica::Primary, How::Lost);
}

#[test]
fn what_is_acknowledged_survives_every_outage_of_the_primary_that_begins_with_a_lost_answer() {
    every_outage(Replica::Primary, How::Kept);
}

#[test]
fn what_is_acknowledged_survives_every_outage_of_the_fallback() {
    every_outage(Replica::Fallback, How::Lost);
}

#[test]
fn what_is_acknowledged_survives_every_outage_of_the_fallback_that_begins_with_a_lost_answer() {
    every_outage(Replica::Fallback, How::Kept);
}

#[test]
fn what_is_acknowledged_survives_a_primary_that_throttles() {
    every_outage(Replica::Primary, How::Throttled);
}

#[test]
fn what_is_acknowledged_survives_a_fallback_that_throttles() {
    every_outage(Replica::Fallback, How::Throttled);
}

/// A process that ends after only one provider has its write is followed by one that finds the difference. No caller is
/// told of the write before a repair is queued.
#[test]
fn what_is_acknowledged_survives_a_crash_between_the_providers() {
    in_a_runtime(|| {
        for (name, steps, act) in use_cases() {
            for k in 0..500 {
                let when = format!("{name}, over two providers, dropped at {k}");
                let mut left = Left::by(&steps, &[&act]);
                let mut world = World::over_two(&steps);
                let asked = world.request(&act);
                let gate = Gate::before(k);
                let process = world.process(&FaultPlan::none(), &gate);
                if gate.run(pin!(send(&process, &asked))).is_some() {
                    break;
                }
                world.note(&asked, Outcome::Failed(0));
                world.check_parts(&left, &when);
                let outcome = ready(send(&world.calm(), &asked));
                assert!(!matches!(outcome, Outcome::Failed(_)), "{when}: {outcome:?}");
                world.note(&asked, outcome);
                left.after(&asked.act, outcome);
                world.check_parts(&left, &when);
                world.check_failover(Replica::Primary, &left, &when);
                world.check_failover(Replica::Fallback, &left, &when);
                world.check_repaired(&left, true, &when);
            }
        }
    });
}

/// Runs `first` up to its call `k`, then all of `second` while `dead` is unreachable, then the rest of `first`. Returns
/// `true` if `first` stopped where it should.
fn overtaken(steps: &[Step], first: &Act, second: &Act, k: u64, dead: Option<Replica>) -> bool {
    let when = format!("{first:?} to {k}, {second:?} without {dead:?}");
    let mut left = Left::by(steps, &[first, second]);
    let mut world = World::over_two(steps);
    let outages = world.second.as_ref().unwrap().outage.clone();
    let (one, two) = (world.request(first), world.request(second));
    let gate = Gate::before(k);
    let process = world.process(&FaultPlan::none(), &gate);
    let mut run = pin!(send(&process, &one));
    if gate.run(run.as_mut()).is_some() {
        return false;
    }
    if let Some(dead) = dead {
        outages.of(dead);
    }
    let outcome_two = ready(send(&world.calm(), &two));
    outages.end();
    gate.lift();
    let outcome_one = gate.run(run).expect("lifted");
    let acts = [(first, one.place, outcome_one), (second, two.place, outcome_two)];
    for (act, _, outcome) in acts.iter().filter(|(act, ..)| !matches!(act, Act::DeleteManifest(_))) {
        left.after(act, *outcome);
    }
    let known = world.known.after_both(acts);
    world.known = known.unwrap_or_else(|| {
        panic!("{when}: {outcome_one:?} and {outcome_two:?} fit no order; {:#?}", world.known)
    });
    world.check_store(Severity::Broken, &when);
    world.check_parts(&left, &when);
    world.check_failover(Replica::Primary, &left, &when);
    world.check_failover(Replica::Fallback, &left, &when);
    world.check_each_repair(&left, &when);
    world.check_repaired(&left, false, &when);
    true
}

fn race(steps: &[Step], first: &Act, second: &Act) {
    in_a_runtime(|| {
        for dead in [None, Some(Replica::Primary), Some(Replica::Fallback)] {
            for (a, b) in [(first, second), (second, first)] {
                for k in 0..500 {
                    if !overtaken(steps, a, b, k, dead) {
                        break;
                    }
                }
            }
        }
    });
}

macro_rules! races {
    ($($name:ident: $steps:expr, $first:expr, $second:expr;)+) => {
        $(
            #[test]
            fn $name() {
                race(&$steps, &$first, &$second);
            }
        )+
    };
}

races! {
    two_stores: [], Act::Store("a", TEXT), Act::Store("a", OTHER);
    two_c2pa_stores: [], Act::Store("a", C2pa("one")), Act::Store("a", C2pa("two"));
    store_and_delete: [Do(Act::Store("a", C2pa("one")))], Act::Store("a", C2pa("two")), Act::Delete("a");
    store_and_delete_of_nothing: [], Act::Store("a", C2pa("one")), Act::Delete("a");
    supersede_and_delete: [Do(Act::Store("a", C2pa("one")))], Act::Supersede("a", C2pa("two")), Act::Delete("a");
    two_replacements: [Do(Act::Store("a", C2pa("one")))], Act::Supersede("a", C2pa("two")), Act::Supersede("a", OTHER);
    two_deletions: replaced(), Act::Delete("a"), Act::Delete("a");
    delete_and_store_again: [Do(Act::Store("a", C2pa("one"))), Do(Act::Delete("a"))], Act::Delete("a"), Act::Store("a", C2pa("one"));
    store_and_delete_of_a_manifest: [Do(Act::StoreManifest("one"))], Act::StoreManifest("one"), Act::DeleteManifest("one");
}

/// Two records of the same revision, of which the index names the fallback's, as after an outage of the primary. While
/// the primary counts as behind, readers get the fallback's record, and no guarantee is broken.
#[test]
fn a_copy_that_the_index_contradicts_is_behind_while_its_repair_is_queued() {
    in_a_runtime(|| {
        let world = World::over_two(&[Do(Act::Store("a", TEXT))]);
        let other = World::over_two(&[Do(Act::Store("a", OTHER))]);
        let key = ObjectKey::Record(proof_id("a"));
        let written = ready(other.objects().get(&key)).unwrap().unwrap();
        let replaced = ready(world.objects().head(&key)).unwrap().unwrap();
        let condition = Condition::Matches(replaced.tag);
        let put = world.objects().put(&key, written.body, &written.head.attributes, condition);
        assert!(matches!(ready(put).unwrap(), Put::Stored(_)));

        let found = |manner| {
            let mut findings = Vec::new();
            let process = world.calm();
            let run = check(&process, Surrounding::Alone, manner, |finding| findings.push(finding));
            let summary = ready(run).unwrap();
            assert!(findings.iter().all(|finding| finding.key == key.to_string()), "{findings:#?}");
            (summary.behind, summary.broken, summary.mended)
        };
        assert_eq!(found(Manner::Telling), (1, 1, 0), "readers get the primary's record");
        assert_eq!(found(Manner::Mending), (1, 1, 1));
        assert_eq!(found(Manner::Telling), (1, 0, 0), "readers get the fallback's record");
        world.drain();
        assert_eq!(found(Manner::Telling), (0, 0, 0));
        assert!(!world.is_behind(Replica::Primary) && !world.is_behind(Replica::Fallback));
        let (one, two) =
            (ready(world.objects().get(&key)), ready(world.second.as_ref().unwrap().objects.get(&key)));
        assert_eq!(one.unwrap().unwrap().body, two.unwrap().unwrap().body);
    });
}
