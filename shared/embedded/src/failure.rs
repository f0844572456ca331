//! Turns redb's errors into failures of a port.

use credlink_disk::failure::from_io;
use credlink_ports::{Failure, FailureKind};

/// Turns an error of redb into a [`Failure`] of the matching kind.
pub(crate) fn from_redb(provider: &'static str, error: impl Into<redb::Error>) -> Failure {
    let (kind, message) = match error.into() {
        redb::Error::Io(error) => return from_io(provider, "reading or writing its file", &error),
        redb::Error::Corrupted(message) => (FailureKind::Damaged, message),
        redb::Error::PreviousIo => {
            let message = "an earlier write failed, and nothing is written since: it has to be opened anew";
            (FailureKind::Unavailable, message.to_owned())
        }
        error => (FailureKind::Unavailable, error.to_string()),
    };
    Failure { provider, kind, message }
}
