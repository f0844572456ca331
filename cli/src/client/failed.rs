//! A request that failed, and whether it may succeed later.

use std::time::{Duration, SystemTime};

use credlink_client::{CallError, CallErrorKind, retry_after};
use credlink_core::http::problem::{ProblemKind, Received};
use http::{HeaderMap, StatusCode};

use super::answer::{Answer, not_credlink, refusal};
use crate::error::{Named, Trouble};

/// A request that failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The problem, as it is told if nobody tries again.
    pub trouble: Trouble,
    /// The cause.
    pub cause: Cause,
}

/// The cause of a failure, as far as it decides about the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The next attempt would fail as well.
    Lasting,
    /// Nothing accepts connections at the address. That passes if it is a server which answered before.
    Unanswered,
    /// The cause passes, maybe after the time that the server asks for.
    Passing(Option<Duration>),
}

impl Failed {
    /// Returns the failure of a request without an answer, or whose answer was cut off.
    pub(super) fn unanswered(trouble: Trouble, error: &CallError) -> Self {
        Self { trouble, cause: Cause::of_call(error) }
    }

    /// Returns the answer if it is a success of CredLink itself.
    pub(super) fn check(answer: Answer) -> Result<Answer, Self> {
        if !answer.status.is_success() {
            let cause = Cause::of_answer(answer.status, &answer.headers, &answer.body);
            return Err(Self { trouble: refusal(&answer, Named::Server), cause });
        }
        // Nothing but CredLink's mark proves that this was done: a captive portal answers 200 to everything.
        if answer.is_credlinks() { Ok(answer) } else { Err(not_credlink(&answer, Named::Server).into()) }
    }
}

impl Cause {
    /// Returns the cause of a call without an answer.
    pub fn of_call(error: &CallError) -> Self {
        match error.kind() {
            CallErrorKind::Unanswered => Self::Unanswered,
            CallErrorKind::Broken(_) | CallErrorKind::TimedOut(_) => Self::Passing(None),
            CallErrorKind::TooLong(_) | CallErrorKind::WithoutTls | CallErrorKind::Other => Self::Lasting,
        }
    }

    /// Returns the cause of an answer that is not a success.
    pub fn of_answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let problem = Received::read(body).unwrap_or_default();
        let is_passing = match status {
            // Somebody has to repair it, or to make room.
            _ if problem.is(ProblemKind::Damaged) || problem.is(ProblemKind::Stopped) => false,
            StatusCode::INSUFFICIENT_STORAGE | StatusCode::NOT_IMPLEMENTED => false,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::CONFLICT => problem.is(ProblemKind::Contended),
            status => status.is_server_error(),
        };
        if is_passing { Self::Passing(retry_after(headers, SystemTime::now())) } else { Self::Lasting }
    }
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, cause: Cause::Lasting }
    }
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        failed.trouble
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_lasts() {
        let problem = |slug: &str| format!(r#"{{"type":"urn:credlink:problem:{slug}","title":"x"}}"#);
        let wait = |seconds: &str| {
            let header = (http::header::RETRY_AFTER, seconds.parse().unwrap());
            let headers: HeaderMap =
                if seconds.is_empty() { HeaderMap::new() } else { [header].into_iter().collect() };
            headers
        };
        let seconds = |seconds| Cause::Passing(Some(Duration::from_secs(seconds)));
        for (status, after, slug, cause) in [
            (429, "7", "too-many-requests", seconds(7)),
            (429, "", "", Cause::Passing(None)),
            (503, "2", "unavailable", seconds(2)),
            (503, "60", "stopped", Cause::Lasting),
            (502, "", "", Cause::Passing(None)),
            (502, "", "damaged", Cause::Lasting),
            (500, "", "internal", Cause::Passing(None)),
            (501, "", "not-configured", Cause::Lasting),
            (507, "5", "quota-exceeded", Cause::Lasting),
            (408, "", "", Cause::Passing(None)),
            (409, "", "contended", Cause::Passing(None)),
            (409, "", "list-full", Cause::Lasting),
            (404, "", "not-found", Cause::Lasting),
            (401, "", "unauthenticated", Cause::Lasting),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                Cause::of_answer(status, &wait(after), problem(slug).as_bytes()),
                cause,
                "{status} {slug}"
            );
        }
    }
}
