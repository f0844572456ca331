//! The rates of a stream, which players choose by.

use crate::index::block::BlockReader;
use crate::index::{Entry, Head, IndexError, Init, Source, Stream};
use crate::segment::{Data, header_length};

/// The most segments that are put together for the peak: more, and they are too short for their number to matter.
const WINDOW: usize = 100;

/// Measures the rates of a stream, with the headers that are generated.
///
/// The peak is that of RFC 8216, section 4.1: the highest rate over segments that follow each other, and together last between
/// half of a target duration and one and a half.
pub(crate) fn measure(stream: &mut Stream, entries: &[Entry], blocks: &[u8]) -> Result<(), IndexError> {
    let is_generated = stream.source == Source::Media && matches!(stream.init, Init::Generated(_));
    let mut sizes = Vec::with_capacity(entries.len());
    for entry in entries {
        let length = entry.range.end - entry.range.start;
        let header = if is_generated {
            let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
            let block = blocks.get(place(entry.block.start)..place(entry.block.end)).unwrap_or_default();
            header_length(&BlockReader::new(block)?, Data::Range { start: entry.range.start, length })?
        } else {
            0
        };
        sizes.push((length + header, entry.duration));
    }
    let rate = |(bytes, duration): (u64, u64)| {
        let bits = u128::from(bytes) * 8 * u128::from(stream.timescale);
        u64::try_from(bits.div_ceil(u128::from(duration.max(1)))).unwrap_or(u64::MAX)
    };
    let sum = |(bytes, duration): (u64, u64), (more, longer): &(u64, u64)| {
        (bytes.saturating_add(*more), duration.saturating_add(*longer))
    };
    let average = rate(sizes.iter().fold((0, 0), sum));
    let target = target_duration(std::iter::once(&*stream)).saturating_mul(stream.timescale.into());
    let mut peak = average;
    for first in 0..sizes.len() {
        let mut together = (0, 0);
        for size in sizes.iter().skip(first).take(WINDOW) {
            together = sum(together, size);
            let doubled = together.1.saturating_mul(2);
            if doubled > target.saturating_mul(3) {
                break;
            }
            if doubled >= target {
                peak = peak.max(rate(together));
            }
        }
    }
    (stream.peak, stream.average) = (peak, average);
    Ok(())
}

/// Returns the target duration of the playlists of these streams in seconds: that of the longest segment, rounded to the nearest
/// second (RFC 8216, section 4.3.3.1). All playlists have the same (section 6.2.4).
pub(crate) fn target_duration<'a>(streams: impl Iterator<Item = &'a Stream>) -> u64 {
    let rounded = |stream: &Stream| {
        let timescale = u64::from(stream.timescale);
        stream.longest.saturating_add(timescale / 2) / timescale
    };
    streams.map(rounded).max().unwrap_or_default().max(1)
}

/// Returns the number of pictures in 1,000 seconds, if the recording has a duration.
pub(crate) fn frames_per_1000_seconds(head: &Head) -> Option<u64> {
    let video = &head.video;
    let duration = u128::from(video.end.saturating_sub(video.start));
    let scaled = u128::from(video.samples) * 1_000 * u128::from(video.timescale);
    let rate = scaled.checked_add(duration / 2)?.checked_div(duration)?;
    u64::try_from(rate).ok()
}
