//! The block of a segment: its samples, as they lie in the recording.
//!
//! It begins with the time of decoding of the first sample, and the place from which gaps are counted. Each sample then has the
//! number of bytes between its predecessor and itself, its size with the bit that tells that decoding can begin at it, and the
//! differences of its duration and of its composition offset from those of its predecessor. All are variable-length numbers of
//! seven bits a byte, the lowest first; those with a sign are written as in Protocol Buffers (`sint64`).

use crate::bmff::tables::Sample;

/// A sample of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockSample {
    /// Its place in the recording.
    pub offset: u64,
    /// The number of bytes between its predecessor, or the place at which the block begins, and itself.
    pub gap: u64,
    pub size: u32,
    pub duration: u32,
    pub composition_offset: i32,
    pub is_sync: bool,
}

/// A block is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockError;

/// A block that is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockWriter {
    end: u64,
    duration: u32,
    composition_offset: i32,
}

impl BlockWriter {
    /// Begins a block whose gaps are counted from `start`.
    pub(crate) fn begin(bytes: &mut Vec<u8>, decode_time: u64, start: u64) -> Self {
        write(bytes, decode_time);
        write(bytes, start);
        Self { end: start, duration: 0, composition_offset: 0 }
    }

    /// Adds a sample, which lies behind its predecessor.
    pub(crate) fn add(&mut self, bytes: &mut Vec<u8>, sample: &Sample) {
        write(bytes, sample.offset.saturating_sub(self.end));
        write(bytes, u64::from(sample.size) << 1 | u64::from(sample.is_sync));
        write_signed(bytes, i64::from(sample.duration) - i64::from(self.duration));
        write_signed(bytes, i64::from(sample.composition_offset) - i64::from(self.composition_offset));
        self.end = sample.offset.saturating_add(sample.size.into());
        (self.duration, self.composition_offset) = (sample.duration, sample.composition_offset);
    }
}

/// A block that is read, sample by sample.
#[derive(Clone, Debug)]
pub(crate) struct BlockReader<'a> {
    rest: &'a [u8],
    decode_time: u64,
    end: u64,
    duration: u32,
    composition_offset: i32,
}

impl<'a> BlockReader<'a> {
    /// Begins to read a block.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, BlockError> {
        let mut reader = Self { rest: bytes, decode_time: 0, end: 0, duration: 0, composition_offset: 0 };
        reader.decode_time = reader.number()?;
        reader.end = reader.number()?;
        Ok(reader)
    }

    /// Returns the time of decoding of the first sample.
    pub(crate) const fn decode_time(&self) -> u64 {
        self.decode_time
    }

    fn sample(&mut self) -> Result<BlockSample, BlockError> {
        let gap = self.number()?;
        let size = self.number()?;
        let difference = |before: i64, difference: i64| before.checked_add(difference).ok_or(BlockError);
        let duration = self.signed().and_then(|change| difference(self.duration.into(), change))?;
        let offset = self.signed().and_then(|change| difference(self.composition_offset.into(), change))?;
        self.duration = u32::try_from(duration).map_err(|_| BlockError)?;
        self.composition_offset = i32::try_from(offset).map_err(|_| BlockError)?;
        let (is_sync, size) = (size & 1 == 1, u32::try_from(size >> 1).map_err(|_| BlockError)?);
        let offset = self.end.checked_add(gap).ok_or(BlockError)?;
        self.end = offset.checked_add(size.into()).ok_or(BlockError)?;
        let (duration, composition_offset) = (self.duration, self.composition_offset);
        Ok(BlockSample { offset, gap, size, duration, composition_offset, is_sync })
    }

    fn number(&mut self) -> Result<u64, BlockError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(BlockError)?;
            self.rest = rest;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                return Err(BlockError);
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BlockError)
    }

    fn signed(&mut self) -> Result<i64, BlockError> {
        let number = self.number()?;
        let magnitude = (number >> 1).cast_signed();
        Ok(if number & 1 == 1 { !magnitude } else { magnitude })
    }
}

impl Iterator for BlockReader<'_> {
    type Item = Result<BlockSample, BlockError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let sample = self.sample();
        if sample.is_err() {
            self.rest = &[];
        }
        Some(sample)
    }
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    bytes.push(low_bits(number));
}

const fn low_bits(number: u64) -> u8 {
    (number & 0x7f) as u8
}

fn write_signed(bytes: &mut Vec<u8>, number: i64) {
    write(bytes, (number << 1 ^ number >> 63).cast_unsigned());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(
            decode_time: u64,
            start in 0..u64::MAX / 2,
            samples: Vec<(u16, u32, u32, i32, bool)>,
        ) {
            let mut bytes = Vec::new();
            let mut writer = BlockWriter::begin(&mut bytes, decode_time, start);
            let (mut end, mut expected) = (start, Vec::new());
            for (gap, size, duration, composition_offset, is_sync) in samples {
                let (gap, offset) = (u64::from(gap), end + u64::from(gap));
                end = offset + u64::from(size);
                let (decode_time, entry) = (0, 1);
                let sample = Sample { decode_time, duration, composition_offset, offset, size, is_sync, entry };
                writer.add(&mut bytes, &sample);
                expected.push(Ok(BlockSample { offset, gap, size, duration, composition_offset, is_sync }));
            }
            let reader = BlockReader::new(&bytes).unwrap();
            prop_assert_eq!(reader.decode_time(), decode_time);
            prop_assert_eq!(reader.collect::<Vec<_>>(), expected);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            if let Ok(reader) = BlockReader::new(&bytes) {
                prop_assert!(reader.count() <= bytes.len());
            }
        }
    }

    #[test]
    fn a_number_has_one_byte_for_seven_bits() {
        for (number, length) in [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (u64::MAX, 10)] {
            let mut bytes = Vec::new();
            write(&mut bytes, number);
            assert_eq!(bytes.len(), length, "{number}");
        }
    }
}
