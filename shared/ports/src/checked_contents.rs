//! The contents of long objects that were checked as a whole, and the checksums with which their pieces are compared when they are
//! read again.

use std::hash::RandomState;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use credlink_core::bounds::MAX_ANSWER_PIECE_BYTES;
use credlink_core::hash::Digest;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

/// The number of checksums that are remembered together: 1 MiB of them, for the pieces of 16 GiB.
const REMEMBERED_SUMS: u64 = 131_072;
/// The number of contents that are remembered, if they are short.
const REMEMBERED_CONTENTS: usize = 4_096;

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

/// The contents that were checked as a whole a while ago, by their digests. Each part that is read of a long content, as a player
/// does of a video, would otherwise cost a reading of all of it. The last ones that were read are remembered.
#[derive(Debug)]
pub struct CheckedContents(Cache<Digest, Arc<PieceSums>, Weights, RandomState>);

/// The weight of a content: the number of its checksums.
#[derive(Clone, Copy, Debug)]
struct Weights;

impl Weighter<Digest, Arc<PieceSums>> for Weights {
    fn weight(&self, _: &Digest, sums: &Arc<PieceSums>) -> u64 {
        sums.0.len() as u64 + REMEMBERED_SUMS / REMEMBERED_CONTENTS as u64
    }
}

impl Default for CheckedContents {
    fn default() -> Self {
        // One shard, so that a content may be as long as all of them together.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(REMEMBERED_CONTENTS)
            .weight_capacity(REMEMBERED_SUMS)
            .build();
        let (hasher, lifecycle) = (RandomState::new(), DefaultLifecycle::default());
        Self(match options {
            Ok(options) => Cache::with_options(options, Weights, hasher, lifecycle),
            // Only missing bounds are refused.
            Err(_) => Cache::with(REMEMBERED_CONTENTS, REMEMBERED_SUMS, Weights, hasher, lifecycle),
        })
    }
}

impl CheckedContents {
    /// Returns the checksums of the content with this digest, if it is remembered.
    #[must_use]
    pub fn sums(&self, sha256: &Digest) -> Option<Arc<PieceSums>> {
        self.0.get(sha256)
    }

    /// Remembers the checksums of a content that was read as a whole and has this digest.
    #[must_use]
    pub fn checked(&self, sha256: Digest, sums: PieceSums) -> Arc<PieceSums> {
        let sums = Arc::new(sums);
        self.0.insert(sha256, Arc::clone(&sums));
        sums
    }

    /// Forgets a content, because a copy of it is damaged: the next reader checks as a whole what it opens, and finds another copy.
    pub fn forget(&self, sha256: &Digest) {
        self.0.remove(sha256);
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

    #[test]
    fn the_last_contents_are_remembered_within_a_bound() {
        let contents = CheckedContents::default();
        let sums = |number: u64| PieceSums((0..10_000).map(|at| at ^ number).collect());
        let digest = |number: u64| Digest::of(&number.to_le_bytes());
        for number in 0..100 {
            let kept = contents.checked(digest(number), sums(number));
            assert_eq!(kept.0, sums(number).0);
        }
        let remembered: Vec<_> = (0..100).filter_map(|number| contents.sums(&digest(number))).collect();
        assert_eq!(remembered.len(), 13);
        contents.forget(&digest(99));
        assert!(contents.sums(&digest(99)).is_none());
        // Longer than all that may be remembered.
        let long = contents.checked(digest(100), PieceSums(vec![1; 200_000]));
        assert_eq!((long.0.len(), contents.sums(&digest(100)).is_none()), (200_000, true));
    }
}
