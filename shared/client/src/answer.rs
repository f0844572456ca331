//! Whole answers of CredLink's API, and their meaning.
//!
//! An answer is about the requested object, or about the service or the credential ([`Answer::failure`]). 429, and 503
//! with `Retry-After`, ask to slow down ([`FailureKind::Throttled`]).
//!
//! Only a problem document of CredLink's own can say that an object is absent, gone, in conflict or changed: a gateway,
//! a proxy or a wrong address has statuses of its own, and its 404 does not mean absence (guarantee 7).

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::http::mark::MARK;
use credlink_core::http::problem::{ProblemKind, Received};
use credlink_ports::FailureKind;
use http::header::{CACHE_CONTROL, ETAG, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

/// An answer with its whole body.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, without a content coding.
    pub body: Bytes,
}

/// Returns the readers of a content, by the `Cache-Control` of its answer: `private` or `public` (RFC 9111, sections
/// 5.2.2.7 and 5.2.2.9). The object store behind a redirection sets it as the service does. Returns `None` if the
/// answer does not say.
#[must_use]
pub fn readers(headers: &HeaderMap) -> Option<Visibility> {
    let said = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
    let is_said = |name| directives.iter().any(|directive| directive.eq_ignore_ascii_case(name));
    match (is_said("private"), is_said("public")) {
        (true, _) => Some(Visibility::Private),
        (false, true) => Some(Visibility::Public),
        (false, false) => None,
    }
}

impl Answer {
    /// Returns the problem that the answer describes, or an empty one if it describes none.
    #[must_use]
    pub fn problem(&self) -> Received {
        Received::read(&self.body).unwrap_or_default()
    }

    /// Returns `true` if CredLink says that the object does not exist, and is not known to have existed.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.problem().is(ProblemKind::NotFound)
    }

    /// Returns `true` if CredLink says that the object was deleted or has expired.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let problem = self.problem();
        self.status == StatusCode::GONE
            && [ProblemKind::Deleted, ProblemKind::Expired].iter().any(|kind| problem.is(*kind))
    }

    /// Returns the digest in the `ETag`.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.headers.get(ETAG)?.to_str().ok()?.trim_matches('"').parse().ok()
    }

    /// Returns the readers of the requested object, if the answer says so.
    #[must_use]
    pub fn visibility(&self) -> Option<Visibility> {
        readers(&self.headers)
    }

    /// Returns the failure of the service or of the credential, or `None` if the answer is about the requested object.
    #[must_use]
    pub fn failure(&self) -> Option<FailureKind> {
        match self.status {
            StatusCode::UNAUTHORIZED => Some(FailureKind::AccessDenied),
            // A server that answers 204 to everything has done nothing.
            StatusCode::NO_CONTENT if !self.headers.contains_key(MARK) => Some(FailureKind::AccessDenied),
            // A proxy in front of the service refuses without a problem document.
            StatusCode::FORBIDDEN => matches!(self.problem().slug(), "" | "insufficient-scope")
                .then_some(FailureKind::AccessDenied),
            StatusCode::TOO_MANY_REQUESTS => Some(FailureKind::Throttled),
            StatusCode::SERVICE_UNAVAILABLE if self.headers.contains_key(RETRY_AFTER) => {
                Some(FailureKind::Throttled)
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => Some(FailureKind::TimedOut),
            StatusCode::INSUFFICIENT_STORAGE => Some(FailureKind::OutOfSpace),
            StatusCode::BAD_GATEWAY if self.problem().is(ProblemKind::Damaged) => Some(FailureKind::Damaged),
            status if status.is_server_error() => Some(FailureKind::Unavailable),
            StatusCode::CONFLICT if self.problem().is(ProblemKind::Contended) => {
                Some(FailureKind::Unavailable)
            }
            StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::CONFLICT
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::METHOD_NOT_ALLOWED => {
                let problem = self.problem();
                let is_about_the_path = [ProblemKind::NoSuchRoute, ProblemKind::MethodNotAllowed]
                    .iter()
                    .any(|kind| problem.is(*kind));
                // A wrong address is not temporary: an operator must act.
                (problem.slug().is_empty() || is_about_the_path).then_some(FailureKind::AccessDenied)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
