//! The contract of `Queue`.
//!
//! No case waits for time to pass: a message that is hidden for no time comes again at once, and a message that is
//! hidden for ten minutes does not come again while a test runs.

use std::collections::BTreeSet;

use credlink_core::bounds::{MAX_MANIFEST_ID_BYTES, MAX_MESSAGE_BYTES, MAX_MESSAGE_KEYS};
use credlink_core::message::{Message, Work};
use credlink_core::object::ObjectKey;
use credlink_core::repair_mark::RepairMark;
use credlink_core::replica::Replica;
use credlink_core::time::Timestamp;
use credlink_embedded::OpenError;
use credlink_embedded::queue::{EmbeddedQueue, QueueError};
use credlink_ports::doubles::ManualClock;
use credlink_ports::doubles::MemoryQueue;
use credlink_ports::limits::MAX_DELIVERIES as MAX_ATTEMPTS;
use credlink_ports::{Delivery, Queue};
use credlink_runtime::clock::SystemClock;
use futures_util::future::{join, join_all};

use super::{at, over_every_adapter, proof_id};
use crate::engines::{free_port, ministack, sqs as engine};

over_every_adapter! {
    {
        an_empty_queue_hands_out_nothing,
        a_message_is_handed_out_as_it_was_sent,
        the_longest_message_is_handed_out_whole,
        what_is_handed_out_is_hidden,
        what_is_not_settled_comes_again_and_is_counted,
        what_is_settled_is_gone,
        settling_twice_is_no_failure,
        a_delayed_message_waits,
        at_most_so_many_are_handed_out_at_once,
        everything_waiting_counts_as_depth,
        many_at_once_lose_nothing,
    }
    memory => ((), MemoryQueue::with_clock(ManualClock::at(at(1_000)))),
    embedded => {
        let directory = tempfile::tempdir().unwrap();
        let queue = EmbeddedQueue::open(directory.path().join("queue"), SystemClock).unwrap();
        (directory, queue)
    },
    sqs => ((), engine::queue().await),
}

/// A time in seconds that is longer than any test.
const LONG: u32 = 600;

fn message(name: &str) -> Message {
    let work =
        Work::Replicate { to: Replica::Fallback, keys: vec![ObjectKey::Record(proof_id(name))], mark: None };
    Message { request_id: format!("request of {name}"), work }
}

async fn send(queue: &impl Queue, name: &str) {
    queue.send(&message(name), 0).await.unwrap();
}

/// The only message that is delivered.
async fn one(queue: &impl Queue, hidden_seconds: u32) -> Delivery {
    let mut deliveries = queue.receive(10, hidden_seconds).await.unwrap();
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    deliveries.remove(0)
}

async fn nothing(queue: &impl Queue) {
    assert_eq!(queue.receive(10, LONG).await.unwrap(), []);
}

async fn an_empty_queue_hands_out_nothing(queue: &impl Queue) {
    nothing(queue).await;
    assert_eq!(queue.depth().await.unwrap(), 0);
}

async fn a_message_is_handed_out_as_it_was_sent(queue: &impl Queue) {
    send(queue, "x").await;
    let delivery = one(queue, LONG).await;
    assert_eq!((delivery.text.parse(), delivery.attempts), (Ok(message("x")), 1));
    // A sender need not have a request.
    let nobody = Message { request_id: String::new(), ..message("y") };
    queue.send(&nobody, 0).await.unwrap();
    assert_eq!(one(queue, LONG).await.text.parse(), Ok(nobody));
}

async fn the_longest_message_is_handed_out_whole(queue: &impl Queue) {
    let longest = |number: usize| {
        let id = format!("urn:{:ü<width$}{number:02}", "", width = (MAX_MANIFEST_ID_BYTES - 6) / 2);
        let plain = || format!("urn:{:x<width$}{number:02}", "", width = MAX_MANIFEST_ID_BYTES - 6);
        ObjectKey::Manifest(id.parse().unwrap_or_else(|_| plain().parse().unwrap()))
    };
    let mark = Some(RepairMark::new(Timestamp::from_milliseconds(i64::MAX), u64::MAX));
    let keys = (0..MAX_MESSAGE_KEYS).map(longest).collect();
    let work = Work::Replicate { to: Replica::Primary, keys, mark };
    let message = Message { request_id: "\"<&>ü\u{1F5BC}".to_owned(), work };
    assert!(message.to_string().len() <= MAX_MESSAGE_BYTES);
    queue.send(&message, 0).await.unwrap();
    assert_eq!(one(queue, LONG).await.text.parse(), Ok(message));
}

async fn what_is_handed_out_is_hidden(queue: &impl Queue) {
    send(queue, "x").await;
    one(queue, LONG).await;
    nothing(queue).await;
    send(queue, "y").await;
    assert_eq!(one(queue, LONG).await.text.parse(), Ok(message("y")));
}

async fn what_is_not_settled_comes_again_and_is_counted(queue: &impl Queue) {
    send(queue, "x").await;
    for attempts in 1..=5 {
        let delivery = one(queue, 0).await;
        assert_eq!((delivery.text.parse(), delivery.attempts), (Ok(message("x")), attempts));
    }
    let last = one(queue, LONG).await;
    assert_eq!(last.attempts, 6);
    queue.settle(&last.receipt).await.unwrap();
    nothing(queue).await;
}

async fn what_is_settled_is_gone(queue: &impl Queue) {
    send(queue, "x").await;
    send(queue, "y").await;
    let deliveries = queue.receive(10, 0).await.unwrap();
    assert_eq!(deliveries.len(), 2);
    let settled = deliveries.iter().find(|delivery| delivery.text.parse() == Ok(message("x"))).unwrap();
    queue.settle(&settled.receipt).await.unwrap();
    assert_eq!(one(queue, LONG).await.text.parse(), Ok(message("y")));
    assert_eq!(queue.depth().await.unwrap(), 1);
}

async fn settling_twice_is_no_failure(queue: &impl Queue) {
    send(queue, "x").await;
    let delivery = one(queue, LONG).await;
    queue.settle(&delivery.receipt).await.unwrap();
    queue.settle(&delivery.receipt).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), 0);
}

async fn a_delayed_message_waits(queue: &impl Queue) {
    queue.send(&message("later"), 900).await.unwrap();
    send(queue, "now").await;
    assert_eq!(one(queue, LONG).await.text.parse(), Ok(message("now")));
    nothing(queue).await;
    assert_eq!(queue.depth().await.unwrap(), 2);
}

async fn at_most_so_many_are_handed_out_at_once(queue: &impl Queue) {
    for number in 0..25 {
        send(queue, &number.to_string()).await;
    }
    let mut seen = BTreeSet::new();
    for most in [1, 3, 10, 10, 10] {
        let deliveries = queue.receive(most, LONG).await.unwrap();
        assert!(!deliveries.is_empty() && deliveries.len() <= most, "{}", deliveries.len());
        seen.extend(deliveries.into_iter().map(|delivery| delivery.text));
    }
    let expected: BTreeSet<_> = (0..25).map(|number: u32| message(&number.to_string()).to_string()).collect();
    assert_eq!(seen, expected);
    nothing(queue).await;
}

async fn everything_waiting_counts_as_depth(queue: &impl Queue) {
    for number in 0..5 {
        send(queue, &number.to_string()).await;
    }
    queue.send(&message("later"), 900).await.unwrap();
    let handed_out = queue.receive(2, LONG).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), 6);
    queue.settle(&handed_out[0].receipt).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), 5);
}

async fn many_at_once_lose_nothing(queue: &impl Queue) {
    let senders = join_all((0..20).map(|sender| async move {
        for number in 0..5 {
            send(queue, &format!("{sender} {number}")).await;
        }
    }));
    let receivers = join_all((0..5).map(|_| async move {
        let mut seen = Vec::new();
        for _ in 0..10 {
            for delivery in queue.receive(10, LONG).await.unwrap() {
                queue.settle(&delivery.receipt).await.unwrap();
                seen.push(delivery.text);
            }
        }
        seen
    }));
    let (_, seen) = join(senders, receivers).await;
    let mut seen: Vec<String> = seen.into_iter().flatten().collect();
    loop {
        let rest = queue.receive(10, LONG).await.unwrap();
        if rest.is_empty() {
            break;
        }
        for delivery in rest {
            queue.settle(&delivery.receipt).await.unwrap();
            seen.push(delivery.text);
        }
    }
    let names = (0..20).flat_map(|sender| (0..5).map(move |number| format!("{sender} {number}")));
    let expected: BTreeSet<_> = names.map(|name| message(&name).to_string()).collect();
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(queue.depth().await.unwrap(), 0);
}

/// The behaviour that depends on the clock, for the queues whose clock a test can set.
async fn time_brings_messages_back(queue: &impl Queue, clock: &ManualClock) {
    queue.send(&message("x"), 30).await.unwrap();
    clock.advance_seconds(29);
    nothing(queue).await;
    clock.advance_seconds(1);
    assert_eq!(one(queue, 60).await.attempts, 1);
    clock.advance_seconds(59);
    nothing(queue).await;
    clock.advance_seconds(1);
    let again = one(queue, 60).await;
    assert_eq!(again.attempts, 2);
    queue.settle(&again.receipt).await.unwrap();
    clock.advance_seconds(60);
    nothing(queue).await;
}

#[tokio::test]
async fn a_memory_queue_goes_by_its_clock() {
    let clock = ManualClock::at(at(1_000));
    time_brings_messages_back(&MemoryQueue::with_clock(clock.clone()), &clock).await;
}

#[tokio::test]
async fn an_embedded_queue_goes_by_its_clock() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(at(1_000)));
    let queue = EmbeddedQueue::open(directory.path().join("queue"), clock.clone()).unwrap();
    time_brings_messages_back(&queue, &clock).await;
}

#[tokio::test]
async fn an_embedded_queue_survives_its_process() {
    let directory = tempfile::tempdir().unwrap();
    let (path, clock) = (directory.path().join("queue"), ManualClock::at(at(1_000)));
    let queue = EmbeddedQueue::open(&path, clock.clone()).unwrap();
    for name in ["settled", "handed out", "waiting"] {
        send(&queue, name).await;
    }
    let deliveries = queue.receive(2, 60).await.unwrap();
    queue.settle(&deliveries[0].receipt).await.unwrap();
    let error = EmbeddedQueue::open(&path, clock.clone()).unwrap_err();
    assert!(matches!(error, QueueError(OpenError::InUse { .. })));
    drop(queue);
    let queue = EmbeddedQueue::open(&path, clock.clone()).unwrap();
    assert_eq!(queue.depth().await.unwrap(), 2);
    assert_eq!(one(&queue, 60).await.text.parse(), Ok(message("waiting")));
    clock.advance_seconds(60);
    let again = queue.receive(10, 60).await.unwrap();
    let attempts: Vec<_> = again.iter().map(|delivery| delivery.attempts).collect();
    assert_eq!(attempts, [2, 2], "the attempts before are remembered");
    send(&queue, "new").await;
    assert_eq!(one(&queue, 60).await.text.parse(), Ok(message("new")), "and no number is given twice");
}

#[tokio::test]
async fn an_embedded_queue_puts_aside_what_nobody_can_do() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(at(1_000)));
    let queue = EmbeddedQueue::open(directory.path().join("queue"), clock.clone()).unwrap();
    send(&queue, "poison").await;
    for attempts in 1..=MAX_ATTEMPTS {
        assert_eq!(one(&queue, 0).await.attempts, attempts);
    }
    send(&queue, "good").await;
    assert_eq!(one(&queue, LONG).await.text.parse(), Ok(message("good")));
    assert_eq!(queue.depth().await.unwrap(), 1);
    let dead = queue.dead(None, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    let of = |text: &str| text.parse();
    assert_eq!((of(&dead[0].text), dead[0].attempts, dead[0].at), (Ok(message("poison")), 10, at(1_000)));
    assert_eq!(queue.dead(Some(dead[0].number), 10).await.unwrap(), []);
    assert!(!queue.put_back(dead[0].number + 1).await.unwrap());
    assert!(queue.put_back(dead[0].number).await.unwrap());
    assert!(!queue.put_back(dead[0].number).await.unwrap());
    let again = one(&queue, LONG).await;
    assert_eq!((of(&again.text), again.attempts), (Ok(message("poison")), 1));
    assert_eq!(queue.dead(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_memory_queue_puts_aside_what_nobody_can_do() {
    let queue = MemoryQueue::with_clock(ManualClock::at(at(1_000)));
    send(&queue, "poison").await;
    for _ in 0..MAX_ATTEMPTS {
        one(&queue, 0).await;
    }
    nothing(&queue).await;
    assert_eq!(queue.dead(), [message("poison").to_string()]);
    assert_eq!(queue.depth().await.unwrap(), 0);
}

#[tokio::test]
async fn a_message_of_sqs_names_its_request() {
    let queue = engine::queue().await;
    send(&queue, "x").await;
    let url = queue.url();
    let request = queue.client().receive_message().queue_url(url).message_attribute_names("request_id");
    let messages = request.send().await.unwrap().messages.unwrap();
    let id = messages[0].message_attributes.as_ref().unwrap()["request_id"].string_value();
    assert_eq!(id, Some("request of x"));
}

#[tokio::test]
async fn a_queue_of_sqs_that_cannot_be_used_is_told_of_at_the_start() {
    let queue = engine::queue().await;
    queue.check().await.unwrap();
    let absent = format!("{}-absent", queue.url());
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    for (url, endpoint, key, words) in [
        (absent.as_str(), ministack::endpoint(), ministack::ACCESS_KEY, "there is no queue http"),
        (queue.url(), ministack::endpoint(), "AKIANOBODY", "the credentials are refused or missing"),
        (queue.url(), nowhere.as_str(), ministack::ACCESS_KEY, "SQS does not answer in the region"),
    ] {
        let error = engine::queue_at(url, endpoint, key).await.check().await.unwrap_err();
        assert!(error.message.starts_with(words), "{error}");
    }
}
