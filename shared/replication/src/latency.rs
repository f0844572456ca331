//! The latency of a provider's recent reads.

use std::time::Duration;

/// The number of recent reads that are considered.
const WINDOW: usize = 200;

/// The latencies of recent reads.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    /// Latencies in microseconds, in no useful order. The oldest is overwritten.
    samples: Vec<u32>,
    next: usize,
}

impl Latency {
    pub(crate) fn record(&mut self, took: Duration) {
        let sample = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        if self.samples.len() < WINDOW {
            self.samples.push(sample);
        } else if let Some(oldest) = self.samples.get_mut(self.next) {
            *oldest = sample;
        }
        self.next = (self.next + 1) % WINDOW;
    }

    pub(crate) fn count(&self) -> usize {
        self.samples.len()
    }

    /// Returns the given percentile of the latencies, or zero if there are none.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        Duration::from_micros(sorted.get(rank).copied().unwrap_or(0).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_latest_reads() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile(95), Duration::ZERO);
        (0..50).for_each(|_| latency.record(Duration::from_secs(9)));
        (1..=200).for_each(|number| latency.record(Duration::from_millis(number)));
        assert_eq!(latency.count(), 200);
        assert_eq!(latency.percentile(50), Duration::from_millis(100));
        assert_eq!(latency.percentile(95), Duration::from_millis(190));
    }
}
