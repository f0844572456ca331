//! A display of progress on stderr: one line that changes in a terminal, a plain line every few seconds elsewhere, and
//! nothing if JSON was asked for.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::printer::one_line;

/// Interval between two plain lines.
const EVERY: Duration = Duration::from_secs(5);

/// A display of progress.
pub(super) enum Display {
    /// A line that changes, with a bar or a spinner.
    Bar(ProgressBar),
    /// Plain lines; the time of the last one.
    Lines(Mutex<Instant>),
    /// Nothing.
    Nothing,
}

impl Display {
    /// Returns a display with a bar, for work whose amount is known.
    pub(super) fn bar(is_json: bool) -> Self {
        Self::new(is_json, "{bar:30} {msg}")
    }

    /// Returns a display with a spinner, for work whose amount is not known before its end.
    pub(super) fn spinner(is_json: bool) -> Self {
        Self::new(is_json, "{spinner} {msg}")
    }

    fn new(is_json: bool, template: &str) -> Self {
        match (is_json, stderr().is_terminal()) {
            (true, _) => Self::Nothing,
            (false, false) => Self::Lines(Mutex::new(Instant::now())),
            (false, true) => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                let style = ProgressStyle::with_template(template);
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                Self::Bar(bar)
            }
        }
    }

    /// Shows the words, and with `done` of `all` the bar.
    pub(super) fn show(&self, progress: Option<(u64, u64)>, words: impl FnOnce() -> String) {
        match self {
            Self::Bar(bar) => {
                if let Some((done, all)) = progress {
                    bar.set_length(all);
                    bar.set_position(done);
                }
                bar.set_message(one_line(words()));
                bar.tick();
            }
            Self::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= EVERY {
                    *last = Instant::now();
                    self.line(&words());
                }
            }
            Self::Nothing => {}
        }
    }

    /// Prints a line that stays.
    pub(super) fn line(&self, text: &str) {
        let text = one_line(text);
        match self {
            Self::Bar(bar) => bar.println(&text),
            // If stderr is closed, there is nobody to tell.
            Self::Lines(_) => drop(writeln!(stderr(), "{text}")),
            Self::Nothing => {}
        }
    }

    /// Hides the line while `print` prints something else.
    pub(super) fn suspended<T>(&self, print: impl FnOnce() -> T) -> T {
        match self {
            Self::Bar(bar) => bar.suspend(print),
            Self::Lines(_) | Self::Nothing => print(),
        }
    }

    /// Removes the line.
    pub(super) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
