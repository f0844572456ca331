//! Shorthand for requests.

use bytes::Bytes;
use credlink_core::hash::MediaHash;
use credlink_core::media_type::{C2PA_TYPE, JSON_TYPE};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::Value;

/// A request without a body.
pub fn ask(method: Method, target: &str) -> Request<Bytes> {
    Request::builder().method(method).uri(target).body(Bytes::new()).unwrap()
}

/// A GET.
pub fn get(target: &str) -> Request<Bytes> {
    ask(Method::GET, target)
}

/// A request with a JSON body.
pub fn json(method: Method, target: &str, body: &Value) -> Request<Bytes> {
    text(method, target, &body.to_string())
}

/// A request whose JSON body is exactly this text.
pub fn text(method: Method, target: &str, body: &str) -> Request<Bytes> {
    let request = ask(method, target).map(|_| Bytes::copy_from_slice(body.as_bytes()));
    with(request, CONTENT_TYPE, JSON_TYPE)
}

/// A request whose body is a C2PA manifest store.
pub fn c2pa(method: Method, target: &str, body: Vec<u8>) -> Request<Bytes> {
    with(ask(method, target).map(|_| body.into()), CONTENT_TYPE, C2PA_TYPE)
}

/// The same request with a header.
pub fn with(mut request: Request<Bytes>, name: HeaderName, value: impl AsRef<[u8]>) -> Request<Bytes> {
    request.headers_mut().insert(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
    request
}

/// The media hash of a file that contains only its name.
pub fn media(name: &str) -> MediaHash {
    MediaHash::of(name.as_bytes())
}

/// The proof of that file, in the default tenant.
pub fn proof(name: &str) -> ProofId {
    ProofId::derive(&Tenant::default(), &media(name))
}

/// The path of that proof.
pub fn proof_path(name: &str) -> String {
    format!("/v1/proofs/{}", proof(name))
}
