//! Messages that cannot be worked on, and their way back from the dead-letter queue.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use bytes::Bytes;
use credlink_aws::Redriven;
use credlink_core::message::{Message, Work};
use credlink_ports::migration::Ledger as _;
use credlink_ports::migration::ledger::{Entry, ItemState, JobName, Reason};
use credlink_ports::{Clock as _, Queue as _};
use credlink_runtime::clock::SystemClock;
use serde_json::json;

use super::{attempts, event, failed, job, ledger, receive, record};
use crate::buckets;
use crate::clouds::ground::{Ground, everything};
use crate::clouds::migrate::TIME_LIMIT;
use crate::engines::runtime::Function;
use crate::engines::{ministack, sqs, unique};

/// Adds to a ground a queue whose dead-letter queue takes messages that were delivered twice.
async fn with_dead_letters(ground: Ground) -> (Ground, String) {
    let client = ground.queue.client();
    let dead = client.create_queue().queue_name(unique("dead")).send().await.unwrap().queue_url.unwrap();
    let arn = client.get_queue_attributes().queue_url(&dead).attribute_names(QueueAttributeName::QueueArn);
    let arn = arn.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
    let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 2}).to_string();
    let set = client.set_queue_attributes().queue_url(ground.queue.url());
    set.attributes(QueueAttributeName::RedrivePolicy, policy).send().await.unwrap();
    (ground, dead)
}

#[tokio::test]
async fn what_cannot_be_done_yet_goes_to_the_dead_letters_and_comes_back_from_there() {
    let (ground, dead) = with_dead_letters(Ground::plain().await).await;
    let bucket = unique("late");
    let late = job(&ground, "late", &format!("s3://{bucket}/old/"));
    let ledger = ledger(&ground, "late");
    ledger.keep_job(&late).await.unwrap();
    let key = |number: usize| format!("old/{number}/{number}.json");
    let planned = |number| Entry {
        key: key(number),
        item: String::new(),
        size: 100,
        version: 1,
        updated: SystemClock.now(),
        begun: None,
        withdrawing: None,
        state: ItemState::Planned,
    };
    assert_eq!(ledger.write(&[planned(1), planned(2)]).await.unwrap(), [true, true]);
    let work = Work::Migrate { job: late.name.clone(), keys: vec![key(1), key(2)] };
    let stranger = Work::Migrate { job: "unknown".parse::<JobName>().unwrap(), keys: vec![key(1)] };
    for work in [work, stranger] {
        ground.queue.send(&Message { request_id: "r-7".to_owned(), work }, 0).await.unwrap();
    }
    let send = ground.queue.client().send_message().queue_url(ground.queue.url());
    send.message_body("no message").send().await.unwrap();

    let migrate = Function::start("migrate", &ground.variables("migrate"));
    for attempt in 1..=2 {
        let messages = receive(&ground, Duration::ZERO).await;
        assert_eq!(messages.len(), 3);
        assert!(messages.iter().all(|message| attempts(message) == attempt));
        let answer = migrate.invoke_within(TIME_LIMIT, event(&messages)).await.unwrap();
        // A message of a job that does not exist is skipped.
        assert_eq!(failed(&answer).len(), 2, "{answer}");
        for (at, state) in ledger.entries(&[key(1), key(2)]).await.unwrap().into_iter().flatten().enumerate()
        {
            // An outage fails no item until its message becomes a dead letter.
            match (attempt, &state.state) {
                (1, ItemState::Planned) => {}
                (2, ItemState::Failed { reason: Reason::Unavailable, detail }) => {
                    assert!(detail.contains("NoSuchBucket"), "{detail}");
                }
                (_, other) => panic!("{at}: {other:?}"),
            }
        }
    }
    let reasons: Vec<String> = migrate.printed();
    for says in ["there is no such job in the table", "this is not a message of CredLink", "NoSuchBucket"] {
        assert!(reasons.iter().any(|line| line.contains(says)), "{says}: {reasons:?}");
    }
    assert_eq!(receive(&ground, Duration::ZERO).await.len(), 0);
    assert_eq!(depth(&dead).await, 3);

    // The cause is removed, and the dead letters are moved back.
    buckets::make(&bucket).await;
    let client = buckets::raw();
    for number in [1, 2] {
        let put =
            client.put_object().bucket(&bucket).key(key(number)).body(Bytes::from(record(number)).into());
        put.send().await.unwrap();
    }
    let mut told = Vec::new();
    let redriven = ground.queue.redrive(None, |so_far| told.push(so_far)).await.unwrap();
    assert_eq!(redriven, Redriven { moved: 3, left: 0 });
    assert_eq!(told.last(), Some(&redriven));
    assert_eq!(depth(&dead).await, 0);
    let messages = receive(&ground, Duration::from_secs(600)).await;
    assert_eq!(messages.len(), 3);
    let answer = migrate.invoke_within(TIME_LIMIT, event(&messages)).await.unwrap();
    assert_eq!(failed(&answer).len(), 1, "{answer}");
    for entry in ledger.entries(&[key(1), key(2)]).await.unwrap().into_iter().flatten() {
        assert!(matches!(entry.state, ItemState::Copied(_)), "{entry:?}");
    }
    assert_eq!(everything(&ground.s3).await.len(), 2);
}

async fn depth(url: &str) -> u64 {
    let queue = sqs::queue_at(url, ministack::endpoint(), ministack::ACCESS_KEY).await;
    queue.depth().await.unwrap()
}

/// The fallback for a service that does not move dead letters itself: text and attributes are kept, and a dead letter
/// is deleted only once it has been sent.
#[tokio::test]
async fn dead_letters_are_given_back_one_by_one() {
    let (ground, dead) = with_dead_letters(Ground::plain().await).await;
    let letters = sqs::queue_at(&dead, ministack::endpoint(), ministack::ACCESS_KEY).await;
    let keys = |number: u32| vec![format!("{number}")];
    for number in 0..25 {
        let work = Work::Migrate { job: "a".parse().unwrap(), keys: keys(number) };
        letters.send(&Message { request_id: "r".to_owned(), work }, 0).await.unwrap();
    }
    let refused = ground.queue.redrive(Some(ground.queue.url()), |_| {}).await.unwrap_err();
    assert!(refused.message.contains("is the queue itself"), "{refused}");
    let redriven = ground.queue.redrive_one_by_one(&dead, |_| {}).await.unwrap();
    assert_eq!(redriven, Redriven { moved: 25, left: 0 });
    assert_eq!(letters.depth().await.unwrap(), 0);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        for delivery in ground.queue.receive(10, 600).await.unwrap() {
            let message: Message = delivery.text.parse().unwrap();
            let Work::Migrate { keys, .. } = message.work else { panic!("{delivery:?}") };
            seen.extend(keys);
        }
    }
    assert_eq!(seen, (0..25).flat_map(keys).collect());
    // A queue without a dead-letter queue reports that it has none.
    let alone = sqs::queue().await;
    let refused = alone.redrive(None, |_| {}).await.unwrap_err();
    assert!(refused.message.contains("has no redrive policy"), "{refused}");
}
