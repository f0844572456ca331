//! The API of another CredLink, over HTTP.
//!
//! What an answer says about the thing that was asked for is an [`Answer`]; what it says about the service or the credential
//! is a [`Failure`] ([`Answer::failure`]).
//!
//! A source is another operator's: where it redirects to is read as [`GuardedClient`] does.

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
    client: GuardedClient,
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

/// The failures that answers are which nobody expected.
pub(super) trait Unexpected {
    /// The failure that it is, as there is no other reading of it.
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

/// A failure in the words of the answer that tells of it.
fn explained(answer: &Answer, kind: FailureKind, question: &str) -> Failure {
    let problem = answer.problem();
    let (said, hint) = match problem.slug() {
        "" => ("the answer is not CredLink's; is this its address?", ""),
        _ => (&*problem.detail, hint(answer.status)),
    };
    failure(kind, format!("{question}: it answers {}: {said}{hint}", answer.status))
}

/// The options by which a CredLink knows who asks, where it has refused that.
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
    /// The API at `url`, which has no slash at its end.
    pub(super) fn new(url: &str, token: Option<&str>) -> Result<Self, TokenError> {
        let header = |token: &str| HeaderValue::from_str(&format!("Bearer {token}"));
        let token = token.map(header).transpose().map_err(|_| TokenError::Token(url.to_owned()))?;
        let policy = Policy {
            user_agent: Some(USER_AGENT),
            // A proxy has another idea of what this machine is.
            uses_proxy: !leads_to_this_machine(url),
            timeouts: Timeouts::CREDLINK,
            connections: Some(CONNECTIONS),
            idle: Some(IDLE),
        };
        Ok(Self { client: GuardedClient::new(&policy), base: url.to_owned(), token })
    }

    /// Asks, and waits for the whole answer.
    pub(super) async fn ask(&self, question: Question) -> Result<Answer, Failure> {
        let target = format!("{}{}", self.base, question.target);
        let answer = self.call(question).await?;
        match answer.failure() {
            None => Ok(answer),
            Some(kind) => Err(explained(&answer, kind, &target)),
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
        let answer = tokio::task::spawn_blocking(move || match question.method {
            // A replacement that was done is not done again.
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

/// What it means that there is no answer.
const fn kind(error: &CallError) -> FailureKind {
    if error.is_timeout() { FailureKind::TimedOut } else { FailureKind::Unavailable }
}

fn leads_to_this_machine(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|url| url.host().is_some_and(is_this_machine))
}

#[cfg(test)]
mod tests;
