//! The counts of a layer, for `GET /v1/stats` and for metrics.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use credlink_ports::LayerStats;
use metrics::Counter;

/// The counts of one layer.
///
/// The handles of the metrics `credlink_cache_hits`, `_misses` and `_errors` (label `layer`) are obtained once, when
/// the layer is made, so a `main` must install its recorder before.
pub(super) struct Tally {
    name: &'static str,
    hits: AtomicU64,
    misses: AtomicU64,
    errors: AtomicU64,
    exported_hits: Counter,
    exported_misses: Counter,
    exported_errors: Counter,
}

impl Tally {
    /// Returns counts of zero for the layer with this name.
    pub(super) fn of(name: &'static str) -> Self {
        Self {
            name,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            exported_hits: metrics::counter!("credlink_cache_hits", "layer" => name),
            exported_misses: metrics::counter!("credlink_cache_misses", "layer" => name),
            exported_errors: metrics::counter!("credlink_cache_errors", "layer" => name),
        }
    }

    pub(super) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
        self.exported_hits.increment(1);
    }

    pub(super) fn miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
        self.exported_misses.increment(1);
    }

    pub(super) fn error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.exported_errors.increment(1);
    }

    /// Returns the counts, with the entries and bytes that the layer holds, if it knows them.
    pub(super) fn stats(&self, held: Option<(u64, u64)>) -> LayerStats {
        LayerStats {
            name: self.name,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            entries: held.map(|(entries, _)| entries),
            bytes: held.map(|(_, bytes)| bytes),
        }
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.stats(None), f)
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn counts_reach_the_statistics_and_the_recorder() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let tally = metrics::with_local_recorder(&recorder, || Tally::of("l9"));
        tally.hit();
        tally.hit();
        tally.miss();
        tally.error();
        let stats = tally.stats(Some((3, 4)));
        assert_eq!((stats.name, stats.hits, stats.misses, stats.errors), ("l9", 2, 1, 1));
        assert_eq!((stats.entries, stats.bytes), (Some(3), Some(4)));
        let exported = recorder.handle().render();
        for line in ["hits{layer=\"l9\"} 2", "misses{layer=\"l9\"} 1", "errors{layer=\"l9\"} 1"] {
            assert!(exported.contains(&format!("credlink_cache_{line}")), "{exported}");
        }
    }
}
