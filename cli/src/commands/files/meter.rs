//! The progress of a transfer of bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::commands::display::Display;
use crate::commands::figures::{left, size};

/// Counts the bytes of all files of a command, and shows them.
pub(super) struct Meter {
    display: Display,
    began: Instant,
    files: u64,
    ended: AtomicU64,
    /// The bytes of all files.
    total: AtomicU64,
    /// The bytes that are there: moved now or by an earlier command.
    there: AtomicU64,
    /// The bytes that were moved by this command.
    moved: AtomicU64,
}

impl Meter {
    /// Creates a meter of `files` files, which shows nothing if JSON was asked for.
    pub(super) fn new(is_json: bool, files: usize) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            display: Display::bar(is_json),
            began: Instant::now(),
            files: files as u64,
            ended: zero(),
            total: zero(),
            there: zero(),
            moved: zero(),
        }
    }

    /// Adds a file of `bytes` bytes, of which `there` are at their place already.
    pub(super) fn expect(&self, bytes: u64, there: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
        self.there.fetch_add(there, Ordering::Relaxed);
        self.show();
    }

    /// Counts bytes that were moved.
    pub(super) fn moved(&self, bytes: u64) {
        self.there.fetch_add(bytes, Ordering::Relaxed);
        self.moved.fetch_add(bytes, Ordering::Relaxed);
        self.show();
    }

    /// Takes back bytes that have to be moved again.
    pub(super) fn lost(&self, bytes: u64) {
        self.there.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Counts a file that has ended.
    pub(super) fn file_ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.show();
    }

    /// Prints a line that stays.
    pub(super) fn says(&self, text: &str) {
        self.display.line(text);
    }

    /// Hides the display while `print` prints something else.
    pub(super) fn suspended<T>(&self, print: impl FnOnce() -> T) -> T {
        self.display.suspended(print)
    }

    /// Removes the display.
    pub(super) fn end(&self) {
        self.display.end();
    }

    fn show(&self) {
        let (there, total) = (self.there.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        self.display.show(Some((there, total)), || {
            let seconds = self.began.elapsed().as_secs_f64().max(0.001);
            let moved = self.moved.load(Ordering::Relaxed);
            let files = (self.ended.load(Ordering::Relaxed), self.files);
            words(files, (there, total), moved, seconds)
        });
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people need no more than 52 bits")]
fn words((ended, files): (u64, u64), (there, total): (u64, u64), moved: u64, seconds: f64) -> String {
    let mut words = format!("{} of {}", size(there as f64), size(total as f64));
    if moved > 0 {
        words += &format!(", {}/s", size(moved as f64 / seconds));
    }
    let rest = total.saturating_sub(there);
    if let Some(left) = left(moved, moved + rest, seconds) {
        words += &format!(", {left} left");
    }
    if files > 1 {
        words = format!("{ended} of {files} files, {words}");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn progress_is_told_in_figures() {
        assert_eq!(words((0, 1), (0, 5_000), 0, 1.0), "0 B of 5.0 KB");
        assert_eq!(
            words((0, 1), (10_000_000, 40_000_000), 10_000_000, 5.0),
            "10.0 MB of 40.0 MB, 2.0 MB/s, 15 s left"
        );
        // What an earlier command has sent says nothing about the rate of this one.
        assert_eq!(
            words((2, 3), (30_000_000, 40_000_000), 10_000_000, 10.0),
            "2 of 3 files, 30.0 MB of 40.0 MB, 1.0 MB/s, 10 s left"
        );
        assert_eq!(words((3, 3), (9, 9), 9, 3.0), "3 of 3 files, 9 B of 9 B, 3 B/s");
    }
}
