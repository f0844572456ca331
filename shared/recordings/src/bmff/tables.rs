//! The samples of a track, read one by one from the tables of the movie box (ISO/IEC 14496-12, sections 8.6 and 8.7).

use super::FourCc;
use super::reader::Reader;
use crate::bounds::MAX_SAMPLES;
use crate::unplayable::Unplayable;

/// A sample: the picture of one time, or a piece of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The time of decoding, in units of the track.
    pub decode_time: u64,
    /// Its duration.
    pub duration: u32,
    /// The time from decoding to presentation.
    pub composition_offset: i32,
    /// Its place in the file.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u32,
    /// `true` if decoding can begin here.
    pub is_sync: bool,
    /// The number of its sample entry, from 1.
    pub entry: u32,
}

/// The tables of a track, as the file has them.
#[derive(Clone, Debug)]
pub(crate) struct Tables<'a> {
    times: Table<'a>,
    composition_offsets: Option<Table<'a>>,
    sizes: Sizes<'a>,
    /// The number of samples.
    count: u32,
    chunk_lengths: Table<'a>,
    chunks: Chunks<'a>,
    /// The numbers of the samples at which decoding can begin, or `None` if it can begin at all of them.
    sync: Option<Table<'a>>,
}

/// A table of entries of 32-bit words.
#[derive(Clone, Copy, Debug)]
struct Table<'a>(Reader<'a>);

#[derive(Clone, Copy, Debug)]
enum Sizes<'a> {
    Same(u32),
    /// Each with its own size, in this number of bits.
    Each(Reader<'a>, u8),
}

#[derive(Clone, Copy, Debug)]
struct Chunks<'a> {
    offsets: Reader<'a>,
    is_long: bool,
}

impl<'a> Tables<'a> {
    pub(crate) fn parse(samples: Reader<'a>) -> Result<Self, Unplayable> {
        let (sizes, count) = Sizes::parse(samples)?;
        if u64::from(count) > MAX_SAMPLES {
            return Err(Unplayable::TooMany { what: "samples in a track", allowed: MAX_SAMPLES });
        }
        let optional = |kind, words| match samples.boxes().first(kind)? {
            Some(content) => Table::parse(content, words).map(Some),
            None => Ok(None),
        };
        Ok(Self {
            times: Table::parse(samples.boxes().required(b"stts")?, 2)?,
            composition_offsets: optional(b"ctts", 2)?,
            sizes,
            count,
            chunk_lengths: Table::parse(samples.boxes().required(b"stsc")?, 3)?,
            chunks: Chunks::parse(samples)?,
            sync: optional(b"stss", 1)?,
        })
    }

    /// Returns the number of samples.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// Returns the samples in the order of decoding. The last item may be an error.
    pub(crate) fn samples(&self) -> Samples<'a> {
        Samples {
            left: self.count,
            number: 0,
            decode_time: 0,
            times: Runs::new(self.times),
            offsets: self.composition_offsets.map(Runs::new),
            sizes: SizeCursor::new(self.sizes),
            chunks: ChunkCursor::new(self.chunk_lengths, self.chunks),
            sync: self.sync.map(|table| SyncCursor { table: table.0, next: 0 }),
        }
    }
}

impl<'a> Table<'a> {
    fn parse(mut content: Reader<'a>, words: usize) -> Result<Self, Unplayable> {
        content.version()?;
        let count = content.u32()?;
        content.table(count, 4 * words).map(Self)
    }
}

impl<'a> Sizes<'a> {
    fn parse(samples: Reader<'a>) -> Result<(Self, u32), Unplayable> {
        if let Some(mut content) = samples.boxes().first(b"stsz")? {
            content.version()?;
            let (size, count) = (content.u32()?, content.u32()?);
            if size != 0 {
                return Ok((Self::Same(size), count));
            }
            return Ok((Self::Each(content.table(count, 4)?, 32), count));
        }
        let mut content = samples.boxes().required(b"stz2")?;
        content.version()?;
        let (bits, count) = (content.u32()?, content.u32()?);
        let (bits, length) = match bits {
            4 => (4, count.div_ceil(2)),
            8 => (8, count),
            16 => (16, count.checked_mul(2).ok_or_else(|| content.malformed("it has too many entries"))?),
            _ => return Err(content.malformed("its entries have neither 4 nor 8 nor 16 bits")),
        };
        Ok((Self::Each(content.table(length, 1)?, bits), count))
    }
}

impl<'a> Chunks<'a> {
    fn parse(samples: Reader<'a>) -> Result<Self, Unplayable> {
        let (mut content, is_long) = match samples.boxes().first(b"co64")? {
            Some(content) => (content, true),
            None => (samples.boxes().required(b"stco")?, false),
        };
        content.version()?;
        let count = content.u32()?;
        Ok(Self { offsets: content.table(count, if is_long { 8 } else { 4 })?, is_long })
    }
}

/// A table of runs: a number of samples, and the value that all of them have.
#[derive(Clone, Debug)]
struct Runs<'a> {
    table: Reader<'a>,
    left: u32,
    value: u32,
}

impl<'a> Runs<'a> {
    const fn new(table: Table<'a>) -> Self {
        Self { table: table.0, left: 0, value: 0 }
    }

    fn next(&mut self) -> Result<u32, Unplayable> {
        while self.left == 0 {
            if self.table.rest().is_empty() {
                return Err(self.table.malformed("it has fewer samples than the track"));
            }
            (self.left, self.value) = (self.table.u32()?, self.table.u32()?);
        }
        self.left -= 1;
        Ok(self.value)
    }
}

#[derive(Clone, Debug)]
struct SizeCursor<'a> {
    sizes: Sizes<'a>,
    /// The second half of a byte with two sizes.
    half: Option<u8>,
}

impl<'a> SizeCursor<'a> {
    const fn new(sizes: Sizes<'a>) -> Self {
        Self { sizes, half: None }
    }

    fn next(&mut self) -> Result<u32, Unplayable> {
        match &mut self.sizes {
            Sizes::Same(size) => Ok(*size),
            Sizes::Each(sizes, 4) => {
                if let Some(half) = self.half.take() {
                    return Ok(half.into());
                }
                let byte = sizes.u8()?;
                self.half = Some(byte & 0x0f);
                Ok((byte >> 4).into())
            }
            Sizes::Each(sizes, 8) => sizes.u8().map(u32::from),
            Sizes::Each(sizes, 16) => sizes.u16().map(u32::from),
            Sizes::Each(sizes, _) => sizes.u32(),
        }
    }
}

#[derive(Clone, Debug)]
struct ChunkCursor<'a> {
    lengths: Reader<'a>,
    chunks: Chunks<'a>,
    /// The number of the chunk that is read, from 1.
    chunk: u32,
    /// The samples in it that are left, and the place of the next one.
    left: u32,
    offset: u64,
    /// The samples of each chunk from here on, and the number of their sample entry.
    length: u32,
    entry_number: u32,
    /// The chunk from which the next entry counts, with that entry.
    next: Option<(u32, u32, u32)>,
    is_begun: bool,
}

impl<'a> ChunkCursor<'a> {
    const fn new(lengths: Table<'a>, chunks: Chunks<'a>) -> Self {
        Self {
            lengths: lengths.0,
            chunks,
            chunk: 0,
            left: 0,
            offset: 0,
            length: 0,
            entry_number: 0,
            next: None,
            is_begun: false,
        }
    }

    fn entry(&mut self) -> Result<Option<(u32, u32, u32)>, Unplayable> {
        if self.lengths.rest().is_empty() {
            return Ok(None);
        }
        let (first, length, entry_number) = (self.lengths.u32()?, self.lengths.u32()?, self.lengths.u32()?);
        if first <= self.chunk {
            return Err(self.lengths.malformed("its chunks are not in order"));
        }
        Ok(Some((first, length, entry_number)))
    }

    /// Returns the place and the sample entry of the next sample, which has this size.
    fn next(&mut self, size: u32) -> Result<(u64, u32), Unplayable> {
        while self.left == 0 {
            if !self.is_begun {
                self.is_begun = true;
                self.next = self.entry()?;
                if self.next.is_none_or(|(first, ..)| first != 1) {
                    return Err(self.lengths.malformed("it does not begin with the first chunk"));
                }
            }
            if self.chunks.offsets.rest().is_empty() {
                return Err(self.chunks.offsets.malformed("it has fewer chunks than the samples need"));
            }
            self.offset = self.chunks.offsets.u64_if(self.chunks.is_long)?;
            self.chunk = self.chunk.saturating_add(1);
            if let Some((first, length, entry_number)) = self.next
                && first == self.chunk
            {
                (self.length, self.entry_number) = (length, entry_number);
                self.next = self.entry()?;
            }
            self.left = self.length;
        }
        self.left -= 1;
        let offset = self.offset;
        let end = offset.checked_add(size.into());
        self.offset = end.ok_or_else(|| self.chunks.offsets.malformed("its offset overflows"))?;
        Ok((offset, self.entry_number))
    }
}

#[derive(Clone, Debug)]
struct SyncCursor<'a> {
    table: Reader<'a>,
    /// The number of the next sample at which decoding can begin, or 0 if it was not read yet.
    next: u32,
}

impl SyncCursor<'_> {
    fn is_sync(&mut self, number: u32) -> Result<bool, Unplayable> {
        while self.next < number && !self.table.rest().is_empty() {
            let next = self.table.u32()?;
            if next <= self.next {
                return Err(self.table.malformed("its samples are not in order"));
            }
            self.next = next;
        }
        Ok(self.next == number)
    }
}

/// The samples of a track in the order of decoding.
#[derive(Clone, Debug)]
pub(crate) struct Samples<'a> {
    left: u32,
    number: u32,
    decode_time: u64,
    times: Runs<'a>,
    offsets: Option<Runs<'a>>,
    sizes: SizeCursor<'a>,
    chunks: ChunkCursor<'a>,
    sync: Option<SyncCursor<'a>>,
}

impl Iterator for Samples<'_> {
    type Item = Result<Sample, Unplayable>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let sample = self.read();
        if sample.is_err() {
            self.left = 0;
        }
        Some(sample)
    }
}

impl Samples<'_> {
    fn read(&mut self) -> Result<Sample, Unplayable> {
        self.number += 1;
        let duration = self.times.next()?;
        let composition_offset = match &mut self.offsets {
            // Version 0 has no sign by the standard, and has one by many encoders.
            Some(offsets) => offsets.next()?.cast_signed(),
            None => 0,
        };
        let size = self.sizes.next()?;
        let (offset, entry) = self.chunks.next(size)?;
        let is_sync = match &mut self.sync {
            Some(sync) => sync.is_sync(self.number)?,
            None => true,
        };
        let decode_time = self.decode_time;
        let next = decode_time.checked_add(duration.into()).filter(|next| *next < 1 << 62);
        self.decode_time = next.ok_or(Unplayable::malformed(FourCc(*b"stts"), "its times overflow"))?;
        Ok(Sample { decode_time, duration, composition_offset, offset, size, is_sync, entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bmff::writer::Writer;

    /// Tables of four samples in two chunks.
    struct Stbl {
        sizes: fn(&mut Writer),
        chunks: fn(&mut Writer),
    }

    fn stsz(stbl: &mut Writer) {
        stbl.full(b"stsz", 0, 0, |sizes| {
            sizes.u32(0).u32(4).u32(3).u32(5).u32(15).u32(1);
        });
    }

    fn stco(stbl: &mut Writer) {
        stbl.full(b"stco", 0, 0, |chunks| {
            chunks.u32(2).u32(100).u32(200);
        });
    }

    impl Stbl {
        fn samples(&self) -> Result<Vec<Sample>, String> {
            let mut stbl = Writer::default();
            stbl.full(b"stts", 0, 0, |times| {
                times.u32(2).u32(3).u32(10).u32(1).u32(20);
            });
            stbl.full(b"ctts", 1, 0, |offsets| {
                offsets.u32(2).u32(1).i32(-5).u32(3).u32(7);
            });
            stbl.full(b"stsc", 0, 0, |lengths| {
                lengths.u32(2).u32(1).u32(3).u32(1).u32(2).u32(1).u32(2);
            });
            stbl.full(b"stss", 0, 0, |sync| {
                sync.u32(2).u32(1).u32(4);
            });
            (self.sizes)(&mut stbl);
            (self.chunks)(&mut stbl);
            let stbl = stbl.finish();
            let tables =
                Tables::parse(Reader::new(FourCc(*b"stbl"), &stbl)).map_err(|reason| reason.to_string())?;
            tables.samples().collect::<Result<_, _>>().map_err(|reason| reason.to_string())
        }
    }

    fn expected(second: u64) -> Vec<Sample> {
        let sample = |decode_time, duration, composition_offset, offset, size, is_sync, entry| Sample {
            decode_time,
            duration,
            composition_offset,
            offset,
            size,
            is_sync,
            entry,
        };
        vec![
            sample(0, 10, -5, 100, 3, true, 1),
            sample(10, 10, 7, 103, 5, false, 1),
            sample(20, 10, 7, 108, 15, false, 1),
            sample(30, 20, 7, second, 1, true, 2),
        ]
    }

    #[test]
    fn sizes_have_4_8_16_or_32_bits() {
        let stz2: [fn(&mut Writer); 3] = [
            |stbl| {
                stbl.full(b"stz2", 0, 0, |sizes| {
                    sizes.u32(4).u32(4).bytes(&[0x35, 0xf1]);
                });
            },
            |stbl| {
                stbl.full(b"stz2", 0, 0, |sizes| {
                    sizes.u32(8).u32(4).bytes(&[3, 5, 15, 1]);
                });
            },
            |stbl| {
                stbl.full(b"stz2", 0, 0, |sizes| {
                    sizes.u32(16).u32(4).bytes(&[0, 3, 0, 5, 0, 15, 0, 1]);
                });
            },
        ];
        for sizes in stz2.into_iter().chain([stsz as fn(&mut Writer)]) {
            assert_eq!(Stbl { sizes, chunks: stco }.samples(), Ok(expected(200)));
        }
        let sizes: fn(&mut Writer) = |stbl| {
            stbl.full(b"stz2", 0, 0, |sizes| {
                sizes.u32(5).u32(4).zeros(8);
            });
        };
        let refused = Stbl { sizes, chunks: stco }.samples().unwrap_err();
        assert!(refused.contains("neither 4 nor 8 nor 16 bits"), "{refused}");
    }

    #[test]
    fn chunks_have_offsets_of_32_or_64_bits() {
        let chunks: fn(&mut Writer) = |stbl| {
            stbl.full(b"co64", 0, 0, |chunks| {
                chunks.u32(2).u64(100).u64(1 << 40);
            });
        };
        assert_eq!(Stbl { sizes: stsz, chunks }.samples(), Ok(expected(1 << 40)));
        let few: fn(&mut Writer) = |stbl| {
            stbl.full(b"stco", 0, 0, |chunks| {
                chunks.u32(1).u32(100);
            });
        };
        let refused = Stbl { sizes: stsz, chunks: few }.samples().unwrap_err();
        assert!(refused.contains("fewer chunks than the samples need"), "{refused}");
        let far: fn(&mut Writer) = |stbl| {
            stbl.full(b"co64", 0, 0, |chunks| {
                chunks.u32(2).u64(u64::MAX).u64(0);
            });
        };
        let refused = Stbl { sizes: stsz, chunks: far }.samples().unwrap_err();
        assert!(refused.contains("its offset overflows"), "{refused}");
    }
}
