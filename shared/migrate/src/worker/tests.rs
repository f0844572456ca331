use std::cell::Cell;

use credlink_ports::FailureKind;
use credlink_ports::migration::ledger::ItemState;

use super::*;
use crate::job_spec::open;
use crate::testing::{Sent, World, legacy, spec};

const LONG: fn() -> Option<Duration> = || None;

/// A job of 60 good items whose listing was sent, with the message that names all of them.
async fn listed() -> (World, Job, Message, Vec<String>) {
    let world = World::new();
    let keys: Vec<String> = (0..60).map(|number| format!("{number:02}")).collect();
    for (number, key) in keys.iter().enumerate() {
        world.source.put(key, legacy(&format!("i{number}"), number as u64, "{}"));
    }
    open(&world.ledger, &world.time, &spec()).await.unwrap();
    let listing = ListingRequest { job: &spec().name, run: "a run", after: None, batch_size: 100 };
    let queue = Sent::default();
    enumerate(&world.source, &world.ledger, &queue, &world.time, listing, "r", LONG).await.unwrap();
    let job = find_job(&world.ledger, &spec().name, &spec().to).await.unwrap().unwrap();
    assert!(job.listed.is_some() && job.queued);
    let work = Work::Migrate { job: job.name.clone(), keys: keys.clone() };
    (world, job, Message { request_id: "r".to_owned(), work }, keys)
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_outlasts_the_time_goes_on_as_another_message() {
    let (world, job, message, keys) = listed().await;
    let looks = Cell::new(0);
    let remaining = || {
        looks.set(looks.get() + 1);
        Some(if looks.get() > 1 { LAST_ITEMS / 2 } else { LAST_ITEMS })
    };
    let decision = copy_batch(&world, &job, &keys, remaining).await;
    let Decision::Continue(left) = &decision else { panic!("{decision:?}") };
    assert!((1..60).contains(&left.len()), "{left:?}");
    let (left, queue) = (left.clone(), Sent::default());
    let batch = Batch { message: &message, job: &job, keys: &keys };
    let never = async { panic!("nothing failed") };
    conclude(&world.ledger, &queue, &world.time, batch, decision, never).await.unwrap();
    assert_eq!(queue.lots(), std::slice::from_ref(&left));
    assert_eq!(copy_batch(&world, &job, &left, LONG).await, Decision::Done);
}

#[tokio::test(start_paused = true)]
async fn the_last_delivery_says_in_the_ledger_that_items_were_given_up() {
    for is_last in [false, true] {
        let (world, job, message, keys) = listed().await;
        world.faults.down("destination", FailureKind::AccessDenied);
        let decision = copy_batch(&world, &job, &keys, LONG).await;
        assert!(matches!(&decision, Decision::GiveUp(failure) if failure.kind == FailureKind::AccessDenied));
        let batch = Batch { message: &message, job: &job, keys: &keys };
        let queue = Sent::default();
        let ended = conclude(&world.ledger, &queue, &world.time, batch, decision, async { is_last }).await;
        assert!(matches!(ended, Err(WorkerError::Failure(_))), "{ended:?}");
        let failed = world.ledger.all().iter().all(|entry| matches!(entry.state, ItemState::Failed { .. }));
        assert_eq!(failed, is_last);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_of_another_destination_is_refused_and_one_that_is_gone_is_passed_over() {
    let (world, job, ..) = listed().await;
    let error = find_job(&world.ledger, &job.name, "elsewhere").await.unwrap_err();
    assert_eq!(error.to_string(), "the job `job` copies to dir:b, and this is elsewhere");
    assert_eq!(find_job(&World::new().ledger, &job.name, &job.to).await, Ok(None));
    assert!(world.ledger.claim("another", 60).await.unwrap());
    let listing = ListingRequest { job: &job.name, run: "a run", after: None, batch_size: 100 };
    let held =
        enumerate(&world.source, &world.ledger, &Sent::default(), &world.time, listing, "r", LONG).await;
    assert_eq!(held, Err(WorkerError::Held(job.name)));
}
