//! The rates of a stream, which players choose by.

use crate::index::Index;

/// Rates in bits a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    /// The rate of the segment with the most bytes for its duration.
    pub peak: u64,
    /// The rate of all segments together.
    pub average: u64,
}

impl Rates {
    pub(crate) fn of(index: &Index, stream: usize) -> Self {
        let timescale = index.head().streams.get(stream).map_or(1, |stream| stream.timescale);
        let rate = |bytes: u64, duration: u64| {
            let bits = u128::from(bytes) * 8 * u128::from(timescale);
            u64::try_from(bits.div_ceil(u128::from(duration.max(1)))).unwrap_or(u64::MAX)
        };
        let (mut peak, mut bytes, mut duration) = (0, 0_u64, 0_u64);
        for segment in index.segments(stream) {
            let length = segment.range.end.saturating_sub(segment.range.start);
            peak = rate(length, segment.duration).max(peak);
            bytes = bytes.saturating_add(length);
            duration = duration.saturating_add(segment.duration);
        }
        Self { peak, average: rate(bytes, duration) }
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            peak: self.peak.saturating_add(other.peak),
            average: self.average.saturating_add(other.average),
        }
    }
}

/// Returns the number of pictures in 1,000 seconds, if the recording has a duration.
pub(crate) fn frames_per_1000_seconds(index: &Index) -> Option<u64> {
    let pictures = index.head().streams.first()?;
    let duration = u128::from(index.duration(0));
    let scaled = u128::from(pictures.samples) * 1_000 * u128::from(pictures.timescale);
    scaled.checked_div(duration).and_then(|rate| u64::try_from(rate).ok())
}
