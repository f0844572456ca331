//! The progress of a command that walks over a store: one line in a terminal, a plain line every few seconds
//! elsewhere. Both go to stderr.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Interval between two plain lines.
const EVERY: Duration = Duration::from_secs(5);

/// Shows the progress of a walk. The number of objects in a store is not known before its end.
pub(super) struct Progress {
    shows: Shows,
    began: Instant,
    /// Number of items that an earlier run has looked at.
    before: u64,
}

enum Shows {
    Line(ProgressBar),
    Lines(Instant),
    Nothing,
}

impl Progress {
    /// Chooses a display that fits stderr, or none if JSON was asked for. An earlier run has looked at `before`
    /// items.
    pub(super) fn new(is_json: bool, before: u64) -> Self {
        let shows = match (is_json, stderr().is_terminal()) {
            (true, _) => Shows::Nothing,
            (false, false) => Shows::Lines(Instant::now()),
            (false, true) => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                let style = ProgressStyle::with_template("{spinner} {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                Shows::Line(bar)
            }
        };
        Self { shows, began: Instant::now(), before }
    }

    /// Shows the number of objects that were looked at, and `rest`.
    pub(super) fn show(&mut self, examined: u64, rest: &str) {
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let rate = examined.saturating_sub(self.before) as f64 / seconds;
        let words = format!("{examined} looked at, {rate:.0}/s, {rest}");
        match &mut self.shows {
            Shows::Line(bar) => {
                bar.set_message(words);
                bar.tick();
            }
            Shows::Lines(last) if last.elapsed() >= EVERY => {
                *last = Instant::now();
                // If stderr is closed, there is nobody to tell.
                drop(writeln!(stderr(), "{words}"));
            }
            Shows::Lines(_) | Shows::Nothing => {}
        }
    }

    /// Hides the line while `print` prints something else.
    pub(super) fn suspended(&self, print: impl FnOnce()) {
        match &self.shows {
            Shows::Line(bar) => bar.suspend(print),
            Shows::Lines(_) | Shows::Nothing => print(),
        }
    }

    /// Removes the line.
    pub(super) fn end(&self) {
        if let Shows::Line(bar) = &self.shows {
            bar.finish_and_clear();
        }
    }
}
