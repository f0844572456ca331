//! The pipeline over odd pictures, all of which the tests make themselves: each orientation, profile, bit depth and kind of
//! animation, cut off, damaged, and built to cost too much.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test itself does")]

mod animations;
mod colours;
mod facts;
#[cfg(any(feature = "avif", feature = "heic"))]
mod heif;
mod looks;
mod orientations;
mod refused;
mod samples;
mod sizes;
