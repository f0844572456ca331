//! The way in which the bytes of an upload are sent: one `PUT`, or equal parts.

use std::ops::Range;

use crate::bounds::{MAX_PARTS, MAX_PUT_BYTES, MIN_PART_BYTES};

/// The plan of an upload. It follows from the size alone, so that it need not be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// A single `PUT` of this many bytes.
    Put(u64),
    /// A multipart upload in equal parts, of which the last may be smaller, as R2 requires.
    Parts {
        /// The size of the file in bytes.
        size: u64,
        /// The size of every part but the last, in bytes.
        part_size: u64,
        /// The number of parts.
        count: u32,
    },
}

/// A part of a multipart upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The number, from 1.
    pub number: u32,
    /// The bytes of the file that it has.
    pub range: Range<u64>,
}

impl Part {
    /// Returns the number of bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.range.end - self.range.start
    }
}

impl Plan {
    /// Returns the plan for a file of `size` bytes: a `PUT` up to 100 MB, and otherwise parts of 8 MiB, or more if there
    /// would be more than 10,000.
    #[must_use]
    pub fn of(size: u64) -> Self {
        if size <= MAX_PUT_BYTES {
            return Self::Put(size);
        }
        let part_size = MIN_PART_BYTES.max(size.div_ceil(u64::from(MAX_PARTS)));
        let count = u32::try_from(size.div_ceil(part_size)).unwrap_or(MAX_PARTS);
        Self::Parts { size, part_size, count }
    }

    /// Returns the number of parts: 1 for a single `PUT`.
    #[must_use]
    pub const fn count(&self) -> u32 {
        match self {
            Self::Put(_) => 1,
            Self::Parts { count, .. } => *count,
        }
    }

    /// Returns the part with this number, or `None` if there is none.
    #[must_use]
    pub fn part(&self, number: u32) -> Option<Part> {
        let (size, part_size) = match *self {
            Self::Put(size) => (size, size),
            Self::Parts { size, part_size, .. } => (size, part_size),
        };
        if !(1..=self.count()).contains(&number) {
            return None;
        }
        let start = part_size * u64::from(number - 1);
        Some(Part { number, range: start..size.min(start + part_size) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bounds::MAX_FILE_BYTES;

    #[test]
    fn parts_are_equal_and_few_enough() {
        const MIB: u64 = 1_024 * 1_024;
        for (size, part_size, count, last) in [
            (100_000_001, 8 * MIB, 12, 100_000_001 - 11 * 8 * MIB),
            (12 * 8 * MIB, 8 * MIB, 12, 8 * MIB),
            (12 * 8 * MIB + 1, 8 * MIB, 13, 1),
            (10_000 * 8 * MIB, 8 * MIB, 10_000, 8 * MIB),
            (10_000 * 8 * MIB + 1, 8 * MIB + 1, 10_000, 8 * MIB + 1 - 9_999),
            (MAX_FILE_BYTES, 549_755_814, 10_000, MAX_FILE_BYTES - 9_999 * 549_755_814),
        ] {
            let plan = Plan::of(size);
            assert_eq!(plan, Plan::Parts { size, part_size, count }, "{size}");
            assert_eq!(plan.part(count).unwrap().length(), last, "{size}");
        }
        for size in [1, 100_000_000] {
            assert_eq!(Plan::of(size), Plan::Put(size));
            assert_eq!(Plan::of(size).part(1), Some(Part { number: 1, range: 0..size }));
        }
        assert_eq!((Plan::of(5).part(0), Plan::of(5).part(2)), (None, None));
    }

    proptest! {
        #[test]
        fn parts_cover_the_file_without_a_gap(size in 1..=MAX_FILE_BYTES) {
            let plan = Plan::of(size);
            let mut end = 0;
            for number in 1..=plan.count() {
                let part = plan.part(number).unwrap();
                prop_assert_eq!(part.range.start, end);
                prop_assert!(part.length() > 0);
                end = part.range.end;
            }
            prop_assert_eq!(end, size);
            prop_assert!(plan.count() <= MAX_PARTS);
            // The limit of S3: 5 GiB a part.
            prop_assert!(plan.part(1).unwrap().length() <= 5 << 30);
        }
    }
}
