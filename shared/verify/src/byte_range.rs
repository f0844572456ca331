//! A range of bytes in a file.

use serde::{Deserialize, Serialize};

/// A range of bytes in a file, such as one that a hash excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// The number of bytes.
    pub length: u64,
}

impl ByteRange {
    /// Returns the position after the last byte.
    pub const fn end(self) -> u64 {
        self.start.saturating_add(self.length)
    }
}
