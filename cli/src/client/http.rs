//! The API over HTTP.

use credlink_client::{
    CallError, CallErrorKind, Client, Policy, Timeouts, USER_AGENT, Unread, is_this_machine,
};
use credlink_core::bounds::MAX_BODY_BYTES;
use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Uri};

use super::failed::Failed;
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
    /// `true` if the command could work on a folder instead.
    may_be_a_folder: bool,
}

impl Http {
    /// Opens the server at `url`, for a command that could work on a folder instead if `may_be_a_folder`.
    pub fn open(url: &str, token: Option<&str>, may_be_a_folder: bool) -> Result<Self, Trouble> {
        let address = Some(url).filter(|url| !url.contains(['?', '#']));
        let origin = address.and_then(origin).ok_or_else(|| no_address(url))?;
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
        Ok(Self { client, base: url.trim_end_matches('/').to_owned(), origin, token, may_be_a_folder })
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

    /// Sends a request without following redirects, and judges the answer: whatever is not a success has failed, and so
    /// has a success that is not CredLink's. `if_match` is the `If-Match` of a conditional change.
    pub fn attempt(&self, question: Question, if_match: Option<&str>) -> Result<Answer, Failed> {
        let (url, sent) = self.call(question, if_match, 0);
        let answer = sent.map_err(|error| Failed::unanswered(self.unreachable(&url, &error), &error))?;
        let answer = answer.read(MAX_BODY_BYTES as u64);
        let answer = answer.map_err(|error| Failed::unanswered(self.cut_off(&url, &error), &error))?;
        Failed::check(Answer { status: answer.status, headers: answer.headers, body: answer.body })
    }

    /// Sends a request, follows redirects, and returns the answer before its body is read.
    pub fn open_body(&self, question: Question) -> Result<Unread, Trouble> {
        let (url, sent) = self.call(question, None, MAX_REDIRECTS);
        sent.map_err(|error| self.unreachable(&url, &error))
    }

    fn send(&self, question: Question, redirects: u32) -> Result<Answer, Trouble> {
        let (url, sent) = self.call(question, None, redirects);
        let answer = sent.map_err(|error| self.unreachable(&url, &error))?;
        let answer = answer.read(MAX_BODY_BYTES as u64).map_err(|error| self.cut_off(&url, &error))?;
        Ok(Answer { status: answer.status, headers: answer.headers, body: answer.body })
    }

    /// Sends a request. Returns its URL, and the answer before its body is read.
    fn call(
        &self,
        question: Question,
        if_match: Option<&str>,
        redirects: u32,
    ) -> (String, Result<Unread, CallError>) {
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
        if let Some(tag) = if_match {
            request = request.header(IF_MATCH, tag);
        }
        let request = request.body(question.body).map_err(CallError::from);
        let sent = request.and_then(|request| self.client.follow(request, redirects));
        (url, sent)
    }

    /// Returns the problem of an answer that began, and did not come to its end.
    fn cut_off(&self, url: &str, error: &CallError) -> Trouble {
        match error.kind() {
            CallErrorKind::TooLong(_) => self.unreachable(url, error),
            _ => Trouble::new(
                TroubleKind::CutOff,
                format!("{} began to answer, but did not finish: {error}", server(url)),
            ),
        }
    }

    fn unreachable(&self, url: &str, error: &CallError) -> Trouble {
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
                let ways = if self.may_be_a_folder {
                    "name another one with --url, or work on a folder with --data-dir"
                } else {
                    "or name another one with --url"
                };
                let detail = format!(
                    "nothing answers at {server} ({error}). Start a server with `credlink serve`, {ways}"
                );
                Trouble::new(TroubleKind::Unreachable, detail)
            }
            CallErrorKind::TimedOut(part) => {
                Trouble::new(TroubleKind::Unreachable, format!("{server} does not answer in time ({part})"))
            }
            CallErrorKind::TooLong(limit) => Trouble::new(
                TroubleKind::NotCredLink,
                format!("{server} answers with more than {limit} bytes"),
            ),
            CallErrorKind::Other => Trouble::new(TroubleKind::Unreachable, format!("{server}: {error}")),
        }
    }

    /// Returns the URL of the server, without a `/` at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns `true` if the server is reached over TLS.
    pub fn is_encrypted(&self) -> bool {
        self.origin.0 == Scheme::HTTPS
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

/// Returns the problem of text that is not the address of a server, with the address that is most likely meant.
fn no_address(url: &str) -> Trouble {
    // Whoever typed nothing does not know of the option.
    let is_of_the_environment = std::env::var("CREDLINK_URL").is_ok_and(|said| said == url);
    let name = if is_of_the_environment { "CREDLINK_URL" } else { "--url" };
    let detail =
        format!("{name} is an address such as http://127.0.0.1:8787, without a query, and not `{url}`");
    let meant = with_a_scheme(url).map(|meant| format!("; is {meant} meant?"));
    Trouble::new(TroubleKind::Usage, detail + &meant.unwrap_or_default())
}

/// Returns an address that lacks only its scheme together with it.
fn with_a_scheme(url: &str) -> Option<String> {
    let is_bare = !url.contains("://") && !url.contains(['?', '#', '@']);
    let (_, server) = origin(&format!("http://{url}")).filter(|_| is_bare)?;
    let scheme = if is_this_machine(server.host()) { Scheme::HTTP } else { Scheme::HTTPS };
    Some(format!("{scheme}://{url}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_addresses_are_servers() {
        for bad in
            ["", "localhost:8787", "ftp://a", "/v1", "http://", "file:///x", "http://a?x=1", "http://a/#x"]
        {
            assert!(Http::open(bad, None, true).is_err(), "{bad}");
        }
        assert_eq!(
            Http::open("https://a.example/stage/", None, true).unwrap().base,
            "https://a.example/stage"
        );
    }

    #[test]
    fn an_address_without_its_scheme_is_completed() {
        for (typed, meant) in [
            ("localhost:8787", Some("http://localhost:8787")),
            ("127.0.0.1:8787/", Some("http://127.0.0.1:8787/")),
            ("media.example.com", Some("https://media.example.com")),
            ("ftp://a", None),
            ("a?x=1", None),
            ("/v1", None),
            ("", None),
        ] {
            assert_eq!(with_a_scheme(typed).as_deref(), meant, "{typed}");
            let said = Http::open(typed, None, true).err().unwrap().to_string();
            assert_eq!(said.contains("meant?"), meant.is_some(), "{said}");
        }
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
