//! The block of a segment: its samples, as they lie in the source.
//!
//! It begins with the time of decoding of the first sample. Each sample then has the number of bytes between its predecessor and
//! itself, its size with the bit that tells that decoding can begin at it, and the differences of its duration and of its shift
//! from those of its predecessor. All are variable-length numbers of seven bits a byte, the lowest first; those with a sign are
//! written as in Protocol Buffers (`sint64`).

use crate::bmff::tables::Sample;

/// A sample of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockSample {
    /// The number of bytes between its predecessor, or the beginning of the segment, and itself.
    pub gap: u64,
    pub size: u32,
    pub duration: u32,
    pub shift: i32,
    pub is_sync: bool,
}

/// A block is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockError;

/// A block that is written.
#[derive(Debug)]
pub(crate) struct BlockWriter {
    bytes: Vec<u8>,
    end: u64,
    duration: u32,
    shift: i32,
}

impl BlockWriter {
    /// Begins the block of a segment whose source begins at `start`.
    pub(crate) fn new(decode: u64, start: u64) -> Self {
        let mut bytes = Vec::new();
        write(&mut bytes, decode);
        Self { bytes, end: start, duration: 0, shift: 0 }
    }

    /// Adds a sample, which lies behind its predecessor.
    pub(crate) fn add(&mut self, sample: &Sample) {
        write(&mut self.bytes, sample.offset.saturating_sub(self.end));
        write(&mut self.bytes, u64::from(sample.size) << 1 | u64::from(sample.is_sync));
        write_signed(&mut self.bytes, i64::from(sample.duration) - i64::from(self.duration));
        write_signed(&mut self.bytes, i64::from(sample.shift) - i64::from(self.shift));
        self.end = sample.offset.saturating_add(sample.size.into());
        (self.duration, self.shift) = (sample.duration, sample.shift);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// A block that is read, sample by sample.
#[derive(Clone, Debug)]
pub(crate) struct BlockReader<'a> {
    rest: &'a [u8],
    duration: u32,
    shift: i32,
}

impl<'a> BlockReader<'a> {
    pub(crate) const fn new(rest: &'a [u8]) -> Self {
        Self { rest, duration: 0, shift: 0 }
    }

    /// Reads the time of decoding of the first sample, which comes first.
    pub(crate) fn decode(&mut self) -> Result<u64, BlockError> {
        self.number()
    }

    fn sample(&mut self) -> Result<BlockSample, BlockError> {
        let gap = self.number()?;
        let size = self.number()?;
        let duration = i64::from(self.duration).checked_add(self.signed()?).ok_or(BlockError)?;
        let shift = i64::from(self.shift).checked_add(self.signed()?).ok_or(BlockError)?;
        self.duration = u32::try_from(duration).map_err(|_| BlockError)?;
        self.shift = i32::try_from(shift).map_err(|_| BlockError)?;
        Ok(BlockSample {
            gap,
            size: u32::try_from(size >> 1).map_err(|_| BlockError)?,
            duration: self.duration,
            shift: self.shift,
            is_sync: size & 1 == 1,
        })
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
        fn what_was_written_is_read(numbers: Vec<u64>, signed: Vec<i64>) {
            let mut bytes = Vec::new();
            numbers.iter().for_each(|number| write(&mut bytes, *number));
            signed.iter().for_each(|number| write_signed(&mut bytes, *number));
            let mut reader = BlockReader::new(&bytes);
            for number in numbers {
                prop_assert_eq!(reader.number(), Ok(number));
            }
            for number in signed {
                prop_assert_eq!(reader.signed(), Ok(number));
            }
            prop_assert!(reader.rest.is_empty());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let mut reader = BlockReader::new(&bytes);
            let _ = reader.decode();
            prop_assert!(reader.count() <= bytes.len());
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
