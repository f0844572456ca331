//! The container of HEIC and AVIF: boxes, items and their properties (ISO/IEC 14496-12 and 23008-12), read without copying.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::bounds::PARTS;
use crate::{PictureType, Refusal};

/// The metadata of a HEIF file.
#[derive(Debug)]
pub(crate) struct Heif<'a> {
    format: PictureType,
    bytes: &'a [u8],
    /// The content of `idat`, in which small items may lie.
    inside: &'a [u8],
    /// The number of the item to show.
    pub primary: u32,
    kinds: BTreeMap<u32, [u8; 4]>,
    places: BTreeMap<u32, Place>,
    properties: Vec<Property<'a>>,
    /// The places in `properties`, from 1 on, of each item.
    associations: BTreeMap<u32, Vec<usize>>,
    references: Vec<Reference>,
}

/// A box: its kind and its content.
type Property<'a> = ([u8; 4], &'a [u8]);

/// The parts of the file that make an item.
#[derive(Debug, Default)]
struct Place {
    inside: bool,
    extents: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Reference {
    kind: [u8; 4],
    from: u32,
    to: Vec<u32>,
}

impl<'a> Heif<'a> {
    /// Reads the metadata.
    pub(crate) fn read(format: PictureType, bytes: &'a [u8]) -> Result<Self, Refusal> {
        let cut_off = || Refusal::CutOff { format };
        let mut found = Self {
            format,
            bytes,
            inside: &[],
            primary: 0,
            kinds: BTreeMap::new(),
            places: BTreeMap::new(),
            properties: Vec::new(),
            associations: BTreeMap::new(),
            references: Vec::new(),
        };
        let mut meta = None;
        for (kind, content) in boxes(bytes).ok_or_else(cut_off)? {
            match &kind {
                b"meta" => meta = meta.or(Some(content)),
                // An animation. Its poster alone would flatten it.
                b"moov" => return Err(Refusal::unsupported(format, "it is an animation or a film")),
                _ => {}
            }
        }
        let damaged = || Refusal::damaged(format, "its metadata is invalid");
        let meta = meta.ok_or_else(|| Refusal::damaged(format, "it has no metadata"))?;
        found.read_meta(meta.get(4..).ok_or_else(damaged)?).ok_or_else(damaged)?;
        Ok(found)
    }

    fn read_meta(&mut self, meta: &'a [u8]) -> Option<()> {
        for (kind, content) in boxes(meta)? {
            match &kind {
                b"pitm" => {
                    let (version, mut rest) = full(content)?;
                    self.primary = rest.number(if version == 0 { 2 } else { 4 })? as u32;
                }
                b"iinf" => self.read_kinds(content)?,
                b"iloc" => self.read_places(content)?,
                b"iref" => self.read_references(content)?,
                b"idat" => self.inside = content,
                b"iprp" => {
                    for (kind, content) in boxes(content)? {
                        match &kind {
                            b"ipco" => self.properties = boxes(content)?,
                            b"ipma" => self.read_associations(content)?,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Some(())
    }

    fn read_kinds(&mut self, content: &[u8]) -> Option<()> {
        let (version, mut rest) = full(content)?;
        rest.number(if version == 0 { 2 } else { 4 })?;
        for (kind, content) in boxes(rest.0)? {
            let (version, mut rest) = full(content)?;
            // Before version 2, an entry has no type.
            if &kind == b"infe" && version >= 2 {
                let item = rest.number(if version == 2 { 2 } else { 4 })? as u32;
                rest.number(2)?;
                self.kinds.insert(item, (rest.number(4)? as u32).to_be_bytes());
            }
        }
        Some(())
    }

    fn read_places(&mut self, content: &[u8]) -> Option<()> {
        let (version, mut rest) = full(content)?;
        let sizes = rest.number(2)?;
        let [offset, length, base, index] = [12, 8, 4, 0].map(|shift| (sizes >> shift & 0xf) as usize);
        let index = if version == 0 { 0 } else { index };
        let count = rest.number(if version < 2 { 2 } else { 4 })?;
        for _ in 0..few(count)? {
            let item = rest.number(if version < 2 { 2 } else { 4 })? as u32;
            let method = if version == 0 { 0 } else { rest.number(2)? & 0xf };
            rest.number(2)?;
            let base = rest.number(base)?;
            let mut place = Place { inside: method == 1, extents: Vec::new() };
            for _ in 0..rest.number(2)? {
                rest.number(index)?;
                place.extents.push((base.checked_add(rest.number(offset)?)?, rest.number(length)?));
                // Without sizes, entries take no bytes and could be as many as their number says.
                if offset + length + index == 0 {
                    break;
                }
            }
            // An item that is made of others cannot be read here.
            if method < 2 {
                self.places.insert(item, place);
            }
        }
        Some(())
    }

    fn read_references(&mut self, content: &[u8]) -> Option<()> {
        let (version, rest) = full(content)?;
        let bytes = if version == 0 { 2 } else { 4 };
        for (kind, content) in boxes(rest.0)? {
            let mut rest = Rest(content);
            let from = rest.number(bytes)? as u32;
            let mut to = Vec::new();
            for _ in 0..rest.number(2)? {
                to.push(rest.number(bytes)? as u32);
            }
            self.references.push(Reference { kind, from, to });
        }
        Some(())
    }

    fn read_associations(&mut self, content: &[u8]) -> Option<()> {
        let (version, mut rest) = full(content)?;
        // The lowest bit of the flags makes each place two bytes long.
        let long = content[3] & 1 == 1;
        for _ in 0..few(rest.number(4)?)? {
            let item = rest.number(if version == 0 { 2 } else { 4 })? as u32;
            let mut places = Vec::new();
            for _ in 0..rest.number(1)? {
                // The highest bit says whether the property is essential.
                places.push(if long { rest.number(2)? & 0x7fff } else { rest.number(1)? & 0x7f } as usize);
            }
            self.associations.insert(item, places);
        }
        Some(())
    }

    /// Returns the type of an item.
    pub(crate) fn kind(&self, item: u32) -> [u8; 4] {
        self.kinds.get(&item).copied().unwrap_or_default()
    }

    /// Returns the properties of an item, in the order in which they are applied.
    pub(crate) fn properties(&self, item: u32) -> impl Iterator<Item = Property<'a>> {
        let places = self.associations.get(&item).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|place| self.properties.get(place.checked_sub(1)?).copied())
    }

    /// Returns the content of an item's property of this kind.
    pub(crate) fn property(&self, item: u32, kind: &[u8; 4]) -> Option<&'a [u8]> {
        self.properties(item).find(|property| &property.0 == kind).map(|property| property.1)
    }

    /// Returns the items that refer to this one with a reference of this kind.
    pub(crate) fn referring(&self, kind: [u8; 4], to: u32) -> impl Iterator<Item = u32> {
        self.references.iter().filter(move |it| it.kind == kind && it.to.contains(&to)).map(|it| it.from)
    }

    /// Returns the opacity's item of an item.
    pub(crate) fn alpha(&self, item: u32) -> Option<u32> {
        const ALPHA: [&[u8]; 2] =
            [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0"];
        self.referring(*b"auxl", item).find(|alpha| {
            let kind =
                self.property(*alpha, b"auxC").and_then(|content| content.get(4..)).unwrap_or_default();
            ALPHA.iter().any(|name| kind.starts_with(name))
        })
    }

    /// Returns `true` if the colours of an item were multiplied by this opacity.
    pub(crate) fn is_multiplied(&self, item: u32, alpha: u32) -> bool {
        self.referring(*b"prem", alpha).any(|from| from == item)
    }

    /// Returns the EXIF block of an item, beginning with its TIFF header.
    pub(crate) fn exif(&self, item: u32, bound: usize) -> Option<Cow<'a, [u8]>> {
        let exif = self.referring(*b"cdsc", item).find(|item| &self.kind(*item) == b"Exif")?;
        let data = self.data(exif).ok().filter(|data| data.len() <= bound + 64)?;
        // Four bytes say how far the TIFF header is from here.
        let start = u32::from_be_bytes(*data.first_chunk()?) as usize + 4;
        Some(match data {
            Cow::Borrowed(data) => Cow::Borrowed(data.get(start..)?),
            Cow::Owned(data) => Cow::Owned(data.get(start..)?.to_vec()),
        })
    }

    /// Returns the content of an item.
    pub(crate) fn data(&self, item: u32) -> Result<Cow<'a, [u8]>, Refusal> {
        let place =
            self.places.get(&item).ok_or_else(|| Refusal::damaged(self.format, "a part is missing"))?;
        let from = if place.inside { self.inside } else { self.bytes };
        let extent = |(start, length): (u64, u64)| {
            let start = usize::try_from(start).ok()?;
            let rest = from.get(start..)?;
            // A length of 0 reaches to the end (ISO/IEC 14496-12, 8.11.3).
            if length == 0 { Some(rest) } else { rest.get(..usize::try_from(length).ok()?) }
        };
        let mut parts = Vec::with_capacity(place.extents.len());
        for place in &place.extents {
            parts.push(extent(*place).ok_or(Refusal::CutOff { format: self.format })?);
        }
        // Parts may repeat, but not so often that they become longer than the file.
        if parts.iter().map(|part| part.len()).sum::<usize>() > self.bytes.len() {
            return Err(Refusal::damaged(self.format, "its parts overlap"));
        }
        Ok(match parts.as_slice() {
            [part] => Cow::Borrowed(*part),
            parts => Cow::Owned(parts.concat()),
        })
    }

    /// Refuses a file whose pictures refer to the same bytes again and again, so that they would be copied and decoded each time.
    pub(crate) fn check_repeats(&self) -> Result<(), Refusal> {
        let mut total = 0;
        for item in self.references.iter().filter(|it| &it.kind == b"dimg").flat_map(|it| &it.to) {
            total += self.places.get(item).map_or(0, |place| {
                place.extents.iter().map(|(_, length)| *length).fold(0, u64::saturating_add)
            });
        }
        if total > self.bytes.len() as u64 {
            return Err(Refusal::damaged(self.format, "its tiles repeat each other"));
        }
        Ok(())
    }
}

/// Reads boxes that follow each other. `None` if one is longer than what is there, or there are too many.
fn boxes(mut bytes: &[u8]) -> Option<Vec<([u8; 4], &[u8])>> {
    let mut boxes = Vec::new();
    while !bytes.is_empty() {
        let mut rest = Rest(bytes);
        let length = rest.number(4)?;
        let kind = (rest.number(4)? as u32).to_be_bytes();
        let (header, length) = match length {
            0 => (8, bytes.len()),
            1 => (16, usize::try_from(rest.number(8)?).ok()?),
            length => (8, length as usize),
        };
        if boxes.len() == PARTS {
            return None;
        }
        boxes.push((kind, bytes.get(header..length)?));
        bytes = &bytes[length..];
    }
    Some(boxes)
}

/// Returns the version of a full box, and what follows its flags.
fn full(content: &[u8]) -> Option<(u8, Rest<'_>)> {
    let (header, rest) = content.split_at_checked(4)?;
    Some((header[0], Rest(rest)))
}

/// Returns this number, unless it is too large.
fn few(number: u64) -> Option<u64> {
    (number <= PARTS as u64).then_some(number)
}

/// The bytes that are not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Reads a number of up to eight bytes; one of none is 0.
    fn number(&mut self, bytes: usize) -> Option<u64> {
        let (number, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}
