//! The function behind the queue: it copies to a provider the objects that it missed, and each message fails on its
//! own.

use std::time::Duration;

use credlink_core::message::{Message, Work};
use credlink_core::replica::Replica;
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::Method;
use serde_json::{Value, json};

use super::functions::event;
use super::ground::{Ground, everything};
use crate::engines::runtime::Function;
use crate::http::ask::{json as request, media, with};
use crate::world::tokens;

/// The time limit that `template.yaml` sets for a batch.
pub const TIME_LIMIT: Duration = Duration::from_secs(120);

/// The event that Lambda makes of messages, given as IDs and bodies, that are delivered for the first time.
fn batch(messages: &[(String, String)]) -> Value {
    batch_of(messages.iter().map(|(id, body)| (id.as_str(), body.as_str(), 1)))
}

/// The event that Lambda makes of messages, given as IDs, bodies and delivery counts.
pub fn batch_of<'a>(messages: impl Iterator<Item = (&'a str, &'a str, u32)>) -> Value {
    let record = |(id, body, attempts): (&str, &str, u32)| {
        json!({
            "messageId": id,
            "receiptHandle": "receipt",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": attempts.to_string(),
                "SentTimestamp": "1795262400000",
                "SenderId": "000000000000",
                "ApproximateFirstReceiveTimestamp": "1795262400001",
            },
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:work",
            "awsRegion": "eu-central-1",
        })
    };
    json!({"Records": messages.map(record).collect::<Vec<_>>()})
}

/// Passes a batch of messages to the function, and returns the IDs of those that failed.
async fn work(migrate: &Function, messages: &[(String, String)]) -> Vec<String> {
    let done = migrate.invoke_within(TIME_LIMIT, batch(messages)).await;
    let done = done.unwrap_or_else(|error| panic!("the batch failed as a whole: {error}"));
    let failures = done["batchItemFailures"].as_array().unwrap_or_else(|| panic!("{done}"));
    let mut failed: Vec<_> =
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect();
    failed.sort();
    failed
}

/// Works through the queue as Lambda does, until it is empty.
pub async fn work_off(ground: &Ground) {
    let migrate = Function::start("migrate", &ground.variables("migrate"));
    let (queue, url) = (ground.queue.client(), ground.queue.url());
    loop {
        let received =
            queue.receive_message().queue_url(url).max_number_of_messages(10).visibility_timeout(600);
        let received = received.send().await.unwrap();
        if received.messages().is_empty() {
            return;
        }
        let text = |text: Option<&str>| text.unwrap().to_owned();
        let messages: Vec<_> = received
            .messages()
            .iter()
            .map(|message| (text(message.message_id()), text(message.body())))
            .collect();
        assert_eq!(work(&migrate, &messages).await, [""; 0], "{messages:?}");
        for message in received.messages() {
            let receipt = message.receipt_handle().unwrap();
            queue.delete_message().queue_url(url).receipt_handle(receipt).send().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_poison_message_fails_alone_and_the_others_are_replicated() {
    let ground = Ground::pair().await;
    // Stored while there was only one provider, so the fallback has nothing.
    let store = Function::start("store", &ground.alone().await.variables("store"));
    let manifest = manifest_store("urn:c2pa:00000000-0000-4000-8000-000000000001", media("c2pa").digest());
    for body in [
        json!({"media_hash": media("json").to_string(), "manifest": {"note": "provenance ".repeat(100)}}),
        json!({"media_hash": media("c2pa").to_string(), "manifest_base64": BASE64.encode(&manifest)}),
    ] {
        let stored = request(Method::POST, "/v1/proofs", &body);
        let stored = with(stored, http::header::AUTHORIZATION, format!("Bearer {}", tokens::SIGNER));
        let stored = store.invoke(event(&stored)).await.unwrap();
        assert_eq!(stored["statusCode"], 201, "{stored}");
    }
    let wanted = everything(&ground.s3).await;
    assert_eq!(wanted.len(), 4, "two records, a manifest and its front");
    let r2 = ground.r2.as_ref().unwrap();
    assert_eq!(everything(r2).await, []);

    let mut messages: Vec<_> = wanted
        .iter()
        .map(|(key, _, _)| {
            let work =
                Work::Replicate { to: Replica::Fallback, keys: vec![key.parse().unwrap()], mark: None };
            (key.clone(), Message { request_id: "r-1".to_owned(), work }.to_string())
        })
        .collect();
    messages.insert(1, ("poison".to_owned(), "no message".to_owned()));
    let migrate = Function::start("migrate", &ground.variables("migrate"));
    assert_eq!(work(&migrate, &messages).await, ["poison"]);
    let line = migrate.line(|line| line["message_id"] == "poison").await;
    assert!(line["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{line}");
    migrate.line(|line| line.get("credlink_queue_depth").is_some()).await;
    assert_eq!(everything(r2).await, wanted);

    // SQS may deliver a message twice.
    messages.remove(1);
    assert_eq!(work(&migrate, &messages).await, [""; 0]);
    assert_eq!(everything(r2).await, wanted);
}
