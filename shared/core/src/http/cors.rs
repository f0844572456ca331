//! Answers that scripts in browsers may read (WHATWG Fetch, section 3.3: the CORS protocol).
//!
//! Credentials travel in a header that scripts set themselves, and never in cookies: so every origin may read.

use http::header::ALLOW;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::reply::Reply;

/// The answer to `OPTIONS` of a path that takes the methods in `allow` (RFC 9110, section 9.3.7), which is also the one
/// to a browser that asks whether it may.
#[must_use]
pub fn preflight(allow: &'static str) -> Reply {
    Reply::empty(StatusCode::NO_CONTENT)
        .with(ALLOW, allow)
        .with(HeaderName::from_static("access-control-allow-methods"), allow)
        .with(
            HeaderName::from_static("access-control-allow-headers"),
            "authorization, content-type, content-encoding, if-match, if-none-match, if-range, range, x-request-id",
        )
        .with(HeaderName::from_static("access-control-max-age"), "86400")
}

/// Adds what every answer has: that scripts may read it, and that nobody guesses its type.
pub fn open(headers: &mut HeaderMap) {
    headers.insert(HeaderName::from_static("access-control-allow-origin"), HeaderValue::from_static("*"));
    headers.insert(
        HeaderName::from_static("access-control-expose-headers"),
        HeaderValue::from_static("etag, location, content-range, retry-after, x-request-id"),
    );
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
}
