//! Serving beside a legacy source: the function behind the queue migrates what the function `retrieve` finds there.

use std::process::{Command, Stdio};
use std::time::Duration;

use aws_sdk_sqs::types::Message as Received;
use bytes::Bytes;
use credlink_core::legacy::LegacyRecord;
use credlink_core::message::{Message, Work};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::migration::Ledger as _;
use credlink_ports::{Index as _, Listing};
use http::header::{AUTHORIZATION, ETAG, LOCATION};
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::functions::{event, response};
use super::ground::Ground;
use super::migrate::TIME_LIMIT;
use super::migrations::{event as batch, failed, job, ledger, receive, settle};
use crate::buckets;
use crate::engines::free_port;
use crate::engines::runtime::Function;
use crate::http::ask::{ask, get, media, proof, proof_path, with};
use crate::server::binary;
use crate::world::tokens;

/// The wait for a message, and the time after which no further message is expected.
const PATIENCE: Duration = Duration::from_secs(20);

/// The legacy record of a file, with a legacy ID.
fn legacy(name: &str, id: &str) -> String {
    let hash = media(name).digest().to_string();
    format!(
        r#"{{"proofId":"{id}","imageHash":"{hash}","manifest":{{ "of" : "{name}" }},"signature":"c2ln","timestamp":1600000000000}}"#
    )
}

/// The bytes that the migration of a record stores.
fn migrated(text: &str) -> Bytes {
    let draft = LegacyRecord::parse(text.as_bytes()).unwrap().draft(Tenant::default());
    draft.record(1, Timestamp::from_milliseconds(0)).to_bytes()
}

/// Creates a bucket with these records under `old/`, and returns its location.
async fn old_store(records: &[(&str, &str)]) -> String {
    let bucket = buckets::s3().await.settings().bucket.clone();
    for (name, text) in records {
        let put = buckets::raw().put_object().bucket(&bucket).key(format!("old/{name}"));
        put.body(Bytes::from((*text).to_owned()).into()).send().await.unwrap();
    }
    format!("s3://{bucket}/old")
}

/// Starts a function beside a legacy source, with further variables.
fn beside(ground: &Ground, name: &str, from: &str, more: &[(&str, &str)]) -> Function {
    let mut variables = ground.variables(name);
    variables.retain(|(name, _)| !more.iter().any(|(other, _)| name == other));
    let more = more.iter().copied().filter(|(_, value)| !value.is_empty());
    let more = more.chain([("CREDLINK_LEGACY_SOURCE", from)]);
    variables.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Function::start(name, &variables)
}

async fn send(function: &Function, request: Request<Bytes>) -> Response<Bytes> {
    response(&function.invoke(event(&request)).await.unwrap())
}

/// Waits for `count` messages.
async fn messages(ground: &Ground, count: usize) -> Vec<Received> {
    let (mut messages, began) = (Vec::new(), std::time::Instant::now());
    while messages.len() < count {
        assert!(began.elapsed() < PATIENCE, "{messages:?}");
        messages.extend(receive(ground, Duration::from_secs(600)).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    messages
}

/// Asserts that no message arrives for a while.
async fn assert_quiet(ground: &Ground) {
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(receive(ground, Duration::ZERO).await, []);
}

#[tokio::test]
async fn what_is_read_is_migrated_by_the_function_behind_the_queue() {
    let (one, two, three) =
        (legacy("a", "p-1"), legacy("b", &proof("b").to_string()), legacy("c", &proof("c").to_string()));
    let (two_name, three_name) = (format!("{}.json", proof("b")), format!("{}.json", proof("c")));
    let from =
        old_store(&[("p-1.json", &one), (two_name.as_str(), &two), (three_name.as_str(), &three)]).await;
    let ground = Ground::plain().await;
    let retrieve = beside(&ground, "retrieve", &from, &[]);
    let found = send(&retrieve, get("/v1/proofs/p-1")).await;
    assert_eq!((found.status().as_u16(), found.body()), (200, &migrated(&one)), "{:?}", retrieve.printed());
    let head = send(&retrieve, ask(Method::HEAD, &proof_path("b"))).await;
    assert_eq!(head.status(), 200);
    for _ in 0..3 {
        assert_eq!(send(&retrieve, get("/v1/proofs/p-1")).await.body(), &migrated(&one));
    }
    let sent = messages(&ground, 2).await;
    let mut keys = Vec::new();
    for message in &sent {
        let message: Message = message.body().unwrap().parse().unwrap();
        let Work::Migrate { job, keys: named } = message.work else { panic!("{message:?}") };
        assert_eq!(job.as_str(), "legacy");
        keys.extend(named);
    }
    keys.sort();
    let mut expected = vec!["old/p-1.json".to_owned(), format!("old/{two_name}")];
    expected.sort();
    assert_eq!(keys, expected, "one message a proof");
    assert_quiet(&ground).await;
    let begun = ledger(&ground, "legacy").job().await.unwrap().unwrap();
    let wanted = job(&ground, "legacy", &from);
    assert_eq!((&begun.from, &begun.to, &begun.tenant), (&wanted.from, &wanted.to, &wanted.tenant));
    assert!(ledger(&ground, "legacy").claim("the next", 1).await.unwrap(), "nobody has the job");

    let migrate = Function::start("migrate", &ground.variables("migrate"));
    let answer = migrate.invoke_within(TIME_LIMIT, batch(&sent)).await.unwrap();
    assert_eq!(failed(&answer), [""; 0], "{:?}", migrate.printed());
    for message in &sent {
        settle(&ground, message).await;
    }
    // The legacy store is no longer needed.
    let alone = Function::start("retrieve", &ground.variables("retrieve"));
    let led = send(&alone, get("/v1/proofs/p-1")).await;
    assert_eq!(
        (led.status().as_u16(), led.headers()[LOCATION].to_str().unwrap()),
        (308, &*proof("a").to_string())
    );
    assert_eq!(send(&alone, get(&proof_path("a"))).await.body(), &migrated(&one));
    let after = send(&alone, get(&proof_path("b"))).await;
    assert_eq!((after.body(), &after.headers()[ETAG]), (&migrated(&two), &head.headers()[ETAG]));
    assert_eq!(send(&alone, get(&proof_path("c"))).await.status(), 404, "nobody asked for it");
    ground.assert_sound().await;

    // Guarantee 8: a proof that was deleted here is not looked up there, migrated or not.
    let delete = beside(&ground, "delete", &from, &[]);
    for name in ["b", "c"] {
        let gone = ask(Method::DELETE, &proof_path(name));
        let gone = send(&delete, with(gone, AUTHORIZATION, format!("Bearer {}", tokens::OWNER))).await;
        assert_eq!(gone.status(), 204, "{name}: {:?}", gone.body());
    }
    let retrieve = beside(&ground, "retrieve", &from, &[]);
    for name in ["b", "c"] {
        assert_eq!(send(&retrieve, get(&proof_path(name))).await.status(), 410, "{name}");
    }
    assert_quiet(&ground).await;
    ground.assert_sound().await;
}

/// Runs `credlink migrate catalogue` on a source, into the ground's table.
fn catalogue(ground: &Ground, from: &str) -> Value {
    let mut command = Command::new(binary());
    command.args(["migrate", "catalogue", "--json", "--from", from]);
    command.args(["--to", &format!("s3://{}", ground.s3.settings().bucket)]);
    command.envs(ground.variables("catalogue")).env("CREDLINK_LOG", "error").stdin(Stdio::null());
    let ended = command.output().unwrap();
    assert_eq!(ended.status.code(), Some(7), "{ended:?}");
    serde_json::from_slice(&ended.stdout).unwrap()
}

/// The names of the objects do not reveal the proof: without the rows, its media hash does not lead to a record.
#[tokio::test]
async fn a_catalogue_in_the_index_finds_records_of_any_name() {
    let [one, two, named] = ["a", "b", "d"].map(|name| legacy(name, &format!("old-{name}")));
    let from = old_store(&[
        ("2019/1.json", &one),
        ("2019/2.json", &one.replace("old-a", "old-a2")),
        ("2020/2.json", &two),
        ("broken.json", "{"),
        ("old-d.json", &named),
    ])
    .await;
    let ground = Ground::plain().await;
    let by_hash = |name: &str| format!("/v1/proofs?media_hash={}", media(name));
    let reader = || beside(&ground, "retrieve", &from, &[]);
    let status =
        async |retrieve: &Function, target: &str| send(retrieve, get(target)).await.status().as_u16();
    let before = reader();
    for target in [by_hash("a"), by_hash("b"), by_hash("d"), proof_path("a"), "/v1/proofs/old-a".to_owned()] {
        assert_eq!(status(&before, &target).await, 404, "{target}");
    }
    assert_eq!(status(&before, "/v1/proofs/old-d").await, 200);
    settle_all(&ground, messages(&ground, 1).await).await;

    let made = catalogue(&ground, &from);
    let counts = ["items", "written", "already", "duplicates", "not_needed"].map(|count| made[count].clone());
    assert_eq!(counts, [5, 3, 0, 1, 0].map(Value::from), "{made}");
    assert_eq!(made["problems"][0]["item"], "old/broken.json", "{made}");
    let again = catalogue(&ground, &from);
    assert_eq!((&again["written"], &again["already"]), (&json!(0), &json!(3)), "{again}");
    ground.assert_sound().await;
    let listed = ground.index.list(&Listing::All, None, 100).await.unwrap().unwrap().items;
    assert_eq!(listed.len(), 3, "{listed:?}");

    let retrieve = reader();
    let found = send(&retrieve, get(&by_hash("a"))).await;
    assert_eq!((found.status().as_u16(), found.body()), (200, &migrated(&one)), "{:?}", retrieve.printed());
    let head = send(&retrieve, ask(Method::HEAD, &proof_path("a"))).await;
    assert_eq!((head.status().as_u16(), &head.headers()[ETAG]), (200, &found.headers()[ETAG]));
    assert_eq!(status(&retrieve, &by_hash("c")).await, 404, "nobody has it");
    let led = send(&retrieve, get("/v1/proofs/old-d")).await;
    assert_eq!(
        (led.status().as_u16(), led.headers()[LOCATION].to_str().unwrap()),
        (308, &*proof("d").to_string()),
        "its proof id finds this very record"
    );
    // For each proof that was read, exactly its own item is migrated.
    let sent = messages(&ground, 2).await;
    let keys = |message: &Received| {
        let message: Message = message.body().unwrap().parse().unwrap();
        let Work::Migrate { keys, .. } = message.work else { panic!("{message:?}") };
        keys
    };
    let mut named: Vec<String> = sent.iter().flat_map(keys).collect();
    named.sort();
    assert_eq!(named, ["old/2019/1.json", "old/old-d.json"]);
    let migrate = Function::start("migrate", &ground.variables("migrate"));
    let answer = migrate.invoke_within(TIME_LIMIT, batch(&sent)).await.unwrap();
    assert_eq!(failed(&answer), [""; 0], "{:?}", migrate.printed());
    settle_all(&ground, sent).await;
    let alone = Function::start("retrieve", &ground.variables("retrieve"));
    assert_eq!(send(&alone, get(&by_hash("a"))).await.body(), &migrated(&one));
    assert_eq!(status(&alone, &by_hash("b")).await, 404, "nobody asked for it");

    // A deletion imports by the row, and its tombstone wins (guarantee 8); also with the cloud storage off.
    let delete = beside(&ground, "delete", &from, &[]);
    let gone =
        with(ask(Method::DELETE, &proof_path("b")), AUTHORIZATION, format!("Bearer {}", tokens::OWNER));
    assert_eq!(send(&delete, gone).await.status(), 204, "{:?}", delete.printed());
    let off = beside(&ground, "retrieve", &from, &[("CREDLINK_CLOUD_STORAGE", "off")]);
    for retrieve in [reader(), off] {
        assert_eq!(status(&retrieve, &by_hash("b")).await, 410);
        assert_eq!(send(&retrieve, get(&by_hash("a"))).await.body(), &migrated(&one));
    }
    let after = catalogue(&ground, &from);
    assert_eq!((&after["written"], &after["not_needed"]), (&json!(0), &json!(4)), "{after}");
    assert_quiet(&ground).await;
    ground.assert_sound().await;
}

async fn settle_all(ground: &Ground, messages: Vec<Received>) {
    for message in &messages {
        settle(ground, message).await;
    }
}

/// The legacy source answers reads whatever becomes of the messages, and the log reports what became of them.
#[tokio::test]
async fn what_is_read_is_answered_where_it_cannot_be_queued() {
    let one = legacy("a", "p-1");
    let from = old_store(&[("p-1.json", &one)]).await;
    let ground = Ground::plain().await;
    ledger(&ground, "other").keep_job(&job(&ground, "other", "s3://another-one")).await.unwrap();
    let dead = format!("http://127.0.0.1:{}", free_port());
    for (more, says) in [
        ([("CREDLINK_LEGACY_JOB", "other")], "this job does not move the legacy source"),
        ([("CREDLINK_QUEUE_URL", "")], "nothing of them is migrated"),
        ([("AWS_ENDPOINT_URL_SQS", dead.as_str())], "could not be queued for migration"),
    ] {
        let retrieve = beside(&ground, "retrieve", &from, &more);
        for _ in 0..2 {
            let found = send(&retrieve, get("/v1/proofs/p-1")).await;
            assert_eq!((found.status().as_u16(), found.body()), (200, &migrated(&one)), "{says}");
        }
        let is = |line: &Value| line["message"].as_str().is_some_and(|text| text.contains(says));
        retrieve.line(is).await;
        let told = retrieve.printed().iter().filter(|line| line.contains(says)).count();
        assert_eq!(told, 1, "{says}");
        assert_quiet(&ground).await;
    }
    let refused = beside(&ground, "retrieve", &from, &[("CREDLINK_LEGACY_JOB", "No job")]);
    let line = refused.line(|line| line.to_string().contains("CREDLINK_LEGACY_JOB")).await;
    assert!(line.to_string().contains("No job"), "{line}");
}
