//! Requests without a valid link, and what can be seen of their answers.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, IF_MATCH, IF_NONE_MATCH, RANGE};
use http::{Method, Request, Response};

use crate::http::ask::{ask, get, with};

/// The ways to request what is at a path without a valid link.
pub fn questions(path: &str) -> Vec<Request<Bytes>> {
    let forged = "expires=4102444800&key=first&life=0&signature=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    vec![
        get(path),
        ask(Method::HEAD, path),
        with(get(path), RANGE, "bytes=0-0"),
        with(get(path), IF_NONE_MATCH, "*"),
        with(get(path), IF_MATCH, "\"other\""),
        with(get(path), ACCEPT, "image/webp"),
        with(get(path), ACCEPT_ENCODING, "gzip"),
        with(get(path), AUTHORIZATION, "Bearer somebody"),
        get(&format!("{path}?form=stored")),
        get(&format!("{path}?download=true")),
        get(&format!("{path}?{forged}")),
    ]
}

/// An answer, without the requested ID and the parts that differ from request to request.
pub fn shown(answer: &Response<Bytes>, id: &str) -> String {
    let is_of_request = |name: &str| ["date", "x-request-id"].contains(&name);
    let headers = answer.headers().iter().filter(|(name, _)| !is_of_request(name.as_str()));
    let mut lines: Vec<String> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    lines.sort();
    let mut body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
        members.remove("instance");
    }
    format!("{}\n{}\n{}", answer.status(), lines.join("\n"), body.to_string().replace(id, "ID"))
}
