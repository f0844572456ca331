//! The adapters of a program that makes files of uploads: the renderer of pictures, and the reader of the manifests that
//! pictures carry.
//!
//! **In scope:** the ports [`Renderer`](credlink_ports::Renderer) and [`ManifestReader`](credlink_ports::ManifestReader) over
//! the codecs of `credlink-pictures`. **Out of scope:** the codecs themselves, and validating what a manifest says.
//!
//! Only a finaliser has this crate: `credlink serve`, and the function `finalise`. All others leave pictures alone, and start
//! without codecs in their memory.
//!
//! | to find | look in |
//! |---|---|
//! | renditions, and what is read of a picture: [`Pictures`] | `pictures` |
//! | manifests in JPEG, PNG and WebP: [`PictureManifests`] | `manifests` |

mod manifests;
mod pictures;

pub use manifests::PictureManifests;
pub use pictures::Pictures;
