//! Seats and places of HTTP/2: whose they are, and who makes room.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;

const HERE: &str = "192.0.2.1";

fn address(text: &str) -> IpAddr {
    network(text.parse().unwrap())
}

fn sit(seats: &Seats, at: &str) -> Option<Sitting> {
    seats.0.sit_down(address(at))
}

fn wait(seats: &Seats, kind: Kind, at: &str) -> Option<Waiting> {
    Waiting::enter(&seats.0, kind, address(at))
}

/// Seats of which none is taken, after a while.
fn seats_after_a_while() -> Seats {
    Seats::since(Instant::now().checked_sub(Duration::from_secs(60)).unwrap())
}

/// Lets a seat look as if its client had been silent for so many milliseconds.
fn silence(seat: &Seat, milliseconds: u64) {
    seat.progress().was_silent_for(milliseconds);
}

/// Lets the time pass after which seats are looked through again.
fn forget_looks(seats: &Seats) {
    let mut taken = seats.0.taken();
    taken.of_seats.looks.forget();
    taken.of_http2.looks.forget();
}

#[tokio::test]
async fn one_network_does_not_get_all_seats() {
    let seats = Seats::new();
    let taken: Vec<Sitting> = std::iter::from_fn(|| sit(&seats, HERE)).collect();
    assert_eq!((taken.len(), seats.taken()), (OF_SEATS.of_a_network, OF_SEATS.of_a_network));
    let other = sit(&seats, "192.0.2.2");
    assert!(other.is_some(), "others find one");
    drop((taken, other));
    assert_eq!(seats.taken(), 0);
    seats.left().now_or_never().unwrap();
    assert!(seats.0.taken.lock().unwrap().networks.is_empty(), "nothing is kept of who is gone");
}

#[tokio::test]
async fn who_waits_for_its_client_longest_leaves_for_others() {
    let seats = seats_after_a_while();
    let taken: Vec<Sitting> = std::iter::from_fn(|| sit(&seats, HERE)).collect();
    let has_to_leave = |at: usize| taken[at].seat().has_to_leave().now_or_never().is_some();
    assert!(sit(&seats, HERE).is_none() && (0..taken.len()).all(|at| !has_to_leave(at)), "nobody waits");
    // The server works for the first; the others have asked for nothing yet.
    let work = taken[3].seat().progress().work();
    for (at, milliseconds) in [(3, 9_000), (5, 8_000), (7, 7_000)] {
        silence(taken[at].seat(), milliseconds);
    }
    let mut queuing = Vec::new();
    let mut leaving = || {
        // Who was told to leave has not left yet, so that it takes another one who waits.
        queuing.push(wait(&seats, Kind::Seat, HERE).unwrap());
        forget_looks(&seats);
        assert!(sit(&seats, HERE).is_none());
        (0..taken.len()).filter(|at| has_to_leave(*at)).collect::<Vec<usize>>()
    };
    assert_eq!(leaving(), [5]);
    assert_eq!(leaving(), [7], "the next one, and nobody twice");
    drop(work);
    silence(taken[3].seat(), 1_000);
    assert!(!leaving().contains(&3), "between two requests more is allowed");
    silence(taken[3].seat(), 10_000);
    assert_eq!(leaving(), [3]);
}

/// A network that has most of the seats may work or be worked for at all of them: then others make room.
#[tokio::test]
async fn whoever_waits_longest_leaves_where_all_seats_are_taken() {
    let seats = seats_after_a_while();
    let (most, fewer) = ("192.0.2.2", "192.0.2.3");
    let large: Vec<Sitting> = (0..1_200).map(|_| sit(&seats, most).unwrap()).collect();
    let small: Vec<Sitting> = (0..SEATS - 1_200).map(|_| sit(&seats, fewer).unwrap()).collect();
    let work: Vec<_> = large.iter().map(|sitting| sitting.seat().progress().work()).collect();
    silence(small[7].seat(), 9_000);
    forget_looks(&seats);
    assert!(sit(&seats, HERE).is_none());
    assert!(small[7].seat().is_leaving());
    drop(work);
    // Of two that wait, the one of the larger network leaves.
    silence(large[3].seat(), 5_000);
    silence(small[8].seat(), 9_000);
    let _queuing: Vec<_> = (0..2).map(|_| wait(&seats, Kind::Seat, HERE).unwrap()).collect();
    forget_looks(&seats);
    assert!(sit(&seats, HERE).is_none());
    assert!(large[3].seat().is_leaving() && !small[8].seat().is_leaving());
}

#[tokio::test]
async fn one_look_makes_room_for_all_who_wait() {
    let seats = seats_after_a_while();
    let taken: Vec<Sitting> = std::iter::from_fn(|| sit(&seats, HERE)).collect();
    for sitting in &taken[..100] {
        silence(sitting.seat(), 9_000);
    }
    let leaving = || taken.iter().filter(|sitting| sitting.seat().is_leaving()).count();
    let waiting: Vec<Waiting> = (0..30).map(|_| wait(&seats, Kind::Seat, HERE).unwrap()).collect();
    forget_looks(&seats);
    for _ in 0..100 {
        assert!(sit(&seats, HERE).is_none());
        assert_eq!(leaving(), 30, "however many ask");
    }
    // They have not gone yet: nobody else has to.
    forget_looks(&seats);
    assert!(sit(&seats, HERE).is_none());
    assert_eq!(leaving(), 30);
    drop(waiting);
    assert_eq!(seats.0.taken().of_seats.queue.length(), 0);
}

#[test]
fn bodies_have_limits_for_a_connection_and_a_network() {
    let seats = Seats::new();
    let (one, two, three) =
        (sit(&seats, HERE).unwrap(), sit(&seats, HERE).unwrap(), sit(&seats, "192.0.2.2").unwrap());
    let largest = credlink_core::bounds::MAX_BODY_BYTES;
    let of = |sitting: &Sitting| {
        std::iter::repeat_with(|| sitting.seat().take_body(largest)).take_while(|is| *is).count()
    };
    assert_eq!(of(&one), 2, "on a connection");
    assert_eq!(of(&two), 1, "on another one, as a network has room for three");
    let four = sit(&seats, HERE).unwrap();
    assert_eq!(of(&four), 0, "a network's is used up");
    assert!(four.seat().take_body(1_000), "what is small finds room");
    assert_eq!(of(&three), 2, "others' is not");
    one.seat().give_body(largest);
    assert_eq!(of(&four), 1);
}

#[test]
fn what_a_network_holds_counts_after_its_connections_too() {
    let seats = Seats::new();
    let largest = credlink_core::bounds::MAX_BODY_BYTES;
    // A change holds its body until it ends, whatever becomes of the connection that brought it.
    let changes: Vec<Arc<Seat>> = (0..3)
        .map(|_| {
            let sitting = sit(&seats, HERE).unwrap();
            assert!(sitting.seat().take_body(largest));
            Arc::clone(sitting.seat())
        })
        .collect();
    assert_eq!(seats.taken(), 0, "all connections are closed");
    let again = sit(&seats, HERE).unwrap();
    assert!(!again.seat().take_body(largest), "it comes again, and its room is still used up");
    assert!(sit(&seats, "192.0.2.2").unwrap().seat().take_body(largest), "others' is not");
    changes[0].give_body(largest);
    assert!(again.seat().take_body(largest));
    changes[1..].iter().for_each(|change| change.give_body(largest));
    again.seat().give_body(largest);
    drop((again, changes));
    assert!(seats.0.taken.lock().unwrap().networks.is_empty(), "nothing is kept of who holds nothing");
}

#[tokio::test]
async fn one_network_does_not_take_all_the_places_to_wait_in() {
    let seats = Seats::new();
    let taken: Vec<Entered> = std::iter::from_fn(|| seats.enter(address(HERE))).collect();
    assert_eq!(taken.len(), OF_SEATS.of_a_network + OF_WAITING.of_a_network);
    let other = seats.enter(address("192.0.2.2"));
    assert!(matches!(other, Some(Entered::Seated(_))), "others find a seat");
    drop(taken);
    assert!(matches!(seats.enter(address(HERE)), Some(Entered::Seated(_))));
}

/// Where all seats and all places to wait in are taken, the network that has most makes room there as well.
#[tokio::test]
async fn a_newcomer_finds_a_place_to_wait_in_where_all_are_taken() {
    let seats = Seats::new();
    let seated: Vec<Sitting> =
        (0..SEATS).map(|at| sit(&seats, &format!("192.0.2.{}", 1 + at % 2)).unwrap()).collect();
    let waiting: Vec<Waiting> = (0..OF_WAITING.all)
        .map(|at| wait(&seats, Kind::Seat, &format!("192.0.2.{}", 1 + at % 4)).unwrap())
        .collect();
    assert!(seats.enter(address(HERE)).is_none(), "a network that has most has no more");
    let Some(Entered::Waiting(newcomer)) = seats.enter(address("192.0.2.9")) else { panic!("it may wait") };
    let gave_way = waiting.into_iter().filter_map(|waiting| waiting.sit().now_or_never());
    assert_eq!(gave_way.filter(|ended| matches!(ended, Err(Unseated::GaveWay))).count(), 1);
    drop(seated);
    assert!(newcomer.sit().now_or_never().unwrap().is_ok());
}

async fn speak_http2(seats: &Seats, at: &str) -> Sitting {
    let sitting = sit(seats, at).unwrap();
    assert!(sitting.speaks_http2().now_or_never().unwrap(), "{at} finds a place");
    sitting
}

#[tokio::test]
async fn idle_connections_of_http2_make_room_for_others() {
    let seats = seats_after_a_while();
    let mut all = Vec::new();
    for (at, places) in [(HERE, 80), ("192.0.2.2", 28), ("192.0.2.3", 20)] {
        for _ in 0..places {
            all.push(speak_http2(&seats, at).await);
        }
    }
    let asked = || sit(&seats, "192.0.2.3").unwrap();
    let is_leaving = |all: &[Sitting]| {
        all.iter()
            .enumerate()
            .filter(|(_, one)| one.seat().is_leaving())
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    let newcomer = asked();
    assert!(newcomer.speaks_http2().now_or_never().is_none(), "it waits");
    assert_eq!(is_leaving(&all), [0; 0], "nobody has been silent for long enough");
    // One that has no such place does not help, however silent it is.
    let of_http1 = sit(&seats, HERE).unwrap();
    silence(of_http1.seat(), 20_000);
    for (at, milliseconds) in [(100, 9_000), (7, 5_000), (8, 4_000)] {
        silence(all[at].seat(), milliseconds);
    }
    forget_looks(&seats);
    let mut speaks = Box::pin(newcomer.speaks_http2());
    assert!(speaks.as_mut().now_or_never().is_none());
    assert_eq!(is_leaving(&all), [7], "of the network that has most the one that is silent longest");
    assert!(!of_http1.seat().is_leaving());
    drop(all.remove(7));
    assert!(speaks.await);
    assert_eq!(is_leaving(&all), [0; 0]);
}

/// The connections of others stay, however silent they are.
#[tokio::test]
async fn a_network_that_has_its_share_of_http2_makes_room_itself() {
    let seats = seats_after_a_while();
    let mut own = Vec::new();
    for _ in 0..OF_HTTP2.of_a_network {
        own.push(speak_http2(&seats, HERE).await);
    }
    let other = speak_http2(&seats, "192.0.2.2").await;
    silence(other.seat(), 50_000);
    silence(own[5].seat(), 3_000);
    let newcomer = sit(&seats, HERE).unwrap();
    assert!(newcomer.speaks_http2().now_or_never().is_none());
    assert!(own[5].seat().is_leaving() && !other.seat().is_leaving());
    assert_eq!(seats.0.taken().of_http2.queue.length(), 0, "nobody waits any more");
    drop((own, other, newcomer));
    for at in [HERE, "192.0.2.2"] {
        assert_eq!(seats.0.taken().of_http2.places.of(address(at)), 0);
    }
}

/// Networks that have far more than one that waits have to make room, however often they ask.
#[tokio::test]
async fn idle_connections_of_a_large_network_leave_for_a_small_one_at_once() {
    let seats = seats_after_a_while();
    let (most, fewer) = ("192.0.2.2", "192.0.2.3");
    let large: Vec<Sitting> = (0..1_536).map(|_| sit(&seats, most).unwrap()).collect();
    let small: Vec<Sitting> = (0..SEATS - 1_536).map(|_| sit(&seats, fewer).unwrap()).collect();
    // All have just been answered, but for those that the server works for.
    large.iter().chain(&small).for_each(|sitting| drop(sitting.seat().progress().work()));
    let mut work: Vec<_> = large[1..].iter().map(|sitting| sitting.seat().progress().work()).collect();
    let leaving = |of: &[Sitting]| of.iter().filter(|sitting| sitting.seat().is_leaving()).count();
    forget_looks(&seats);
    assert!(sit(&seats, fewer).is_none());
    assert_eq!((leaving(&large), leaving(&small)), (0, 0), "who has a third of it waits");
    let _queuing = wait(&seats, Kind::Seat, HERE).unwrap();
    forget_looks(&seats);
    assert!(sit(&seats, fewer).is_none(), "it looks for all who wait");
    assert!(large[0].seat().is_leaving(), "the idle one of the larger network");
    assert_eq!((leaving(&large), leaving(&small)), (1, 0));
    // Where nothing is idle, those leave that lose least.
    let also_small = small.iter().map(|sitting| sitting.seat().progress().work()).collect::<Vec<_>>();
    let answer = Transfer::begin(large[1].seat(), Direction::Answer);
    work.remove(0);
    let mut queuing = Vec::new();
    for expected in 2..6 {
        queuing.push(wait(&seats, Kind::Seat, HERE).unwrap());
        forget_looks(&seats);
        assert!(sit(&seats, HERE).is_none());
        assert_eq!((leaving(&large), leaving(&small)), (expected, 0));
        assert!(!large[1].seat().is_leaving(), "an answer is on its way");
    }
    drop((work, also_small, answer));
}

/// Whoever has made room comes again at once: what is free is for those for whom it was made.
#[tokio::test]
async fn a_place_that_is_free_is_for_the_network_that_has_fewest() {
    let seats = Seats::new();
    let mut taken: Vec<Sitting> =
        (0..SEATS).map(|at| sit(&seats, &format!("192.0.2.{}", 2 + at % 2)).unwrap()).collect();
    let newcomer = wait(&seats, Kind::Seat, HERE).unwrap();
    taken.pop();
    assert!(matches!(seats.enter(address("192.0.2.3")), Some(Entered::Waiting(_))));
    assert!(sit(&seats, "192.0.2.2").is_none());
    let sitting = newcomer.sit().now_or_never().unwrap().ok().unwrap();
    taken.pop();
    assert!(sit(&seats, "192.0.2.2").is_some(), "nobody else waits");
    drop(sitting);
}

/// A head that has begun is spared where another connection is idle.
#[test]
fn a_connection_on_which_a_head_has_begun_is_not_idle() {
    let seats = seats_after_a_while();
    let sitting = sit(&seats, HERE).unwrap();
    let loss = || sitting.seat().progress().is_dispensable_at_once().0;
    let work = sitting.seat().progress().work();
    sitting.seat().progress().head_begins();
    assert_eq!(loss(), progress::Loss::Reuse, "the server works, and a body comes");
    drop(work);
    assert_eq!(loss(), progress::Loss::Nothing);
    sitting.seat().progress().head_begins();
    assert_eq!(loss(), progress::Loss::Reuse);
    silence(sitting.seat(), 2_500);
    assert_eq!(loss(), progress::Loss::Nothing, "it has been waited for");
}

/// The time for which a connection waits in a queue of the server is not its client's silence.
#[tokio::test]
async fn who_waits_for_a_place_of_http2_is_not_silent() {
    let seats = seats_after_a_while();
    let mut own = Vec::new();
    for _ in 0..OF_HTTP2.of_a_network {
        own.push(speak_http2(&seats, HERE).await);
    }
    let newcomer = sit(&seats, HERE).unwrap();
    let mut speaks = Box::pin(newcomer.speaks_http2());
    assert!(speaks.as_mut().now_or_never().is_none());
    silence(newcomer.seat(), 9_000);
    assert!(newcomer.seat().progress().is_dispensable().is_none());
    drop(speaks);
    silence(newcomer.seat(), 300);
    assert!(newcomer.seat().progress().is_dispensable().is_some(), "it has not asked for anything yet");
}
