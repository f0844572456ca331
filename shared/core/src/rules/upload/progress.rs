//! The progress of an upload, from what its provider has.

use std::collections::BTreeMap;

use super::Plan;

/// A part that the provider lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// The number, from 1.
    pub number: u32,
    /// The number of bytes.
    pub size: u64,
}

/// The bytes of an upload that its provider has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No object, and no part.
    Nothing,
    /// The object, with this many bytes.
    Whole(u64),
    /// Parts of an unfinished multipart upload.
    Parts(Vec<Arrived>),
    /// This many bytes from the beginning of a file whose bytes arrive in order.
    Beginning(u64),
}

/// The progress of an upload.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// The numbers of the parts that have arrived whole.
    pub arrived: Vec<u32>,
    /// The number of bytes that have arrived.
    pub bytes: u64,
    /// The same in percent, rounded down: 100 if all bytes are there.
    pub percent: u8,
    /// `true` if all bytes are there, and no others.
    #[serde(skip)]
    pub is_complete: bool,
    /// The number of bytes of the object, if it is there and has another size than announced.
    #[serde(skip)]
    pub other_size: Option<u64>,
}

impl Progress {
    /// Returns the progress of an upload of `size` bytes of which its provider has this.
    ///
    /// A part counts if it has exactly its length: a part of another length was sent for another plan, and has to be sent
    /// again. If a provider lists a number twice, the last counts, as it does for S3.
    #[must_use]
    pub fn of(size: u64, found: &Found) -> Self {
        let plan = Plan::of(size);
        let mut arrived = Vec::new();
        let mut bytes = 0;
        let mut other_size = None;
        match found {
            Found::Nothing => {}
            Found::Whole(length) if *length == size => {
                arrived.extend(1..=plan.count());
                bytes = size;
            }
            Found::Whole(length) => other_size = Some(*length),
            // The last byte makes it whole.
            Found::Beginning(length) => bytes = (*length).min(size.saturating_sub(1)),
            Found::Parts(listed) => {
                let listed: BTreeMap<u32, u64> =
                    listed.iter().map(|Arrived { number, size }| (*number, *size)).collect();
                for (number, length) in listed {
                    if plan.part(number).is_some_and(|part| part.length() == length) {
                        arrived.push(number);
                        bytes += length;
                    }
                }
            }
        }
        let is_complete = bytes == size && other_size.is_none();
        let percent = u128::from(bytes) * 100 / u128::from(size.max(1));
        Self { arrived, bytes, percent: u8::try_from(percent).unwrap_or(100), is_complete, other_size }
    }

    /// Returns the numbers of the first parts that are missing, up to `most`.
    #[must_use]
    pub fn missing(&self, size: u64, most: usize) -> Vec<u32> {
        let mut arrived = self.arrived.iter().copied().peekable();
        let missing = (1..=Plan::of(size).count()).filter(|number| arrived.next_if_eq(number).is_none());
        missing.take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 100_000_001;
    const PART: u64 = 8 * 1_024 * 1_024;
    const LAST: u64 = SIZE - 11 * PART;

    fn parts(parts: &[(u32, u64)]) -> Found {
        Found::Parts(parts.iter().map(|(number, size)| Arrived { number: *number, size: *size }).collect())
    }

    #[test]
    fn only_whole_parts_count() {
        let all: Vec<(u32, u64)> = (1..=12).map(|n| (n, if n == 12 { LAST } else { PART })).collect();
        for (found, arrived, bytes, percent) in [
            (Found::Nothing, vec![], 0, 0),
            (parts(&[]), vec![], 0, 0),
            (parts(&[(1, PART)]), vec![1], PART, 8),
            (parts(&[(12, LAST), (2, PART)]), vec![2, 12], PART + LAST, 16),
            (parts(&[(1, PART - 1), (12, PART)]), vec![], 0, 0),
            (parts(&[(1, PART), (1, 5)]), vec![], 0, 0),
            (parts(&[(0, PART), (13, PART), (u32::MAX, 1)]), vec![], 0, 0),
            (parts(&all[..11]), (1..=11).collect(), 11 * PART, 92),
            (parts(&all), (1..=12).collect(), SIZE, 100),
            (Found::Whole(SIZE), (1..=12).collect(), SIZE, 100),
            (Found::Whole(SIZE - 1), vec![], 0, 0),
        ] {
            let progress = Progress::of(SIZE, &found);
            assert_eq!(
                (&progress.arrived, progress.bytes, progress.percent),
                (&arrived, bytes, percent),
                "{found:?}"
            );
            assert_eq!(progress.is_complete, bytes == SIZE, "{found:?}");
            let missing = progress.missing(SIZE, 100);
            assert!(missing.iter().all(|number| !arrived.contains(number)));
            assert_eq!(missing.len() + arrived.len(), 12, "{found:?}");
        }
        assert_eq!(Progress::of(SIZE, &Found::Whole(7)).other_size, Some(7));
        assert_eq!(Progress::of(SIZE, &parts(&[(2, PART)])).missing(SIZE, 3), [1, 3, 4]);
    }

    #[test]
    fn a_put_has_arrived_or_has_not() {
        for (found, percent, is_complete) in [
            (Found::Nothing, 0, false),
            (Found::Whole(5), 100, true),
            (Found::Whole(4), 0, false),
            (Found::Whole(6), 0, false),
        ] {
            let progress = Progress::of(5, &found);
            assert_eq!((progress.percent, progress.is_complete), (percent, is_complete), "{found:?}");
        }
        assert_eq!(Progress::of(5, &Found::Nothing).missing(5, 100), [1]);
        let beginning = Progress::of(200, &Found::Beginning(51));
        assert_eq!((beginning.bytes, beginning.percent, beginning.is_complete), (51, 25, false));
        assert!(!Progress::of(5, &Found::Beginning(5)).is_complete);
        // 99.99 percent are not all.
        let most = parts(&(1..=9_999).map(|n| (n, 8 * 1_024 * 1_024)).collect::<Vec<_>>());
        let size = 9_999 * 8 * 1_024 * 1_024 + 1;
        assert_eq!(Progress::of(size, &most).percent, 99);
    }
}
