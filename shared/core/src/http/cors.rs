//! Answers that scripts in browsers may read (WHATWG Fetch, section 3.3: the CORS protocol).
//!
//! Credentials travel in a header that scripts set themselves, and never in cookies: so every origin may read.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::reply::Reply;

/// The answer to `OPTIONS` of a path that takes the methods in `allow` (RFC 9110, section 9.3.7), which is also the one
/// to a browser that asks whether it may.
#[must_use]
pub fn preflight(allow: &'static str) -> Reply {
    Reply::empty(StatusCode::NO_CONTENT)
        .with(ALLOW, allow)
        .with(ACCESS_CONTROL_ALLOW_METHODS, allow)
        .with(
            ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, content-encoding, if-match, if-none-match, if-range, range, x-request-id",
        )
        .with(ACCESS_CONTROL_MAX_AGE, "86400")
}

/// Adds what every answer has: that scripts may read it, and that nobody guesses its type.
pub fn open(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("etag, location, content-range, retry-after, x-request-id"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
