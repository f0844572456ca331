//! The states of an upload, and how one follows from another.
//!
//! ```text
//! pending ──► uploading ──► received ──► scanning ──► processing ──► ready
//!    │            │             │            │             │
//!    └────────────┴──► expired  └────────────┴─────────────┴──► rejected
//! ```
//!
//! Messages come twice, late and in any order, so an event that has happened already changes nothing, and an event that
//! comes before the one in front of it stands for both.
//!
//! A finaliser for which something failed gives the upload back, which is `received` again: a disk that is full says nothing
//! about the bytes. Only attempts of which nobody heard again count against them.

use crate::bounds::{
    MAX_UPLOAD_ATTEMPTS, MAX_UPLOAD_RETRY_SECONDS, UPLOAD_KEPT_SECONDS, UPLOAD_LOOK_SECONDS,
    UPLOAD_RETRY_SECONDS, UPLOAD_STEP_SECONDS,
};
use crate::file::{FileId, Rejection};
use crate::row::{UploadRow, UploadState};
use crate::time::Timestamp;

/// Something that happened to an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A multipart upload was begun, under the provider's ID.
    Begun(String),
    /// All bytes are in quarantine: the provider, the client or the sweeper says so, and the provider was asked.
    Received,
    /// The bytes were given to a scanner.
    ScanBegun,
    /// A finaliser takes the bytes, which need no scan or passed it.
    ProcessingBegun,
    /// The finaliser that has the bytes could not make a file of them, for a reason that may pass.
    GivenBack,
    /// The file was published.
    Published(FileId),
    /// The file is there already: a rebuild of the index, which knew the upload as it was before, has found its record.
    Found(FileId),
    /// There will be no file.
    Rejected(Rejection),
    /// The bytes did not arrive in time.
    TimedOut,
}

/// An event that cannot happen in this state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an upload that is {state} cannot become {to}")]
pub struct Refused {
    /// The state.
    pub state: &'static str,
    /// The state that the event leads to.
    pub to: &'static str,
}

/// Returns the row after `event` at `now`, with the next version, or `None` if the event has happened already. A
/// finaliser that gets `None` has nothing to do: another one has the bytes, or the upload has ended.
///
/// # Errors
/// Fails if the event cannot happen in this state: the upload has ended otherwise, or there are no bytes yet.
pub fn follow(row: &UploadRow, event: &Event, now: Timestamp) -> Result<Option<UploadRow>, Refused> {
    use UploadState as S;
    let step = now.plus_seconds(UPLOAD_STEP_SECONDS);
    let kept = now.plus_seconds(UPLOAD_KEPT_SECONDS);
    let to = |state, due| Ok(Some(row.in_state(state, due)));
    let refused = |to| Err(Refused { state: row.state.name(), to });
    match (row.state, event) {
        // The end is reached once. The first to get there decides.
        (S::Ready { .. }, Event::Rejected(_)) => refused("rejected"),
        (S::Ready { file }, Event::Published(other) | Event::Found(other)) if file != *other => {
            refused("another file")
        }
        (S::Rejected { .. } | S::Expired, Event::Published(_) | Event::Found(_)) => refused("ready"),
        // The multipart upload that was begun is aborted.
        (S::Ready { .. } | S::Rejected { .. } | S::Expired, Event::Begun(_)) => refused("uploading"),
        (S::Ready { .. } | S::Rejected { .. } | S::Expired, _) => Ok(None),

        (S::Pending, Event::Begun(id)) => {
            let look = now.plus_seconds(UPLOAD_LOOK_SECONDS).min(row.expires);
            let next = row.in_state(S::Uploading, look);
            Ok(Some(UploadRow { multipart: Some(id.clone()), ..next }))
        }
        (S::Uploading, Event::Begun(id)) if row.multipart.as_ref() == Some(id) => Ok(None),
        // The loser of two requests to begin aborts its own multipart upload.
        (S::Uploading, Event::Begun(_)) => refused("uploading anew"),
        (S::Received | S::Scanning | S::Processing, Event::Begun(_)) => refused("uploading"),

        (S::Pending | S::Uploading, Event::Received) => to(S::Received, step),
        (S::Received | S::Scanning | S::Processing, Event::Received) => Ok(None),

        (S::Pending | S::Uploading, Event::TimedOut) => to(S::Expired, kept),
        // The bytes are there: what comes late is a sweeper that looked earlier.
        (S::Received | S::Scanning | S::Processing, Event::TimedOut) => refused("expired"),

        (S::Pending | S::Uploading | S::Received, Event::ScanBegun) => to(S::Scanning, step),
        // A second scan begins only when the first had its time.
        (S::Scanning, Event::ScanBegun) if !row.is_due(now) => Ok(None),
        (S::Scanning, Event::ScanBegun) => to(S::Scanning, step),
        (S::Processing, Event::ScanBegun) => refused("scanning"),

        // A second finaliser begins only when the first had its time.
        (S::Processing, Event::ProcessingBegun) if !row.is_due(now) => Ok(None),
        (S::Pending | S::Uploading | S::Received | S::Scanning | S::Processing, Event::ProcessingBegun) => {
            if row.attempts >= MAX_UPLOAD_ATTEMPTS {
                return to(S::Rejected { reason: Rejection::Failed }, kept);
            }
            let next = row.in_state(S::Processing, step);
            Ok(Some(UploadRow { attempts: row.attempts + 1, ..next }))
        }

        (S::Processing, Event::GivenBack) => {
            let doubled = UPLOAD_RETRY_SECONDS.saturating_mul(1 << row.failures.min(16));
            let due = now.plus_seconds(doubled.min(MAX_UPLOAD_RETRY_SECONDS));
            let (attempts, failures) = (row.attempts.saturating_sub(1), row.failures.saturating_add(1));
            Ok(Some(UploadRow { attempts, failures, ..row.in_state(S::Received, due) }))
        }
        (S::Received, Event::GivenBack) => Ok(None),
        (S::Pending | S::Uploading | S::Scanning, Event::GivenBack) => refused("received"),

        (S::Processing, Event::Published(file)) => to(S::Ready { file: *file }, kept),
        (S::Pending | S::Uploading | S::Received | S::Scanning, Event::Published(_)) => refused("ready"),

        (S::Pending | S::Uploading | S::Received | S::Scanning | S::Processing, Event::Found(file)) => {
            to(S::Ready { file: *file }, kept)
        }

        (S::Pending | S::Uploading | S::Received | S::Scanning | S::Processing, Event::Rejected(reason)) => {
            to(S::Rejected { reason: *reason }, kept)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::row::upload;

    fn states() -> [UploadState; 8] {
        use UploadState as S;
        [
            S::Pending,
            S::Uploading,
            S::Received,
            S::Scanning,
            S::Processing,
            S::Ready { file: FileId::from_random([1; 20]) },
            S::Rejected { reason: Rejection::Malware },
            S::Expired,
        ]
    }

    fn events() -> [(&'static str, Event); 10] {
        [
            ("begun", Event::Begun("2~x".to_owned())),
            ("received", Event::Received),
            ("scan begun", Event::ScanBegun),
            ("processing begun", Event::ProcessingBegun),
            ("given back", Event::GivenBack),
            ("published", Event::Published(FileId::from_random([1; 20]))),
            ("published as another", Event::Published(FileId::from_random([2; 20]))),
            ("found", Event::Found(FileId::from_random([1; 20]))),
            ("rejected", Event::Rejected(Rejection::Truncated)),
            ("timed out", Event::TimedOut),
        ]
    }

    #[test]
    fn every_event_in_every_state() {
        let now = Timestamp::from_milliseconds(1_798_800_000_000);
        let mut table = String::new();
        for state in states() {
            for (name, event) in events() {
                let row = upload(state);
                let told = match follow(&row, &event, now) {
                    Ok(None) => "stays".to_owned(),
                    Ok(Some(next)) => {
                        assert_eq!(next.version, row.version + 1);
                        let due = next.due.unwrap().milliseconds() - now.milliseconds();
                        format!("{}, due in {} s", next.state.name(), due / 1_000)
                    }
                    Err(refused) => format!("refused: {refused}"),
                };
                writeln!(table, "{:<10} {name:<20} {told}", state.name()).unwrap();
            }
        }
        insta::assert_snapshot!("transitions", table);
    }

    #[test]
    fn no_order_of_events_leaves_an_end() {
        let now = Timestamp::from_milliseconds(1_798_800_000_000);
        // All sequences of two events from each state: once ended, the state stays.
        for state in states() {
            for (_, first) in events() {
                for (_, second) in events() {
                    let mut row = upload(state);
                    for event in [&first, &second] {
                        let before = row.clone();
                        if let Ok(Some(next)) = follow(&row, event, now) {
                            assert!(!before.state.is_final(), "{} left by {event:?}", before.state.name());
                            row = next;
                        }
                        // The same event again changes nothing.
                        assert!(!matches!(follow(&row, event, now), Ok(Some(_))), "{event:?} twice");
                    }
                }
            }
        }
    }

    #[test]
    fn attempts_are_counted_and_end() {
        let now = Timestamp::from_milliseconds(1_798_800_000_000);
        let mut row = upload(UploadState::Received);
        let mut now = now;
        for attempt in 1..=MAX_UPLOAD_ATTEMPTS {
            row = follow(&row, &Event::ProcessingBegun, now).unwrap().unwrap();
            assert_eq!((row.state, row.attempts), (UploadState::Processing, attempt));
            // Nobody else begins before this one has had its time.
            let early = row.due.unwrap().minus_seconds(1);
            assert_eq!(follow(&row, &Event::ProcessingBegun, early), Ok(None));
            now = row.due.unwrap();
        }
        row = follow(&row, &Event::ProcessingBegun, now).unwrap().unwrap();
        assert_eq!(row.state, UploadState::Rejected { reason: Rejection::Failed });
    }

    #[test]
    fn a_failure_that_is_told_is_no_attempt() {
        let mut now = Timestamp::from_milliseconds(1_798_800_000_000);
        let mut row = upload(UploadState::Received);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            row = follow(&row, &Event::ProcessingBegun, now).unwrap().unwrap();
            assert_eq!((row.state, row.attempts), (UploadState::Processing, 1));
            row = follow(&row, &Event::GivenBack, now).unwrap().unwrap();
            assert_eq!((row.state, row.attempts), (UploadState::Received, 0));
            assert_eq!(follow(&row, &Event::GivenBack, now), Ok(None));
            let due = row.due.unwrap();
            pauses.push(due.seconds() - now.seconds());
            now = due;
        }
        assert_eq!(pauses, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600, 3_600]);
    }
}
