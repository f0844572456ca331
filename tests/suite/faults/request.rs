//! Conversion of an act into a request of the API, and of its answer into an outcome.

use bytes::Bytes;
use credlink_service::cleanup::cleanup;
use http::{Method, Request, Response};
use serde_json::Value;

use super::act::{Act, Outcome, What, c2pa_id, proof_id};
use super::check::expected;
use super::model::Place;
use super::world::{Process, World, limits};

/// A request that is ready to be sent.
#[derive(Debug)]
pub struct Asked {
    pub act: Act,
    /// The record that its `If-Match` names.
    pub place: Option<Place>,
    request: Option<Request<Bytes>>,
}

impl World {
    /// Creates a request, whose `If-Match` names the record that is current now.
    pub fn request(&self, act: &Act) -> Asked {
        let asked = |method: Method, path: String, kind: &str, body: Bytes| {
            let request = Request::builder().method(method).uri(path).header("content-type", kind);
            request.body(body).unwrap()
        };
        let json = "application/json";
        let proof = |file| format!("/v1/proofs/{}", proof_id(file));
        let manifest = |name| format!("/v1/manifests/{}", c2pa_id(name));
        let mut place = None;
        let request = match act {
            Act::Store(file, what) => {
                asked(Method::POST, "/v1/proofs".into(), json, what.body(file, 31_536_000))
            }
            Act::StoreShortly(file, what) => {
                asked(Method::POST, "/v1/proofs".into(), json, what.body(file, 10))
            }
            Act::TakeOver(file, what, id) => {
                asked(Method::POST, "/v1/proofs".into(), json, what.legacy_body(file, id, None))
            }
            Act::Restore(file, what, id) => {
                let model = self.known.0.first();
                place = model.and_then(|model| model.place(file));
                let gone = self.get(&proof(file));
                let said: Value = serde_json::from_slice(gone.body()).unwrap();
                let at = said["deleted"].as_str();
                asked(Method::POST, "/v1/proofs".into(), json, what.legacy_body(file, id, Some(at.unwrap())))
            }
            Act::Supersede(file, what) => {
                let served = self.served(file, "before a replacement");
                let model = self.known.0.iter().find(|model| expected(model, file) == served);
                place = model.and_then(|model| model.place(file));
                let tag = self.get(&proof(file)).headers().get("etag").cloned();
                let mut request = asked(Method::PUT, proof(file), json, what.body(file, 31_536_000));
                let tag = tag.unwrap_or_else(|| http::HeaderValue::from_static("\"none\""));
                request.headers_mut().insert("if-match", tag);
                request
            }
            Act::Delete(file) => asked(Method::DELETE, proof(file), json, Bytes::new()),
            Act::Batch(files) => {
                let ids: Vec<String> = files.iter().map(|file| format!("\"{}\"", proof_id(file))).collect();
                let body = format!(r#"{{"ids":[{}]}}"#, ids.join(","));
                asked(Method::POST, "/v1/proofs/batch-delete".into(), json, body.into())
            }
            Act::StoreManifest(name) => {
                let bytes = What::C2pa(name).bytes();
                asked(Method::POST, "/v1/manifests".into(), "application/c2pa", bytes)
            }
            Act::DeleteManifest(name) => asked(Method::DELETE, manifest(name), json, Bytes::new()),
            Act::Cleanup => return Asked { act: act.clone(), place, request: None },
        };
        Asked { act: act.clone(), place, request: Some(request) }
    }
}

/// Answers a request.
pub async fn handle(process: &Process, request: &Request<Bytes>) -> Response<Bytes> {
    let (parts, body) = request.clone().into_parts();
    process.handle(&parts, async { Ok(body) }).await
}

/// Sends a request to a process.
pub async fn send(process: &Process, asked: &Asked) -> Outcome {
    let Some(request) = &asked.request else {
        let limits = limits(&process.ports().clock, false);
        return match cleanup(process, limits, None).await {
            Ok(report) if report.failed == 0 => Outcome::Done(None),
            Ok(_) | Err(_) => Outcome::Failed(503),
        };
    };
    let response = handle(process, request).await;
    let reply: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let status = response.status().as_u16();
    match (&asked.act, status) {
        (Act::Batch(_), 200) if reply["failed"].as_array().is_some_and(|failed| !failed.is_empty()) => {
            Outcome::Failed(503)
        }
        (_, 200 | 201 | 204) => Outcome::Done(reply["identical"].as_bool()),
        (_, 400..500) => Outcome::Refused(status),
        _ => Outcome::Failed(status),
    }
}
