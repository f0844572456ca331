//! The boxes of an ISO base media file (ISO/IEC 14496-12, section 4.2).

use std::io::{self, Read, Seek, SeekFrom};

use super::next_bytes::read;

/// The type of a `uuid` box that holds a manifest (C2PA 2.x, appendix A.5).
pub const C2PA_UUID: [u8; 16] =
    [0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7e, 0xc4, 0x81];

/// Maximum number of boxes that are walked over. Each fragment is two, and each block of content with a hash is one.
pub const MAX_BOXES: usize = 200_000;

/// A box: its name, and the positions at which its content begins and ends.
pub type FoundBox = ([u8; 4], u64, u64);

/// Returns the boxes of a file, or `None` if it does not consist of boxes.
pub fn of(file: &mut (impl Read + Seek)) -> io::Result<Option<Vec<FoundBox>>> {
    let end = file.seek(SeekFrom::End(0))?;
    walk(file, 0, end, &mut MAX_BOXES.clone())
}

/// Returns the boxes from `start` to `end`. Returns `None` if anything else is there, or if there are more than `left`
/// boxes.
pub fn walk(
    file: &mut (impl Read + Seek),
    start: u64,
    end: u64,
    left: &mut usize,
) -> io::Result<Option<Vec<FoundBox>>> {
    let (mut at, mut found) = (start, Vec::new());
    while at < end {
        if *left == 0 {
            return Ok(None);
        }
        *left -= 1;
        file.seek(SeekFrom::Start(at))?;
        let (Some(length), Some(name)) = (read(file)?, read(file)?) else { return Ok(None) };
        let (head, length) = match u32::from_be_bytes(length) {
            0 => (8, end - at),
            1 => (16, read(file)?.map_or(0, u64::from_be_bytes)),
            length => (8, length.into()),
        };
        // A box that is shorter than its own head would be found again forever.
        let Some(next) = at.checked_add(length).filter(|next| length >= head && *next <= end) else {
            return Ok(None);
        };
        found.push((name, at + head, next));
        at = next;
    }
    Ok(Some(found))
}
