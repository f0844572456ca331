//! WebP: its chunks, its decoder and its encoder, also of animations.

mod animation;
mod chunks;
mod decode;
mod encode;

pub(crate) use animation::Animation;
#[cfg(test)]
pub(crate) use chunks::assembled;
pub(crate) use chunks::{Structure, chunks};
pub(crate) use decode::{decode, each_frame};
pub(crate) use encode::encode;

/// The longest side of a WebP, in pixels (RFC 9649, 2.7: a VP8 frame has 14 bits for each).
pub(crate) const LONGEST_SIDE: u32 = 16_383;
/// The flags of the `VP8X` chunk (2.7.1.3).
pub(crate) mod flags {
    pub(crate) const PROFILE: u8 = 0x20;
    pub(crate) const ALPHA: u8 = 0x10;
    pub(crate) const ANIMATION: u8 = 0x02;
}
