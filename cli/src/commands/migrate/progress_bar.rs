//! The progress of a running job, on stderr: a bar in a terminal, a plain line every few seconds elsewhere.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use credlink_migrate::progress::{Counts, Watch};
use credlink_ports::Failure;
use credlink_ports::migration::ledger::Reason;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::printer::one_line;

/// Interval between two plain lines.
const EVERY: Duration = Duration::from_secs(5);
/// Maximum number of failures that are named while the job runs. The report names all of them.
const NAMED: u64 = 20;

/// Shows the progress of a job, and ends it at Ctrl-C.
pub(super) struct Bar {
    shows: Shows,
    began: Instant,
    /// Number of items of the source, or 0 while they are still being counted.
    total: AtomicU64,
    names_failures: bool,
    named: AtomicU64,
    cancelled: AtomicBool,
}

enum Shows {
    Bar(ProgressBar),
    Lines(Mutex<Instant>),
    Nothing,
}

impl Bar {
    /// Chooses a display that fits stderr, or none if JSON was asked for.
    pub(super) fn new(is_json: bool) -> Self {
        let shows = match (is_json, stderr().is_terminal()) {
            (true, _) => Shows::Nothing,
            (false, false) => Shows::Lines(Mutex::new(Instant::now())),
            (false, true) => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                let style = ProgressStyle::with_template("{bar:30} {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                Shows::Bar(bar)
            }
        };
        let (total, named) = (AtomicU64::new(0), AtomicU64::new(0));
        let cancelled = AtomicBool::new(false);
        Self { shows, began: Instant::now(), total, names_failures: true, named, cancelled }
    }

    /// Creates a bar that names no failures, for a step whose result names them.
    pub(super) fn without_failures(is_json: bool) -> Self {
        Self { names_failures: false, ..Self::new(is_json) }
    }

    /// Asks the job to finish what is in flight and end.
    pub(super) fn cancel(&self) {
        if !self.cancelled.swap(true, Ordering::Relaxed) {
            self.line("finishing what is in flight; the same command goes on later");
        }
    }

    /// Sets the number of items, as soon as they are counted.
    pub(super) fn expect(&self, items: u64) {
        self.total.store(items, Ordering::Relaxed);
    }

    fn total(&self) -> Option<u64> {
        Some(self.total.load(Ordering::Relaxed)).filter(|total| *total > 0)
    }

    /// Removes the bar.
    pub(super) fn end(&self) {
        if let Shows::Bar(bar) = &self.shows {
            bar.finish_and_clear();
        }
    }

    /// Prints a line above the bar.
    fn line(&self, text: &str) {
        let text = one_line(text);
        match &self.shows {
            Shows::Bar(bar) => bar.println(&text),
            // If stderr is closed, there is nobody to tell.
            Shows::Lines(_) => drop(writeln!(stderr(), "{text}")),
            Shows::Nothing => {}
        }
    }

    fn words(&self, counts: &Counts, total: Option<u64>) -> String {
        let done = counts.processed();
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let (rate, bytes) = (done as f64 / seconds, counts.bytes as f64);
        let mut words = format!("{done}");
        if let Some(total) = total {
            words += &format!(" of {total}");
        }
        words += &format!(" items, {rate:.0}/s, {}, {} failed", size(bytes), counts.failures());
        if let Some(left) = total.and_then(|total| left(done, total, seconds)) {
            words += &format!(", {left} left");
        }
        words
    }
}

impl Watch for Bar {
    fn progress(&self, counts: &Counts) {
        let total = self.total();
        match &self.shows {
            Shows::Bar(bar) => {
                bar.set_length(total.unwrap_or_else(|| counts.processed()));
                bar.set_position(counts.processed());
                bar.set_message(self.words(counts, total));
            }
            Shows::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= EVERY {
                    *last = Instant::now();
                    self.line(&self.words(counts, total));
                }
            }
            Shows::Nothing => {}
        }
    }

    fn failed(&self, key: &str, reason: Reason, detail: &str) {
        if !self.names_failures {
            return;
        }
        match self.named.fetch_add(1, Ordering::Relaxed) {
            named if named < NAMED => self.line(&format!("{key}: {reason}: {detail}")),
            NAMED => self.line("further failures are in the report"),
            _ => {}
        }
    }

    fn paused(&self, failure: &Failure) {
        self.line(&format!("paused: {failure}; it goes on as soon as there is an answer"));
    }

    fn resumed(&self) {
        self.line("there is an answer again: it goes on");
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Formats a number of bytes for people.
pub(super) fn size(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let (mut size, mut unit) = (bytes, 0);
    while size >= 1_000.0 && unit + 1 < UNITS.len() {
        (size, unit) = (size / 1_000.0, unit + 1);
    }
    let decimals = usize::from(unit > 0 && size < 100.0);
    format!("{size:.decimals$} {}", UNITS[unit])
}

/// Returns the time left at the rate so far.
fn left(done: u64, total: u64, seconds: f64) -> Option<String> {
    if done == 0 || total <= done {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 52 bits")]
    let left = seconds * (total - done) as f64 / done as f64;
    Some(time(left))
}

/// Formats a time for people.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        short if short < 1.0 => format!("{:.0} ms", short * 1_000.0),
        short if short < 90.0 => format!("{short:.0} s"),
        long if long < 5_400.0 => format!("{:.0} min", long / 60.0),
        long => format!("{:.1} h", long / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_for_people() {
        assert_eq!([size(999.0), size(20_000.0), size(2e8)], ["999 B", "20.0 KB", "200 MB"]);
        assert_eq!([time(0.25), time(80.0), time(600.0), time(9e3)], ["250 ms", "80 s", "10 min", "2.5 h"]);
        assert_eq!(left(50, 100, 10.0).as_deref(), Some("10 s"));
        assert_eq!((left(0, 100, 1.0), left(100, 100, 1.0)), (None, None));
    }
}
