//! Recordings: the index of a video that is kept as it came, and the segments and playlists that players get of it.
//!
//! In scope: reading MP4 files within bounds, planning their segments, the index and its format, generated headers, and playlists
//! for HLS and DASH. Everything is a pure function of bytes, for the service and the edge alike.
//!
//! Out of scope: where bytes come from and go to, who may see them, decoding pictures, and changing a recording. No recording is
//! ever written anew: a segment is a header that is generated, and behind it a range of the recording, byte for byte.
//!
//! # Guarantees
//!
//! 1. No bytes panic, and nothing is allocated by a number that the file only claims ([`bounds`]).
//! 2. A recording that cannot be played is reported with a reason ([`Unplayable`]); it is kept all the same.
//! 3. The same bytes have the same index, and the same index the same playlists and headers.
//! 4. Each byte of a recording that is played is in exactly one range whose SHA-256 the index has: the front, a segment of the
//!    pictures, or the tail.
//!
//! # Where to look
//!
//! | file | content |
//! |---|---|
//! | `bmff` | the ISO base media file format: boxes, tracks, samples, fragments |
//! | `codec` | names of codecs, and which browsers decode |
//! | `plan` | where segments begin and end |
//! | `indexer` | the pass over all bytes: hashes, the copy of the sound, the index |
//! | `index` | the index and its format |
//! | `segment` | initialization segments and headers that are generated |
//! | `hls`, `dash`, `names`, `rates`, `view` | playlists, the names in them, and what players get for each name |
//! | `bounds`, `unplayable` | limits, and what is said when they are exceeded |

mod bmff;
pub mod bounds;
mod codec;
pub mod dash;
pub mod hls;
mod index;
mod indexer;
mod names;
mod plan;
mod rates;
mod segment;
mod unplayable;
mod view;

pub use bmff::FourCc;
pub use bmff::search::{MovieSearch, SearchError};
pub use index::{Head, Index, IndexError, Init, LeftOut, Segment, Source, Stream, TrackHead};
pub use indexer::{Indexed, Indexer};
pub use names::{Part, StreamName};
pub use plan::Plan;
pub use unplayable::Unplayable;
pub use view::{MP4_AUDIO_TYPE, MP4_TYPE, View};
