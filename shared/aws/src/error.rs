//! The errors of providers. A folder has them too, where operators work with it as with a bucket.

use std::fmt::Write as _;

use credlink_ports::{Failure, FailureKind};

/// The kinds of error, each of which calls for a different reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The object, the bucket, the table or the queue does not exist.
    #[error("not found")]
    NotFound,
    /// The condition of a conditional request did not hold.
    #[error("precondition failed")]
    PreconditionFailed,
    /// Another request to the same key was under way. A retry gets a decision.
    #[error("conflict")]
    Conflict,
    /// The credential is unknown, expired, or not allowed to do this.
    #[error("access denied")]
    AccessDenied,
    /// A quota is exhausted, and nothing more can be stored.
    #[error("quota exceeded")]
    QuotaExceeded,
    /// There were too many requests at once.
    #[error("throttled")]
    Throttled,
    /// There was no answer in time.
    #[error("timed out")]
    TimedOut,
    /// The service is out of reach, or broken for now.
    #[error("unavailable")]
    Unavailable,
    /// The content that was sent or received does not match its checksum.
    #[error("damaged")]
    Damaged,
    /// The service refuses the request as invalid: a fault of the configuration or of this program.
    #[error("refused")]
    Refused,
}

/// An error of a provider, with the details that an operator needs to look it up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {kind}{}{}: {message}", described("code", code.as_deref()), described("status", *status))]
pub struct Error {
    /// The name by which operators know the provider.
    pub provider: &'static str,
    /// The kind of error.
    pub kind: ErrorKind,
    /// The provider's own code, if it gave one, such as `NoSuchKey`.
    pub code: Option<String>,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// A message for the operator, never for a client.
    pub message: String,
}

fn described(name: &str, value: Option<impl std::fmt::Display>) -> String {
    let mut text = String::new();
    if let Some(value) = value {
        // Writing to a string cannot fail.
        let _ = write!(text, ", {name} {value}");
    }
    text
}

impl Error {
    /// Creates an error that this program detected itself.
    pub fn new(provider: &'static str, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { provider, kind, code: None, status: None, message: message.into() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = match failure.kind {
            FailureKind::Unavailable => ErrorKind::Unavailable,
            FailureKind::TimedOut => ErrorKind::TimedOut,
            FailureKind::Throttled => ErrorKind::Throttled,
            FailureKind::AccessDenied => ErrorKind::AccessDenied,
            FailureKind::OutOfSpace => ErrorKind::QuotaExceeded,
            FailureKind::Damaged => ErrorKind::Damaged,
        };
        Self::new(failure.provider, kind, failure.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::AccessDenied | ErrorKind::Refused => FailureKind::AccessDenied,
            ErrorKind::QuotaExceeded => FailureKind::OutOfSpace,
            ErrorKind::Throttled => FailureKind::Throttled,
            ErrorKind::TimedOut => FailureKind::TimedOut,
            ErrorKind::Damaged => FailureKind::Damaged,
            // A missing bucket is not an absent object. Callers that treat absence as an answer check for that before.
            ErrorKind::NotFound
            | ErrorKind::PreconditionFailed
            | ErrorKind::Conflict
            | ErrorKind::Unavailable => FailureKind::Unavailable,
        };
        let (code, status) = (described("code", error.code.as_deref()), described("status", error.status));
        let message = format!("{}{code}{status}: {}", error.kind, error.message);
        Self { provider: error.provider, kind, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_provider_code_and_status() {
        let error = Error {
            code: Some("AccessDenied".to_owned()),
            status: Some(403),
            ..Error::new("s3", ErrorKind::AccessDenied, "no")
        };
        assert_eq!(error.to_string(), "s3: access denied, code AccessDenied, status 403: no");
        let failure = Failure::from(error);
        assert_eq!(failure.kind, FailureKind::AccessDenied);
        assert_eq!(failure.message, "access denied, code AccessDenied, status 403: no");
    }
}
