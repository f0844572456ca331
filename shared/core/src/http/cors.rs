//! Cross-origin reads: the answers that scripts of other sites may read in a browser (WHATWG Fetch, section 3.3: the
//! CORS protocol).
//!
//! Only public reads are open to scripts of any origin, since anybody may read them. A script of another site may not
//! store, delete or list, whatever credential it has. Where no credential is asked for, as by `credlink serve` on the
//! loopback interface, this keeps scripts from using the trust that the browser's machine enjoys.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::reply::Reply;

/// Returns the answer to `OPTIONS` of a path with the methods in `allow` (RFC 9110, section 9.3.7). For a path of
/// public reads it also tells a browser what scripts may send. For any other path it says nothing, which browsers take
/// as a refusal.
#[must_use]
pub fn preflight(allow: &'static str, is_public_read: bool) -> Reply {
    let reply = Reply::empty(StatusCode::NO_CONTENT).with(ALLOW, allow);
    if !is_public_read {
        return reply;
    }
    reply
        .with(ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS")
        .with(
            ACCESS_CONTROL_ALLOW_HEADERS,
            "baggage, cache-control, if-match, if-modified-since, if-none-match, if-range, if-unmodified-since, range, \
             sentry-trace, traceparent, tracestate, x-request-id",
        )
        .with(ACCESS_CONTROL_MAX_AGE, "86400")
}

/// Adds the headers of an answer to a public read: scripts of any origin may read it.
pub fn open(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "accept-ranges, content-encoding, content-range, etag, location, retry-after, x-request-id",
        ),
    );
}

/// Adds the header of every answer that keeps browsers from guessing its type.
pub fn without_guessing(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
