//! The most of everything that is read, so that a file decides neither time nor memory.

/// The most bytes of a `moov` box, which is read into memory: those of about five hours of a camera with sound.
pub const MAX_MOVIE_BYTES: u64 = 20 * 1_024 * 1_024;
/// The most bytes before the `moov` box of a recording of fragments, which players get with it.
pub const MAX_BYTES_BEFORE_MOVIE: u64 = 32 * 1_024;
/// The most bytes of a `moof` box.
pub const MAX_FRAGMENT_BYTES: u64 = 4 * 1_024 * 1_024;
/// The most boxes before the `moov` box.
pub const MAX_BOXES: u64 = 1_000;
/// The most tracks.
pub const MAX_TRACKS: u64 = 32;
/// The most samples of a track: more than those that a `moov` box of the longest kind usually describes.
pub const MAX_SAMPLES: u64 = 2_000_000;
/// The most samples of the tracks that are played of a recording that is made of fragments: more than those of a day with sixty
/// pictures a second and sound.
pub const MAX_FRAGMENTED_SAMPLES: u64 = 12_000_000;
/// The most samples of a segment, and of a fragment: an hour and more between two key frames.
pub const MAX_SEGMENT_SAMPLES: u64 = 200_000;
/// The most segments of a stream. A segment lasts four seconds or more, unless times in the file say otherwise.
pub const MAX_SEGMENTS: u64 = 100_000;
/// The most bytes of a segment. Offsets in a `trun` box have 31 bits.
pub const MAX_SEGMENT_BYTES: u64 = 1_024 * 1_024 * 1_024;
/// The most bytes of sound in a segment, which are kept in memory until they are written.
pub const MAX_AUDIO_SEGMENT_BYTES: u64 = 8 * 1_024 * 1_024;
/// The most sample entries of a track.
pub const MAX_SAMPLE_ENTRIES: u64 = 16;
/// The most bytes of a sample entry, which holds parameters of the codec.
pub const MAX_SAMPLE_ENTRY_BYTES: u64 = 64 * 1_024;
