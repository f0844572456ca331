//! The ISO base media file format (ISO/IEC 14496-12), as far as recordings need it.
//!
//! `header` and `reader` read headers, numbers and boxes, `search` finds the movie box in a file, `movie` has its tracks, `tables` their samples,
//! `fragments` those of a `moof` box, and `writer` writes boxes. All of them take bytes as they come from strangers: nothing
//! panics, and nothing is allocated by a count that the file only claims.

pub(crate) mod fragments;
pub(crate) mod header;
pub(crate) mod movie;
pub(crate) mod reader;
pub(crate) mod search;
pub(crate) mod tables;
pub(crate) mod writer;

use std::fmt;

/// The type of a box, a handler or a sample entry: four characters (section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| match byte {
            0x20..=0x7e => write!(f, "{}", char::from(*byte)),
            _ => write!(f, "\\x{byte:02x}"),
        })
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}
