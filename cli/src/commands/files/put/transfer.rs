//! Sending bytes to an address: of the server itself, or of S3 or R2. An address is its own credential, so the token is not
//! sent there.

use std::io::Read;

use credlink_client::{CallError, Client, Policy, Timeouts, USER_AGENT, is_this_machine};
use credlink_core::http::problem::Received;
use http::header::{CONTENT_LENGTH, EXPECT, HOST};
use http::uri::Scheme;
use http::{HeaderMap, Request, StatusCode, Uri};

use crate::client::{Address, Cause};
use crate::error::{Named, Trouble, TroubleKind};

/// The longest explanation that is read of a refusal, in bytes.
const MAX_ANSWER_BYTES: u64 = 65_536;

/// The shortest body for which the server is asked first, in bytes. Asking costs a round trip, and saves the body if the
/// server refuses it.
const ASKED_FIRST_BYTES: u64 = 1_000_000;

/// A client that sends bytes.
pub(super) struct Transfer {
    direct: Client,
    proxied: Client,
    /// `true` if the server that names the addresses is reached over TLS.
    is_encrypted: bool,
}

/// Bytes that were not taken.
pub(super) struct NotTaken {
    /// The step that follows.
    pub(super) next: Next,
    /// The problem, as it is told if nobody tries again.
    pub(super) trouble: Trouble,
}

/// The step that follows on bytes that were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The same address is tried again, if the cause passes.
    Again(Cause),
    /// The address is no longer valid: another one is asked for.
    NewAddress,
    /// The bytes may be there already, or the upload may be over: the server says what is so.
    Look,
    /// The bytes are refused.
    Never,
}

impl Transfer {
    /// Creates a client for the addresses of a server, which is reached over TLS if `is_encrypted`.
    pub(super) fn new(is_encrypted: bool) -> Self {
        let client = |uses_proxy| {
            Client::new(&Policy {
                user_agent: Some(USER_AGENT),
                uses_proxy,
                timeouts: Timeouts::TRANSFER,
                ..Policy::default()
            })
        };
        Self { direct: client(false), proxied: client(true), is_encrypted }
    }

    /// Sends `length` bytes to an address.
    pub(super) fn put(&self, address: &Address, length: u64, body: &mut dyn Read) -> Result<(), NotTaken> {
        let never = |detail: String| NotTaken {
            next: Next::Never,
            trouble: Trouble::new(TroubleKind::NotCredLink, detail),
        };
        let url: Uri = address
            .url
            .parse()
            .map_err(|_| never("the server names an address that is not a URL".to_owned()))?;
        let host = url.host().unwrap_or_default().to_owned();
        if self.is_encrypted && url.scheme() != Some(&Scheme::HTTPS) {
            return Err(never(format!(
                "the server is reached over TLS, and names an address without TLS, at {host}: its --public-url has to be \
                 the https:// address"
            )));
        }
        let client = if is_this_machine(&host) { &self.direct } else { &self.proxied };
        let request = request(&url, address, length).map_err(|error| never(error.to_string()))?;
        let sent = client.send_from(request, body).map_err(|error| unanswered(&host, &error))?;
        let status = sent.status();
        if status.is_success() {
            sent.discard(MAX_ANSWER_BYTES);
            return Ok(());
        }
        let headers = sent.headers().clone();
        let body = sent.read(MAX_ANSWER_BYTES).map(|answer| answer.body).unwrap_or_default();
        Err(NotTaken { next: next(status, &headers, &body), trouble: trouble(&host, status, &body) })
    }
}

fn request(url: &Uri, address: &Address, length: u64) -> Result<Request<()>, http::Error> {
    let mut request = Request::put(url);
    for (name, value) in &address.headers {
        if name != HOST.as_str() && name != CONTENT_LENGTH.as_str() {
            request = request.header(name, value);
        }
    }
    request = request.header(CONTENT_LENGTH, length);
    if length >= ASKED_FIRST_BYTES {
        request = request.header(EXPECT, "100-continue");
    }
    request.body(())
}

fn unanswered(host: &str, error: &CallError) -> NotTaken {
    let detail = format!("the connection to {host}, to which the bytes go, broke: {error}");
    let next = Next::Again(Cause::of_call(error));
    NotTaken { next, trouble: Trouble::new(TroubleKind::Unreachable, detail) }
}

/// Returns the step that follows on an answer that is not a success, of CredLink or of S3 (S3 API, "Error responses").
fn next(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Next {
    let code = element(body, "Code").unwrap_or_default();
    match (status, code.as_str()) {
        // S3 waited for bytes for too long.
        (_, "RequestTimeout") => Next::Again(Cause::Passing(None)),
        (_, "ExpiredToken" | "TokenRefreshRequired") => Next::NewAddress,
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Next::NewAddress,
        (
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT,
            _,
        ) => Next::Look,
        _ => match Cause::of_answer(status, headers, body) {
            Cause::Lasting => Next::Never,
            cause => Next::Again(cause),
        },
    }
}

fn trouble(host: &str, status: StatusCode, body: &[u8]) -> Trouble {
    if Received::read(body).is_some_and(|problem| !problem.slug().is_empty()) {
        return Trouble::answered(status, body, Named::Server);
    }
    let said = match (element(body, "Code"), element(body, "Message")) {
        (Some(code), Some(message)) => format!("{status}, {code}: {message}"),
        (Some(code), None) => format!("{status}, {code}"),
        (None, _) => status.to_string(),
    };
    Trouble::new(TroubleKind::Provider, format!("{host} does not take the bytes: {said}"))
}

/// Returns the text of the first element with this name in an XML document without attributes, as S3 writes errors.
fn element(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.split_once(&format!("<{name}>"))?.1;
    Some(text.split_once(&format!("</{name}>"))?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_its_next_step() {
        let xml = |code: &str| {
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>why</Message></Error>")
        };
        let problem = |slug: &str| {
            format!(r#"{{"type":"urn:credlink:problem:{slug}","title":"Title","detail":"why"}}"#)
        };
        let passing = Next::Again(Cause::Passing(None));
        for (status, body, expected, said) in [
            (
                403,
                xml("AccessDenied"),
                Next::NewAddress,
                "s3.example does not take the bytes: 403 Forbidden, AccessDenied: why",
            ),
            (403, problem("invalid-link"), Next::NewAddress, "Title: why"),
            (400, xml("ExpiredToken"), Next::NewAddress, "ExpiredToken"),
            (400, xml("RequestTimeout"), passing, "RequestTimeout"),
            (400, xml("BadDigest"), Next::Never, "BadDigest"),
            (400, problem("invalid-field"), Next::Never, "Title: why"),
            (404, xml("NoSuchUpload"), Next::Look, "NoSuchUpload"),
            (412, xml("PreconditionFailed"), Next::Look, "PreconditionFailed"),
            (409, problem("upload-conflict"), Next::Look, "Title: why"),
            (410, problem("expired"), Next::Look, "Title: why"),
            (500, xml("InternalError"), passing, "InternalError"),
            (503, xml("SlowDown"), passing, "SlowDown"),
            (503, String::new(), passing, "503 Service Unavailable"),
            (507, problem("quota-exceeded"), Next::Never, "Title: why"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(next(status, &HeaderMap::new(), body.as_bytes()), expected, "{status} {body}");
            let told = trouble("s3.example", status, body.as_bytes()).to_string();
            assert!(told.contains(said), "{told}");
        }
    }

    #[test]
    fn bytes_are_not_sent_in_the_clear_for_a_server_behind_tls() {
        let address = |url: &str| Address { url: url.to_owned(), headers: [].into(), number: None };
        for (is_encrypted, url, said) in [
            (true, "http://127.0.0.1:9/v1", "without TLS, at 127.0.0.1"),
            (true, "/v1/bytes", "without TLS"),
            (false, "http://a b/", "not a URL"),
        ] {
            let refused =
                Transfer::new(is_encrypted).put(&address(url), 1, &mut b"x".as_slice()).err().unwrap();
            assert_eq!(refused.next, Next::Never, "{url}");
            assert!(refused.trouble.to_string().contains(said), "{url}: {}", refused.trouble);
        }
    }
}
