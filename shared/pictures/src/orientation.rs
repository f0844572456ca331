//! The turn and reflection that a viewer applies to a picture.

use serde::{Deserialize, Serialize};

use crate::bitmap::Bitmap;

/// The position of the stored first row and first column in the picture as it is seen (EXIF 2.32, tag 274).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Orientation {
    /// 1: as stored.
    #[default]
    Upright = 1,
    /// 2: reflected from left to right.
    Mirrored,
    /// 3: turned by 180°.
    Turned,
    /// 4: reflected from top to bottom.
    Flipped,
    /// 5: reflected along the diagonal from the top left.
    Transposed,
    /// 6: to be turned by 90° to the right.
    TurnRight,
    /// 7: reflected along the diagonal from the top right.
    Transversed,
    /// 8: to be turned by 90° to the left.
    TurnLeft,
}

impl Orientation {
    /// Returns the orientation with this number, or `None` if no orientation has it.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Upright,
            2 => Self::Mirrored,
            3 => Self::Turned,
            4 => Self::Flipped,
            5 => Self::Transposed,
            6 => Self::TurnRight,
            7 => Self::Transversed,
            8 => Self::TurnLeft,
            _ => return None,
        })
    }

    /// Returns the size of the picture as it is seen.
    #[must_use]
    pub const fn size(self, width: u32, height: u32) -> (u32, u32) {
        match self {
            Self::Upright | Self::Mirrored | Self::Turned | Self::Flipped => (width, height),
            Self::Transposed | Self::TurnRight | Self::Transversed | Self::TurnLeft => (height, width),
        }
    }

    /// Returns the picture as it is seen.
    pub(crate) fn apply(self, stored: Bitmap) -> Bitmap {
        if self == Self::Upright {
            return stored;
        }
        let (width, height) = self.size(stored.width, stored.height);
        let mut seen = Bitmap::blank(width, height, stored.model);
        let pixel = stored.model.samples();
        let (last_column, last_row) = (stored.width as usize - 1, stored.height as usize - 1);
        let (from_row, to_row) = (stored.row_bytes(), seen.row_bytes());
        for (y, row) in seen.samples.chunks_exact_mut(to_row).enumerate() {
            for (x, to) in row.chunks_exact_mut(pixel).enumerate() {
                let (column, line) = match self {
                    Self::Upright => (x, y),
                    Self::Mirrored => (last_column - x, y),
                    Self::Turned => (last_column - x, last_row - y),
                    Self::Flipped => (x, last_row - y),
                    Self::Transposed => (y, x),
                    Self::TurnRight => (y, last_row - x),
                    Self::Transversed => (last_column - y, last_row - x),
                    Self::TurnLeft => (last_column - y, x),
                };
                let start = line * from_row + column * pixel;
                to.copy_from_slice(&stored.samples[start..start + pixel]);
            }
        }
        seen
    }
}

impl From<Orientation> for u8 {
    fn from(orientation: Orientation) -> Self {
        orientation as Self
    }
}

impl TryFrom<u8> for Orientation {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        Self::from_number(number.into()).ok_or_else(|| format!("{number} is not an orientation; 1 to 8 are"))
    }
}
