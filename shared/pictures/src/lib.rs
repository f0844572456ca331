//! Pictures: what they are, which of them are refused, and their renditions.
//!
//! In scope: recognising a picture by its content, reading its structure and refusing it before anything is allocated for it,
//! decoding it once, and encoding smaller, upright copies in sRGB without metadata, and finding the
//! content credentials in the original. Bytes come in and bytes go out; time comes in as a
//! [`Deadline`].
//!
//! Out of scope: where bytes come from and go to, who may see them, which profiles a collection has, when a rendition is made
//! again, what is said about a rendition's provenance, documents and films, and SVG, which is a program.
//!
//! The codecs are heavy and partly in C, so only the finaliser of uploads links this crate. On x86-64, mozjpeg is built with
//! its SIMD code if the machine that builds it has `nasm`, and otherwise only a warning of Cargo tells that it is slower. On
//! arm64 it needs nothing. turbojpeg must never be linked beside it, because both export the same symbols.
//!
//! # Guarantees
//!
//! 1. Nothing is allocated for a picture's pixels, profile or frames before they are within the [`Bounds`].
//! 2. A picture that is cut off or damaged is refused, and never completed with grey.
//! 3. A rendition has no more pixels than the picture, and the result says which renditions were left out.
//! 4. A rendition is upright and in sRGB, and has nothing of the original's metadata.
//! 5. An animation stays one or is refused. No rendition shows its first frame alone.
//! 6. A decoder that panics costs the picture and not the process. This needs `panic = "unwind"`: libjpeg reports errors by
//!    unwinding.
//!
//! # Where to look
//!
//! | file | content |
//! |---|---|
//! | `render` | the pipeline, with [`measure`], [`inspect`] and [`render`] |
//! | `source` | a picture of any type: read, then decoded |
//! | `plan` | which renditions are made, in which order |
//! | `profile` | what an operator asks for |
//! | `bounds`, `deadline`, `refusal` | limits, and what is said when they are exceeded |
//! | `facts`, `exif`, `format`, `orientation` | what is known of a picture |
//! | `bitmap`, `canvas`, `colour` | pixels: resizing, frames, conversion to sRGB |
//! | `jpeg`, `png`, `webp`, `gif`, `heic`, `avif` | one folder or file for each type: its structure, its decoder, its encoder |
//! | `credentials` | the content credentials in a picture |
//!
//! This software is based in part on the work of the Independent JPEG Group.
//!
//! # What is not done
//!
//! - PNG's `gAMA` and `cHRM` without a profile are not applied; the colours are taken for sRGB.
//! - Of the 16 bits of a PNG's sample, the upper eight are kept before anything else is computed.
//! - High dynamic range is refused where it is stated (PQ and HLG). A gain map is ignored, and the picture under it is used.
//! - An AVIF that is put together from tiles, that shows only a part of its pixels, or that is an animation is refused.
//! - JPEG with arithmetic coding, without loss, or with 12 bits is refused, as in browsers.

mod bitmap;
mod bounds;
mod canvas;
mod colour;
mod credentials;
mod deadline;
mod exif;
mod facts;
mod format;
mod gif;
mod jpeg;
mod orientation;
mod plan;
mod png;
mod profile;
mod refusal;
mod render;
mod source;
mod webp;

#[cfg(feature = "avif")]
mod avif;
#[cfg(feature = "heic")]
mod heic;
#[cfg(any(feature = "avif", feature = "heic"))]
mod heif;

pub use bounds::Bounds;
pub use credentials::credentials;
pub use deadline::Deadline;
pub use exif::{Camera, Position};
pub use facts::{Colours, Facts, Profile, ThumbHash};
pub use format::PictureType;
pub use orientation::Orientation;
pub use profile::{Encoding, FocalPoint, InvalidProfile, RenditionProfile, Shape};
pub use refusal::Refusal;
pub use render::{
    Animations, Measures, Omission, OmissionReason, Rendered, Rendition, Treatment, inspect, measure, render,
};
