//! The catalogue of all metrics: one list, from which the descriptions, the units and the documentation are made.
//!
//! Labels have a bounded number of values: names of operations, providers and layers, never an ID. Prometheus adds
//! `_total` to the names of counters.

use credlink_ports::Credentials;
use metrics::{describe_counter, describe_gauge, describe_histogram, gauge};

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A value that only grows.
    Counter,
    /// The current value of something.
    Gauge,
    /// Values that are summarized as mean, p50, p95 and p99.
    Histogram,
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// No unit: a number that stands for a state.
    State,
}

impl Unit {
    /// Returns CloudWatch's name of the unit.
    #[must_use]
    pub const fn cloudwatch(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Bytes => "Bytes",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
            Self::State => "None",
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricKind,
    /// Its unit.
    pub unit: Unit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Its meaning.
    pub description: &'static str,
}

const fn metric(
    name: &'static str,
    kind: MetricKind,
    unit: Unit,
    labels: &'static [&'static str],
    description: &'static str,
) -> Metric {
    Metric { name, kind, unit, labels, description }
}

pub(super) const STORES: &str = "credlink_stores";
pub(super) const DEDUPLICATED: &str = "credlink_deduplicated";
pub(super) const SUPERSEDES: &str = "credlink_supersedes";
pub(super) const DELETES: &str = "credlink_deletes";
pub(super) const RETRIEVES: &str = "credlink_retrieves";
pub(super) const RETRIEVED_BYTES: &str = "credlink_retrieved_bytes";
pub(super) const RETRIEVE_MISSES: &str = "credlink_retrieve_misses";
pub(super) const LEGACY_HITS: &str = "credlink_legacy_hits";
pub(super) const FAILURES: &str = "credlink_failures";
pub(super) const REQUEST_MS: &str = "credlink_request_ms";
pub(super) const UPLOADS_ANNOUNCED: &str = "credlink_uploads_announced";
pub(super) const UPLOADS_READY: &str = "credlink_uploads_ready";
pub(super) const UPLOADS_REJECTED: &str = "credlink_uploads_rejected";
pub(super) const UPLOADS_EXPIRED: &str = "credlink_uploads_expired";
pub(super) const FINALISE_MS: &str = "credlink_finalise_ms";
pub(super) const STOPPED: &str = "credlink_stopped";
const UNREAD: &str = "credlink_credentials_unread";
/// The gauge of the messages that wait.
pub const QUEUE_DEPTH: &str = "credlink_queue_depth";
pub(crate) const START_TIME: &str = "process_start_time_seconds";
pub(crate) const RESIDENT_MEMORY: &str = "process_resident_memory_bytes";

/// Every metric, in the order of the documentation.
pub const CATALOGUE: [Metric; 29] = {
    use MetricKind::{Counter, Gauge, Histogram};
    [
        metric(STORES, Counter, Unit::Count, &[], "Proofs that were stored"),
        metric(DEDUPLICATED, Counter, Unit::Count, &[], "Stores of a proof that was there already"),
        metric(SUPERSEDES, Counter, Unit::Count, &[], "Proofs that were replaced"),
        metric(DELETES, Counter, Unit::Count, &[], "Proofs and manifests that were deleted"),
        metric(RETRIEVES, Counter, Unit::Count, &[], "Proofs and manifests that were read"),
        metric(RETRIEVED_BYTES, Counter, Unit::Bytes, &[], "Bytes of what was read"),
        metric(RETRIEVE_MISSES, Counter, Unit::Count, &[], "Reads of what is not there"),
        metric(LEGACY_HITS, Counter, Unit::Count, &[], "Proofs that were read from the legacy source"),
        metric(UPLOADS_ANNOUNCED, Counter, Unit::Count, &[], "Uploads that were announced"),
        metric(UPLOADS_READY, Counter, Unit::Count, &[], "Uploads that became files"),
        metric(UPLOADS_REJECTED, Counter, Unit::Count, &["reason"], "Uploads that were rejected, by reason"),
        metric(UPLOADS_EXPIRED, Counter, Unit::Count, &[], "Uploads whose bytes did not arrive in time"),
        metric(
            FINALISE_MS,
            Histogram,
            Unit::Milliseconds,
            &[],
            "Time from the moment when a finaliser takes the bytes of an upload until its file is ready",
        ),
        metric(
            FAILURES,
            Counter,
            Unit::Count,
            &[],
            "Requests that ended with a failure of the service (500 and above)",
        ),
        metric(
            REQUEST_MS,
            Histogram,
            Unit::Milliseconds,
            &["route"],
            "Time to answer a request, by operation",
        ),
        metric(
            "credlink_provider_latency_ms",
            Histogram,
            Unit::Milliseconds,
            &["provider", "operation"],
            "Time of a call to a provider",
        ),
        metric(
            "credlink_provider_failures",
            Counter,
            Unit::Count,
            &["provider", "kind"],
            "Calls to a provider that failed, by kind of failure",
        ),
        metric(
            "credlink_fallback_reads",
            Counter,
            Unit::Count,
            &[],
            "Reads that the fallback answered, because the primary could not or had nothing",
        ),
        metric(
            "credlink_hedged_reads",
            Counter,
            Unit::Count,
            &[],
            "Reads that asked the fallback as well, because the primary took long",
        ),
        metric(
            "credlink_repairs_queued",
            Counter,
            Unit::Count,
            &["provider"],
            "Objects that a provider missed, and that were queued to be brought there",
        ),
        metric(
            "credlink_breaker_state",
            Gauge,
            Unit::State,
            &["provider"],
            "Circuit breaker of a provider: 0 closed, 1 half open, 2 open",
        ),
        metric(
            "credlink_cache_hits",
            Counter,
            Unit::Count,
            &["layer"],
            "Reads that a layer of the cache answered",
        ),
        metric(
            "credlink_cache_misses",
            Counter,
            Unit::Count,
            &["layer"],
            "Reads that a layer of the cache could not answer",
        ),
        metric(
            "credlink_cache_errors",
            Counter,
            Unit::Count,
            &["layer"],
            "Operations of a layer of the cache that failed, and entries that were damaged",
        ),
        metric(
            STOPPED,
            Gauge,
            Unit::State,
            &["why"],
            "Whether something is stopped until an operator has looked: 1 as long as this reason stands",
        ),
        metric(
            UNREAD,
            Gauge,
            Unit::State,
            &["source"],
            "Whether the file of tokens (`tokens`), or the keys of JSON Web Tokens (`keys`), could not be read when they were last looked at: \
             1 as long as that is so",
        ),
        metric(QUEUE_DEPTH, Gauge, Unit::Count, &[], "Messages that wait, or are being worked on"),
        metric(START_TIME, Gauge, Unit::Seconds, &[], "When the process started, in seconds since 1970"),
        metric(RESIDENT_MEMORY, Gauge, Unit::Bytes, &[], "Memory of the process (Linux only)"),
    ]
};

/// Gives the descriptions of all metrics to the installed recorder. Units are part of the names already.
pub fn describe() {
    for Metric { name, kind, description, .. } in CATALOGUE {
        match kind {
            MetricKind::Counter => describe_counter!(name, description),
            MetricKind::Gauge => describe_gauge!(name, description),
            MetricKind::Histogram => describe_histogram!(name, description),
        }
    }
}

/// Returns the metric with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Metric> {
    CATALOGUE.iter().find(|metric| metric.name == name)
}

/// Records whether a source of credentials was unreadable when it was last checked.
pub fn note_unread(source: Credentials, is_unread: bool) {
    gauge!(UNREAD, "source" => source.name()).set(if is_unread { 1.0 } else { 0.0 });
}
