//! The port for the content of a long object, which is read piece by piece and never held as a whole.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use credlink_core::bounds::MAX_ANSWER_PIECE_BYTES;
use credlink_core::hash::Digest;
use credlink_core::object::ObjectKey;
use futures_util::stream::BoxStream;

use crate::Failure;

/// The checksums of the pieces of an object whose bytes were checked as a whole: what is read again to be sent is compared with
/// what was checked.
#[derive(Debug, Default)]
pub struct PieceSums(Vec<u64>);

impl PieceSums {
    /// Adds the next bytes of the object. Each call but the last adds whole pieces of [`MAX_ANSWER_PIECE_BYTES`].
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend(bytes.chunks(MAX_ANSWER_PIECE_BYTES).map(checksum));
    }

    /// Returns the part within `range` of the piece at `at`, a multiple of [`MAX_ANSWER_PIECE_BYTES`] in the object.
    ///
    /// # Errors
    /// Returns an error if the piece is not the one that was added.
    pub fn part(&self, at: u64, piece: &Bytes, range: &Range<u64>) -> Result<Bytes, ChangedPiece> {
        let number = usize::try_from(at / MAX_ANSWER_PIECE_BYTES as u64).ok();
        let added = number.and_then(|number| self.0.get(number));
        if added != Some(&checksum(piece)) {
            return Err(ChangedPiece(at));
        }
        let within = |place: u64| {
            usize::try_from(place.saturating_sub(at)).map_or(piece.len(), |place| place.min(piece.len()))
        };
        let (start, end) = (within(range.start), within(range.end));
        Ok(piece.slice(start.min(end)..end))
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
}

/// The refusal of bytes that are not those which were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its bytes from number {0} on have changed since they were checked")]
pub struct ChangedPiece(u64);

/// The future of an opening.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Option<OpenedContent>, Failure>> + Send + 'a>>;

/// A provider whose objects can be opened, so that their content is sent without being held.
///
/// * **Checked.** All bytes of the object were read and have the digest that is returned, before the first of them is
///   given out (guarantee 4).
/// * **Fixed.** The pieces are of the bytes that were checked. If these can no longer be had, because the object was replaced,
///   deleted or damaged meanwhile, the pieces end with a failure. A folder still has what was replaced or deleted.
/// * **Bounded.** A few pieces of an object are in memory at a time, however long it is, and no piece is longer than
///   [`MAX_ANSWER_PIECE_BYTES`](credlink_core::bounds::MAX_ANSWER_PIECE_BYTES).
pub trait OpenObjects: fmt::Debug + Send + Sync {
    /// Opens the object under `key` and checks it. The pieces are those of `range` of its bytes as stored, or of as much
    /// of the range as lies within them. Returns `None` if there is no such object.
    ///
    /// # Errors
    /// The object is damaged, or the provider failed.
    fn open<'a>(&'a self, key: &'a ObjectKey, range: Range<u64>) -> Opening<'a>;
}

/// The checked content of an open object.
pub struct OpenedContent {
    /// SHA-256 of all its bytes.
    pub sha256: Digest,
    /// Number of bytes in `pieces` together.
    pub length: u64,
    /// The bytes. They end early only with a failure.
    pub pieces: BoxStream<'static, Result<Bytes, Failure>>,
}

impl fmt::Debug for OpenedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sha256, length, .. } = self;
        f.debug_struct("OpenedContent")
            .field("sha256", sha256)
            .field("length", length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: u64 = MAX_ANSWER_PIECE_BYTES as u64;

    #[test]
    fn a_piece_that_has_changed_is_not_given_out() {
        let whole: Vec<u8> = (0..MAX_ANSWER_PIECE_BYTES * 2 + 10).map(|at| (at % 251) as u8).collect();
        let (first, rest) = whole.split_at(MAX_ANSWER_PIECE_BYTES);
        let mut sums = PieceSums::default();
        sums.add(first);
        sums.add(rest);
        let last = Bytes::copy_from_slice(&whole[MAX_ANSWER_PIECE_BYTES * 2..]);
        let part = |at, range: Range<u64>| sums.part(at, &last, &range);
        assert_eq!(part(2 * PIECE, 0..u64::MAX).unwrap(), last);
        assert_eq!(part(2 * PIECE, 2 * PIECE + 3..2 * PIECE + 5).unwrap(), last.slice(3..5));
        assert!(part(2 * PIECE, 0..7).unwrap().is_empty());
        assert_eq!(part(PIECE, 0..9), Err(ChangedPiece(PIECE)));
        assert_eq!(part(3 * PIECE, 0..9), Err(ChangedPiece(3 * PIECE)));
        let mut damaged = first.to_vec();
        damaged[77] ^= 1;
        assert_eq!(sums.part(0, &damaged.into(), &(0..1)), Err(ChangedPiece(0)));
    }
}
