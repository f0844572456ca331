//! The parts of a request on which an answer depends.

use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::request_id;
use credlink_core::time::Timestamp;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// The header in which Cloudflare passes the client's address; Cloudflare replaces any value that the client sends.
pub const CLIENT: HeaderName = HeaderName::from_static("cf-connecting-ip");

/// A parsed request.
#[derive(Debug)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// Scheme and authority of the URL: `https://cdn.example.com`.
    pub origin: String,
    /// The path of the URL, as it was sent.
    pub path: String,
    /// The query of the URL, without the question mark.
    pub query: String,
    /// The time of arrival.
    pub now: Timestamp,
    /// The headers for preconditions, ranges, media types, content codings and credentials.
    pub headers: HeaderMap,
    /// The request ID: the client's own, or a new one.
    pub id: String,
}

/// The method and the URL of a request.
#[derive(Debug)]
pub struct Target<'a> {
    /// The method.
    pub method: Method,
    /// Scheme and authority of the URL: `https://cdn.example.com`.
    pub origin: &'a str,
    /// The path of the URL, as it was sent.
    pub path: &'a str,
    /// The query of the URL, without the question mark.
    pub query: &'a str,
}

impl<'a> Target<'a> {
    /// Parses the first two of the lines that `runtime.js` makes of a request.
    ///
    /// # Errors
    /// An invalid method or URL.
    pub fn read(lines: &'a str) -> Result<Self, Problem> {
        Self::of(lines).ok_or_else(unreadable)
    }

    fn of(lines: &'a str) -> Option<Self> {
        let mut lines = lines.split('\n');
        let (method, url) = (lines.next()?, lines.next()?);
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        let url = url.split('#').next().unwrap_or_default();
        let (url, query) = url.split_once('?').unwrap_or((url, ""));
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.find('/')?;
        let (origin, path) = url.split_at_checked(scheme.len().checked_add(3)?.checked_add(authority)?)?;
        Some(Self { method, origin, path, query })
    }
}

/// Returns the name of a header that `runtime.js` passes on. `HeaderName` can parse every name, but with 13 KB that would
/// be the largest function of the program, which V8 compiles before the first answer.
fn known(name: &str) -> Option<HeaderName> {
    Some(match name {
        "accept" => ACCEPT,
        "accept-encoding" => ACCEPT_ENCODING,
        "authorization" => AUTHORIZATION,
        "cf-connecting-ip" => CLIENT,
        "if-match" => IF_MATCH,
        "if-modified-since" => IF_MODIFIED_SINCE,
        "if-none-match" => IF_NONE_MATCH,
        "if-range" => IF_RANGE,
        "if-unmodified-since" => IF_UNMODIFIED_SINCE,
        "range" => RANGE,
        "x-request-id" => request_id::REQUEST_ID,
        _ => return None,
    })
}

fn unreadable() -> Problem {
    Problem::new(ProblemKind::InvalidRequest, "the request's method or URL cannot be read")
}

impl Asked {
    /// Parses the lines that `runtime.js` makes of a request.
    ///
    /// # Errors
    /// An invalid method or URL.
    pub fn read(lines: &str) -> Result<Self, Problem> {
        let Target { method, origin, path, query } = Target::read(lines)?;
        let mut lines = lines.split('\n').skip(2);
        let mut next = || lines.next().ok_or_else(unreadable);
        let (now, new_id) = (next()?, next()?);
        let mut headers = HeaderMap::new();
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            // A header value is bytes in HTTP, and JavaScript represents each byte as a character.
            let value = if value.is_ascii() {
                HeaderValue::from_str(value).ok()
            } else {
                let bytes: Option<Vec<u8>> = value.chars().map(|letter| u8::try_from(letter).ok()).collect();
                bytes.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok())
            };
            if let (Some(name), Some(value)) = (known(name), value) {
                headers.append(name, value);
            }
        }
        let id = request_id::given(&headers).unwrap_or(new_id).to_owned();
        Ok(Self {
            method,
            origin: origin.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            now: Timestamp::from_milliseconds(now.parse().unwrap_or_default()),
            headers,
            id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_from_its_lines() {
        let text = "GET\nhttps://cdn.example.com/manifests/urn%3Ac2pa:x?a=b?c\n1767225600000\nr-0\naccept-encoding:gzip, \
                    br\nif-none-match:\"a:b\", W/\"\u{e4}\"\nx-request-id:r-1";
        let asked = Asked::read(text).unwrap();
        assert_eq!((asked.method, &*asked.origin), (Method::GET, "https://cdn.example.com"));
        assert_eq!((&*asked.path, &*asked.query, &*asked.id), ("/manifests/urn%3Ac2pa:x", "a=b?c", "r-1"));
        assert_eq!(asked.now.milliseconds(), 1_767_225_600_000);
        assert_eq!(asked.headers["if-none-match"].as_bytes(), b"\"a:b\", W/\"\xe4\"");
        assert_eq!(asked.headers[ACCEPT_ENCODING], "gzip, br");
    }

    #[test]
    fn what_cannot_be_read_is_a_bad_request() {
        for text in
            ["", "GET", "GET\nhttps://a/", "G T\nhttps://a/\n1\nr", "GET\n/a\n1\nr", "GET\nhttps://a\n1\nr"]
        {
            assert_eq!(Asked::read(text).unwrap_err().kind, ProblemKind::InvalidRequest, "{text}");
        }
    }

    proptest::proptest! {
        /// No input makes the parser panic, which would fail every request of the isolate.
        #[test]
        fn no_text_is_too_much(text in "(GET|.{0,8})\n(https?://[a-z]{1,3}(/.{0,40})?|.{0,40})\n[0-9]{0,25}\n[0-9a-f-]{0,9}\n(x-request-id:a\n)(.{0,9}:.{0,20}\n){0,4}") {
            if let Ok(asked) = Asked::read(&text) {
                proptest::prop_assert!(asked.path.starts_with('/') && !asked.query.contains('#'));
                proptest::prop_assert_eq!(asked.id, "a");
            }
        }
    }
}
