//! Maps errors of the operating system to the kinds of failure that lead to different answers.

use std::io;
use std::sync::Arc;

use credlink_ports::{Failure, FailureKind};

/// Returns the failure that `error` is, while `doing` something. Absence never arrives here: callers handle `NotFound`
/// first, so a `NotFound` here means that a directory has gone away.
pub fn from_io(provider: &'static str, doing: &str, error: &io::Error) -> Failure {
    Failure { provider, kind: kind(error), message: format!("{doing}: {error}") }
}

fn kind(error: &io::Error) -> FailureKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            FailureKind::OutOfSpace
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => FailureKind::AccessDenied,
        io::ErrorKind::TimedOut => FailureKind::TimedOut,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => FailureKind::Damaged,
        _ => FailureKind::Unavailable,
    }
}

/// Runs `work` on a thread where waiting for a disk blocks no other task.
pub async fn off_the_executor<T: Send + 'static>(
    provider: &'static str,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => {
                Err(Failure { provider, kind: FailureKind::Unavailable, message: error.to_string() })
            }
        },
    }
}

/// Runs `work` as [`off_the_executor`] does, with the state that an adapter's clones share.
pub async fn off_the_executor_with<I: Send + Sync + 'static, T: Send + 'static>(
    provider: &'static str,
    shared: &Arc<I>,
    work: impl FnOnce(&I) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let shared = Arc::clone(shared);
    off_the_executor(provider, move || work(&shared)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_what_has_to_be_done_about_them() {
        // The numbers are the same on Linux and macOS: 13 EACCES, 28 ENOSPC, 30 EROFS, 5 EIO, 2 ENOENT.
        for (number, expected) in [
            (13, FailureKind::AccessDenied),
            (28, FailureKind::OutOfSpace),
            (30, FailureKind::AccessDenied),
            (5, FailureKind::Unavailable),
            (2, FailureKind::Unavailable),
        ] {
            assert_eq!(kind(&io::Error::from_raw_os_error(number)), expected, "{number}");
        }
    }
}
