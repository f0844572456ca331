//! Metrics as Prometheus reads them (text exposition format 0.0.4). This module has no listener: a server renders the
//! text on request.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::gauge;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::catalogue::{RESIDENT_MEMORY, START_TIME, describe};

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// The quantiles that are exported for a histogram, in addition to its sum and count.
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// The length of a window. Quantiles cover the last five windows, of which the oldest is dropped every minute.
const WINDOW: Duration = Duration::from_secs(60);
const WINDOWS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// The reason why metrics could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be set up: {0}")]
pub struct PrometheusError(String);

/// The metrics of this process. Clones share one collection.
#[derive(Debug, Clone)]
pub struct Prometheus(PrometheusHandle);

impl Prometheus {
    /// Collects the metrics of this process from now on.
    ///
    /// # Errors
    /// Returns an error if another recorder is installed already.
    pub fn install() -> Result<Self, PrometheusError> {
        let recorder = recorder()?;
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|error| PrometheusError(error.to_string()))?;
        describe();
        note_start();
        Ok(Self(handle))
    }

    /// Returns all metrics so far as text. Quantiles cover the last five minutes; sums and counts cover all time.
    #[must_use]
    pub fn render(&self) -> String {
        note_memory();
        self.0.render()
    }

    /// Aggregates the values recorded since the last call. The caller must do this every few seconds, because values
    /// are kept one by one until then.
    pub fn take_in(&self) {
        self.0.run_upkeep();
    }
}

fn recorder() -> Result<PrometheusRecorder, PrometheusError> {
    let builder = PrometheusBuilder::new().with_recommended_naming(true).set_bucket_count(WINDOWS);
    let builder = builder.set_quantiles(&QUANTILES).and_then(|builder| builder.set_bucket_duration(WINDOW));
    Ok(builder.map_err(|error| PrometheusError(error.to_string()))?.build_recorder())
}

fn note_start() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    gauge!(START_TIME).set(since.as_secs_f64());
}

/// Sets the metric of the process's memory as the system reports it. If the system does not, the metric is left out.
fn note_memory() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<u32>().ok());
    if let Some(kibibytes) = kibibytes {
        gauge!(RESIDENT_MEMORY).set(f64::from(kibibytes) * 1_024.0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use credlink_ports::{Credentials, Event, Events as _};
    use metrics::{counter, histogram};

    use super::*;
    use crate::catalogue::{CATALOGUE, MetricKind, note_unread};
    use crate::metered::Metered;

    /// Emits every metric of this crate and those above it once.
    fn emit_everything() {
        let metered = Metered::new();
        for event in [
            Event::Stored,
            Event::Deduplicated,
            Event::Superseded,
            Event::Deleted,
            Event::Retrieved { bytes: 7 },
            Event::Missed,
            Event::Failed,
            Event::Doubted { label: "clock", stands: true },
            Event::Answered { route: "store_proof", microseconds: 2_500 },
            Event::Answered { route: "unheard_of", microseconds: 1_000 },
        ] {
            metered.record(event);
        }
        counter!("credlink_cache_hits", "layer" => "l1").increment(3);
        counter!("credlink_cache_misses", "layer" => "l1").increment(4);
        histogram!("credlink_provider_latency_ms", "provider" => "s3", "operation" => "get").record(1.0);
        counter!("credlink_provider_failures", "provider" => "s3", "kind" => "timed out").increment(1);
        counter!("credlink_fallback_reads").increment(1);
        counter!("credlink_hedged_reads").increment(1);
        counter!("credlink_repairs_queued", "provider" => "r2").increment(1);
        counter!("credlink_cache_errors", "layer" => "l2").increment(1);
        gauge!("credlink_breaker_state", "provider" => "s3").set(2);
        gauge!("credlink_queue_depth").set(5);
        note_unread(Credentials::Keys, true);
        note_start();
    }

    #[test]
    fn every_metric_is_in_the_list_and_every_one_of_the_list_is_described() {
        let recorder = recorder().unwrap();
        let prometheus = Prometheus(recorder.handle());
        let text = metrics::with_local_recorder(&recorder, || {
            describe();
            emit_everything();
            prometheus.render()
        });
        let told: BTreeSet<String> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(str::to_owned).collect();
        let listed: BTreeSet<String> = CATALOGUE
            .iter()
            .filter(|metric| metric.name != RESIDENT_MEMORY || cfg!(target_os = "linux"))
            .map(|metric| match metric.kind {
                MetricKind::Counter => format!("{}_total counter", metric.name),
                MetricKind::Gauge => format!("{} gauge", metric.name),
                MetricKind::Histogram => format!("{} summary", metric.name),
            })
            .collect();
        assert_eq!(told, listed, "{text}");
        assert_eq!(text.matches("# HELP ").count(), listed.len(), "{text}");
        for line in [
            "credlink_stores_total 1",
            "credlink_retrieved_bytes_total 7",
            "credlink_cache_hits_total{layer=\"l1\"} 3",
            "credlink_request_ms_sum{route=\"store_proof\"} 2.5",
            "credlink_request_ms_count{route=\"none\"} 1",
            "credlink_breaker_state{provider=\"s3\"} 2",
            "credlink_stopped{why=\"clock\"} 1",
            "credlink_stopped{why=\"index_older\"} 0",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in:\n{text}");
        }
        for quantile in ["0.5", "0.95", "0.99"] {
            let line = format!("credlink_request_ms{{route=\"store_proof\",quantile=\"{quantile}\"}} 2.");
            assert!(text.contains(&line), "{line} is not in:\n{text}");
        }
    }
}
