//! The API over HTTP.

use std::time::Duration;

use bytes::Bytes;
use credlink_core::bounds::MAX_BODY_BYTES;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use ureq::{Agent, AsSendBody, Body, Proxy};

use super::{Answer, Question};
use crate::error::{Kind, Trouble};
use crate::serve::is_this_machine;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may think about a request: a batch at a provider that is slow.
const THINK: Duration = Duration::from_secs(60);
/// How long a body may take: 13 MB over a line of 0.5 Mbit/s.
const TRANSFER: Duration = Duration::from_secs(300);

/// Most redirects that are followed: a legacy id leads to its proof, and a proof too large for a function to a bucket.
const MAX_REDIRECTS: u32 = 5;

/// A server.
pub struct Http {
    agent: Agent,
    base: String,
    origin: (Scheme, Authority),
    token: Option<HeaderValue>,
}

impl Http {
    /// The server at `url`.
    pub fn open(url: &str, token: Option<&str>) -> Result<Self, Trouble> {
        let address = Some(url).filter(|url| !url.contains(['?', '#']));
        let origin = address.and_then(origin).ok_or_else(|| {
            let detail = format!(
                "--url is an address such as http://127.0.0.1:8787, without a query, and not `{url}`"
            );
            Trouble::new(Kind::Usage, detail)
        })?;
        let token = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))).transpose();
        let token = token.map_err(|_| Trouble::new(Kind::Usage, "--token is visible ASCII"))?;
        // A proxy has another idea of what this machine is.
        let proxy = if is_this_machine(origin.1.host()) { None } else { Proxy::try_from_env() };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("credlink/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy)
            .timeout_connect(Some(CONNECT))
            .timeout_send_body(Some(TRANSFER))
            .timeout_recv_response(Some(THINK))
            .timeout_recv_body(Some(TRANSFER))
            .build()
            .into();
        Ok(Self { agent, base: url.trim_end_matches('/').to_owned(), origin, token })
    }

    /// Asks, and waits for the whole answer. What only reads is asked for where it leads to, and the token is not shown there. A
    /// change is not made anywhere else: on its way it would become a GET.
    pub fn ask(&self, question: Question) -> Result<Answer, Trouble> {
        let redirects = if question.method.is_safe() { MAX_REDIRECTS } else { 0 };
        self.send(question, redirects)
    }

    /// The same, and a redirect is the answer.
    pub fn ask_where(&self, question: Question) -> Result<Answer, Trouble> {
        self.send(question, 0)
    }

    fn send(&self, question: Question, redirects: u32) -> Result<Answer, Trouble> {
        let whole = origin(&question.target);
        // The token is for the server that was named, and not for where a link points to.
        let is_ours = whole.as_ref().is_none_or(|origin| *origin == self.origin);
        let url = if whole.is_some() { question.target } else { format!("{}{}", self.base, question.target) };
        let mut request = Request::builder().method(question.method).uri(&url);
        if let Some(token) = self.token.as_ref().filter(|_| is_ours) {
            request = request.header(AUTHORIZATION, token);
        }
        let answer = match question.body {
            None => {
                request.body(()).map_err(ureq::Error::from).and_then(|request| self.run(request, redirects))
            }
            Some(body) => request
                .header(CONTENT_TYPE, credlink_core::media_type::JSON_TYPE)
                .body(&*body)
                .map_err(ureq::Error::from)
                .and_then(|request| self.run(request, redirects)),
        };
        let (parts, body) = answer.map_err(|error| unreachable(&url, &error))?.into_parts();
        let body = body.into_with_config().limit(MAX_BODY_BYTES as u64).read_to_vec();
        let body = body.map_err(|error| cut_off(&url, &error))?;
        Ok(Answer { status: parts.status, headers: parts.headers, body: Bytes::from(body) })
    }

    fn run<B: AsSendBody>(&self, request: Request<B>, redirects: u32) -> Result<Response<Body>, ureq::Error> {
        let request = self.agent.configure_request(request);
        let limited = request.max_redirects(redirects).max_redirects_will_error(redirects > 0);
        self.agent.run(limited.build())
    }
}

/// Scheme and authority of an HTTP URL; `None` of anything else.
fn origin(url: &str) -> Option<(Scheme, Authority)> {
    let parts = url.parse::<Uri>().ok()?.into_parts();
    let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS)?;
    Some((scheme, parts.authority?))
}

/// The server that a URL is about.
fn server(url: &str) -> String {
    origin(url).map_or_else(|| url.to_owned(), |(scheme, host)| format!("{scheme}://{host}"))
}

/// The trouble with an answer that has begun, and does not come to its end.
fn cut_off(url: &str, error: &ureq::Error) -> Trouble {
    match error {
        ureq::Error::BodyExceedsLimit(_) => unreachable(url, error),
        error => Trouble::new(
            Kind::CutOff,
            format!("{} has begun to answer, and did not end: {error}", server(url)),
        ),
    }
}

fn unreachable(url: &str, error: &ureq::Error) -> Trouble {
    let server = server(url);
    let refused = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
    // What TLS makes of an answer that is none of its own.
    if error.to_string().contains("InvalidContentType") {
        let plain = server.replacen("https://", "http://", 1);
        let detail = format!("{server} speaks HTTP without TLS: name it as {plain}");
        return Trouble::new(Kind::Unreachable, detail);
    }
    match error {
        ureq::Error::Io(error) if !refused(error) => {
            Trouble::new(Kind::Unreachable, format!("the connection to {server} broke: {error}"))
        }
        ureq::Error::Io(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
            let detail = format!(
                "nothing answers at {server} ({error}). Start a server with `credlink serve`, name another one with \
                 --url, or work on a folder with --data-dir"
            );
            Trouble::new(Kind::Unreachable, detail)
        }
        ureq::Error::Timeout(what) => {
            Trouble::new(Kind::Unreachable, format!("{server} does not answer in time ({what})"))
        }
        ureq::Error::BodyExceedsLimit(limit) => {
            Trouble::new(Kind::NotCredLink, format!("{server} answers with more than {limit} bytes"))
        }
        other => Trouble::new(Kind::Unreachable, format!("{server}: {other}")),
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
