//! Answers, and the text that describes one to `js/runtime.js`.

use std::fmt::Write as _;

use credlink_core::http::cors;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::{Body, Reply};
use credlink_core::http::request_id::REQUEST_ID;
use credlink_core::time::Timestamp;
use http::{HeaderMap, Method};

use crate::log::{self, Course};
use crate::purge;
use crate::request::Asked;
use crate::runtime::Bytes;

/// A reply, with the facts of an object if it has one.
pub struct Answer {
    /// The reply that the rules prescribe.
    pub reply: Reply,
    /// The bytes that the reply describes; `None` if the caller has them.
    pub bytes: Option<Bytes>,
    /// Length of the stored bytes.
    pub size: u64,
    /// Length of the content.
    pub length: u64,
    /// Seconds since the last check, for an answer from the cache.
    pub age: Option<u64>,
    /// The headers of an answer of the API that is passed on, as lines of `name:value`; `None` for all other answers.
    pub passed: Option<String>,
}

/// The path of the edge's own health, which is not a public read.
const HEALTH: &str = "/health";

/// The room for an answer, in bytes: most have less.
const USUAL_BYTES: usize = 1_024;

impl Answer {
    /// Creates an answer without an object.
    pub const fn of(reply: Reply) -> Self {
        Self { reply, bytes: None, size: 0, length: 0, age: None, passed: None }
    }

    /// Returns the answer with the headers of an answer of the API that is passed on.
    pub fn passed(self, lines: String) -> Self {
        Self { passed: Some(lines), ..self }
    }

    /// Creates the answer to a request whose answer could not be made, for the reason `why`.
    pub fn failed(asked: &Asked, why: &str) -> Self {
        // Verified bytes cannot be sent; the runtime's reason is only for the log.
        log::failure(&asked.id, "an answer cannot be made", why);
        let problem = Problem::new(ProblemKind::Internal, "the answer could not be made");
        Self::of(problem.reply(Some(&asked.id)))
    }

    /// Describes the answer that is given `now`.
    ///
    /// The lines are the status and the body, the line for the log, each header as `name:value`, and the text of the
    /// body if it is one. The body is one of
    ///
    /// * `empty`
    /// * `text`
    /// * `stored`: the stored bytes as they are
    /// * `unpacked LENGTH`: the content of a stored gzip
    /// * `part LENGTH FIRST END`, `unpacked-part LENGTH FIRST END`: a part of the content
    pub fn describe(self, asked: &Asked, course: Course, now: Timestamp) -> String {
        let Self { reply, size, length, age, passed, .. } = self;
        let mut headers = reply.headers;
        cors::without_guessing(&mut headers);
        // All other reads are public, or authorized by a signed link that is its own credential. The API decides about
        // its own answers, which may depend on a credential.
        if asked.method.is_safe() && ![purge::PATH, HEALTH].contains(&&*asked.path) && passed.is_none() {
            cors::open(&mut headers);
        }
        let text = text(&reply.body);
        // The response to HEAD has the headers of the response to GET (RFC 9110, section 9.3.2).
        let content_length = text.filter(|_| asked.method == Method::HEAD).map(str::len);
        let text = text.filter(|_| content_length.is_none());
        let bytes = match &reply.body {
            Body::Stored { range: Some(part), .. } => part.end.saturating_sub(part.start),
            Body::Stored { decode: true, .. } => length,
            Body::Stored { .. } => size,
            Body::Bytes(_) | Body::Empty => text.map_or(0, str::len) as u64,
        };
        let status = reply.status.as_u16();
        let mut lines = String::with_capacity(USUAL_BYTES);
        // Writing to a `String` does not fail.
        let _ = match &reply.body {
            Body::Stored { range: Some(part), decode } => {
                let body = if *decode { "unpacked-part" } else { "part" };
                write!(lines, "{status} {body} {length} {} {}", part.start, part.end)
            }
            Body::Stored { decode: true, .. } => write!(lines, "{status} unpacked {length}"),
            Body::Stored { .. } => write!(lines, "{status} stored"),
            Body::Bytes(_) | Body::Empty => {
                write!(lines, "{status} {}", if text.is_some() { "text" } else { "empty" })
            }
        };
        lines.push('\n');
        lines.push_str(&log::request(asked, course, status, bytes, now));
        write_headers(&mut lines, &headers);
        if let Some(passed) = passed.filter(|passed| !passed.is_empty()) {
            let _ = write!(lines, "\n{passed}");
        }
        let _ = write!(lines, "\n{REQUEST_ID}:{}", asked.id);
        if let Some(state) = course.cache.header() {
            let _ = write!(lines, "\ncache-status:{state}");
        }
        if let Some(age) = age {
            let _ = write!(lines, "\nage:{age}");
        }
        if let Some(length) = content_length {
            let _ = write!(lines, "\ncontent-length:{length}");
        }
        write_text(&mut lines, text);
        lines
    }
}

/// Describes an answer before anything is known about the request. It has no line for the log.
pub fn describe_plainly(reply: &Reply) -> String {
    let mut headers = reply.headers.clone();
    cors::without_guessing(&mut headers);
    cors::open(&mut headers);
    let text = text(&reply.body);
    let body = if text.is_some() { "text" } else { "empty" };
    let mut lines = format!("{} {body}\n", reply.status.as_u16());
    write_headers(&mut lines, &headers);
    write_text(&mut lines, text);
    lines
}

fn text(body: &Body) -> Option<&str> {
    match body {
        // All bodies that are produced here are JSON, which has no line breaks.
        Body::Bytes(bytes) => std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty()),
        Body::Empty | Body::Stored { .. } => None,
    }
}

fn write_headers(lines: &mut String, headers: &HeaderMap) {
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        for part in ["\n", name.as_str(), ":", value] {
            lines.push_str(part);
        }
    }
}

fn write_text(lines: &mut String, text: Option<&str>) {
    if let Some(text) = text {
        lines.push('\n');
        lines.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http::header::{ALLOW, ETAG};

    use super::*;
    use crate::log::CacheState;

    fn asked(method: &str) -> Asked {
        Asked::read(&format!("{method}\nhttps://cdn.example.com/proofs/x\n5\nr-0")).unwrap()
    }

    fn described(method: &str, answer: Answer, cache: CacheState) -> Vec<String> {
        let course = Course { route: Some("read_proof"), cache };
        let text = answer.describe(&asked(method), course, Timestamp::from_milliseconds(7));
        text.split('\n').map(str::to_owned).collect()
    }

    #[test]
    fn an_object_is_described_by_what_is_done_with_its_bytes() {
        let object = |decode, range| {
            let reply = Reply { body: Body::Stored { decode, range }, ..Reply::empty(StatusCode::OK) };
            let reply = reply.with(ETAG, "\"a\"");
            let answer = Answer { size: 3, length: 9, age: Some(4), ..Answer::of(reply) };
            described("GET", answer, CacheState::Hit)
        };
        for (decode, range, body, bytes) in [
            (false, None, "200 stored", 3),
            (true, None, "200 unpacked 9", 9),
            (false, Some(2..4), "200 part 9 2 4", 2),
            (true, Some(2..4), "200 unpacked-part 9 2 4", 2),
        ] {
            let lines = object(decode, range);
            assert_eq!(lines[0], body);
            let log = format!(
                "{{\"level\":\"info\",\"message\":\"request\",\"request_id\":\"r-0\",\"method\":\"GET\",\"route\":\"read_proof\",\
                 \"status\":200,\"cache\":\"hit\",\"bytes\":{bytes},\"latency_ms\":2}}"
            );
            assert_eq!(lines[1], log);
            for header in [
                "etag:\"a\"",
                "x-request-id:r-0",
                "cache-status:credlink; hit",
                "age:4",
                "access-control-allow-origin:*",
                "x-content-type-options:nosniff",
            ] {
                assert!(lines[2..].iter().any(|line| line == header), "{header}: {lines:?}");
            }
        }
    }

    #[test]
    fn a_text_is_the_last_line_and_its_length_stands_for_it_where_only_the_head_is_asked_for() {
        let problem = || Answer::of(Problem::new(ProblemKind::NotFound, "no").reply(Some("r-0")));
        let lines = described("GET", problem(), CacheState::Absent);
        assert_eq!(lines[0], "404 text");
        let text = lines.last().unwrap();
        assert!(text.starts_with('{') && text.ends_with('}'), "{text}");
        let head = described("HEAD", problem(), CacheState::Absent);
        assert_eq!((&*head[0], head.last()), ("404 empty", Some(&format!("content-length:{}", text.len()))));
        let preflight = Answer::of(Reply::empty(StatusCode::NO_CONTENT).with(ALLOW, "GET"));
        let lines = described("OPTIONS", preflight, CacheState::None);
        assert_eq!((&*lines[0], lines.last().map(String::as_str)), ("204 empty", Some("x-request-id:r-0")));
    }

    #[test]
    fn an_answer_to_an_unreadable_request_has_no_line_for_the_log() {
        let reply = Problem::new(ProblemKind::InvalidRequest, "no").reply(None);
        let text = describe_plainly(&reply);
        let lines: Vec<_> = text.split('\n').collect();
        assert_eq!(lines[..2], ["400 text", ""]);
        assert!(lines.last().is_some_and(|text| text.starts_with('{')));
    }
}
