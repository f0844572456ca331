//! Slots and HTTP/2 places: which network has them, and which connections make room.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;

const HERE: &str = "192.0.2.1";

fn address(text: &str) -> IpAddr {
    customer_network(text.parse().unwrap())
}

fn take(admission: &Admission, at: &str) -> Option<HeldSlot> {
    admission.0.take_slot(address(at))
}

fn wait(admission: &Admission, kind: ConnectionKind, at: &str) -> Option<Waiting> {
    Waiting::enter(&admission.0, kind, address(at))
}

/// Returns an admission without connections, whose clock has run for a while.
fn admission_after_a_while() -> Admission {
    Admission::since(Instant::now().checked_sub(Duration::from_secs(60)).unwrap())
}

/// Makes the client of a slot look as if it had been silent for so many milliseconds.
fn silence(slot: &Slot, milliseconds: u64) {
    slot.progress().was_silent_for(milliseconds);
}

/// Lets the time between two searches pass.
fn forget_looks(admission: &Admission) {
    let mut taken = admission.0.taken();
    taken.of_slots.looks.forget();
    taken.of_http2.looks.forget();
}

#[tokio::test]
async fn one_network_does_not_get_all_slots() {
    let admission = Admission::new();
    let taken: Vec<HeldSlot> = std::iter::from_fn(|| take(&admission, HERE)).collect();
    assert_eq!((taken.len(), admission.taken()), (OF_SLOTS.of_a_network, OF_SLOTS.of_a_network));
    let other = take(&admission, "192.0.2.2");
    assert!(other.is_some(), "others find one");
    drop((taken, other));
    assert_eq!(admission.taken(), 0);
    admission.left().now_or_never().unwrap();
    assert!(admission.0.taken.lock().unwrap().networks.is_empty(), "nothing is kept of who is gone");
}

#[tokio::test]
async fn who_waits_for_its_client_longest_leaves_for_others() {
    let admission = admission_after_a_while();
    let taken: Vec<HeldSlot> = std::iter::from_fn(|| take(&admission, HERE)).collect();
    let evicted = |at: usize| taken[at].slot().evicted().now_or_never().is_some();
    assert!(take(&admission, HERE).is_none() && (0..taken.len()).all(|at| !evicted(at)), "nobody waits");
    // The server works for the first one; the others have sent no request yet.
    let work = taken[3].slot().progress().work();
    for (at, milliseconds) in [(3, 9_000), (5, 8_000), (7, 7_000)] {
        silence(taken[at].slot(), milliseconds);
    }
    let mut queuing = Vec::new();
    let mut leaving = || {
        // A connection that was told to leave has not left yet, so another waiting connection is needed for the next
        // eviction.
        queuing.push(wait(&admission, ConnectionKind::Slot, HERE).unwrap());
        forget_looks(&admission);
        assert!(take(&admission, HERE).is_none());
        (0..taken.len()).filter(|at| evicted(*at)).collect::<Vec<usize>>()
    };
    assert_eq!(leaving(), [5]);
    assert_eq!(leaving(), [7], "the next one, and nobody twice");
    drop(work);
    silence(taken[3].slot(), 1_000);
    assert!(!leaving().contains(&3), "between two requests more is allowed");
    silence(taken[3].slot(), 10_000);
    assert_eq!(leaving(), [3]);
}

/// The server may work for every connection of the network that has most slots. Others make room then.
#[tokio::test]
async fn whoever_waits_longest_leaves_where_all_slots_are_taken() {
    let admission = admission_after_a_while();
    let (most, fewer) = ("192.0.2.2", "192.0.2.3");
    let large: Vec<HeldSlot> = (0..1_200).map(|_| take(&admission, most).unwrap()).collect();
    let small: Vec<HeldSlot> =
        (0..MAX_CONNECTIONS - 1_200).map(|_| take(&admission, fewer).unwrap()).collect();
    let work: Vec<_> = large.iter().map(|held_slot| held_slot.slot().progress().work()).collect();
    silence(small[7].slot(), 9_000);
    forget_looks(&admission);
    assert!(take(&admission, HERE).is_none());
    assert!(small[7].slot().is_evicted());
    drop(work);
    // Of two connections that wait for their clients, the one of the larger network leaves.
    silence(large[3].slot(), 5_000);
    silence(small[8].slot(), 9_000);
    let _queuing: Vec<_> = (0..2).map(|_| wait(&admission, ConnectionKind::Slot, HERE).unwrap()).collect();
    forget_looks(&admission);
    assert!(take(&admission, HERE).is_none());
    assert!(large[3].slot().is_evicted() && !small[8].slot().is_evicted());
}

#[tokio::test]
async fn one_look_makes_room_for_all_who_wait() {
    let admission = admission_after_a_while();
    let taken: Vec<HeldSlot> = std::iter::from_fn(|| take(&admission, HERE)).collect();
    for held_slot in &taken[..100] {
        silence(held_slot.slot(), 9_000);
    }
    let leaving = || taken.iter().filter(|held_slot| held_slot.slot().is_evicted()).count();
    let waiting: Vec<Waiting> =
        (0..30).map(|_| wait(&admission, ConnectionKind::Slot, HERE).unwrap()).collect();
    forget_looks(&admission);
    for _ in 0..100 {
        assert!(take(&admission, HERE).is_none());
        assert_eq!(leaving(), 30, "however many ask");
    }
    // They have not gone yet, but nobody else has to leave.
    forget_looks(&admission);
    assert!(take(&admission, HERE).is_none());
    assert_eq!(leaving(), 30);
    drop(waiting);
    assert_eq!(admission.0.taken().of_slots.queue.length(), 0);
}

#[test]
fn bodies_have_limits_for_a_connection_and_a_network() {
    let admission = Admission::new();
    let (one, two, three) = (
        take(&admission, HERE).unwrap(),
        take(&admission, HERE).unwrap(),
        take(&admission, "192.0.2.2").unwrap(),
    );
    let largest = credlink_core::bounds::MAX_BODY_BYTES;
    let of = |held_slot: &HeldSlot| {
        std::iter::repeat_with(|| held_slot.slot().take_body(largest)).take_while(|is| *is).count()
    };
    assert_eq!(of(&one), 2, "on a connection");
    assert_eq!(of(&two), 1, "on another one, as a network has room for three");
    let four = take(&admission, HERE).unwrap();
    assert_eq!(of(&four), 0, "a network's is used up");
    assert!(four.slot().take_body(1_000), "what is small finds room");
    assert_eq!(of(&three), 2, "others' is not");
    one.slot().give_body(largest);
    assert_eq!(of(&four), 1);
}

#[test]
fn what_a_network_holds_counts_after_its_connections_too() {
    let admission = Admission::new();
    let largest = credlink_core::bounds::MAX_BODY_BYTES;
    // A change holds its body until it ends, even if its connection is gone.
    let changes: Vec<Arc<Slot>> = (0..3)
        .map(|_| {
            let held_slot = take(&admission, HERE).unwrap();
            assert!(held_slot.slot().take_body(largest));
            Arc::clone(held_slot.slot())
        })
        .collect();
    assert_eq!(admission.taken(), 0, "all connections are closed");
    let again = take(&admission, HERE).unwrap();
    assert!(!again.slot().take_body(largest), "it comes again, and its room is still used up");
    assert!(take(&admission, "192.0.2.2").unwrap().slot().take_body(largest), "others' is not");
    changes[0].give_body(largest);
    assert!(again.slot().take_body(largest));
    changes[1..].iter().for_each(|change| change.give_body(largest));
    again.slot().give_body(largest);
    drop((again, changes));
    assert!(admission.0.taken.lock().unwrap().networks.is_empty(), "nothing is kept of who holds nothing");
}

#[tokio::test]
async fn one_network_does_not_take_all_the_places_to_wait_in() {
    let admission = Admission::new();
    let taken: Vec<Entered> = std::iter::from_fn(|| admission.enter(address(HERE))).collect();
    assert_eq!(taken.len(), OF_SLOTS.of_a_network + OF_WAITING.of_a_network);
    let other = admission.enter(address("192.0.2.2"));
    assert!(matches!(other, Some(Entered::Admitted(_))), "others find a slot");
    drop(taken);
    assert!(matches!(admission.enter(address(HERE)), Some(Entered::Admitted(_))));
}

/// If all slots and all places in the queue are taken, the network that has most of the queue makes room there as well.
#[tokio::test]
async fn a_newcomer_finds_a_place_to_wait_in_where_all_are_taken() {
    let admission = Admission::new();
    let admitted: Vec<HeldSlot> = (0..MAX_CONNECTIONS)
        .map(|at| take(&admission, &format!("192.0.2.{}", 1 + at % 2)).unwrap())
        .collect();
    let waiting: Vec<Waiting> = (0..OF_WAITING.all)
        .map(|at| wait(&admission, ConnectionKind::Slot, &format!("192.0.2.{}", 1 + at % 4)).unwrap())
        .collect();
    assert!(admission.enter(address(HERE)).is_none(), "a network that has most has no more");
    let Some(Entered::Waiting(newcomer)) = admission.enter(address("192.0.2.9")) else {
        panic!("it may wait")
    };
    let gave_way = waiting.into_iter().filter_map(|waiting| waiting.slot().now_or_never());
    assert_eq!(gave_way.filter(|ended| matches!(ended, Err(Refused::GaveWay))).count(), 1);
    drop(admitted);
    assert!(newcomer.slot().now_or_never().unwrap().is_ok());
}

async fn speak_http2(admission: &Admission, at: &str) -> HeldSlot {
    let held_slot = take(admission, at).unwrap();
    assert!(held_slot.speaks_http2().now_or_never().unwrap(), "{at} finds a place");
    held_slot
}

#[tokio::test]
async fn idle_connections_of_http2_make_room_for_others() {
    let admission = admission_after_a_while();
    let mut all = Vec::new();
    for (at, places) in [(HERE, 80), ("192.0.2.2", 28), ("192.0.2.3", 20)] {
        for _ in 0..places {
            all.push(speak_http2(&admission, at).await);
        }
    }
    let asked = || take(&admission, "192.0.2.3").unwrap();
    let is_evicted = |all: &[HeldSlot]| {
        all.iter()
            .enumerate()
            .filter(|(_, one)| one.slot().is_evicted())
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    let newcomer = asked();
    assert!(newcomer.speaks_http2().now_or_never().is_none(), "it waits");
    assert_eq!(is_evicted(&all), [0; 0], "nobody has been silent for long enough");
    // The end of a connection without such a place does not help, however silent it is.
    let of_http1 = take(&admission, HERE).unwrap();
    silence(of_http1.slot(), 20_000);
    for (at, milliseconds) in [(100, 9_000), (7, 5_000), (8, 4_000)] {
        silence(all[at].slot(), milliseconds);
    }
    forget_looks(&admission);
    let mut speaks = Box::pin(newcomer.speaks_http2());
    assert!(speaks.as_mut().now_or_never().is_none());
    assert_eq!(is_evicted(&all), [7], "of the network that has most the one that is silent longest");
    assert!(!of_http1.slot().is_evicted());
    drop(all.remove(7));
    assert!(speaks.await);
    assert_eq!(is_evicted(&all), [0; 0]);
}

/// The connections of other networks stay, however silent they are.
#[tokio::test]
async fn a_network_that_has_its_share_of_http2_makes_room_itself() {
    let admission = admission_after_a_while();
    let mut own = Vec::new();
    for _ in 0..OF_HTTP2.of_a_network {
        own.push(speak_http2(&admission, HERE).await);
    }
    let other = speak_http2(&admission, "192.0.2.2").await;
    silence(other.slot(), 50_000);
    silence(own[5].slot(), 3_000);
    let newcomer = take(&admission, HERE).unwrap();
    assert!(newcomer.speaks_http2().now_or_never().is_none());
    assert!(own[5].slot().is_evicted() && !other.slot().is_evicted());
    assert_eq!(admission.0.taken().of_http2.queue.length(), 0, "nobody waits any more");
    drop((own, other, newcomer));
    for at in [HERE, "192.0.2.2"] {
        assert_eq!(admission.0.taken().of_http2.quota.of(address(at)), 0);
    }
}

/// Networks that have far more than a waiting one have to make room, however often they send requests.
#[tokio::test]
async fn idle_connections_of_a_large_network_leave_for_a_small_one_at_once() {
    let admission = admission_after_a_while();
    let (most, fewer) = ("192.0.2.2", "192.0.2.3");
    let large: Vec<HeldSlot> = (0..1_536).map(|_| take(&admission, most).unwrap()).collect();
    let small: Vec<HeldSlot> =
        (0..MAX_CONNECTIONS - 1_536).map(|_| take(&admission, fewer).unwrap()).collect();
    // All of them have just been answered, except those that the server works for.
    large.iter().chain(&small).for_each(|held_slot| drop(held_slot.slot().progress().work()));
    let mut work: Vec<_> = large[1..].iter().map(|held_slot| held_slot.slot().progress().work()).collect();
    let leaving = |of: &[HeldSlot]| of.iter().filter(|held_slot| held_slot.slot().is_evicted()).count();
    forget_looks(&admission);
    assert!(take(&admission, fewer).is_none());
    assert_eq!((leaving(&large), leaving(&small)), (0, 0), "who has a third of it waits");
    let _queuing = wait(&admission, ConnectionKind::Slot, HERE).unwrap();
    forget_looks(&admission);
    assert!(take(&admission, fewer).is_none(), "it looks for all who wait");
    assert!(large[0].slot().is_evicted(), "the idle one of the larger network");
    assert_eq!((leaving(&large), leaving(&small)), (1, 0));
    // If no connection is idle, those that lose least leave.
    let also_small = small.iter().map(|held_slot| held_slot.slot().progress().work()).collect::<Vec<_>>();
    let answer = Transfer::begin(large[1].slot(), Direction::Answer);
    work.remove(0);
    let mut queuing = Vec::new();
    for expected in 2..6 {
        queuing.push(wait(&admission, ConnectionKind::Slot, HERE).unwrap());
        forget_looks(&admission);
        assert!(take(&admission, HERE).is_none());
        assert_eq!((leaving(&large), leaving(&small)), (expected, 0));
        assert!(!large[1].slot().is_evicted(), "an answer is on its way");
    }
    drop((work, also_small, answer));
}

/// A client that has made room comes again at once, but the free place is for the network for which it was made.
#[tokio::test]
async fn a_place_that_is_free_is_for_the_network_that_has_fewest() {
    let admission = Admission::new();
    let mut taken: Vec<HeldSlot> = (0..MAX_CONNECTIONS)
        .map(|at| take(&admission, &format!("192.0.2.{}", 2 + at % 2)).unwrap())
        .collect();
    let newcomer = wait(&admission, ConnectionKind::Slot, HERE).unwrap();
    taken.pop();
    assert!(matches!(admission.enter(address("192.0.2.3")), Some(Entered::Waiting(_))));
    assert!(take(&admission, "192.0.2.2").is_none());
    let held_slot = newcomer.slot().now_or_never().unwrap().ok().unwrap();
    taken.pop();
    assert!(take(&admission, "192.0.2.2").is_some(), "nobody else waits");
    drop(held_slot);
}

/// A connection on which a head has begun is spared if another connection is idle.
#[test]
fn a_connection_on_which_a_head_has_begun_is_not_idle() {
    let admission = admission_after_a_while();
    let held_slot = take(&admission, HERE).unwrap();
    let loss = || held_slot.slot().progress().is_dispensable_at_once().0;
    let work = held_slot.slot().progress().work();
    held_slot.slot().progress().head_begins();
    assert_eq!(loss(), progress::Loss::Reuse, "the server works, and a body comes");
    drop(work);
    assert_eq!(loss(), progress::Loss::Nothing);
    held_slot.slot().progress().head_begins();
    assert_eq!(loss(), progress::Loss::Reuse);
    silence(held_slot.slot(), 2_500);
    assert_eq!(loss(), progress::Loss::Nothing, "it has been waited for");
}

/// The time for which a connection waits in a queue of the server does not count as its client's silence.
#[tokio::test]
async fn who_waits_for_a_place_of_http2_is_not_silent() {
    let admission = admission_after_a_while();
    let mut own = Vec::new();
    for _ in 0..OF_HTTP2.of_a_network {
        own.push(speak_http2(&admission, HERE).await);
    }
    let newcomer = take(&admission, HERE).unwrap();
    let mut speaks = Box::pin(newcomer.speaks_http2());
    assert!(speaks.as_mut().now_or_never().is_none());
    silence(newcomer.slot(), 9_000);
    assert!(newcomer.slot().progress().is_dispensable().is_none());
    drop(speaks);
    silence(newcomer.slot(), 300);
    assert!(newcomer.slot().progress().is_dispensable().is_some(), "it has not asked for anything yet");
}
