//! The API over HTTP.

use credlink_client::{CallError, CallErrorKind, Client, Policy, Timeouts, USER_AGENT, is_this_machine};
use credlink_core::bounds::MAX_BODY_BYTES;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Uri};

use super::{Answer, Question};
use crate::error::{Trouble, TroubleKind};

/// Maximum number of redirects that are followed. A legacy ID leads to its proof, and a proof that is too large for a
/// function leads to a bucket.
const MAX_REDIRECTS: u32 = 5;

/// A server.
pub struct Http {
    client: Client,
    base: String,
    origin: (Scheme, Authority),
    token: Option<HeaderValue>,
}

impl Http {
    /// Opens the server at `url`.
    pub fn open(url: &str, token: Option<&str>) -> Result<Self, Trouble> {
        let address = Some(url).filter(|url| !url.contains(['?', '#']));
        let origin = address.and_then(origin).ok_or_else(|| {
            let detail = format!(
                "--url is an address such as http://127.0.0.1:8787, without a query, and not `{url}`"
            );
            Trouble::new(TroubleKind::Usage, detail)
        })?;
        let token = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))).transpose();
        let token = token.map_err(|_| Trouble::new(TroubleKind::Usage, "--token is visible ASCII"))?;
        let policy = Policy {
            user_agent: Some(USER_AGENT),
            // `localhost` would mean another machine to a proxy.
            uses_proxy: !is_this_machine(origin.1.host()),
            timeouts: Timeouts::CREDLINK,
            ..Policy::default()
        };
        let client = Client::new(&policy);
        Ok(Self { client, base: url.trim_end_matches('/').to_owned(), origin, token })
    }

    /// Sends a request, and waits for the whole answer. Redirects are followed for safe methods only, without the
    /// token; on its way, a change would become a `GET`.
    pub fn ask(&self, question: Question) -> Result<Answer, Trouble> {
        let redirects = if question.method.is_safe() { MAX_REDIRECTS } else { 0 };
        self.send(question, redirects)
    }

    /// Sends a request without following redirects, and waits for the whole answer.
    pub fn ask_where(&self, question: Question) -> Result<Answer, Trouble> {
        self.send(question, 0)
    }

    fn send(&self, question: Question, redirects: u32) -> Result<Answer, Trouble> {
        let whole = origin(&question.target);
        // The token is for the named server, and not for a server that a link points to.
        let is_ours = whole.as_ref().is_none_or(|origin| *origin == self.origin);
        let url = if whole.is_some() { question.target } else { format!("{}{}", self.base, question.target) };
        let mut request = Request::builder().method(question.method).uri(&url);
        if let Some(token) = self.token.as_ref().filter(|_| is_ours) {
            request = request.header(AUTHORIZATION, token);
        }
        if question.body.is_some() {
            request = request.header(CONTENT_TYPE, credlink_core::media_type::JSON_TYPE);
        }
        let request = request.body(question.body).map_err(CallError::from);
        let answer = request.and_then(|request| self.client.follow(request, redirects));
        let answer = answer.map_err(|error| unreachable(&url, &error))?;
        let answer = answer.read(MAX_BODY_BYTES as u64).map_err(|error| cut_off(&url, &error))?;
        Ok(Answer { status: answer.status, headers: answer.headers, body: answer.body })
    }
}

/// Returns the scheme and authority of an HTTP URL, and `None` for anything else.
fn origin(url: &str) -> Option<(Scheme, Authority)> {
    let parts = url.parse::<Uri>().ok()?.into_parts();
    let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS)?;
    Some((scheme, parts.authority?))
}

/// Returns the server of a URL.
fn server(url: &str) -> String {
    origin(url).map_or_else(|| url.to_owned(), |(scheme, host)| format!("{scheme}://{host}"))
}

/// Returns the problem of an answer that began, and did not come to its end.
fn cut_off(url: &str, error: &CallError) -> Trouble {
    match error.kind() {
        CallErrorKind::TooLong(_) => unreachable(url, error),
        _ => Trouble::new(
            TroubleKind::CutOff,
            format!("{} began to answer, but did not finish: {error}", server(url)),
        ),
    }
}

fn unreachable(url: &str, error: &CallError) -> Trouble {
    let server = server(url);
    match error.kind() {
        CallErrorKind::WithoutTls => {
            let plain = server.replacen("https://", "http://", 1);
            let detail = format!("{server} speaks HTTP without TLS: use {plain}");
            Trouble::new(TroubleKind::Unreachable, detail)
        }
        CallErrorKind::Broken(error) => {
            Trouble::new(TroubleKind::Unreachable, format!("the connection to {server} broke: {error}"))
        }
        CallErrorKind::Unanswered => {
            let detail = format!(
                "nothing answers at {server} ({error}). Start a server with `credlink serve`, name another one with \
                 --url, or work on a folder with --data-dir"
            );
            Trouble::new(TroubleKind::Unreachable, detail)
        }
        CallErrorKind::TimedOut(part) => {
            Trouble::new(TroubleKind::Unreachable, format!("{server} does not answer in time ({part})"))
        }
        CallErrorKind::TooLong(limit) => {
            Trouble::new(TroubleKind::NotCredLink, format!("{server} answers with more than {limit} bytes"))
        }
        CallErrorKind::Other => Trouble::new(TroubleKind::Unreachable, format!("{server}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_addresses_are_servers() {
        for bad in
            ["", "localhost:8787", "ftp://a", "/v1", "http://", "file:///x", "http://a?x=1", "http://a/#x"]
        {
            assert!(Http::open(bad, None).is_err(), "{bad}");
        }
        assert_eq!(Http::open("https://a.example/stage/", None).unwrap().base, "https://a.example/stage");
    }

    #[test]
    fn a_link_elsewhere_is_another_origin() {
        let ours = origin("http://127.0.0.1:8787");
        assert_eq!(origin("http://127.0.0.1:8787/v1/proofs/x"), ours);
        for other in ["https://127.0.0.1:8787/", "http://127.0.0.1:8788/", "http://127.0.0.1:8787.a.example/"]
        {
            assert_ne!(origin(other), ours, "{other}");
        }
        assert_eq!(origin("/v1/proofs"), None);
    }
}
