//! The progress of a running job.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use credlink_migrate::progress::{Counts, Watch};
use credlink_ports::Failure;
use credlink_ports::migration::ledger::Reason;

use crate::commands::display::Display;
use crate::commands::figures::{left, size};

/// Maximum number of failures that are named while the job runs. The report names all of them.
const NAMED: u64 = 20;

/// Shows the progress of a job, and ends it at Ctrl-C.
pub(super) struct Bar {
    display: Display,
    began: Instant,
    /// Number of items of the source, or 0 while they are still being counted.
    total: AtomicU64,
    names_failures: bool,
    named: AtomicU64,
    cancelled: AtomicBool,
}

impl Bar {
    /// Chooses a display that fits stderr, or none if JSON was asked for.
    pub(super) fn new(is_json: bool) -> Self {
        let (total, named) = (AtomicU64::new(0), AtomicU64::new(0));
        let cancelled = AtomicBool::new(false);
        let display = Display::bar(is_json);
        Self { display, began: Instant::now(), total, names_failures: true, named, cancelled }
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
        self.display.end();
    }

    /// Prints a line above the bar.
    fn line(&self, text: &str) {
        self.display.line(text);
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
        let done = counts.processed();
        self.display.show(Some((done, total.unwrap_or(done))), || self.words(counts, total));
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
