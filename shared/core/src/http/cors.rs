//! Cross-origin reads: the answers that scripts of other sites may read in a browser (WHATWG Fetch, section 3.3: the
//! CORS protocol).
//!
//! Only public reads are open to scripts of any origin, since anybody may read them, and so are signed addresses, which
//! are credentials themselves. A script of another site may not store, delete or list, whatever credential it has, unless
//! an operator has listed its origin ([`open_to`]). Where no credential is asked for, as by `credlink serve` on the loopback
//! interface, this keeps scripts from using the trust that the browser's machine enjoys.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
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

/// The origin of pages that an operator lists: a scheme, a host, and a port if it is not the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// The error for text that is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is a scheme and a host, perhaps with a port, as in https://app.example.com or http://localhost:5173"
)]
pub struct OriginError;

impl std::str::FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let host = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let is_host =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
        // Browsers write hosts in lower case, and an origin is compared byte by byte.
        match host {
            Some(host) if !host.is_empty() && host.bytes().all(is_host) => {
                HeaderValue::from_str(text).map(Self).map_err(|_| OriginError)
            }
            _ => Err(OriginError),
        }
    }
}

impl Origin {
    /// Returns `true` if a request was made by a page of this origin.
    #[must_use]
    pub fn made(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        origins.next() == Some(&self.0) && origins.next().is_none()
    }
}

/// Adds to an answer what lets the pages of `origin` read it, and, to the answer to a preflight, what lets them send the
/// request: with a credential in `Authorization`. Cookies have no meaning here.
pub fn open_to(origin: &Origin, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.0.clone());
    headers.append(VARY, HeaderValue::from_static("origin"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    allow(headers);
}

/// Adds the headers of an answer at a signed address: scripts of any origin may use it, as everybody may who has it.
pub fn open_address(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    allow(headers);
}

/// The headers of answers that pages need, beside those that every page may read: those of [`open`], and those of tus.
const EXPOSED: &str = "accept-ranges, allow, content-encoding, content-range, etag, location, retry-after, tus-checksum-algorithm, \
                       tus-extension, tus-max-size, tus-resumable, tus-version, upload-expires, upload-length, upload-metadata, \
                       upload-offset, x-request-id";

/// Adds to the answer to `OPTIONS`, which has `Allow`, what scripts may send.
fn allow(headers: &mut HeaderMap) {
    let Some(methods) = headers.get(ALLOW).cloned() else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "authorization, baggage, cache-control, content-type, if-match, if-modified-since, if-none-match, if-range, \
             if-unmodified-since, range, sentry-trace, traceparent, tracestate, tus-resumable, upload-checksum, \
             upload-length, upload-metadata, upload-offset, x-http-method-override, x-request-id",
        ),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
}

/// Adds the header of every answer that keeps browsers from guessing its type.
pub fn without_guessing(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for origin in
            ["https://app.example.com", "http://localhost:5173", "http://[::1]:80", "http://127.0.0.1:1"]
        {
            assert!(origin.parse::<Origin>().is_ok(), "{origin}");
        }
        for wrong in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://",
            "https://a/",
            "https://a/b",
            "https://A",
            "ftp://a",
            "https://a b",
            "https://u@a",
            "https://a?b",
        ] {
            assert_eq!(wrong.parse::<Origin>(), Err(OriginError), "{wrong}");
        }
    }

    #[test]
    fn only_a_listed_origin_is_let_in() {
        let origin: Origin = "https://app.example.com".parse().unwrap();
        let made = |origins: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in origins {
                headers.append(ORIGIN, HeaderValue::from_static(value));
            }
            origin.made(&headers)
        };
        assert!(made(&["https://app.example.com"]));
        for others in [
            &[][..],
            &["http://app.example.com"],
            &["https://app.example.com:8443"],
            &["https://app.example.com.evil.example"],
            &["https://app.example.com", "https://evil.example"],
            &["null"],
        ] {
            assert!(!made(others), "{others:?}");
        }
        let mut answer = HeaderMap::new();
        open_to(&origin, &mut answer);
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example.com");
        assert_eq!(answer[VARY], "origin");
        assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_METHODS), "this is not a preflight");
        answer.insert(ALLOW, HeaderValue::from_static("PUT, OPTIONS"));
        open_to(&origin, &mut answer);
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_METHODS], "PUT, OPTIONS");
    }
}
