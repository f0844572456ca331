//! The meaning of SDK errors in terms of the ports. No SDK error leaves the adapters except through this module.

use std::fmt::Write as _;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
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
    /// Classifies an `error` of `provider`.
    pub fn classify<E>(provider: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(str::to_owned);
        let message = match error {
            SdkError::ServiceError(service) => {
                let said = service.err().message().map(str::to_owned);
                said.unwrap_or_else(|| DisplayErrorContext(error).to_string())
            }
            _ => chain(error),
        };
        let kind = match error {
            SdkError::TimeoutError(_) => ErrorKind::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => ErrorKind::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_user() => ErrorKind::AccessDenied,
            // If no credentials are found, the call fails before anything is sent.
            SdkError::DispatchFailure(_) if message.contains("credential") => ErrorKind::AccessDenied,
            SdkError::ConstructionFailure(_) => ErrorKind::Refused,
            SdkError::ResponseError(_) if message.contains("checksum") => ErrorKind::Damaged,
            _ => kind_of(code.as_deref().unwrap_or_default(), status),
        };
        Self { provider, kind, code, status, message }
    }

    /// Creates an error that this program detected itself.
    pub fn new(provider: &'static str, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { provider, kind, code: None, status: None, message: message.into() }
    }
}

/// Formats an error and its causes in one line, because the SDK's own text names only the outermost.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

/// Returns the kind, by the provider's code if that says more than the status.
fn kind_of(code: &str, status: Option<u16>) -> ErrorKind {
    match code {
        "NoSuchKey"
        | "NoSuchBucket"
        | "NoSuchUpload"
        | "NotFound"
        | "ResourceNotFoundException"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue" => ErrorKind::NotFound,
        "PreconditionFailed" | "ConditionalCheckFailedException" => ErrorKind::PreconditionFailed,
        "ConditionalRequestConflict"
        | "OperationAborted"
        | "TransactionConflictException"
        | "TransactionInProgressException" => ErrorKind::Conflict,
        "AccessDenied"
        | "AccessDeniedException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "AuthorizationHeaderMalformed"
        | "Unauthorized"
        | "RequestTimeTooSkewed" => ErrorKind::AccessDenied,
        "QuotaExceeded"
        | "ServiceQuotaExceededException"
        | "ItemCollectionSizeLimitExceededException"
        | "InsufficientStorage" => ErrorKind::QuotaExceeded,
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequests"
        | "TooManyRequestsException"
        | "RequestThrottledException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "LimitExceededException"
        | "OverLimit" => ErrorKind::Throttled,
        "RequestTimeout" | "RequestTimeoutException" => ErrorKind::TimedOut,
        "BadDigest" | "XAmzContentSHA256Mismatch" | "InvalidDigest" => ErrorKind::Damaged,
        _ => match status {
            Some(404 | 410) => ErrorKind::NotFound,
            Some(412) => ErrorKind::PreconditionFailed,
            Some(409) => ErrorKind::Conflict,
            Some(401 | 403) => ErrorKind::AccessDenied,
            Some(429) => ErrorKind::Throttled,
            Some(408) => ErrorKind::TimedOut,
            Some(507) => ErrorKind::QuotaExceeded,
            Some(400..=499) => ErrorKind::Refused,
            _ => ErrorKind::Unavailable,
        },
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
    fn codes_say_more_than_statuses() {
        for (code, status, kind) in [
            ("", Some(404), ErrorKind::NotFound),
            ("NoSuchBucket", Some(404), ErrorKind::NotFound),
            ("", Some(412), ErrorKind::PreconditionFailed),
            ("ConditionalRequestConflict", Some(409), ErrorKind::Conflict),
            ("SlowDown", Some(503), ErrorKind::Throttled),
            ("TooManyRequests", Some(429), ErrorKind::Throttled),
            ("", Some(429), ErrorKind::Throttled),
            ("", Some(503), ErrorKind::Unavailable),
            ("RequestTimeout", Some(400), ErrorKind::TimedOut),
            ("ThrottlingException", Some(400), ErrorKind::Throttled),
            ("ValidationException", Some(400), ErrorKind::Refused),
            ("", None, ErrorKind::Unavailable),
        ] {
            assert_eq!(kind_of(code, status), kind, "{code} {status:?}");
        }
    }

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
