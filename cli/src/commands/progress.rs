//! The progress of a command that walks over a store.

use std::time::Instant;

use super::display::Display;

/// Shows the progress of a walk. The number of objects in a store is not known before its end.
pub(super) struct Progress {
    display: Display,
    began: Instant,
    /// Number of items that an earlier run has looked at.
    before: u64,
}

impl Progress {
    /// Chooses a display that fits stderr, or none if JSON was asked for. An earlier run has looked at `before`
    /// items.
    pub(super) fn new(is_json: bool, before: u64) -> Self {
        Self { display: Display::spinner(is_json), began: Instant::now(), before }
    }

    /// Shows the number of objects that were looked at, and `rest`.
    pub(super) fn show(&self, examined: u64, rest: &str) {
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let rate = examined.saturating_sub(self.before) as f64 / seconds;
        self.display.show(None, || format!("{examined} looked at, {rate:.0}/s, {rest}"));
    }

    /// Hides the line while `print` prints something else.
    pub(super) fn suspended(&self, print: impl FnOnce()) {
        self.display.suspended(print);
    }

    /// Removes the line.
    pub(super) fn end(&self) {
        self.display.end();
    }
}
