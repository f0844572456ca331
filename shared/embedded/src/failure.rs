//! From errors of redb to the kinds of failure that lead to different answers.

use credlink_disk::failure::from_io;
use credlink_ports::{Failure, FailureKind};

/// The failure that an error of redb is.
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
