//! JUMBF (ISO/IEC 19566-5), read in place: boxes are walked without building a tree.

use jumbf::parser::{DataBox, DescriptionBox};

use super::C2paError;
use crate::bounds::{MAX_JUMBF_BOXES, MAX_JUMBF_DEPTH};
use crate::cbor::Item;

/// The box types that are read.
pub(super) const SUPERBOX: [u8; 4] = *b"jumb";
const CBOR: [u8; 4] = *b"cbor";

/// A box that holds boxes, in bytes that [`check`] has passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Superbox<'a> {
    /// The superbox's type.
    pub(super) uuid: &'a [u8; 16],
    /// The superbox's name among its siblings.
    pub(super) label: Option<&'a str>,
    /// The boxes inside, without the description.
    content: &'a [u8],
    /// The boxes inside, with the description: the bytes that a reference to this superbox hashes (C2PA 2.x, section
    /// 8.4.2.3).
    payload: &'a [u8],
}

impl<'a> Superbox<'a> {
    /// Reads the superbox at the beginning of `bytes`, and returns it with the bytes after it.
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (data, rest) = DataBox::from_slice(bytes).ok()?;
        Self::of(&data).map(|superbox| (superbox, rest))
    }

    fn of(data: &DataBox<'a>) -> Option<Self> {
        if data.tbox.0 != SUPERBOX {
            return None;
        }
        let (description, content) = DescriptionBox::from_slice(data.data).ok()?;
        Some(Self { uuid: description.uuid, label: description.label, content, payload: data.data })
    }

    /// Returns the bytes that a reference to this superbox hashes.
    pub(super) const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    fn boxes(&self) -> impl Iterator<Item = DataBox<'a>> + use<'a> {
        let mut rest = self.content;
        std::iter::from_fn(move || {
            let (data, behind) = DataBox::from_slice(rest).ok()?;
            rest = behind;
            Some(data)
        })
    }

    /// Returns the superboxes inside, in order.
    pub(super) fn superboxes(&self) -> impl Iterator<Item = Self> + use<'a> {
        self.boxes().filter_map(|data| Self::of(&data))
    }

    /// Returns the first superbox inside that has this label.
    pub(super) fn child(&self, label: &str) -> Option<Self> {
        self.superboxes().find(|child| child.label == Some(label))
    }

    /// Returns the bytes of the first CBOR box inside.
    pub(super) fn cbor_bytes(&self) -> Option<&'a [u8]> {
        self.boxes().find(|data| data.tbox.0 == CBOR).map(|data| data.data)
    }

    /// Returns the item in the first CBOR box inside.
    pub(super) fn cbor(&self) -> Option<Item<'a>> {
        Item::read(self.cbor_bytes()?).map(|(item, _)| item)
    }
}

/// Walks all boxes, so that damage, depth and number are known before any content is read.
pub(super) fn check(bytes: &[u8]) -> Result<(), C2paError> {
    check_boxes(bytes, bytes, 0, &mut 0)
}

fn check_boxes(all: &[u8], boxes: &[u8], depth: usize, count: &mut usize) -> Result<(), C2paError> {
    if depth > MAX_JUMBF_DEPTH {
        return Err(C2paError::TooDeep);
    }
    let mut rest = boxes;
    while !rest.is_empty() {
        let at = rest.as_ptr().addr() - all.as_ptr().addr();
        // Zero padding after the outermost box is not a box.
        if depth == 0 && at > 0 && rest.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        *count += 1;
        if *count > MAX_JUMBF_BOXES {
            return Err(C2paError::TooManyBoxes);
        }
        // A 64-bit length is checked here, because the parser first narrows it to the platform's size.
        if rest.starts_with(&[0, 0, 0, 1]) {
            let length = rest.get(8..16).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
            if length.is_none_or(|length| length < 16 || length > rest.len() as u64) {
                return Err(C2paError::Damaged(at));
            }
        }
        let (current, next) = DataBox::from_slice(rest).map_err(|_| C2paError::Damaged(at))?;
        if current.tbox.0 == SUPERBOX {
            check_boxes(all, current.data, depth + 1, count)?;
            if Superbox::of(&current).is_none() {
                return Err(C2paError::Damaged(at));
            }
        }
        rest = next;
    }
    Ok(())
}
