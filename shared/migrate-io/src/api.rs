//! The API of another CredLink, over HTTP.
//!
//! What an answer says about the thing that was asked for is an [`Answer`]; what it says about the service or the credential
//! is a [`Failure`]. 429, and 503 with `Retry-After`, ask to slow down ([`FailureKind::Throttled`]).
//!
//! That something is not there, is gone, stands in conflict or has changed, only a problem document of CredLink's own says: a
//! gateway, a proxy or a wrong address has statuses of its own, and its 404 is no absence (guarantee 7).

mod redirection;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::bounds::MAX_BODY_BYTES;
use credlink_core::hash::Digest;
use credlink_core::http::deletion::DELETED;
use credlink_core::http::problem::{Kind, TYPE_PREFIX};
use credlink_core::media_type::JSON_TYPE;
use credlink_core::time::Timestamp;
use credlink_ports::{Failure, FailureKind};
use credlink_service::router::MARK;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use serde::Deserialize;
use ureq::{Agent, Proxy};

use redirection::{next, public_agent, watching_agent};

/// The name that operators know another CredLink by.
pub(super) const NAME: &str = "credlink";

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may think about a request.
const THINK: Duration = Duration::from_secs(60);
/// How long a body may take: 13 MB over a line of 0.5 Mbit/s.
const TRANSFER: Duration = Duration::from_secs(300);
/// Connections that are kept: more than a job has under way.
const CONNECTIONS: usize = 256;
/// How long a connection is kept that nobody uses: less than the 60 s of most load balancers.
const IDLE: Duration = Duration::from_secs(20);
/// Large objects are answered with a redirection to where they are read from.
const REDIRECTIONS: usize = 3;

/// Why an API cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token does not fit into a header.
    #[error("the token for {0} has to be visible ASCII")]
    Token(String),
}

/// An API. Clones share their connections.
#[derive(Clone)]
pub(super) struct Api {
    agent: Agent,
    /// For what a server on a private network redirects to.
    within: Agent,
    /// For what a server on the internet redirects to; `None` where a proxy decides what can be reached.
    elsewhere: Option<Agent>,
    /// `true` once the server was found at a public address.
    is_public: Arc<AtomicBool>,
    pub(super) base: String,
    token: Option<HeaderValue>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) method: Method,
    /// Path and query, from `/v1`.
    pub(super) target: String,
    /// `If-Match`: the record that the question is about.
    pub(super) if_match: Option<Digest>,
    /// The instant that a deletion shall have.
    pub(super) deleted: Option<Timestamp>,
    /// What is sent.
    pub(super) body: Option<Bytes>,
    /// Its type.
    pub(super) content_type: &'static str,
    /// `true` if a redirection is followed, as that of an object may be; otherwise it is an answer.
    pub(super) follows: bool,
}

impl Question {
    /// A question without a body.
    pub(super) fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            if_match: None,
            deleted: None,
            body: None,
            content_type: JSON_TYPE,
            follows: false,
        }
    }

    /// A read of an object, which may be elsewhere.
    pub(super) fn object(target: impl Into<String>) -> Self {
        Self { follows: true, ..Self::new(Method::GET, target) }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The members of a problem document that matter here (RFC 9457, section 3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Problem {
    #[serde(default, rename = "type")]
    kind: String,
    /// What is wrong, in words.
    #[serde(default)]
    pub(super) detail: String,
}

impl Problem {
    /// The end of its type; empty where it is none of CredLink's.
    pub(super) fn slug(&self) -> &str {
        self.kind.strip_prefix(TYPE_PREFIX).unwrap_or_default()
    }

    /// When what was asked for was deleted, where this says so: its detail ends with the instant.
    pub(super) fn deleted(&self) -> Option<Timestamp> {
        let instant = self.detail.rsplit(' ').next()?.parse().ok()?;
        (self.slug() == Kind::Deleted.slug()).then_some(instant)
    }
}

impl Answer {
    /// The problem that it describes.
    pub(super) fn problem(&self) -> Problem {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Returns `true` if CredLink says that nothing is there, and that nothing is known to have been.
    pub(super) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.problem().slug() == Kind::NotFound.slug()
    }

    /// Returns `true` if CredLink says that what was there was deleted or has expired.
    pub(super) fn is_gone(&self) -> bool {
        let problem = self.problem();
        let kinds = [Kind::Deleted, Kind::Expired];
        self.status == StatusCode::GONE && kinds.iter().any(|kind| kind.slug() == problem.slug())
    }

    /// The digest in its `ETag`.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.headers.get(ETAG)?.to_str().ok()?.trim_matches('"').parse().ok()
    }

    /// The readers of what was asked for, by its `Cache-Control`: `private` or `public` (RFC 9111, sections 5.2.2.7 and 5.2.2.9).
    /// The object store behind a redirection says it as the service does. `None`: the answer does not tell.
    pub(super) fn visibility(&self) -> Option<Visibility> {
        let said = self.headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        let directives: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
        let is_said = |name| directives.iter().any(|directive| directive.eq_ignore_ascii_case(name));
        match (is_said("private"), is_said("public")) {
            (true, _) => Some(Visibility::Private),
            (false, true) => Some(Visibility::Public),
            (false, false) => None,
        }
    }

    /// What it means that there is no other reading of it.
    pub(super) fn unexpected(&self, question: &str) -> Failure {
        let kind = match self.status {
            StatusCode::FORBIDDEN => FailureKind::AccessDenied,
            _ => FailureKind::Unavailable,
        };
        self.failure(kind, question)
    }

    /// The options by which a CredLink knows who asks, where it has refused that.
    fn hint(&self) -> &'static str {
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "; the store at credlink:URL is shown --token (CREDLINK_TOKEN), and a source --from-token, or --token where the store \
                 needs none"
            }
            _ => "",
        }
    }

    fn failure(&self, kind: FailureKind, question: &str) -> Failure {
        let problem = self.problem();
        let said = match problem.slug() {
            "" => "the answer is not CredLink's; is this its address?",
            _ => &problem.detail,
        };
        let hint = if problem.slug().is_empty() { "" } else { self.hint() };
        failure(kind, format!("{question}: it answers {}: {said}{hint}", self.status))
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Api {
    /// The API at `url`, which has no slash at its end.
    pub(super) fn new(url: &str, token: Option<&str>) -> Result<Self, TokenError> {
        let header = |token: &str| HeaderValue::from_str(&format!("Bearer {token}"));
        let token = token.map(header).transpose().map_err(|_| TokenError::Token(url.to_owned()))?;
        // A proxy has another idea of what this machine is.
        let proxy = if is_this_machine(url) { None } else { Proxy::try_from_env() };
        let has_proxy = proxy.is_some();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("credlink/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy)
            .max_idle_connections(CONNECTIONS)
            .max_idle_connections_per_host(CONNECTIONS)
            .max_idle_age(IDLE)
            .timeout_connect(Some(CONNECT))
            .timeout_send_body(Some(TRANSFER))
            .timeout_recv_response(Some(THINK))
            .timeout_recv_body(Some(TRANSFER))
            .max_redirects(0)
            .build();
        let elsewhere = (!has_proxy).then(|| public_agent(config.clone()));
        let is_public = Arc::new(AtomicBool::new(false));
        let within = config.clone().new_agent();
        let agent = if has_proxy { within.clone() } else { watching_agent(config, &is_public) };
        Ok(Self { agent, within, elsewhere, is_public, base: url.to_owned(), token })
    }

    /// Asks, and waits for the whole answer.
    pub(super) async fn ask(&self, question: Question) -> Result<Answer, Failure> {
        let target = format!("{}{}", self.base, question.target);
        let answer = self.call(question).await?;
        match failing(&answer) {
            None => Ok(answer),
            Some(kind) => Err(answer.failure(kind, &target)),
        }
    }

    /// Asks what stands there with a `HEAD`; where the answer needs words, which a `HEAD` has not, with a `GET`.
    pub(super) async fn look(&self, target: &str) -> Result<Answer, Failure> {
        let answer = self.call(Question::new(Method::HEAD, target)).await?;
        match answer.status {
            StatusCode::OK => Ok(answer),
            _ => self.ask(Question::object(target)).await,
        }
    }

    async fn call(&self, question: Question) -> Result<Answer, Failure> {
        let api = self.clone();
        let target = format!("{}{}", self.base, question.target);
        let answer = tokio::task::spawn_blocking(move || {
            api.send(&question).or_else(|error| match error {
                // A connection that was kept may have ended without a word. A replacement that was done is not done again.
                ureq::Error::Io(_) if question.method != Method::PUT => api.send(&question),
                other => Err(other),
            })
        });
        match answer.await {
            Ok(answer) => answer.map_err(|error| failure(kind(&error), format!("{target}: {error}"))),
            Err(error) => Err(failure(FailureKind::Unavailable, error.to_string())),
        }
    }

    fn send(&self, question: &Question) -> Result<Answer, ureq::Error> {
        let mut request =
            Request::builder().method(&question.method).uri(format!("{}{}", self.base, question.target));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(digest) = &question.if_match {
            request = request.header(IF_MATCH, format!("\"{digest}\""));
        }
        if let Some(at) = question.deleted {
            request = request.header(DELETED, at.to_string());
        }
        let response = match &question.body {
            None if question.follows => self.follow(request.body(())?)?,
            None => self.agent.run(request.body(())?)?,
            Some(body) => {
                self.agent.run(request.header(CONTENT_TYPE, question.content_type).body(&**body)?)?
            }
        };
        let (parts, body) = response.into_parts();
        let body = body.into_with_config().limit(MAX_BODY_BYTES as u64).read_to_vec()?;
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.into() })
    }
}

impl Api {
    /// Reads an object where the answers lead to, without the credential from the first one on.
    fn follow(&self, request: Request<()>) -> Result<Response<ureq::Body>, ureq::Error> {
        let mut from = request.uri().clone();
        let mut response = self.agent.run(request)?;
        for _ in 0..REDIRECTIONS {
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let next = location.filter(|_| response.status().is_redirection()).and_then(|to| next(&from, to));
            let Some(to) = next else { break };
            let agent = match &self.elsewhere {
                Some(public) if self.is_public.load(Ordering::Relaxed) => public,
                _ => &self.within,
            };
            response = agent.run(Request::get(&to).body(())?)?;
            from = to;
        }
        Ok(response)
    }
}

pub(super) fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { provider: NAME, kind, message: message.into() }
}

/// What it means that there is no answer.
fn kind(error: &ureq::Error) -> FailureKind {
    match error {
        ureq::Error::Timeout(_) => FailureKind::TimedOut,
        _ => FailureKind::Unavailable,
    }
}

/// The failure that an answer is, if it is none about what was asked for.
fn failing(answer: &Answer) -> Option<FailureKind> {
    let slug = || answer.problem().slug().to_owned();
    match answer.status {
        StatusCode::UNAUTHORIZED => Some(FailureKind::AccessDenied),
        // What answers 204 to everything has done nothing.
        StatusCode::NO_CONTENT if !answer.headers.contains_key(MARK) => Some(FailureKind::AccessDenied),
        // What stands before a service refuses without a problem document.
        StatusCode::FORBIDDEN => {
            matches!(slug().as_str(), "" | "insufficient-scope").then_some(FailureKind::AccessDenied)
        }
        StatusCode::TOO_MANY_REQUESTS => Some(FailureKind::Throttled),
        StatusCode::SERVICE_UNAVAILABLE if answer.headers.contains_key(RETRY_AFTER) => {
            Some(FailureKind::Throttled)
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => Some(FailureKind::TimedOut),
        StatusCode::INSUFFICIENT_STORAGE => Some(FailureKind::OutOfSpace),
        StatusCode::BAD_GATEWAY if slug() == Kind::Damaged.slug() => Some(FailureKind::Damaged),
        status if status.is_server_error() => Some(FailureKind::Unavailable),
        StatusCode::CONFLICT if slug() == Kind::Contended.slug() => Some(FailureKind::Unavailable),
        StatusCode::NOT_FOUND
        | StatusCode::GONE
        | StatusCode::CONFLICT
        | StatusCode::PRECONDITION_FAILED
        | StatusCode::METHOD_NOT_ALLOWED => {
            let slug = slug();
            let is_about_the_path =
                [Kind::NoSuchRoute, Kind::MethodNotAllowed].iter().any(|kind| kind.slug() == slug);
            // A wrong address does not pass by itself: an operator has to act.
            (slug.is_empty() || is_about_the_path).then_some(FailureKind::AccessDenied)
        }
        _ => None,
    }
}

fn is_this_machine(url: &str) -> bool {
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests;
