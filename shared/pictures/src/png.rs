//! PNG: its chunks, and the decoder for still pictures and animations (APNG).

mod chunks;
mod decode;

#[cfg(test)]
pub(crate) use chunks::SIGNATURE;
pub(crate) use chunks::{Structure, chunks};
pub(crate) use decode::{decode, each_frame};
