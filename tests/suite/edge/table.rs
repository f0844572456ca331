//! A table of conditional and range requests, each row with the clause of RFC 9110 that it tests.
//!
//! Every row is requested for a record, an earlier record and manifests, stored plain and in gzip, by a client that
//! accepts no coding. Each is requested twice, in a domain that no other row uses: the cache is empty the first time,
//! and the second answer must come without R2.

use std::ops::Range;

use credlink_core::http::problem::PROBLEM_TYPE;
use credlink_core::object::ObjectKey;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, VARY,
};
use http::{HeaderName, HeaderValue, Method, Response};

use super::forms::{manifest, record, revision};
use super::ground::{CACHE_STATUS, Ground};
use super::seeds::Seed;
use super::{conditions, ranges};

/// A request, and the answer to expect.
pub struct Row {
    /// The clause of RFC 9110.
    pub clause: &'static str,
    pub name: &'static str,
    pub method: Method,
    pub headers: Vec<(HeaderName, String)>,
    pub expected: Expected,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The answer is 200 with the whole content.
    Whole,
    /// The answer is 206 with these bytes.
    Part(Range<usize>),
    /// The answer is 304.
    NotModified,
    /// The answer is 412.
    Failed,
    /// The answer is 416.
    Beyond,
    /// The answer is 400, since a header is malformed.
    Malformed,
}

/// A GET with one header.
pub fn row(
    clause: &'static str,
    name: &'static str,
    header: HeaderName,
    value: &str,
    expected: Expected,
) -> Row {
    Row { clause, name, method: Method::GET, headers: vec![(header, value.to_owned())], expected }
}

impl Row {
    /// The same request, with a further header line.
    pub fn and(mut self, header: HeaderName, value: &str) -> Self {
        self.headers.push((header, value.to_owned()));
        self
    }

    /// The same request, as HEAD.
    pub fn head(self) -> Self {
        Self { method: Method::HEAD, ..self }
    }

    /// Returns the faults in an answer.
    fn faults(&self, seed: &Seed, response: &Response<bytes::Bytes>) -> Vec<String> {
        let mut faults = Vec::new();
        let header = |name: &HeaderName| {
            response.headers().get(name).map_or("", |value| value.to_str().unwrap_or_default())
        };
        let (content, length) = (&seed.content, seed.content.len());
        let empty = bytes::Bytes::new();
        let (status, body, size, range) = match &self.expected {
            Expected::Whole => (200, Some(content.clone()), Some(length), String::new()),
            Expected::Part(part) => {
                let said = format!("bytes {}-{}/{length}", part.start, part.end - 1);
                (206, Some(content.slice(part.clone())), Some(part.len()), said)
            }
            Expected::NotModified => (304, Some(empty.clone()), None, String::new()),
            Expected::Failed => (412, None, None, String::new()),
            Expected::Beyond => (416, None, None, format!("bytes */{length}")),
            Expected::Malformed => (400, None, None, String::new()),
        };
        let body = if self.method == Method::HEAD { Some(empty) } else { body };
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                faults.push(what.to_owned());
            }
        };
        expect(response.status() == status, &format!("the status: {}, not {status}", response.status()));
        expect(body.is_none_or(|body| response.body() == &body), "the body");
        expect(header(&CONTENT_RANGE) == range, "`Content-Range`");
        if let Some(size) = size {
            expect(header(&CONTENT_LENGTH) == size.to_string(), "`Content-Length`");
            expect(header(&CONTENT_TYPE) == seed.key.content_type(), "`Content-Type`");
            expect(header(&ACCEPT_RANGES) == "bytes", "`Accept-Ranges`");
        }
        if matches!(status, 200 | 206 | 304) {
            // Sections 15.3.7 and 15.4.5: the values that a 200 would have had for these headers.
            expect(header(&ETAG) == seed.tag(None), "`ETag`");
            expect(header(&LAST_MODIFIED) == seed.modified(), "`Last-Modified`");
            expect(header(&CACHE_CONTROL) == seed.key.cache_control(), "`Cache-Control`");
            expect(header(&VARY) == "accept-encoding", "`Vary`");
        } else {
            expect(header(&CONTENT_TYPE) == PROBLEM_TYPE, "no problem document");
        }
        faults
    }
}

/// Every kind of object. A revision needs a current record.
fn seeds() -> [Seed; 4] {
    [
        Seed::packed(record("there")),
        Seed::plain(revision("there", 1)),
        Seed::plain(manifest(1)),
        Seed::packed(manifest(2)),
    ]
}

async fn check(rows: impl Fn(&Seed) -> Vec<Row>) {
    let seeds = seeds();
    let ground = Ground::holding(&seeds).await;
    let mut wrong = Vec::new();
    for (number, seed) in seeds.iter().enumerate() {
        let reads = if matches!(seed.key, ObjectKey::Revision(..)) { 2 } else { 1 };
        for (at, row) in rows(seed).iter().enumerate() {
            let mut request = seed.asked(row.method.clone());
            for (name, value) in &row.headers {
                request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
            }
            ground.edge.forget().await;
            let domain = format!("row-{at}.of-{number}.test");
            for cached in ["credlink; fwd=uri-miss; stored", "credlink; hit"] {
                let answer = ground.ask(&domain, request.clone()).await;
                ground.edge.settle().await;
                let mut faults = row.faults(seed, &answer);
                if answer.headers()[CACHE_STATUS] != cached {
                    faults.push(format!("the cache: {:?}", answer.headers()[CACHE_STATUS]));
                }
                let about = format!("section {}, {}, {}, {cached}", row.clause, row.name, seed.key);
                wrong.extend(faults.iter().map(|fault| format!("{about}: {fault}")));
            }
            let calls = ground.edge.count("bucket").await;
            if calls != reads {
                wrong.push(format!("section {}, {}: {calls} calls of R2", row.clause, row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditional_requests() {
    check(conditions::rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn range_requests() {
    check(ranges::rows).await;
}
