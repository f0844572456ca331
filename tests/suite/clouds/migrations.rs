//! Migrations over the queue: the API starts them, the function behind the queue lists and copies, and SQS delivers
//! messages more than once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName, QueueAttributeName};
use bytes::Bytes;
use credlink_aws::sqs::redrive::Redriven;
use credlink_core::access::Visibility;
use credlink_core::hash::MediaHash;
use credlink_core::link::own_path;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::message::{Message, Work};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Row, RowKey};
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_dynamodb::ledger::TableLedger;
use credlink_ports::migration::Ledger as _;
use credlink_ports::migration::ledger::{Entry, ItemState, Job, JobName, LEDGER_VERSION, Order, Reason};
use credlink_ports::{Clock as _, Index as _, Objects, Queue as _};
use credlink_runtime::clock::SystemClock;
use credlink_s3::S3Objects;
use data_encoding::BASE64;
use futures_util::future::join;
use futures_util::stream::{StreamExt as _, iter};
use http::header::{AUTHORIZATION, LOCATION};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::functions::Functions;
use super::ground::{Ground, everything};
use super::migrate::{TIME_LIMIT, batch_of};
use crate::buckets;
use crate::engines::runtime::Function;
use crate::engines::{ministack, sqs, unique};
use crate::http::api::Api as _;
use crate::http::ask::{ask, c2pa, get, json as request, with};
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

#[tokio::test]
async fn two_thousand_records_of_which_some_are_broken_are_migrated_although_every_message_comes_twice() {
    let ground = Arc::new(Ground::plain().await);
    let old = buckets::s3().await;
    let bucket = old.settings().bucket.clone();
    old_bucket(&bucket, 2_000).await;
    let operator = Operator(Functions::reading(&ground, &format!("s3://{bucket}/old/=default")));
    let from = format!("s3://{bucket}/old/");

    let (status, begun, response) = operator.begin(json!({"name": "all", "from": from})).await;
    assert_eq!(status, 202, "{begun}");
    assert_eq!(response.headers()[LOCATION], "/v1/migrations/all");
    let to = format!("s3://{}", ground.s3.settings().bucket);
    assert_eq!((&begun["from"], &begun["to"]), (&json!(from), &json!(to)));
    assert_eq!(operator.progress("all").await["listed"], Value::Null);
    work_off_twice(&ground).await;

    let progress = operator.progress("all").await;
    assert!(progress["listed"].is_string() && progress["next"].is_null(), "{progress}");
    let bytes: usize = (0..2_000).map(|number| record(number).len()).sum();
    assert_eq!(
        progress["items"],
        json!({
            "total": 2_000, "bytes": bytes, "planned": 0, "copying": 0, "copied": 1_980, "verified": 0, "deleted": 0,
            "rolled_back": 0, "failed": {"invalid-record": 20}, "skipped": {},
        })
    );
    for entry in entries(&ground, "all").await {
        match &entry.state {
            ItemState::Copied(copy) => assert!(copy.created && copy.exact, "{entry:?}"),
            ItemState::Failed { reason: Reason::InvalidRecord, detail } => assert!(!detail.is_empty()),
            other => panic!("{other:?}"),
        }
    }
    assert_migrated(&ground, 2_000).await;
    let moved = operator.0.send(get("/v1/proofs/old-1")).await;
    assert_eq!(
        (moved.status(), moved.headers()[LOCATION].to_str().unwrap()),
        (StatusCode::PERMANENT_REDIRECT, id(1).to_string().as_str())
    );

    // Another run only looks, and picks up what is new and what was corrected.
    let client = buckets::raw();
    let put = client.put_object().bucket(&bucket).key("old/0/0.json").body(Bytes::from(record(1)).into());
    put.send().await.unwrap();
    let versions = |entries: Vec<Entry>| {
        entries.into_iter().map(|entry| (entry.key, entry.version)).collect::<BTreeMap<_, _>>()
    };
    let mut before = versions(entries(&ground, "all").await);
    assert_eq!(operator.begin(json!({"name": "all", "from": from, "batch_size": 60})).await.0, 202);
    work_off_twice(&ground).await;
    let items = &operator.progress("all").await["items"];
    assert_eq!((&items["total"], &items["copied"]), (&json!(2_000), &json!(1_981)), "{items}");
    assert_eq!(items["failed"], json!({"invalid-record": 19}));
    let mut after = versions(entries(&ground, "all").await);
    let touched = |versions: &mut BTreeMap<String, u64>| {
        versions.retain(|key, _| !key.ends_with("00.json") && key != "old/0/0.json");
    };
    touched(&mut before);
    touched(&mut after);
    assert_eq!(after, before, "what was done is not written again");
}

#[tokio::test]
async fn a_request_is_refused_where_it_cannot_be_done() {
    let ground = Arc::new(Ground::plain().await);
    let listed = "s3://one=default,s3://two=default,s3://three=acme,r2://four=*";
    let operator = Operator(Functions::reading(&ground, listed));
    for (from, says) in [
        ("dir:/var/lib/proofs", "a queued job reads from s3://BUCKET/PREFIX or r2://BUCKET/PREFIX"),
        ("jsonl:dump.jsonl", "not from jsonl:dump.jsonl"),
        ("credlink:https://a.example.com", "a queued job reads from"),
        ("gs://bucket", "is no place"),
    ] {
        let (status, problem, _) = operator.begin(json!({"name": "a", "from": from})).await;
        assert_eq!((status, &problem["field"]), (400, &json!("from")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    // Neither the deployment's own bucket nor another bucket that is not on the list is accepted.
    for from in [&format!("s3://{}", ground.s3.settings().bucket), "s3://one/below", "r2://one"] {
        let (status, problem, _) = operator.begin(json!({"name": "a", "from": from})).await;
        assert_eq!((status, &problem["type"]), (403, &json!("urn:credlink:problem:source-not-listed")));
        assert!(problem["detail"].as_str().unwrap().contains("CREDLINK_MIGRATION_SOURCES"), "{problem}");
    }
    // A tenant's administrator may start no job at all, so that nobody can take the name of one of the operator's jobs.
    let legacy = json!({"name": "legacy", "from": "s3://one"});
    for token in [tokens::OWNER, tokens::STRANGER] {
        let asked = request(Method::POST, "/v1/migrations", &legacy);
        let (status, problem, _) = operator.ask_as(token, asked).await;
        assert_eq!((status, &problem["scope"]), (403, &json!("operator")), "{problem}");
    }
    assert_eq!(ledger(&ground, "legacy").job().await.unwrap(), None);
    let (status, problem, _) = operator.ask(get("/v1/migrations/a")).await;
    assert_eq!((status, &problem["detail"]), (404, &json!("there is no job `a`")));
    assert_eq!(operator.begin(json!({"name": "a", "from": "s3://one"})).await.0, 202);
    let (status, problem, _) = operator.begin(json!({"name": "a", "from": "s3://two"})).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("is from s3://one to"), "{problem}");
    assert!(ledger(&ground, "a").claim("somebody", 60).await.unwrap());
    let (status, problem, _) = operator.begin(json!({"name": "a", "from": "s3://one"})).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:credlink:problem:contended")));
    // A tenant's administrator sees the jobs that create proofs of that tenant.
    for (name, from, tenant, keep_tenants, seen) in [
        ("b", "s3://three", "acme", false, 404),
        ("c", "r2://four", "default", true, 404),
        ("d", "s3://two", "default", false, 200),
    ] {
        let (status, begun, _) = operator.begin(json!({"name": name, "from": from})).await;
        assert_eq!(
            (status, &begun["tenant"], &begun["keep_tenants"]),
            (202, &json!(tenant), &json!(keep_tenants))
        );
        let progress = || get(&format!("/v1/migrations/{name}"));
        assert_eq!(operator.ask(progress()).await.0, 200);
        assert_eq!(operator.ask_as(tokens::OWNER, progress()).await.0, seen, "{name}");
    }
}

/// Stores a public proof with a manifest, and another manifest by itself, and withdraws both manifests.
async fn withdrawn(functions: &Functions) -> [ManifestId; 2] {
    let ids = ["held", "alone"].map(|name| format!("urn:c2pa:{name}").parse::<ManifestId>().unwrap());
    let content = |id: &ManifestId| manifest_store(id.as_str(), file(2).digest());
    let proof =
        json!({"media_hash": file(2).to_string(), "manifest_base64": BASE64.encode(&content(&ids[0]))});
    let owned = |request| with(request, AUTHORIZATION, format!("Bearer {}", tokens::OWNER));
    for store in
        [request(Method::POST, "/v1/proofs", &proof), c2pa(Method::POST, "/v1/manifests", content(&ids[1]))]
    {
        assert_eq!(functions.send(owned(store)).await.status(), StatusCode::CREATED);
    }
    for id in &ids {
        let target = format!("/v1/manifests/{id}/visibility");
        let withdraw = request(Method::PUT, &target, &json!({"visibility": "private"}));
        assert_eq!(functions.send(owned(withdraw)).await.status(), StatusCode::NO_CONTENT);
    }
    ids
}

/// A private proof in the store of another CredLink stays private, and becomes a proof of the tenant that the list
/// names.
#[tokio::test]
async fn private_proofs_become_those_of_the_listed_tenant_and_stay_private() {
    let former = Arc::new(Ground::plain().await);
    let stored = Functions::start(&former);
    let body =
        json!({"media_hash": file(1).to_string(), "manifest": {"of": "a secret"}, "visibility": "private"});
    let store =
        with(request(Method::POST, "/v1/proofs", &body), AUTHORIZATION, format!("Bearer {}", tokens::OWNER));
    assert_eq!(stored.send(store).await.status(), StatusCode::CREATED);
    let manifests = withdrawn(&stored).await;
    let from = format!("s3://{}", former.s3.settings().bucket);
    for (tenant, becomes) in [("default>acme", "acme"), ("default", "default"), ("*", "default")] {
        let ground = Arc::new(Ground::plain().await);
        let operator = Operator(Functions::reading(&ground, &format!("{from}={tenant}")));
        assert_eq!(operator.begin(json!({"name": "a", "from": from})).await.0, 202);
        work_off_twice(&ground).await;
        assert_eq!(operator.progress("a").await["items"]["copied"], 3);
        for id in &manifests {
            let manifest = ManifestKey::new(&becomes.parse().unwrap(), id);
            let key = RowKey::Manifest(manifest.clone());
            let row = ground.index.get(&key).await.unwrap().and_then(Row::manifest).unwrap();
            assert_eq!(row.visibility, Visibility::Private, "{tenant}: {id}");
            let anonymous = operator.0.send(get(&format!("/v1{}", own_path(&manifest)))).await;
            assert_eq!(anonymous.status(), StatusCode::NOT_FOUND, "{tenant}: {id}");
        }
        for owner in ["default", "acme"] {
            let id = ProofId::derive(&owner.parse().unwrap(), &file(1));
            let row = ground.index.get(&RowKey::Proof(id)).await.unwrap().and_then(Row::proof);
            let found = row.map(|row| (row.tenant.to_string(), row.visibility));
            let expected = (owner == becomes).then(|| (owner.to_owned(), Visibility::Private));
            assert_eq!(found, expected, "{tenant}: {owner}");
        }
        let id = ProofId::derive(&becomes.parse().unwrap(), &file(1));
        let anonymous = operator.0.send(get(&format!("/v1/proofs/{id}"))).await;
        assert_eq!(anonymous.status(), StatusCode::NOT_FOUND);
    }
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

/// Fifty kills at random moments of one job: nothing is lost, nothing is created twice, and confirmed entries stay as
/// they are.
#[tokio::test]
async fn a_function_that_is_killed_time_and_again_migrates_all_the_same() {
    const RECORDS: usize = 1_000;
    const KILLS: usize = 50;
    let ground = Arc::new(Ground::plain().await);
    let old = buckets::s3().await;
    let bucket = old.settings().bucket.clone();
    old_bucket(&bucket, RECORDS).await;
    let operator = Operator(Functions::reading(&ground, &format!("s3://{bucket}/old/=default")));
    let body = json!({"name": "killed", "from": format!("s3://{bucket}/old/"), "batch_size": 5});
    assert_eq!(operator.begin(body).await.0, 202);

    let mut confirmed: BTreeMap<String, Entry> = BTreeMap::new();
    let (mut kills, mut idle) = (0, 0);
    // The function is killed within this many milliseconds: fewer if it was done before the last kill, more if it was
    // not.
    let mut limit = 700;
    while idle < 3 {
        let messages = receive(&ground, Duration::from_secs(2)).await;
        if messages.is_empty() {
            // The messages of a killed function become visible again.
            tokio::time::sleep(Duration::from_secs(1)).await;
            idle += 1;
            continue;
        }
        idle = 0;
        let function = Function::start("migrate", &ground.variables("migrate"));
        let answer = function.invoke_within(TIME_LIMIT, event(&messages));
        let moment = Duration::from_millis(uuid::Uuid::new_v4().as_u128() as u64 % limit);
        let answer =
            if kills < KILLS { tokio::time::timeout(moment, answer).await.ok() } else { Some(answer.await) };
        let Some(answer) = answer else {
            kills += 1;
            limit += limit / 20;
            drop(function);
            continue;
        };
        limit = (limit * 2 / 3).max(50);
        let answer = answer.unwrap();
        let failed = failed(&answer);
        for message in &messages {
            if !failed.contains(&message.message_id().unwrap()) {
                settle(&ground, message).await;
            }
        }
        for entry in entries(&ground, "killed").await {
            if matches!(entry.state, ItemState::Copied(_)) {
                let before = confirmed.entry(entry.key.clone()).or_insert_with(|| entry.clone());
                assert_eq!(*before, entry, "what was confirmed was copied again");
            }
        }
    }
    assert_eq!(kills, KILLS, "the job was done too soon");
    let items = &operator.progress("killed").await["items"];
    assert_eq!(
        (&items["total"], &items["copied"]),
        (&json!(RECORDS), &json!(RECORDS - RECORDS / 100)),
        "{items}"
    );
    assert_eq!(items["failed"], json!({"invalid-record": RECORDS / 100}));
    for entry in entries(&ground, "killed").await {
        if let ItemState::Copied(copy) = &entry.state {
            assert!(copy.created && copy.exact, "this job made it, whatever killed it: {entry:?}");
        }
    }
    assert_migrated(&ground, RECORDS).await;
}

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

/// A job over a source that holds nothing ends at once.
#[tokio::test]
async fn an_empty_source_ends_the_job() {
    let ground = Arc::new(Ground::plain().await);
    let old: S3Objects = buckets::s3().await;
    let from = format!("s3://{}", old.settings().bucket);
    let sources = format!("{from}=default");
    let operator = Operator(Functions::watched(&ground, &[("CREDLINK_MIGRATION_SOURCES", &sources)]));
    assert_eq!(operator.begin(json!({"name": "empty", "from": from})).await.0, 202);
    work_off_twice(&ground).await;
    let progress = operator.progress("empty").await;
    assert!(progress["listed"].is_string(), "{progress}");
    assert_eq!(progress["items"]["total"], 0);
    let remove = |query: &str| ask(Method::DELETE, &format!("/v1/migrations/empty{query}"));
    let (status, problem, _) = operator.ask_as(tokens::OWNER, remove("")).await;
    assert_eq!((status, &problem["scope"]), (403, &json!("operator")));
    assert_eq!(operator.ask(remove("?abandon=yes")).await.0, 400);
    assert!(ledger(&ground, "empty").claim("a run", 60).await.unwrap());
    let (status, problem, _) = operator.ask(remove("?abandon=true")).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:credlink:problem:contended")));
    ledger(&ground, "empty").release("a run").await.unwrap();
    assert_eq!(operator.ask(remove("")).await.0, 204);
    assert_eq!(operator.ask(remove("")).await.0, 404);
    assert_eq!(operator.ask(get("/v1/migrations/empty")).await.0, 404);

    // The name is free again. An unfinished job is removed only on request, and its messages then have no effect.
    assert_eq!(operator.begin(json!({"name": "empty", "from": from})).await.0, 202);
    let (status, problem, _) = operator.ask(remove("")).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:credlink:problem:job-conflict")), "{problem}");
    assert_eq!(operator.ask(remove("?abandon=true")).await.0, 204);
    work_off_twice(&ground).await;
    assert_eq!(operator.ask(get("/v1/migrations/empty")).await.0, 404);
    assert!(ledger(&ground, "empty").claim("the next", 1).await.unwrap(), "nobody has the job any more");
    operator.0.assert_rights(&["store dynamodb:Query", "delete dynamodb:Query", "retrieve dynamodb:Query"]);
}
