//! Numbers and boxes, from bytes that may end anywhere.

use super::FourCc;
use super::header::BoxHeader;
use crate::unplayable::Unplayable;

/// The rest of the content of a box, which is read from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    /// The type of the box, for errors.
    kind: FourCc,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(kind: FourCc, rest: &'a [u8]) -> Self {
        Self { kind, rest }
    }

    pub(crate) const fn malformed(&self, detail: &'static str) -> Unplayable {
        Unplayable::malformed(self.kind, detail)
    }

    /// Returns a reader of a part of the same box.
    pub(crate) const fn over(&self, rest: &'a [u8]) -> Self {
        Self { kind: self.kind, rest }
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Unplayable> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or_else(|| self.malformed("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unplayable> {
        let (taken, rest) =
            self.rest.split_first_chunk().ok_or_else(|| self.malformed("it ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Unplayable> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Unplayable> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Unplayable> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Unplayable> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads a number of 64 bits in version 1, or of 32 bits otherwise.
    pub(crate) fn u64_if(&mut self, is_long: bool) -> Result<u64, Unplayable> {
        if is_long { self.u64() } else { self.u32().map(u64::from) }
    }

    pub(crate) fn four_cc(&mut self) -> Result<FourCc, Unplayable> {
        self.array().map(FourCc)
    }

    /// Reads the version and the flags of a full box.
    pub(crate) fn version(&mut self) -> Result<(u8, u32), Unplayable> {
        let word = self.u32()?;
        Ok((high_byte(word), word & 0x00ff_ffff))
    }

    /// Takes a table of `count` entries of `size` bytes each, which must be there.
    pub(crate) fn table(&mut self, count: u32, size: usize) -> Result<Self, Unplayable> {
        let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(size));
        let length = length.filter(|length| *length <= self.rest.len());
        let entries =
            self.take(length.ok_or_else(|| self.malformed("it has fewer entries than it says"))?)?;
        Ok(self.over(entries))
    }

    /// Reads the boxes in the rest.
    pub(crate) const fn boxes(self) -> Boxes<'a> {
        Boxes(self)
    }
}

const fn high_byte(word: u32) -> u8 {
    (word >> 24) as u8
}

/// The boxes within a box.
#[derive(Clone, Debug)]
pub(crate) struct Boxes<'a>(Reader<'a>);

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<(FourCc, Reader<'a>), Unplayable>;

    fn next(&mut self) -> Option<Self::Item> {
        // QuickTime ends some lists with four zeros.
        if self.0.rest.len() < 8 {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.0.rest = &[];
        }
        Some(read)
    }
}

impl<'a> Boxes<'a> {
    fn read(&mut self) -> Result<(FourCc, Reader<'a>), Unplayable> {
        let Some(header) = BoxHeader::parse(self.0.rest)? else {
            return Err(self.0.malformed("it ends too early"));
        };
        let kind = header.kind;
        self.0.take(header.length)?;
        let content = header.content.map_or(Ok(self.0.rest.len()), usize::try_from);
        let content = content.ok().filter(|content| *content <= self.0.rest.len());
        let content = content.ok_or(Unplayable::malformed(kind, "it is longer than the box around it"))?;
        Ok((kind, Reader::new(kind, self.0.take(content)?)))
    }

    /// Returns the content of the first box of a type.
    pub(crate) fn first(self, wanted: &[u8; 4]) -> Result<Option<Reader<'a>>, Unplayable> {
        for found in self {
            let (kind, content) = found?;
            if kind.0 == *wanted {
                return Ok(Some(content));
            }
        }
        Ok(None)
    }

    /// Returns the content of the first box of a type, which must be there.
    pub(crate) fn required(self, wanted: &'static [u8; 4]) -> Result<Reader<'a>, Unplayable> {
        let missing = Unplayable::malformed(FourCc(*wanted), "it is missing");
        self.first(wanted)?.ok_or(missing)
    }
}
