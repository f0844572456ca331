//! The Content Credentials of a media file, and the bytes that no hash covers.
//!
//! **In scope:** media files on this machine, read with c2pa-rs: their hash, their type, the manifest in them, its
//! validation, and the checks of a proof that need only the file, the record and the manifest. **Out of scope:** the
//! network, deployments and services; the process in which an untrusted file is read, which the caller provides; and
//! trust in signers, of which there is no list.
//!
//! | to find | look in |
//! |---|---|
//! | a file, its hash and its type | [`media`] |
//! | reading a file with c2pa-rs, and its report | [`reader`], [`report`] |
//! | the hard binding of a manifest | [`binding`] |
//! | the bytes that a hard binding excludes | [`coverage`], [`ByteRange`] |
//! | the checks of a proof, with their outcomes in words | [`checks`] |

pub mod binding;
mod byte_range;
pub mod checks;
pub mod coverage;
pub mod media;
pub mod reader;
pub mod report;

pub use byte_range::ByteRange;
