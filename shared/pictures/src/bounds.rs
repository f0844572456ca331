//! The limits of a picture, each checked before anything is allocated for it.

use crate::{PictureType, Refusal};

/// The most segments, chunks, boxes or items of a file. A list of them takes 40 bytes for each, which an empty one of 4 bytes
/// in the file does not pay for. A PNG of 25 MB has 3,000 chunks from usual encoders.
pub(crate) const PARTS: usize = 100_000;

/// The limits of a picture.
///
/// The defaults suit a function with 1,769 MB: the costliest allowed picture is a PNG of 50 million pixels with transparency,
/// which takes 200 MB when it is decoded. A JPEG takes far less, because it is decoded at a reduced scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest file, in bytes.
    pub bytes: usize,
    /// The most pixels of one frame.
    pub pixels: u64,
    /// The longest side, in pixels. Even a row of a picture with few pixels must not become too long.
    pub side: u32,
    /// The most frames of an animation.
    pub frames: u32,
    /// The most pixels of all frames of an animation together.
    pub frame_pixels: u64,
    /// The longest colour profile, in bytes when it is inflated.
    pub profile_bytes: usize,
    /// The longest EXIF block that is parsed, in bytes. A longer one is ignored.
    pub exif_bytes: usize,
    /// The most scans of a progressive JPEG.
    pub scans: u32,
    /// The most pixels of a progressive JPEG, counted once for each scan: a scan of a few bytes can visit all of them.
    pub scanned_pixels: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes: 25_000_000,
            pixels: 50_000_000,
            side: 65_535,
            frames: 200,
            frame_pixels: 100_000_000,
            profile_bytes: 4_000_000,
            exif_bytes: 65_536,
            scans: 100,
            // Encoders write 10 scans or so: 50 million pixels may have twice as many.
            scanned_pixels: 1_000_000_000,
        }
    }
}

impl Bounds {
    /// Refuses a file that is too long.
    pub(crate) fn check_bytes(&self, bytes: &[u8]) -> Result<(), Refusal> {
        if bytes.len() > self.bytes {
            return Err(Refusal::TooManyBytes { bytes: bytes.len(), allowed: self.bytes });
        }
        Ok(())
    }

    /// Refuses a picture without pixels, or with too many.
    pub(crate) fn check_size(&self, format: PictureType, width: u32, height: u32) -> Result<(), Refusal> {
        if width == 0 || height == 0 {
            return Err(Refusal::damaged(format, "it has no pixels"));
        }
        let longest = width.max(height);
        if longest > self.side {
            return Err(Refusal::SideTooLong { pixels: longest, allowed: self.side });
        }
        if u64::from(width) * u64::from(height) > self.pixels {
            return Err(Refusal::TooManyPixels { width, height, allowed: self.pixels });
        }
        Ok(())
    }

    /// Refuses an animation of too many frames, or of too many pixels in all frames together.
    pub(crate) fn check_frames(&self, frames: u32, width: u32, height: u32) -> Result<(), Refusal> {
        if frames > self.frames {
            return Err(Refusal::TooManyFrames { allowed: self.frames });
        }
        let pixels = u64::from(width) * u64::from(height) * u64::from(frames);
        if frames > 1 && pixels > self.frame_pixels {
            return Err(Refusal::TooManyFramePixels { pixels, allowed: self.frame_pixels });
        }
        Ok(())
    }

    /// Refuses a JPEG whose scans would take too long.
    pub(crate) fn check_scans(&self, scans: u32, width: u32, height: u32) -> Result<(), Refusal> {
        if scans > self.scans {
            return Err(Refusal::TooManyScans { allowed: self.scans });
        }
        let pixels = u64::from(width) * u64::from(height) * u64::from(scans);
        if pixels > self.scanned_pixels {
            return Err(Refusal::ScansTooCostly { scans, pixels, allowed: self.scanned_pixels });
        }
        Ok(())
    }
}
