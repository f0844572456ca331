//! PNG: its chunks, and the decoder for still pictures and animations (APNG).

mod chunks;
mod decode;

pub(crate) use chunks::{SIGNATURE, Structure, chunks};
pub(crate) use decode::{decode, each_frame};
