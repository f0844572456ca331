//! The meaning of SDK errors in terms of the ports. No SDK error leaves the adapters except through this module.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::{Error, ErrorKind};

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
}
