//! The API of another CredLink, over HTTP.
//!
//! An answer about the requested object is an [`Answer`]; an answer about the service or the credential is a
//! [`Failure`] ([`Answer::failure`]).
//!
//! A source may belong to another operator, so its redirects are followed under the rules of [`GuardedClient`].

use std::time::Duration;

use bytes::Bytes;
pub(super) use credlink_client::Answer;
use credlink_client::{CallError, GuardedClient, Policy, Timeouts, USER_AGENT, is_this_machine, twice};
use credlink_core::bounds::MAX_BODY_BYTES;
use credlink_core::hash::Digest;
use credlink_core::http::deletion::DELETED;
use credlink_core::media_type::JSON_TYPE;
use credlink_core::time::Timestamp;
use credlink_ports::{Failure, FailureKind};
use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use http::{HeaderValue, Method, Request, StatusCode, Uri};

/// The name that operators know another CredLink by.
pub(super) const NAME: &str = "credlink";

/// Maximum number of pooled connections: more than a job uses at a time.
const CONNECTIONS: usize = 256;
/// Time after which an idle connection is closed: less than the 60 s of most load balancers.
const IDLE: Duration = Duration::from_secs(20);
/// Maximum number of redirects that are followed. A large object is answered with a redirect to its bytes.
const REDIRECTIONS: usize = 3;

/// The reason why an API cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is not a valid header value.
    #[error("the token for {0} has to be visible ASCII")]
    Token(String),
}

/// A client of the API. Clones share their connections.
#[derive(Clone)]
pub(super) struct Api {
    client: GuardedClient,
    pub(super) base: String,
    token: Option<HeaderValue>,
}

/// A request to the API.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) method: Method,
    /// Path and query, beginning with `/v1`.
    pub(super) target: String,
    /// The digest in `If-Match`: the record that the request applies to.
    pub(super) if_match: Option<Digest>,
    /// The instant that a deletion is to record.
    pub(super) deleted: Option<Timestamp>,
    /// The request body.
    pub(super) body: Option<Bytes>,
    /// The content type of the body.
    pub(super) content_type: &'static str,
    /// `true` if redirects are followed, as for an object. Otherwise a redirect is the answer.
    pub(super) follows: bool,
}

impl Question {
    /// Creates a request without a body.
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

    /// Creates a request that reads an object, which may be served from elsewhere.
    pub(super) fn object(target: impl Into<String>) -> Self {
        Self { follows: true, ..Self::new(Method::GET, target) }
    }
}

/// Turns unexpected answers into failures.
pub(super) trait Unexpected {
    /// Returns the failure that an answer to `question` amounts to if the caller has no other use for it.
    fn unexpected(&self, question: &str) -> Failure;
}

impl Unexpected for Answer {
    fn unexpected(&self, question: &str) -> Failure {
        let kind = match self.status {
            StatusCode::FORBIDDEN => FailureKind::AccessDenied,
            _ => FailureKind::Unavailable,
        };
        explained(self, kind, question)
    }
}

/// Builds a failure from the problem document of an answer.
fn explained(answer: &Answer, kind: FailureKind, question: &str) -> Failure {
    let problem = answer.problem();
    let (said, hint) = match problem.slug() {
        "" => ("the answer is not CredLink's; is this its address?", ""),
        _ => (&*problem.detail, hint(answer.status)),
    };
    failure(kind, format!("{question}: it answers {}: {said}{hint}", answer.status))
}

/// Returns a hint about the options for credentials, if the answer is a refusal of the credential.
fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "; the store at credlink:URL is shown --token (CREDLINK_TOKEN), and a source --from-token, or --token where the store \
             needs none"
        }
        _ => "",
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Api {
    /// Creates a client of the API at `url`, which must not end with a slash.
    pub(super) fn new(url: &str, token: Option<&str>) -> Result<Self, TokenError> {
        let header = |token: &str| HeaderValue::from_str(&format!("Bearer {token}"));
        let token = token.map(header).transpose().map_err(|_| TokenError::Token(url.to_owned()))?;
        let policy = Policy {
            user_agent: Some(USER_AGENT),
            // For a proxy, `localhost` is another machine.
            uses_proxy: !leads_to_this_machine(url),
            timeouts: Timeouts::CREDLINK,
            connections: Some(CONNECTIONS),
            idle: Some(IDLE),
        };
        Ok(Self { client: GuardedClient::new(&policy), base: url.to_owned(), token })
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn ask(&self, question: Question) -> Result<Answer, Failure> {
        let target = format!("{}{}", self.base, question.target);
        let answer = self.call(question).await?;
        match answer.failure() {
            None => Ok(answer),
            Some(kind) => Err(explained(&answer, kind, &target)),
        }
    }

    /// Sends a `HEAD` request. If the answer is not 200, repeats it as a `GET`, because a `HEAD` has no problem
    /// document.
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
        let answer = tokio::task::spawn_blocking(move || match question.method {
            // Not retried: a replacement must not be made twice.
            Method::PUT => api.send(&question),
            _ => twice(|| api.send(&question)),
        });
        match answer.await {
            Ok(answer) => answer.map_err(|error| failure(kind(&error), format!("{target}: {error}"))),
            Err(error) => Err(failure(FailureKind::Unavailable, error.to_string())),
        }
    }

    fn send(&self, question: &Question) -> Result<Answer, CallError> {
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
        if question.body.is_some() {
            request = request.header(CONTENT_TYPE, question.content_type);
        }
        let request = request.body(question.body.clone())?;
        let answer = if question.follows && question.body.is_none() {
            self.client.follow(request, REDIRECTIONS)
        } else {
            self.client.send(request)
        };
        answer?.read(MAX_BODY_BYTES as u64)
    }
}

pub(super) fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { provider: NAME, kind, message: message.into() }
}

/// Returns the kind of failure that a request without an answer is.
const fn kind(error: &CallError) -> FailureKind {
    if error.is_timeout() { FailureKind::TimedOut } else { FailureKind::Unavailable }
}

fn leads_to_this_machine(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|url| url.host().is_some_and(is_this_machine))
}

#[cfg(test)]
mod tests;
