//! The checksums of the pieces of a long object, with which they are compared when they are read again.

use std::ops::Range;

use bytes::Bytes;
use credlink_core::bounds::MAX_ANSWER_PIECE_BYTES;
use credlink_core::hash::Digest;

/// The checksums of the pieces of an object whose bytes were checked as a whole: what is read again to be sent is compared with
/// what was checked.
#[derive(Debug, Default)]
pub struct PieceSums(Vec<Checksum>);

/// The first half of the SHA-256 of a piece, because bytes may have been exchanged by somebody who wants it to pass.
type Checksum = [u8; 16];

impl PieceSums {
    /// Adds the next bytes of the object. Each call but the last adds whole pieces of [`MAX_ANSWER_PIECE_BYTES`].
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend(bytes.chunks(MAX_ANSWER_PIECE_BYTES).map(checksum));
    }

    /// Returns the number of pieces.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.0.len()
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

fn checksum(bytes: &[u8]) -> Checksum {
    let mut half = Checksum::default();
    half.iter_mut().zip(Digest::of(bytes).as_bytes()).for_each(|(to, from)| *to = *from);
    half
}

/// The refusal of bytes that are not those which were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its bytes from number {0} on have changed since they were checked")]
pub struct ChangedPiece(u64);

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
