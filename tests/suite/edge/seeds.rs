//! Objects as the service leaves them in a bucket, and the changes that it makes to them later.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::encoding::at_rest;
use credlink_core::hash::Digest;
use credlink_core::link::{LinkKeys, path};
use credlink_core::object::{Attributes, Facts, ObjectKey};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;
use credlink_ports::{Condition, Objects as _, Put};
use credlink_s3::S3Objects;
use http::Response;

use crate::engines::edge::Edge;
use crate::http::ask::{get, proof};

/// The key that signs links in these tests, which is the key of a world.
pub const LINK_KEYS: &str = "first:0707070707070707070707070707070707070707070707070707070707070707";

/// The time limit for a condition to hold on a machine that is building at the same time, and the interval between
/// checks.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// An object for the bucket of an edge.
#[derive(Clone, Debug)]
pub struct Seed {
    pub key: ObjectKey,
    pub facts: Facts,
    /// The content without a content coding.
    pub content: Bytes,
}

impl Seed {
    /// A public object with this content.
    pub fn new(key: ObjectKey, content: impl Into<Bytes>) -> Self {
        let content = content.into();
        let created = "2026-01-01T12:00:00.250Z".parse().unwrap();
        let facts = Facts {
            coding: at_rest(&content).coding,
            ..Facts::of(&content, Tenant::default(), Visibility::Public, created)
        };
        Self { key, facts, content }
    }

    /// The current record for the media file of this name: JSON that is compressed at rest.
    pub fn record(name: &str) -> Self {
        Self::new(ObjectKey::Record(proof(name)), content(name, "the first"))
    }

    /// An earlier record of the same proof.
    pub fn revision(name: &str, revision: u32) -> Self {
        Self::new(ObjectKey::Revision(proof(name), revision), content(name, "an earlier"))
    }

    /// A manifest store, as far as the edge can tell: bytes that are stored without compression.
    pub fn manifest(name: &str) -> Self {
        let id = format!("urn:c2pa:{name}").parse().unwrap();
        // Hashes do not compress.
        let bytes: Vec<u8> =
            (0..40).flat_map(|part| *Digest::of(format!("{name} {part}").as_bytes()).as_bytes()).collect();
        Self::new(ObjectKey::Manifest(id), bytes)
    }

    /// The same object with other content, as after a replacement.
    pub fn replaced(&self) -> Self {
        let replaced = Self::new(self.key.clone(), [&self.content[..], b"\n"].concat());
        Self {
            facts: Facts {
                sha256: replaced.facts.sha256,
                length: replaced.facts.length,
                ..self.facts.clone()
            },
            ..replaced
        }
    }

    /// The same object with other facts.
    pub fn but(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.facts);
        self
    }

    /// The same object, but private.
    pub fn private(self) -> Self {
        self.but(|facts| facts.visibility = Visibility::Private)
    }

    /// The path of the object at the edge.
    pub fn path(&self) -> String {
        path(&self.key)
    }

    /// A signed link to the object at the edge, valid for an hour.
    pub fn link(&self) -> String {
        let keys: LinkKeys = LINK_KEYS.parse().unwrap();
        format!("{}?{}", self.path(), keys.sign(&self.key, self.facts.generation, now().plus_seconds(3_600)))
    }

    /// The bytes of the object as stored.
    pub fn stored(&self) -> Bytes {
        if self.facts.coding.is_some() {
            at_rest(&self.content).bytes.into_owned().into()
        } else {
            self.content.clone()
        }
    }

    /// The attributes of the object in the bucket.
    pub fn attributes(&self) -> Attributes {
        self.facts.attributes(&self.key, BTreeMap::new())
    }

    /// Puts the object into the bucket of `edge`, and overwrites whatever is there.
    pub async fn put(&self, edge: &Edge) {
        write(&edge.objects(), &self.key, self.stored(), &self.attributes()).await;
    }

    /// Overwrites the object with the tombstone of its deletion.
    pub async fn delete(&self, edge: &Edge) {
        let (body, attributes) = Tombstone::new(now(), 1).object(&self.key, &self.facts.tenant);
        write(&edge.objects(), &self.key, body.into(), &attributes).await;
    }

    /// The object under the same key in the bucket of `edge`.
    pub async fn there(&self, edge: &Edge) -> Option<(Attributes, Bytes)> {
        let object = edge.objects().get(&self.key).await.unwrap()?;
        Some((object.head.attributes, object.body))
    }

    /// Asserts that `answer` is this object.
    pub fn assert_is(&self, answer: &Response<Bytes>) {
        assert_eq!(answer.status(), 200, "{}: {}", self.key, String::from_utf8_lossy(answer.body()));
        assert!(*answer.body() == self.content, "{}: another content", self.key);
    }
}

/// Writes an object, and overwrites whatever is there.
pub async fn write(objects: &S3Objects, key: &ObjectKey, body: Bytes, attributes: &Attributes) {
    let head = objects.head(key).await.unwrap();
    let condition = head.map_or(Condition::Absent, |head| Condition::Matches(head.tag));
    let written = objects.put(key, body, attributes, condition).await.unwrap();
    assert!(matches!(written, Put::Stored(_)), "{key}: somebody else writes as well");
}

/// Reads at the edge, and returns the answer and its `Cache-Status`.
pub async fn read(edge: &Edge, target: &str) -> (Response<Bytes>, String) {
    let answer = edge.send(get(target)).await;
    let state = answer.headers().get("cache-status").map_or("", |value| value.to_str().unwrap()).to_owned();
    (answer, state)
}

/// The status and the `Cache-Status` of a read.
pub async fn state(edge: &Edge, target: &str) -> (u16, String) {
    let (answer, state) = read(edge, target).await;
    (answer.status().as_u16(), state)
}

/// Reads for the first time and waits until the objects are in the cache. Forgets the calls that were seen meanwhile.
pub async fn warm(edge: &Edge, seeds: &[&Seed]) {
    for seed in seeds {
        seed.assert_is(&read(edge, &seed.path()).await.0);
    }
    edge.settle().await;
    edge.forget().await;
}

/// Waits until the condition holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// The `type` of a problem, without the common prefix.
pub fn kind(answer: &Response<Bytes>) -> String {
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "{answer:?}");
    let problem: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(problem["status"], answer.status().as_u16());
    problem["type"].as_str().unwrap().trim_start_matches("urn:credlink:problem:").to_owned()
}

/// The real time.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_milliseconds(i64::try_from(since.as_millis()).unwrap())
}

/// Variables that make an entry fresh for 1,000 s, stale for as long, and usable in an outage up to 5,000 s, and that
/// keep an absence for 1,000 s: nothing changes while a test runs, unless it sets the clock.
pub fn slow() -> Vec<(&'static str, String)> {
    let seconds = [
        ("CREDLINK_RECORD_FRESH", 1_000),
        ("CREDLINK_RECORD_STALE", 1_000),
        ("CREDLINK_IMMUTABLE_FRESH", 1_000),
        ("CREDLINK_IMMUTABLE_STALE", 1_000),
        ("CREDLINK_ABSENT", 1_000),
        ("CREDLINK_STALE_IF_ERROR", 5_000),
    ];
    seconds.map(|(name, seconds)| (name, seconds.to_string())).into()
}

/// JSON that gzip makes shorter.
fn content(name: &str, which: &str) -> String {
    let text = "what is known of it ".repeat(20);
    format!(r#"{{"name":"{name}","which":"{which}","text":"{text}"}}"#)
}
