//! The segments of a JPEG (ITU-T T.81, annex B), read without decoding anything.
//!
//! The decoder gets only the segments that it needs, so that no metadata, no padding and nothing after the end reaches it.
//! And the end of the picture is known from here: libjpeg pretends to read one if it is missing.

use crate::bounds::{Bounds, PARTS};
use crate::{PictureType, Refusal};

const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP14: u8 = 0xee;
const EXIF: &[u8] = b"Exif\0\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const ADOBE: &[u8] = b"Adobe";

/// A segment, and the compressed data after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'a> {
    /// The second byte of its code.
    pub code: u8,
    /// The content, without code and length.
    pub content: &'a [u8],
    /// All bytes: code, length, content, and for a scan its compressed data.
    pub whole: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Returns the EXIF block that this segment carries, beginning with its TIFF header.
    pub(crate) fn exif(&self) -> Option<&'a [u8]> {
        self.content.strip_prefix(EXIF).filter(|_| self.code == APP1)
    }

    /// Returns number, count and content of the piece of a colour profile that this segment carries (ICC.1, B.4).
    fn profile(&self) -> Option<(u8, u8, &'a [u8])> {
        match self.content.strip_prefix(ICC).filter(|_| self.code == APP2)? {
            [number, count, piece @ ..] => Some((*number, *count, piece)),
            _ => None,
        }
    }

    /// Returns `true` if a decoder needs this segment to show the picture: tables, frames and scans, and what says how their
    /// samples are to be understood.
    pub(crate) fn is_essential(&self) -> bool {
        match self.code {
            APP0 => self.content.starts_with(b"JFIF\0"),
            APP14 => self.content.starts_with(ADOBE),
            0xe1..=0xfe => false,
            _ => true,
        }
    }
}

/// Reads the segments of a JPEG, from its start to its end. What follows the end is not part of the picture.
pub(crate) fn segments(bytes: &[u8]) -> Result<Vec<Segment<'_>>, Refusal> {
    const CUT_OFF: Refusal = Refusal::CutOff { format: PictureType::Jpeg };
    if !bytes.starts_with(&[0xff, START]) {
        return Err(Refusal::damaged(PictureType::Jpeg, "it does not begin as a JPEG does"));
    }
    let mut segments = Vec::new();
    let mut place = 2;
    loop {
        // Any number of bytes 0xff may stand before a code (B.1.1.2). Other bytes should not be here; libjpeg skips them as well.
        while *bytes.get(place).ok_or(CUT_OFF)? != 0xff {
            place += 1;
        }
        while *bytes.get(place).ok_or(CUT_OFF)? == 0xff {
            place += 1;
        }
        let code = bytes[place];
        let start = place - 1;
        place += 1;
        match code {
            END => return Ok(segments),
            // Stuffing, TEM and restarts have no length.
            0x00 | 0x01 | 0xd0..=0xd7 => continue,
            START => return Err(Refusal::damaged(PictureType::Jpeg, "a second picture begins inside it")),
            _ => {}
        }
        let length: [u8; 2] =
            bytes.get(place..place + 2).and_then(|two| two.try_into().ok()).ok_or(CUT_OFF)?;
        let length = usize::from(u16::from_be_bytes(length));
        if length < 2 {
            return Err(Refusal::damaged(PictureType::Jpeg, "a segment is shorter than its length"));
        }
        let content = bytes.get(place + 2..place + length).ok_or(CUT_OFF)?;
        place += length;
        if code == SCAN {
            place = end_of_scan(bytes, place).ok_or(CUT_OFF)?;
        }
        if segments.len() == PARTS {
            return Err(Refusal::damaged(PictureType::Jpeg, "it has too many segments"));
        }
        segments.push(Segment { code, content, whole: &bytes[start..place] });
    }
}

/// Returns the place of the first code after compressed data that is neither stuffing nor a restart.
fn end_of_scan(bytes: &[u8], start: usize) -> Option<usize> {
    let mut place = start;
    loop {
        place += bytes.get(place..)?.iter().position(|byte| *byte == 0xff)?;
        match bytes.get(place + 1)? {
            0x00 | 0xd0..=0xd7 => place += 2,
            // The last of several bytes 0xff begins the code.
            0xff => place += 1,
            _ => return Some(place),
        }
    }
}

/// Everything that is known of a JPEG before it is decoded.
#[derive(Debug)]
pub(crate) struct Structure<'a> {
    pub width: u32,
    pub height: u32,
    /// 1 for grey, 3 for colours, 4 for inks.
    pub components: u8,
    pub progressive: bool,
    /// `true` if Adobe's segment is there: programs that write it store inks inverted.
    pub adobe: bool,
    pub exif: Option<&'a [u8]>,
    pub profile: Option<Vec<u8>>,
    /// The parts that a decoder needs, in order.
    pub essential: Vec<&'a [u8]>,
}

impl<'a> Structure<'a> {
    /// Reads the structure of a JPEG, and refuses it if it is cut off, of a kind that is not decoded, or beyond the bounds.
    pub(crate) fn of(bytes: &'a [u8], bounds: &Bounds) -> Result<Self, Refusal> {
        let segments = segments(bytes)?;
        let mut found = Self {
            width: 0,
            height: 0,
            components: 0,
            progressive: false,
            adobe: false,
            exif: segments.iter().find_map(Segment::exif).filter(|exif| exif.len() <= bounds.exif_bytes),
            profile: profile(&segments, bounds)?,
            essential: Vec::new(),
        };
        let mut scans = 0;
        for segment in segments.iter().filter(|segment| segment.is_essential()) {
            match segment.code {
                // DHT, JPG and DAC are within the codes of frames.
                0xc4 | 0xc8 | 0xcc => {}
                0xc0..=0xcf => found.read_frame(segment)?,
                SCAN => scans += 1,
                APP14 => found.adobe = true,
                _ => {}
            }
            found.essential.push(segment.whole);
        }
        if found.components == 0 || scans == 0 {
            return Err(Refusal::damaged(PictureType::Jpeg, "it has no picture"));
        }
        bounds.check_size(PictureType::Jpeg, found.width, found.height)?;
        bounds.check_scans(scans, found.width, found.height)?;
        Ok(found)
    }

    /// Reads the header of a frame (B.2.2).
    fn read_frame(&mut self, segment: &Segment<'_>) -> Result<(), Refusal> {
        let kind = match segment.code {
            0xc0..=0xc2 => None,
            0xc3 => Some("it is lossless"),
            0xc5..=0xc7 | 0xcd..=0xcf => Some("it is hierarchical"),
            _ => Some("its coding is arithmetic"),
        };
        if let Some(kind) = kind {
            return Err(Refusal::unsupported(PictureType::Jpeg, kind));
        }
        let [precision, height_1, height_0, width_1, width_0, components, ..] = *segment.content else {
            return Err(Refusal::damaged(PictureType::Jpeg, "the header of its frame is too short"));
        };
        if self.components != 0 {
            return Err(Refusal::damaged(PictureType::Jpeg, "it has two frames"));
        }
        if precision != 8 {
            return Err(Refusal::unsupported(
                PictureType::Jpeg,
                format!("its samples have {precision} bits"),
            ));
        }
        if !matches!(components, 1 | 3 | 4) {
            return Err(Refusal::unsupported(
                PictureType::Jpeg,
                format!("its pixels have {components} samples"),
            ));
        }
        self.width = u16::from_be_bytes([width_1, width_0]).into();
        self.height = u16::from_be_bytes([height_1, height_0]).into();
        self.components = components;
        self.progressive = segment.code == 0xc2;
        Ok(())
    }
}

/// Returns the colour profile. An incomplete one is no profile, as for browsers.
fn profile(segments: &[Segment<'_>], bounds: &Bounds) -> Result<Option<Vec<u8>>, Refusal> {
    let mut pieces: Vec<_> = segments.iter().filter_map(Segment::profile).collect();
    if pieces.iter().map(|(_, _, piece)| piece.len()).sum::<usize>() > bounds.profile_bytes {
        return Err(Refusal::ProfileTooLong { allowed: bounds.profile_bytes });
    }
    pieces.sort_by_key(|(number, ..)| *number);
    let complete = pieces.iter().enumerate().all(|(place, (number, count, _))| {
        usize::from(*number) == place + 1 && usize::from(*count) == pieces.len()
    });
    if pieces.is_empty() || !complete {
        return Ok(None);
    }
    Ok(Some(pieces.iter().flat_map(|(_, _, piece)| *piece).copied().collect()))
}
