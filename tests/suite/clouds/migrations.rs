//! Migrations over the queue: the API starts them, the function behind the queue lists and copies, and SQS delivers
//! messages more than once.

mod beginning;
mod copying;
mod dead_letters;
mod kills;
mod removal;

use std::time::Duration;

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName};
use bytes::Bytes;
use credlink_core::hash::MediaHash;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Row, RowKey};
use credlink_core::tenant::Tenant;
use credlink_dynamodb::ledger::TableLedger;
use credlink_ports::migration::Ledger as _;
use credlink_ports::migration::ledger::{Entry, Job, LEDGER_VERSION, Order};
use credlink_ports::{Clock as _, Index as _, Objects};
use credlink_runtime::clock::SystemClock;
use futures_util::future::join;
use futures_util::stream::{StreamExt as _, iter};
use http::header::AUTHORIZATION;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::functions::Functions;
use super::ground::Ground;
use super::migrate::{TIME_LIMIT, batch_of};
use crate::buckets;
use crate::engines::runtime::Function;
use crate::http::api::Api as _;
use crate::http::ask::{get, json as request, with};
use crate::http::contract::CONTRACT;
use crate::world::tokens;

/// The hash of a record's media file.
fn file(number: usize) -> MediaHash {
    MediaHash::of(format!("file {number}").as_bytes())
}

fn id(number: usize) -> ProofId {
    ProofId::derive(&Tenant::default(), &file(number))
}

/// A legacy record; every hundredth is broken, each in one of four ways.
fn record(number: usize) -> String {
    let hash = file(number);
    let whole = json!({
        "proofId": format!("old-{number}"), "imageHash": hash.to_string(), "manifest": {"number": number},
        "signature": "c2ln", "timestamp": 1_700_000_000_000_u64 + number as u64, "extra": {"kept": true},
    });
    let mut broken = whole.clone();
    match number % 400 {
        0 => return whole.to_string()[..40].to_owned(),
        100 => broken["imageHash"] = json!("sha256:00"),
        200 => drop(broken.as_object_mut().unwrap().remove("manifest")),
        300 => broken["proofId"] = json!("no id"),
        _ => return whole.to_string(),
    }
    broken.to_string()
}

/// Creates a bucket with this many records under a prefix.
async fn old_bucket(bucket: &str, records: usize) {
    let client = buckets::raw();
    let puts = (0..records).map(|number| {
        let put = client.put_object().bucket(bucket).key(format!("old/{}/{number}.json", number % 7));
        put.body(Bytes::from(record(number)).into()).send()
    });
    iter(puts).for_each_concurrent(16, async |put| drop(put.await.unwrap())).await;
    let stranger = client.put_object().bucket(bucket).key("elsewhere/1.json");
    stranger.body(Bytes::from("not ours").into()).send().await.unwrap();
}

/// Receives the messages that the queue delivers now, and hides them for `hidden`.
pub(super) async fn receive(ground: &Ground, hidden: Duration) -> Vec<Received> {
    let request = ground.queue.client().receive_message().queue_url(ground.queue.url());
    let request = request
        .max_number_of_messages(10)
        .visibility_timeout(i32::try_from(hidden.as_secs()).unwrap())
        .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
    request.send().await.unwrap().messages.unwrap_or_default()
}

fn attempts(message: &Received) -> u32 {
    let attributes = message.attributes().unwrap();
    attributes[&MessageSystemAttributeName::ApproximateReceiveCount].parse().unwrap()
}

pub(super) fn event(messages: &[Received]) -> Value {
    let each = messages.iter();
    batch_of(each.map(|message| (message.message_id().unwrap(), message.body().unwrap(), attempts(message))))
}

pub(super) async fn settle(ground: &Ground, message: &Received) {
    let receipt = message.receipt_handle().unwrap();
    let queue = ground.queue.client();
    queue.delete_message().queue_url(ground.queue.url()).receipt_handle(receipt).send().await.unwrap();
}

/// The IDs of the messages that an answer reports as failed.
pub(super) fn failed(answer: &Value) -> Vec<&str> {
    let failures = answer["batchItemFailures"].as_array().unwrap_or_else(|| panic!("{answer}"));
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect()
}

/// Works through the queue, and passes every message to two functions at once.
async fn work_off_twice(ground: &Ground) {
    let start = || Function::start("migrate", &ground.variables("migrate"));
    let (one, two) = (start(), start());
    loop {
        let messages = receive(ground, Duration::from_secs(600)).await;
        if messages.is_empty() {
            return;
        }
        let answers = join(
            one.invoke_within(TIME_LIMIT, event(&messages)),
            two.invoke_within(TIME_LIMIT, event(&messages)),
        );
        let (first, second) = answers.await;
        for answer in [first.unwrap(), second.unwrap()] {
            assert_eq!(failed(&answer), [""; 0], "{:?}", (one.printed(), two.printed()));
        }
        for message in &messages {
            settle(ground, message).await;
        }
    }
}

struct Operator(Functions);

impl Operator {
    async fn ask(&self, request: Request<Bytes>) -> (u16, Value, Response<Bytes>) {
        self.ask_as(tokens::OPERATOR, request).await
    }

    async fn ask_as(&self, token: &str, request: Request<Bytes>) -> (u16, Value, Response<Bytes>) {
        let request = with(request, AUTHORIZATION, format!("Bearer {token}"));
        let response = self.0.send(request.clone()).await;
        CONTRACT.check(&request, &response);
        let body = serde_json::from_slice(response.body()).unwrap_or_default();
        (response.status().as_u16(), body, response)
    }

    async fn begin(&self, body: Value) -> (u16, Value, Response<Bytes>) {
        self.ask(request(Method::POST, "/v1/migrations", &body)).await
    }

    async fn progress(&self, job: &str) -> Value {
        let (status, progress, _) = self.ask(get(&format!("/v1/migrations/{job}"))).await;
        assert_eq!(status, 200, "{progress}");
        progress
    }
}

/// Asserts that the deployment holds the proof of every good record, each once and unaltered, and nothing else.
async fn assert_migrated(ground: &Ground, records: usize) {
    let good: Vec<usize> = (0..records).filter(|number| number % 100 != 0).collect();
    ground.assert_sound().await;
    assert_eq!(ground.index.totals().await.unwrap().proofs, good.len() as u64);
    let mut after = None::<String>;
    let mut keys = Vec::new();
    loop {
        let page = Objects::list(&ground.s3, "", after.as_deref(), 1_000).await.unwrap();
        // The mark is not a proof.
        let keys_here = page.items.into_iter().map(|listed| listed.key);
        keys.extend(keys_here.filter(|key| !key.starts_with("store/")));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut expected: Vec<_> = good.iter().map(|number| format!("proofs/{}", id(*number))).collect();
    expected.sort();
    assert_eq!(keys, expected, "one record each, and no earlier revision");
    iter(good)
        .for_each_concurrent(16, async |number| {
            let row =
                ground.index.get(&RowKey::Proof(id(number))).await.unwrap().and_then(Row::proof).unwrap();
            assert_eq!((row.version, row.revision), (1, 1), "{number}");
            let alias = RowKey::Alias(format!("old-{number}").parse().unwrap());
            let alias = ground.index.get(&alias).await.unwrap().and_then(Row::alias).unwrap();
            assert_eq!((alias.version, alias.proof), (1, id(number)), "{number}");
        })
        .await;
}

/// Every entry of a job's ledger.
async fn entries(ground: &Ground, job: &str) -> Vec<Entry> {
    let ledger = ledger(ground, job);
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = ledger.list(Order::Forward, after.as_deref(), 1_000).await.unwrap();
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

pub(super) fn ledger(ground: &Ground, job: &str) -> TableLedger<SystemClock> {
    TableLedger::new(&ground.index, &job.parse().unwrap(), SystemClock)
}

pub(super) fn job(ground: &Ground, name: &str, from: &str) -> Job {
    Job {
        version: LEDGER_VERSION,
        name: name.parse().unwrap(),
        from: from.to_owned(),
        to: format!("s3://{}", ground.s3.settings().bucket),
        tenant: Tenant::default(),
        keep_tenants: false,
        from_tenant: None,
        created: SystemClock.now(),
        listed: None,
        elapsed_ms: 0,
        queued: true,
        left_behind: None,
        removing: false,
    }
}
