//! Events, counted for `/v1/stats` and for the installed recorder: [`prometheus`](crate::prometheus) on a server,
//! [`emf`](crate::emf) in a Lambda, none in a command.
//!
//! Handles are made once. Recording an event takes a few atomic additions: it neither allocates nor waits.

use credlink_core::file::Rejection;
use credlink_core::http::route::Route;
use credlink_core::rules::guard::Doubt;
use credlink_ports::{Event, Events};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::catalogue as of;

use crate::counters::{Counters, Snapshot};

/// The route of a request that matches no operation.
const NO_ROUTE: &str = "none";

/// Counts events. If there is to be a recorder of metrics, it must be installed before this is made.
pub struct Metered {
    counters: Counters,
    stores: Counter,
    deduplicated: Counter,
    supersedes: Counter,
    deletes: Counter,
    retrieves: Counter,
    retrieved_bytes: Counter,
    retrieve_misses: Counter,
    legacy_hits: Counter,
    uploads_announced: Counter,
    uploads_ready: Counter,
    /// Counters by reason.
    uploads_rejected: Vec<(&'static str, Counter)>,
    uploads_expired: Counter,
    finalise_ms: Histogram,
    failures: Counter,
    /// Gauges by the label of the doubt.
    stopped: Vec<(&'static str, Gauge)>,
    /// Histograms by the name of the route.
    request_ms: Vec<(&'static str, Histogram)>,
}

impl std::fmt::Debug for Metered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metered").field("counters", &self.counters.snapshot()).finish_non_exhaustive()
    }
}

impl Default for Metered {
    fn default() -> Self {
        Self::new()
    }
}

impl Metered {
    /// Returns counters at zero, with the recorder that is installed now.
    #[must_use]
    pub fn new() -> Self {
        let routes = Route::names().chain([NO_ROUTE]);
        let reasons = Rejection::ALL.iter().map(|reason| reason.name());
        Self {
            counters: Counters::new(),
            stores: counter!(of::STORES),
            deduplicated: counter!(of::DEDUPLICATED),
            supersedes: counter!(of::SUPERSEDES),
            deletes: counter!(of::DELETES),
            retrieves: counter!(of::RETRIEVES),
            retrieved_bytes: counter!(of::RETRIEVED_BYTES),
            retrieve_misses: counter!(of::RETRIEVE_MISSES),
            legacy_hits: counter!(of::LEGACY_HITS),
            uploads_announced: counter!(of::UPLOADS_ANNOUNCED),
            uploads_ready: counter!(of::UPLOADS_READY),
            uploads_rejected: reasons
                .map(|reason| (reason, counter!(of::UPLOADS_REJECTED, "reason" => reason)))
                .collect(),
            uploads_expired: counter!(of::UPLOADS_EXPIRED),
            finalise_ms: histogram!(of::FINALISE_MS),
            failures: counter!(of::FAILURES),
            stopped: Doubt::LABELS.map(|label| (label, gauge!(of::STOPPED, "why" => label))).into(),
            request_ms: routes.map(|route| (route, histogram!(of::REQUEST_MS, "route" => route))).collect(),
        }
    }

    /// Returns the counts since this was made.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.counters.snapshot()
    }
}

impl Events for Metered {
    fn record(&self, event: Event) {
        self.counters.record(event);
        match event {
            Event::Stored => self.stores.increment(1),
            Event::Deduplicated => self.deduplicated.increment(1),
            Event::Superseded => self.supersedes.increment(1),
            Event::Deleted => self.deletes.increment(1),
            Event::Retrieved { bytes } => {
                self.retrieves.increment(1);
                self.retrieved_bytes.increment(bytes);
            }
            Event::Missed => self.retrieve_misses.increment(1),
            Event::LegacyHit => self.legacy_hits.increment(1),
            Event::UploadAnnounced => self.uploads_announced.increment(1),
            Event::UploadReady { microseconds } => {
                self.uploads_ready.increment(1);
                self.finalise_ms.record(milliseconds(microseconds));
            }
            Event::UploadRejected { reason } => {
                if let Some((_, counter)) = self.uploads_rejected.iter().find(|(name, _)| *name == reason) {
                    counter.increment(1);
                }
            }
            Event::UploadExpired => self.uploads_expired.increment(1),
            Event::Failed => self.failures.increment(1),
            Event::Doubted { label, stands } => {
                if let Some((_, gauge)) = self.stopped.iter().find(|(name, _)| *name == label) {
                    gauge.set(f64::from(u8::from(stands)));
                }
            }
            Event::Answered { route, microseconds } => {
                let found = self.request_ms.iter().find(|(name, _)| *name == route);
                if let Some((_, histogram)) = found.or(self.request_ms.last()) {
                    histogram.record(milliseconds(microseconds));
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a duration needs no more than 52 bits")]
fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1_000.0
}
