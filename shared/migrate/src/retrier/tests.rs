//! Two calls in one outage, in the runtime's time.

use std::cell::Cell;

use super::*;
use crate::testing::Time;

/// Records when all calls wait, and when they continue.
#[derive(Default)]
struct Seen(Mutex<Vec<&'static str>>);

impl Watch for Seen {
    fn paused(&self, _: &Failure) {
        self.0.lock().unwrap().push("paused");
    }

    fn resumed(&self) {
        self.0.lock().unwrap().push("resumed");
    }
}

fn fails<R>(kind: FailureKind) -> Result<R, Failure> {
    Err(Failure { provider: "port", kind, message: String::new() })
}

async fn no_answer(_: Probe) -> Result<bool, Failure> {
    fails(FailureKind::Unavailable)
}

async fn an_answer(question: Probe) -> Result<bool, Failure> {
    Ok(question == Probe::Liveness)
}

/// With these limits, two failing items are an outage.
fn retry_policy() -> RetryPolicy {
    RetryPolicy { items: 2, ..RetryPolicy::default() }
}

const LONG: u64 = 600;

/// The call that retries may belong to an item that is unavailable for good.
#[tokio::test(start_paused = true)]
async fn everybody_has_a_turn_to_find_out_that_an_outage_is_over() {
    let (time, seen) = (Time::new(), Seen::default());
    let retrier = Retrier::new(&time, &seen, retry_policy());
    let over = time.now().plus_seconds(LONG);
    let bad = retrier.for_item("read", || async { fails::<()>(FailureKind::Unavailable) }, an_answer);
    let good = || async { if time.now() < over { fails(FailureKind::Unavailable) } else { Ok(time.now()) } };
    let (bad, good) = tokio::join!(bad, retrier.for_item("read", good, no_answer));
    assert!(good.unwrap() < over.plus_seconds(61), "two turns of 30 s at most");
    assert!(matches!(bad, Err(GivenUp::Item(_))), "{bad:?}");
    assert_eq!(*seen.0.lock().unwrap(), ["paused", "resumed"]);
}

/// The outage continues without the call that retried.
#[tokio::test(start_paused = true)]
async fn who_gives_up_leaves_the_turn_to_another() {
    let (time, seen) = (Time::new(), Seen::default());
    let retrier = Retrier::new(&time, &seen, retry_policy());
    let (broken, over) = (time.now().plus_seconds(LONG), time.now().plus_seconds(2 * LONG));
    let bad = || async {
        let is_broken = time.now() >= broken;
        fails::<()>(if is_broken { FailureKind::Damaged } else { FailureKind::Unavailable })
    };
    let good = || async { if time.now() < over { fails(FailureKind::Unavailable) } else { Ok(()) } };
    let (bad, good) =
        tokio::join!(retrier.for_item("read", bad, no_answer), retrier.for_item("read", good, no_answer));
    assert!(matches!(bad, Err(GivenUp::Item(_))) && good.is_ok(), "{bad:?} {good:?}");
    assert_eq!(*seen.0.lock().unwrap(), ["paused", "resumed"]);
}

/// Failures during an outage do not count against an item afterwards.
#[tokio::test(start_paused = true)]
async fn after_an_outage_each_call_has_all_its_attempts_again() {
    let time = Time::new();
    let retrier = Retrier::new(&time, &(), retry_policy());
    let over = time.now().plus_seconds(LONG);
    let (through, left) = (Cell::new(false), Cell::new(retry_policy().attempts - 1));
    let good = || async {
        through.set(time.now() >= over);
        if through.get() { Ok(()) } else { fails(FailureKind::Unavailable) }
    };
    let slow = || async {
        if through.get() && left.get() == 0 {
            return Ok(());
        }
        left.set(left.get() - u32::from(through.get()));
        fails(FailureKind::Unavailable)
    };
    let (good, slow) =
        tokio::join!(retrier.for_item("read", good, no_answer), retrier.for_item("read", slow, no_answer));
    assert!(good.is_ok() && slow.is_ok(), "{good:?} {slow:?}");
}

/// A call that starts while all others wait may be the one that gets through.
#[tokio::test(start_paused = true)]
async fn who_comes_during_an_outage_has_a_turn_as_well() {
    let (time, seen) = (Time::new(), Seen::default());
    let retrier = Retrier::new(&time, &seen, retry_policy());
    let over = time.now().plus_seconds(LONG);
    let probe = |question| async move {
        if time.now() < over { no_answer(question).await } else { an_answer(question).await }
    };
    let bad = retrier.for_item("read", || async { fails::<()>(FailureKind::Unavailable) }, probe);
    let good = async {
        time.sleep(Duration::from_secs(LONG / 2)).await;
        let good =
            || async { if time.now() < over { fails(FailureKind::Unavailable) } else { Ok(time.now()) } };
        retrier.for_item("read", good, probe).await
    };
    let (bad, good) = tokio::join!(bad, good);
    assert!(good.unwrap() < over.plus_seconds(61));
    assert!(matches!(bad, Err(GivenUp::Item(_))), "{bad:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_call_that_is_over() {
    let time = Time::new();
    let retrier = Retrier::new(&time, &(), retry_policy());
    let broken = time.now().plus_seconds(LONG);
    let bad = || async {
        let is_broken = time.now() >= broken;
        fails::<()>(if is_broken { FailureKind::Damaged } else { FailureKind::Unavailable })
    };
    assert!(matches!(retrier.for_item("read", bad, no_answer).await, Err(GivenUp::Item(_))));
    let next = retrier.for_item("read", || async { Ok(()) }, no_answer);
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), next).await, Ok(Ok(())));
}

/// There is no other call to get through, so the port is probed with the same operation for another item.
#[tokio::test(start_paused = true)]
async fn who_never_comes_is_no_outage_where_another_item_gets_through() {
    let (time, seen) = (Time::new(), Seen::default());
    let retrier = Retrier::new(&time, &seen, retry_policy());
    let bad = || async { fails::<()>(FailureKind::Unavailable) };
    let began = time.now();
    let probe = |_| async { Ok(true) };
    let (one, two) = tokio::join!(retrier.for_item("read", bad, probe), retrier.for_item("read", bad, probe));
    assert!(matches!((one, two), (Err(GivenUp::Item(_)), Err(GivenUp::Item(_)))));
    assert!(seen.0.lock().unwrap().is_empty() && time.now() < began.plus_seconds(120));
}

/// An outage ends when another item gets through, even if none of the waiting calls ever does. Each then has all its
/// attempts again.
#[tokio::test(start_paused = true)]
async fn an_outage_ends_without_those_that_never_come() {
    for count in [1, 2] {
        let (time, seen) = (Time::new(), Seen::default());
        let retrier = Retrier::new(&time, &seen, retry_policy());
        let (over, tries) = (time.now().plus_seconds(LONG), Cell::new(0));
        let bad = || async {
            tries.set(tries.get() + u32::from(time.now() >= over));
            fails::<()>(FailureKind::Unavailable)
        };
        let probe =
            |question| async move { if time.now() < over { no_answer(question).await } else { Ok(true) } };
        let calls = (0..count).map(|_| retrier.for_item("read", bad, probe));
        let ended = futures_util::future::join_all(calls).await;
        assert!(ended.iter().all(|end| matches!(end, Err(GivenUp::Item(_)))), "{ended:?}");
        assert_eq!(*seen.0.lock().unwrap(), ["paused", "resumed"]);
        assert!(time.now() < over.plus_seconds(180));
        assert!(tries.get() > count * retry_policy().attempts, "{tries:?}");
    }
}

/// Items that fail now and then, with successes in between, are not an outage.
#[tokio::test(start_paused = true)]
async fn who_gets_through_ends_the_row_of_those_that_did_not() {
    let (time, seen) = (Time::new(), Seen::default());
    let retrier = Retrier::new(&time, &seen, retry_policy());
    for _ in 0..3 {
        let bad =
            retrier.for_item("take", || async { fails::<()>(FailureKind::Unavailable) }, an_answer).await;
        assert!(matches!(bad, Err(GivenUp::Item(_))), "{bad:?}");
        retrier.for_item("take", || async { Ok(()) }, an_answer).await.unwrap();
    }
    assert!(seen.0.lock().unwrap().is_empty());
}

/// The calls that wait for the end of an outage retry at growing intervals.
#[tokio::test(start_paused = true)]
async fn the_waits_of_an_outage_grow() {
    let time = Time::new();
    let retrier = Retrier::new(&time, &(), RetryPolicy { attempts: 2, ..retry_policy() });
    let (over, tries) = (time.now().plus_seconds(LONG), Cell::new(0));
    let call = || async {
        tries.set(tries.get() + 1);
        if time.now() < over { fails(FailureKind::Unavailable) } else { Ok(()) }
    };
    retrier.for_item("read", call, no_answer).await.unwrap();
    assert!(tries.get() < 60, "{tries:?}");
}

/// If a part of a port is out of reach, its items do not all fail, although another part answers.
#[tokio::test(start_paused = true)]
async fn many_that_fail_are_an_outage_of_a_part() {
    let (time, seen) = (Time::new(), Seen::default());
    let retrier = Retrier::new(&time, &seen, retry_policy());
    let bad = || async { fails::<()>(FailureKind::Unavailable) };
    let answers = |_| async { Ok(true) };
    for _ in 0..MAX_GIVEN_UP {
        assert!(matches!(retrier.for_item("read", bad, answers).await, Err(GivenUp::Item(_))));
    }
    assert!(seen.0.lock().unwrap().is_empty());
    assert!(matches!(retrier.for_item("read", bad, answers).await, Err(GivenUp::Step(_))));
    assert_eq!(*seen.0.lock().unwrap(), ["paused"]);
    // Under throttling, calls wait and no item fails.
    let (retrier, busy) =
        (Retrier::new(&time, &(), retry_policy()), || async { fails::<()>(FailureKind::Throttled) });
    let calls = (0..2).map(|_| retrier.for_item("read", busy, answers));
    let ended = futures_util::future::join_all(calls).await;
    assert!(ended.iter().any(|end| matches!(end, Err(GivenUp::Step(_)))), "{ended:?}");
    assert!(ended.iter().all(|end| !matches!(end, Err(GivenUp::Item(_)))), "{ended:?}");
}
