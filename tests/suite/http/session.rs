//! A client that writes down requests and answers for a person to review.
//!
//! Every exchange is checked against the OpenAPI document here, so that no script can forget to. Values that differ
//! from one run or deployment to the next are replaced by names: times, the digests of records (a record contains its
//! time), generated IDs, and the signatures of links. The parts that every answer has are asserted and left out.

use bytes::Bytes;
use credlink_core::encoding::Coding;
use credlink_core::encoding::decode;
use credlink_core::hash::Digest;
use credlink_core::media_type::C2PA_TYPE;
use http::header::{ACCEPT_RANGES, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, Request, Response};

use super::api::Api;
use super::ask::with;
use super::contract::CONTRACT;
use crate::world::tokens;

/// The longest line of a body that is written down whole, in characters.
const LONGEST_LINE: usize = 480;

/// Headers that belong to the connection or to a gateway, not to the answer.
const OF_THE_CONNECTION: [&str; 5] =
    ["apigw-requestid", "connection", "date", "keep-alive", "transfer-encoding"];

/// Headers of every answer that scripts of other sites may read.
const OF_OPEN_ANSWERS: [(&str, &str); 2] = [
    ("access-control-allow-origin", "*"),
    (
        "access-control-expose-headers",
        "accept-ranges, content-encoding, content-range, etag, location, retry-after, x-request-id",
    ),
];

/// Headers of every answer.
const OF_EVERY_ANSWER: [(&str, &str); 2] = [("x-content-type-options", "nosniff"), ("credlink-api", "1")];

/// Patterns of values that differ from run to run, each with the name that replaces them.
const FILTERS: [(&str, &str); 10] = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "<time>"),
    (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", "<date>"),
    (
        r"expires=\d+&(key|yek)=[\w-]+&life=(\d+)&signature=[\w-]+",
        "expires=<seconds>&$1=<key>&life=$2&signature=<mac>",
    ),
    (r"after=[\w.%~-]+", "after=<cursor>"),
    (r#""next":"[^"]+""#, r#""next":"<cursor>""#),
    (r#""request_id":"(request-\d+|[0-9a-f-]{36})""#, r#""request_id":"<new>""#),
    (r#""reads":\d+(,"last_read":"<time>")?"#, r#""reads":<number>"#),
    (r#""name":"[a-z0-9]+""#, r#""name":"<provider>""#),
    (r#""(latency_ms|hits|misses|errors|hit_rate|entries|bytes)":[\d.]+"#, r#""$1":<number>"#),
    (r#"x-request-id: (request-\d+|[0-9a-f-]{36})"#, "x-request-id: <new>"),
];

/// Sends a request, and checks the rules for all exchanges.
pub async fn exchange(api: &impl Api, request: Request<Bytes>) -> Response<Bytes> {
    let response = api.send(request.clone()).await;
    CONTRACT.check(&request, &response);
    for (name, value) in OF_EVERY_ANSWER {
        assert_eq!(response.headers()[name], value, "{} {}", request.method(), request.uri());
    }
    let is_open = response.headers().contains_key("access-control-allow-origin");
    assert!(!is_open || request.method().is_safe(), "{} {}", request.method(), request.uri());
    for (name, value) in OF_OPEN_ANSWERS.into_iter().filter(|_| is_open) {
        assert_eq!(response.headers()[name], value, "{} {}", request.method(), request.uri());
    }
    // Anything that every caller may read, every caller's scripts may read.
    let reads = request.method().is_safe() && request.uri().path().contains("/manifests/");
    if reads && !request.headers().contains_key(AUTHORIZATION) {
        assert!(is_open, "{} {}", request.method(), request.uri());
    }
    assert!(response.headers().contains_key("x-request-id"), "{} {}", request.method(), request.uri());
    response
}

/// A client of an API.
pub struct Session<'a, A> {
    api: &'a A,
    transcript: String,
    /// Digests of records, in order of appearance.
    records: Vec<String>,
}

impl<'a, A: Api> Session<'a, A> {
    /// A client of `api`.
    pub const fn of(api: &'a A) -> Self {
        Self { api, transcript: String::new(), records: Vec::new() }
    }

    /// The API.
    pub const fn api(&self) -> &'a A {
        self.api
    }

    /// Sends a request as the owner of everything.
    pub async fn send(&mut self, title: &str, request: Request<Bytes>) -> Response<Bytes> {
        let credential = format!("Bearer {}", tokens::OWNER);
        self.send_as_it_is(title, with(request, AUTHORIZATION, credential)).await
    }

    /// Sends a request unaltered, checks the exchange and writes it down under `title`.
    pub async fn send_as_it_is(&mut self, title: &str, request: Request<Bytes>) -> Response<Bytes> {
        let own_id = request.headers().contains_key("x-request-id");
        let response = exchange(self.api, request.clone()).await;
        self.learn(&request, &response);
        let mut left_out = if own_id { vec![] } else { vec!["x-request-id"] };
        if response.status() == 308 {
            // A gateway adds a type even to an absent body.
            left_out.push("content-type");
        }
        let exchange = format!(
            "# {title}\n\n{} {}\n{}{}\n{}\n{}{}\n\n",
            request.method(),
            request.uri(),
            headers(request.headers(), &["authorization"]),
            body(request.headers(), request.body()),
            response.status(),
            headers(response.headers(), &left_out),
            body(response.headers(), response.body()),
        );
        self.transcript += &self.named(exchange);
        response
    }

    /// Compares everything written down since the last chapter with the snapshot of this name.
    pub fn end_chapter(&mut self, name: &str) {
        let chapter = std::mem::take(&mut self.transcript);
        insta::with_settings!({filters => FILTERS, omit_expression => true}, {
            insta::assert_snapshot!(name, chapter.trim_end());
        });
    }

    fn learn(&mut self, request: &Request<Bytes>, response: &Response<Bytes>) {
        let Some(tag) = response.headers().get(ETAG).filter(|_| request.uri().path().contains("/proofs"))
        else {
            return;
        };
        let digest = tag.to_str().unwrap().trim_matches('"').trim_end_matches(".gz").to_owned();
        if !self.records.contains(&digest) {
            self.records.push(digest);
        }
    }

    fn named(&self, exchange: String) -> String {
        let text = exchange.replace(self.api.base(), "<base>");
        let records = self.records.iter().zip(1..);
        let text =
            records.fold(text, |text, (digest, number)| text.replace(digest, &format!("<record {number}>")));
        without_store(text)
    }
}

fn headers(headers: &HeaderMap, left_out: &[&str]) -> String {
    let ranges = headers.get(ACCEPT_RANGES).is_some_and(|unit| unit == "bytes");
    let shown = headers.iter().filter(|(name, _)| {
        let constant =
            OF_EVERY_ANSWER.iter().chain(&OF_OPEN_ANSWERS).any(|(constant, _)| name.as_str() == *constant);
        // A connection states the length of every body, which is of interest only where parts can be requested.
        let length = *name == CONTENT_LENGTH && !ranges;
        let connection = OF_THE_CONNECTION.contains(&name.as_str());
        !(constant || length || connection || left_out.contains(&name.as_str()))
    });
    let mut lines: Vec<String> = shown
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort();
    lines.concat()
}

/// A body as text: the members of JSON line by line, each exactly as received.
fn body(headers: &HeaderMap, body: &Bytes) -> String {
    if body.is_empty() {
        return String::new();
    }
    let coding = headers.get(CONTENT_ENCODING).map(|_| Coding::Gzip);
    let content = decode(body, coding, 64_000_000).unwrap_or_else(|_| body.as_ref().into());
    let packed = if coding.is_some() { "<unpacked> " } else { "" };
    match std::str::from_utf8(&content) {
        Ok(text) if headers.get(CONTENT_TYPE).is_none_or(|kind| kind != C2PA_TYPE) => {
            format!("{packed}{}\n", members(text))
        }
        _ => format!("{packed}<{} bytes, SHA-256 {}>\n", content.len(), Digest::of(&content)),
    }
}

/// Breaks lines between the members of the outermost object and between objects in its lists, and shortens long lines.
fn members(text: &str) -> String {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut lines = vec![String::new()];
    for character in text.chars() {
        match (in_string, character) {
            (true, _) if escaped => escaped = false,
            (true, '\\') => escaped = true,
            (_, '"') => in_string = !in_string,
            (false, '{' | '[') => depth += 1,
            (false, '}' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        lines.last_mut().unwrap().push(character);
        let item = depth == 2 && lines.last().is_some_and(|line| line.ends_with("},"));
        if !in_string && character == ',' && (depth == 1 || item) {
            lines.push(" ".repeat(depth));
        }
    }
    let shortened = lines.into_iter().map(|line| match line.char_indices().nth(LONGEST_LINE) {
        None => line,
        Some((end, _)) => format!("{}… ({} bytes)", &line[..end], line.len()),
    });
    shortened.collect::<Vec<_>>().join("\n")
}

/// The same text without the names of stores, which differ each time and which not every deployment has.
fn without_store(text: String) -> String {
    const MEMBER: &str = "\"store\":\"";
    let Some((before, after)) = text.split_once(MEMBER) else { return text };
    let (store, rest) = after.split_once('"').unwrap_or_default();
    assert!(store.len() == 32 && store.bytes().all(|byte| byte.is_ascii_hexdigit()), "{store} is no store");
    let before = before.trim_end();
    format!("{}{}", before.strip_suffix(',').unwrap_or(before), without_store(rest.to_owned()))
}
