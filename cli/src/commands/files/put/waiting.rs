//! Waiting for an upload to become a file.

use std::time::{Duration, Instant};

use crate::client::Upload;
use crate::commands::files::calls::Calls;
use crate::error::{Trouble, TroubleKind};

/// The first wait between two looks. A photo is processed in some tenths of a second.
const FIRST: Duration = Duration::from_millis(50);

/// The longest wait between two looks.
const LONGEST: Duration = Duration::from_secs(5);

/// Looks at an upload until it has ended, for as long as `patience` says, and returns it as it is then.
pub(super) fn ended(calls: &Calls<'_>, mut upload: Upload, patience: Duration) -> Result<Upload, Trouble> {
    let (began, mut wait) = (Instant::now(), FIRST);
    while !upload.has_ended() {
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() {
            let Upload { id, state, .. } = &upload;
            let detail = format!(
                "all bytes are there, and the upload is `{state}` after {} s; `credlink files status {id}` says what becomes \
                 of it",
                began.elapsed().as_secs()
            );
            return Err(Trouble::new(TroubleKind::NotReady, detail));
        }
        std::thread::sleep(wait.min(left));
        wait = (wait * 3 / 2).min(LONGEST);
        upload = calls.call(|client| client.upload(&upload.id))?;
    }
    Ok(upload)
}
