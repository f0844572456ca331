//! The most of everything that is read, so that a file decides neither time nor memory.

/// The most bytes of a `moov` box, which is read into memory: those of about a day of a camera.
pub const MOVIE: u64 = 48 * 1_024 * 1_024;
/// The most bytes of a `moof` box.
pub const FRAGMENT: u64 = 4 * 1_024 * 1_024;
/// The most boxes before the `moov` box.
pub const TOP_BOXES: u64 = 1_000;
/// The most tracks.
pub const TRACKS: u64 = 32;
/// The most samples of a track: those of a day with 60 pictures a second, or of its audio.
pub const SAMPLES: u64 = 6_000_000;
/// The most segments: those of a day with one key frame a second.
pub const SEGMENTS: u64 = 100_000;
/// The most bytes of a segment. Offsets in a `trun` box have 31 bits.
pub const SEGMENT: u64 = 1_024 * 1_024 * 1_024;
/// The most sample entries of a track.
pub const FORMATS: u64 = 16;
/// The most bytes of a sample entry, which holds parameters of the codec.
pub const FORMAT: u64 = 64 * 1_024;
