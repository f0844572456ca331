//! The answer to a client that says that it has sent everything. It is a hint: what counts is what the provider has.

use super::{Found, Progress};
use crate::bounds::MAX_PART_ADDRESSES;
use crate::file::Rejection;
use crate::http::problem::{Problem, ProblemKind};
use crate::row::{UploadRow, UploadState};
use crate::rules::expiry::expired;

/// The step that follows on a client's `complete`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// All parts are there: the provider joins them, and then the upload is received.
    Join,
    /// The object is there: the upload is received.
    Receive,
    /// The object has another size than announced: the upload is rejected.
    Reject(Rejection),
    /// Nothing is done: the upload is further, or at its end, and the answer tells its state.
    Tell,
}

/// Decides what is done about a client's `complete`, which may come at any time and any number of times. For a state after
/// `received`, the provider need not be asked.
///
/// # Errors
/// 409 with the missing parts if bytes are missing, and 410 if the upload has expired.
pub fn complete(row: &UploadRow, found: &Found) -> Result<Completion, Problem> {
    match row.state {
        UploadState::Expired => return Err(expired(row.expires)),
        state if state.is_final() => return Ok(Completion::Tell),
        UploadState::Received | UploadState::Scanning | UploadState::Processing => {
            return Ok(Completion::Tell);
        }
        _ => {}
    }
    let progress = Progress::of(row.size, found);
    match found {
        Found::Whole(_) if progress.is_complete => Ok(Completion::Receive),
        Found::Whole(_) => Ok(Completion::Reject(Rejection::SizeMismatch)),
        Found::Parts(_) if progress.is_complete => Ok(Completion::Join),
        Found::Nothing | Found::Parts(_) | Found::Beginning(_) => {
            let missing = progress.missing(row.size, MAX_PART_ADDRESSES);
            let detail = format!(
                "{} of {} bytes have arrived ({} %); send the rest, and say so again",
                progress.bytes, row.size, progress.percent
            );
            Err(Problem::new(ProblemKind::UploadIncomplete, detail)
                .with("bytes", progress.bytes)
                .with("missing_parts", missing))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Arrived;
    use super::*;
    use crate::file::FileId;
    use crate::row::upload;

    #[test]
    fn a_hint_may_come_at_any_time_and_any_number_of_times() {
        use UploadState as S;
        const SIZE: u64 = 100_000_001;
        let part = 8 * 1_024 * 1_024;
        let all: Vec<Arrived> = (1..=12)
            .map(|number| Arrived { number, size: if number == 12 { SIZE - 11 * part } else { part } })
            .collect();
        let row = |state| UploadRow { size: SIZE, ..upload(state) };
        for state in [S::Pending, S::Uploading] {
            for (found, expected) in [
                (Found::Whole(SIZE), Some(Completion::Receive)),
                (Found::Whole(SIZE + 1), Some(Completion::Reject(Rejection::SizeMismatch))),
                (Found::Parts(all.clone()), Some(Completion::Join)),
                (Found::Parts(all[1..].to_vec()), None),
                (Found::Nothing, None),
                (Found::Beginning(SIZE - 1), None),
            ] {
                assert_eq!(complete(&row(state), &found).ok(), expected, "{found:?}");
            }
        }
        let problem = complete(&row(S::Uploading), &Found::Parts(all[2..].to_vec())).unwrap_err();
        assert_eq!(problem.kind.status().as_u16(), 409);
        assert_eq!(problem.members["missing_parts"], serde_json::json!([1, 2]));
        assert!(problem.detail.starts_with("83222785 of 100000001 bytes have arrived (83 %)"), "{problem}");
        for state in [
            S::Received,
            S::Scanning,
            S::Processing,
            S::Ready { file: FileId::from_random([1; 20]) },
            S::Rejected { reason: Rejection::Malware },
        ] {
            for found in [Found::Nothing, Found::Whole(SIZE), Found::Whole(1)] {
                assert_eq!(complete(&row(state), &found), Ok(Completion::Tell), "{}", state.name());
            }
        }
        let gone = complete(&row(S::Expired), &Found::Whole(SIZE)).unwrap_err();
        assert_eq!(gone.kind.status().as_u16(), 410);
    }
}
