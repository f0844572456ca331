//! The sweeper, which looks at uploads that are due. It asks the provider before it gives up, so that an upload whose
//! event was lost still becomes a file.

use super::{Found, Progress};
use crate::bounds::UPLOAD_LOOK_SECONDS;
use crate::file::Rejection;
use crate::row::{UploadRow, UploadState};
use crate::time::Timestamp;

/// The step of the sweeper with an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Nothing yet: the upload is due later.
    Wait,
    /// The provider joins the parts, which are all there, and the upload is received.
    Join,
    /// The upload is received: its bytes are there, and nobody said so.
    Receive,
    /// The message to the finaliser is sent again, for it was lost or its finaliser was.
    Resend,
    /// Parts are missing, and the upload has not expired: it is looked at again at this time.
    LookAgain(Timestamp),
    /// The upload has expired: its multipart upload is aborted, and what it reserved is released.
    Expire,
    /// The upload is rejected, its bytes are removed, and what it reserved is released.
    Reject(Rejection),
    /// The upload has ended, and bytes are there that nobody will process: those of a file that is published, what a client sent
    /// after the end, or those that could not be processed and have been kept for long enough. They are removed.
    RemoveBytes,
    /// The upload ended long ago, and nothing is left but its row, which stays: it is never looked at again.
    Close,
}

/// Time for which an upload may wait for a scanner, in seconds: a day.
const SCAN_SECONDS: u64 = 86_400;

/// Returns the time at which an upload whose parts are missing is looked at again: after half of the time since its
/// announcement, and an hour at least. So nine looks make a day.
fn next_look(row: &UploadRow, now: Timestamp) -> Timestamp {
    let age =
        u64::try_from(now.milliseconds().saturating_sub(row.created.milliseconds())).unwrap_or(0) / 1_000;
    now.plus_seconds(UPLOAD_LOOK_SECONDS.max(age / 2)).min(row.expires)
}

/// Decides what the sweeper does with an upload at `now`, of which the provider has `found`.
#[must_use]
pub fn sweep(row: &UploadRow, found: &Found, now: Timestamp) -> Sweep {
    let is_due = row.is_due(now);
    match row.state {
        state if state.is_final() => match found {
            Found::Nothing if is_due => Sweep::Close,
            Found::Nothing => Sweep::Wait,
            _ if !is_due && !state.needs_no_bytes() => Sweep::Wait,
            Found::Whole(_) | Found::Parts(_) | Found::Beginning(_) => Sweep::RemoveBytes,
        },
        _ if !is_due => Sweep::Wait,
        UploadState::Pending | UploadState::Uploading => {
            let progress = Progress::of(row.size, found);
            match found {
                Found::Whole(_) if progress.is_complete => Sweep::Receive,
                Found::Whole(_) => Sweep::Reject(Rejection::SizeMismatch),
                Found::Parts(_) if progress.is_complete => Sweep::Join,
                Found::Nothing | Found::Parts(_) | Found::Beginning(_) if now < row.expires => {
                    Sweep::LookAgain(next_look(row, now))
                }
                Found::Nothing | Found::Parts(_) | Found::Beginning(_) => Sweep::Expire,
            }
        }
        // From here on, the bytes were there.
        _ if !matches!(found, Found::Whole(_)) => Sweep::Reject(Rejection::Lost),
        UploadState::Scanning if row.expires.plus_seconds(SCAN_SECONDS) <= now => {
            Sweep::Reject(Rejection::NotScanned)
        }
        _ => Sweep::Resend,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Arrived, Event, follow};
    use super::*;
    use crate::file::FileId;
    use crate::row::upload;

    #[test]
    fn the_sweeper_looks_before_it_gives_up() {
        use UploadState as S;
        const SIZE: u64 = 20_000_000;
        let ready = S::Ready { file: FileId::from_random([1; 20]) };
        let rejected = S::Rejected { reason: Rejection::Malware };
        let failed = S::Rejected { reason: Rejection::Failed };
        let some = Found::Parts(vec![Arrived { number: 7, size: 5 }]);
        let all = Found::Parts(vec![Arrived { number: 1, size: SIZE }]);
        for (state, is_due, found, expected) in [
            (S::Pending, false, Found::Nothing, Sweep::Wait),
            (S::Pending, false, Found::Whole(SIZE), Sweep::Wait),
            (S::Pending, true, Found::Nothing, Sweep::Expire),
            (S::Pending, true, Found::Whole(SIZE), Sweep::Receive),
            (S::Pending, true, Found::Whole(SIZE - 1), Sweep::Reject(Rejection::SizeMismatch)),
            (S::Uploading, true, some.clone(), Sweep::Expire),
            (S::Pending, true, Found::Beginning(SIZE - 1), Sweep::Expire),
            (S::Expired, false, Found::Beginning(1), Sweep::RemoveBytes),
            (S::Uploading, true, all.clone(), Sweep::Join),
            (S::Uploading, true, Found::Whole(SIZE), Sweep::Receive),
            (S::Uploading, false, all, Sweep::Wait),
            (S::Received, false, Found::Nothing, Sweep::Wait),
            (S::Received, true, Found::Whole(SIZE), Sweep::Resend),
            (S::Received, true, Found::Nothing, Sweep::Reject(Rejection::Lost)),
            (S::Scanning, true, Found::Whole(SIZE), Sweep::Resend),
            (S::Scanning, true, Found::Nothing, Sweep::Reject(Rejection::Lost)),
            (S::Processing, true, Found::Whole(SIZE), Sweep::Resend),
            (S::Processing, true, some.clone(), Sweep::Reject(Rejection::Lost)),
            (ready, false, Found::Nothing, Sweep::Wait),
            (ready, false, Found::Whole(SIZE), Sweep::RemoveBytes),
            (ready, true, Found::Nothing, Sweep::Close),
            (rejected, false, Found::Whole(SIZE), Sweep::RemoveBytes),
            (rejected, true, Found::Whole(SIZE), Sweep::RemoveBytes),
            (failed, false, Found::Whole(SIZE), Sweep::Wait),
            (failed, true, Found::Whole(SIZE), Sweep::RemoveBytes),
            (rejected, true, Found::Nothing, Sweep::Close),
            (S::Expired, false, some, Sweep::RemoveBytes),
            (S::Expired, true, Found::Nothing, Sweep::Close),
        ] {
            let row = upload(state);
            let due = row.due.unwrap();
            let now = if is_due { due } else { due.minus_seconds(1) };
            assert_eq!(sweep(&row, &found, now), expected, "{} {is_due} {found:?}", state.name());
        }
        // A scanner that says nothing for a day after the upload's end has no verdict.
        let row = upload(S::Scanning);
        let late = row.expires.plus_seconds(86_400);
        assert_eq!(sweep(&row, &Found::Whole(SIZE), late), Sweep::Reject(Rejection::NotScanned));
        assert_eq!(sweep(&row, &Found::Whole(SIZE), late.minus_seconds(1)), Sweep::Resend);
    }

    #[test]
    fn parts_that_nobody_reports_are_looked_for_at_growing_intervals() {
        let row = upload(UploadState::Pending);
        let begun = follow(&row, &Event::Begun("2~x".to_owned()), row.created).unwrap().unwrap();
        let some = Found::Parts(vec![Arrived { number: 1, size: 5 }]);
        let (mut looked, mut row) = (Vec::new(), begun);
        loop {
            let now = row.due.unwrap();
            looked.push((now.milliseconds() - row.created.milliseconds()) / 60_000);
            match sweep(&row, &some, now) {
                Sweep::LookAgain(at) => row = row.in_state(row.state, at),
                last => {
                    assert_eq!(last, Sweep::Expire);
                    break;
                }
            }
        }
        assert_eq!(looked, [60, 120, 180, 270, 405, 607, 911, 1_366, 1_440]);
        // An upload that began late is looked at when its time is over.
        let late = upload(UploadState::Pending);
        let now = late.expires.minus_seconds(60);
        let begun = follow(&late, &Event::Begun("2~x".to_owned()), now).unwrap().unwrap();
        assert_eq!(begun.due, Some(late.expires));
    }
}
