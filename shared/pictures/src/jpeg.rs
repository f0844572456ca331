//! JPEG: its segments, its decoder and its encoder.

mod decode;
mod encode;
mod segments;

pub(crate) use decode::decode;
pub(crate) use encode::encode;
pub(crate) use segments::{Structure, segments};
