//! Answers that scripts of other sites may read in a browser (WHATWG Fetch, section 3.3: the CORS protocol).
//!
//! That is for public reads alone: what anybody may read, scripts of any origin may. A script of another site may not
//! store, delete or list, whatever credential it has; and where no credential is asked for, as of `credlink serve` on the
//! loopback interface, no script can use the trust that its browser's machine enjoys.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::reply::Reply;

/// The answer to `OPTIONS` of a path that takes the methods in `allow` (RFC 9110, section 9.3.7). Of a path that is read by
/// the public it also tells a browser what scripts may send; of another one it says nothing, which is a no.
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

/// Adds what an answer to a public read has: that scripts of any origin may read it.
pub fn open(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "accept-ranges, content-encoding, content-range, etag, location, retry-after, x-request-id",
        ),
    );
}

/// Adds what every answer has: that nobody guesses its type.
pub fn without_guessing(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
