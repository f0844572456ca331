//! Counters in the process's memory.

use std::sync::atomic::{AtomicU64, Ordering};

use credlink_ports::{Event, Events};
use serde::Serialize;

/// The number of buckets for each power of two. With 16, a percentile is at most 1/16 too high.
const STEPS: u64 = 16;
/// The number of buckets for all of `u64`: values under 32 have their own, and 59 powers of two have 16 each.
const BUCKETS: usize = 32 + 59 * 16;

/// Counters of events. Recording an event takes one or two atomic additions, and never waits.
#[derive(Debug)]
pub struct Counters {
    stored: AtomicU64,
    deduplicated: AtomicU64,
    superseded: AtomicU64,
    deleted: AtomicU64,
    retrieved: AtomicU64,
    retrieved_bytes: AtomicU64,
    missed: AtomicU64,
    failed: AtomicU64,
    microseconds: AtomicU64,
    latencies: Box<[AtomicU64]>,
}

/// The counts since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Proofs stored.
    pub stored: u64,
    /// Proofs that existed already.
    pub deduplicated: u64,
    /// Proofs replaced.
    pub superseded: u64,
    /// Proofs and manifests deleted.
    pub deleted: u64,
    /// Proofs and manifests read.
    pub retrieved: u64,
    /// Bytes of the proofs and manifests that were read.
    pub retrieved_bytes: u64,
    /// Reads of something that does not exist.
    pub missed: u64,
    /// Requests that ended with a failure of the service.
    pub failed: u64,
    /// Requests answered.
    pub answered: u64,
    /// The latency of answers.
    pub latency: Latency,
}

/// The latency of answers, in microseconds. Percentiles are upper bounds, at most 1/16 too high.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// The mean.
    pub mean_us: u64,
    /// The latency that half of all answers did not exceed.
    pub p50_us: u64,
    /// The latency that 95 of 100 answers did not exceed.
    pub p95_us: u64,
    /// The latency that 99 of 100 answers did not exceed.
    pub p99_us: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

impl Counters {
    /// Returns counters at zero.
    #[must_use]
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            stored: zero(),
            deduplicated: zero(),
            superseded: zero(),
            deleted: zero(),
            retrieved: zero(),
            retrieved_bytes: zero(),
            missed: zero(),
            failed: zero(),
            microseconds: zero(),
            latencies: (0..BUCKETS).map(|_| zero()).collect(),
        }
    }

    /// Returns the counts so far. An event that is recorded meanwhile may be in some of them and not in others.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let latencies: Vec<u64> = self.latencies.iter().map(read).collect();
        let answered = latencies.iter().sum();
        Snapshot {
            stored: read(&self.stored),
            deduplicated: read(&self.deduplicated),
            superseded: read(&self.superseded),
            deleted: read(&self.deleted),
            retrieved: read(&self.retrieved),
            retrieved_bytes: read(&self.retrieved_bytes),
            missed: read(&self.missed),
            failed: read(&self.failed),
            answered,
            latency: Latency {
                mean_us: read(&self.microseconds).checked_div(answered).unwrap_or(0),
                p50_us: percentile(&latencies, answered, 50),
                p95_us: percentile(&latencies, answered, 95),
                p99_us: percentile(&latencies, answered, 99),
            },
        }
    }
}

impl Events for Counters {
    fn record(&self, event: Event) {
        match event {
            Event::Stored => add(&self.stored, 1),
            Event::Deduplicated => add(&self.deduplicated, 1),
            Event::Superseded => add(&self.superseded, 1),
            Event::Deleted => add(&self.deleted, 1),
            Event::Retrieved { bytes } => {
                add(&self.retrieved, 1);
                add(&self.retrieved_bytes, bytes);
            }
            Event::Missed => add(&self.missed, 1),
            // These are metrics, not statistics.
            Event::LegacyHit
            | Event::Doubted { .. }
            | Event::UploadAnnounced
            | Event::UploadReady { .. }
            | Event::UploadRejected { .. }
            | Event::UploadExpired => {}
            Event::Failed => add(&self.failed, 1),
            Event::Answered { microseconds, .. } => {
                add(&self.microseconds, microseconds);
                add(&self.latencies[bucket(microseconds)], 1);
            }
        }
    }
}

// Counts are independent of one another, so no memory order is required between them.
fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Returns the bucket of a value: the value itself under 32, and otherwise its power of two with the four bits after
/// the highest one.
fn bucket(value: u64) -> usize {
    let index = match value.checked_ilog2() {
        Some(power @ 5..) => {
            let step = (value >> (power - 4)) - STEPS;
            32 + u64::from(power - 5) * STEPS + step
        }
        _ => value,
    };
    usize::try_from(index).map_or(BUCKETS - 1, |index| index.min(BUCKETS - 1))
}

/// Returns the largest value in a bucket.
fn largest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 32 {
        return bucket;
    }
    let (power, step) = ((bucket - 32) / STEPS + 5, (bucket - 32) % STEPS);
    ((STEPS + step) << (power - 4)) + ((1 << (power - 4)) - 1)
}

fn percentile(buckets: &[u64], total: u64, percent: u64) -> u64 {
    // The rank of the percentile, rounded up; in 128 bits, because the product may overflow 64.
    let wanted = (u128::from(total) * u128::from(percent)).div_ceil(100).max(1);
    let mut seen = 0_u128;
    let at = buckets.iter().position(|count| {
        seen += u128::from(*count);
        seen >= wanted
    });
    at.map_or(0, largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_counter() {
        let counters = Counters::new();
        for (times, event) in [
            (1, Event::Stored),
            (2, Event::Deduplicated),
            (3, Event::Superseded),
            (4, Event::Deleted),
            (5, Event::Retrieved { bytes: 100 }),
            (6, Event::Missed),
            (7, Event::Failed),
            (8, Event::Answered { route: "health", microseconds: 20 }),
        ] {
            (0..times).for_each(|_| counters.record(event));
        }
        let latency = Latency { mean_us: 20, p50_us: 20, p95_us: 20, p99_us: 20 };
        let expected = Snapshot {
            stored: 1,
            deduplicated: 2,
            superseded: 3,
            deleted: 4,
            retrieved: 5,
            retrieved_bytes: 500,
            missed: 6,
            failed: 7,
            answered: 8,
            latency,
        };
        assert_eq!(counters.snapshot(), expected);
        assert_eq!(Counters::new().snapshot(), Snapshot::default());
    }

    #[test]
    fn percentiles_are_close_upper_bounds() {
        let counters = Counters::new();
        (1..=10_000)
            .for_each(|microseconds| counters.record(Event::Answered { route: "health", microseconds }));
        let latency = counters.snapshot().latency;
        for (found, exact) in [(latency.p50_us, 5_000), (latency.p95_us, 9_500), (latency.p99_us, 9_900)] {
            assert!((exact..=exact + exact / 16 + 1).contains(&found), "{found} for {exact}");
        }
        assert_eq!(latency.mean_us, 5_000);
    }

    #[test]
    fn every_value_lies_in_its_bucket() {
        let edges = (0..64).flat_map(|power| {
            let edge = 1_u64 << power;
            [edge - 1, edge, edge + 1, edge + edge / 2]
        });
        for value in edges.chain([u64::MAX]) {
            let bucket = bucket(value);
            assert!(bucket < BUCKETS && value <= largest(bucket), "{value}");
            assert!(bucket == 0 || largest(bucket - 1) < value, "{value}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
