//! Guarantees that many concurrent clients must not break.
//!
//! The tasks run on several threads, and every call of an adapter yields (see `world`), so that each round is another
//! interleaving. Every test ends with fsck: no round may leave a broken guarantee behind, or anything that a cleanup
//! does not remove.

mod deletions;
mod mixes;
mod replacements;
mod stores;

use bytes::Bytes;
use credlink_core::hash::MediaHash;
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::header::IF_MATCH;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use crate::http::ask::{json, with};
use crate::world::World;

/// An answer with its body read.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    fn read(response: &Response<Bytes>) -> Self {
        let body = serde_json::from_slice(response.body()).unwrap_or_default();
        Self { status: response.status().as_u16(), body }
    }

    /// The SHA-256 of the proof's manifest.
    fn manifest(&self) -> &Value {
        &self.body["manifest"]["sha256"]
    }
}

/// Sends all requests at once, each from its own task, and returns the answers in the order of the requests.
async fn at_once(world: &World, requests: Vec<Request<Bytes>>) -> Vec<Answer> {
    let send = |request| {
        let world = world.clone();
        tokio::spawn(async move { Answer::read(&world.answer(request).await) })
    };
    let tasks: Vec<_> = requests.into_iter().map(send).collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// Sends one request.
async fn one(world: &World, request: Request<Bytes>) -> Answer {
    Answer::read(&world.answer(request).await)
}

/// A JSON manifest, or a C2PA manifest store for `media` with an ID of this number.
fn manifest(media: &MediaHash, c2pa: bool, number: usize) -> Value {
    if c2pa {
        let id = format!("urn:c2pa:00000000-0000-4000-8000-{number:012}");
        json!({"manifest_base64": BASE64.encode(&manifest_store(&id, media.digest()))})
    } else {
        json!({"manifest": {"number": number}})
    }
}

/// A store of such a manifest.
fn store(media: &MediaHash, c2pa: bool, number: usize) -> Request<Bytes> {
    let mut body = manifest(media, c2pa, number);
    body["media_hash"] = media.to_string().into();
    json(Method::POST, "/v1/proofs", &body)
}

/// A replacement of the record that `if_match` names with such a manifest.
fn supersede(path: &str, media: &MediaHash, c2pa: bool, number: usize, if_match: &str) -> Request<Bytes> {
    with(json(Method::PUT, path, &manifest(media, c2pa, number)), IF_MATCH, if_match)
}
