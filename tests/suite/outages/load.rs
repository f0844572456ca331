//! Many concurrent clients that store, read, replace and delete, and remember the answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::tenant::Tenant;
use futures_util::future::join_all;
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Value, json};

use super::site::Process;
use crate::faults::act::c2pa_bytes;

/// Number of concurrent clients.
const CLIENTS: usize = 8;

/// A manifest.
#[derive(Debug, Clone)]
pub enum Manifest {
    Json(String),
    C2pa(String),
}

impl Manifest {
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Json(text) => json!({ "title": text }).to_string().into(),
            Self::C2pa(name) => c2pa_bytes(name),
        }
    }
}

/// The path of a file's proof.
pub fn proof(file: &str) -> String {
    let id = ProofId::derive(&Tenant::default(), &MediaHash::of(file.as_bytes()));
    format!("/v1/proofs/{id}")
}

/// The path of a C2PA manifest.
pub fn manifest(name: &str) -> String {
    format!("/v1/manifests/urn:c2pa:{name}")
}

/// A request that stores a proof.
pub fn store(file: &str, manifest: &Manifest) -> Request<Bytes> {
    with_body(Method::POST, "/v1/proofs", file, manifest)
}

fn with_body(method: Method, path: &str, file: &str, manifest: &Manifest) -> Request<Bytes> {
    let kind = match manifest {
        Manifest::Json(_) => "application/json",
        Manifest::C2pa(_) => "application/c2pa",
    };
    let body = json!({
        "media_hash": MediaHash::of(file.as_bytes()).to_string(),
        "manifest_base64": STANDARD.encode(manifest.bytes()),
        "manifest_type": kind,
    });
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    request.body(body.to_string().into()).unwrap()
}

/// A request that replaces the proof whose record has this tag.
pub fn supersede(file: &str, manifest: &Manifest, tag: &HeaderValue) -> Request<Bytes> {
    let mut request = with_body(Method::PUT, &proof(file), file, manifest);
    request.headers_mut().insert("if-match", tag.clone());
    request
}

fn said(response: &Response<Bytes>) -> String {
    format!("{} {}", response.status(), String::from_utf8_lossy(response.body()))
}

/// Asserts that an answer has one of these statuses.
#[track_caller]
pub fn expect(response: &Response<Bytes>, statuses: &[u16], what: &str) {
    assert!(statuses.contains(&response.status().as_u16()), "{what}: {}", said(response));
}

/// Reads a proof, asserts that it has this manifest, and returns its entity tag.
pub async fn reads(process: &Process, file: &str, manifest: &Manifest, when: &str) -> HeaderValue {
    let response = process.get(&proof(file)).await;
    expect(&response, &[200], &format!("{when}: a read of {file}"));
    let record = Record::parse(response.body()).unwrap();
    assert_eq!(record.manifest.sha256, Digest::of(&manifest.bytes()), "{when}: {file} is another one");
    response.headers()["etag"].clone()
}

/// Reads a C2PA manifest, and asserts that its bytes are the ones that were stored.
pub async fn reads_manifest(process: &Process, name: &str, when: &str) {
    let response = process.get(&manifest(name)).await;
    expect(&response, &[200], &format!("{when}: a read of the manifest {name}"));
    assert_eq!(*response.body(), Manifest::C2pa(name.to_owned()).bytes(), "{when}: {name}");
}

/// Asserts that a deleted object is reported as deleted.
pub async fn is_gone(process: &Process, path: &str, when: &str) {
    expect(&process.get(path).await, &[404, 410], &format!("{when}: a read of what is deleted"));
}

/// One client.
struct Client {
    /// The prefix of its files, which are `a` to `e`.
    name: String,
}

impl Client {
    fn file(&self, letter: &str) -> String {
        format!("{}-{letter}", self.name)
    }

    fn json(&self, text: &str) -> Manifest {
        Manifest::Json(format!("{} {text}", self.name))
    }

    fn c2pa(&self, letter: &str) -> Manifest {
        Manifest::C2pa(self.file(letter))
    }

    /// Stores the files that exist before an outage.
    async fn seed(&self, process: &Process) {
        for (file, manifest) in [("a", self.json("first")), ("b", self.c2pa("b")), ("c", self.json("first"))]
        {
            let stored = process.send(store(&self.file(file), &manifest)).await;
            expect(&stored, &[201], "before the outage");
        }
    }

    /// Sends 15 requests, all of which are answered as if nothing were wrong.
    async fn load(&self, process: &Process, when: &str) {
        let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(|letter| self.file(letter));
        let (first, second) = (self.json("first"), self.json("second"));
        let said = |what: &str| format!("{when}: {what}");
        let tag = reads(process, &a, &first, when).await;
        expect(&process.send(store(&d, &first)).await, &[201], &said("a store"));
        reads(process, &d, &first, when).await;
        let again = process.send(store(&d, &first)).await;
        expect(&again, &[200], &said("a store again"));
        let reply: Value = serde_json::from_slice(again.body()).unwrap();
        assert_eq!((&reply["deduplicated"], &reply["identical"]), (&json!(true), &json!(true)), "{when}");
        expect(&process.send(supersede(&a, &second, &tag)).await, &[200], &said("a replacement"));
        reads(process, &a, &second, when).await;
        expect(&process.ask(Method::DELETE, &proof(&b)).await, &[204], &said("a deletion"));
        is_gone(process, &proof(&b), when).await;
        is_gone(process, &manifest(&b), when).await;
        expect(&process.send(store(&e, &self.c2pa("e"))).await, &[201], &said("a store of C2PA"));
        reads_manifest(process, &e, when).await;
        let tag = reads(process, &c, &first, when).await;
        expect(&process.send(supersede(&c, &self.c2pa("c"), &tag)).await, &[200], &said("a replacement"));
        reads_manifest(process, &c, when).await;
        expect(&process.ask(Method::DELETE, &proof(&d)).await, &[204], &said("a deletion"));
        is_gone(process, &proof(&d), when).await;
    }

    /// Asserts that everything that the clients were told is true.
    async fn check(&self, process: &Process, when: &str) {
        let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(|letter| self.file(letter));
        reads(process, &a, &self.json("second"), when).await;
        is_gone(process, &proof(&b), when).await;
        is_gone(process, &manifest(&b), when).await;
        reads(process, &c, &self.c2pa("c"), when).await;
        reads_manifest(process, &c, when).await;
        is_gone(process, &proof(&d), when).await;
        reads(process, &e, &self.c2pa("e"), when).await;
        reads_manifest(process, &e, when).await;
    }
}

/// All clients.
pub struct Load(Vec<Client>);

impl Load {
    pub fn new() -> Self {
        let name = crate::engines::unique("load");
        Self((0..CLIENTS).map(|number| Client { name: format!("{name}-{number}") }).collect())
    }

    pub async fn seed(&self, process: &Process) {
        join_all(self.0.iter().map(|client| client.seed(process))).await;
    }

    pub async fn run(&self, process: &Process, when: &str) {
        join_all(self.0.iter().map(|client| client.load(process, when))).await;
    }

    pub async fn check(&self, process: &Process, when: &str) {
        join_all(self.0.iter().map(|client| client.check(process, when))).await;
    }
}
