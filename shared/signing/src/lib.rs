//! Signed C2PA manifests for the renditions of pictures.
//!
//! **In scope:** the certificate and the key of an operator, and their faults; the manifest of a rendition; the parts of an
//! original's manifest that must not be passed on; and the conversation with a process of its own in which all of this is
//! done, because originals come from strangers. **Out of scope:** that process, which the program starts ([`conversation`]);
//! where manifests are stored; and time stamps, which manifests do not have yet.
//!
//! | to find | look in |
//! |---|---|
//! | certificates, and the keys that sign | [`certificates`], [`claim_signer`] |
//! | the manifest of a rendition | [`manifests`] |
//! | what an original's manifest tells that a rendition must not | `parent` |
//! | orders and answers between processes | [`conversation`] |
//!
//! # Guarantees
//!
//! 1. The private key stays in the process that has it. The process that reads an original asks for each signature.
//! 2. Nothing is fetched: no manifest, no certificate, no time stamp.
//! 3. A manifest is checked before it is handed out, with the rendition that it is of.

pub mod certificates;
pub mod claim_signer;
pub mod conversation;
pub mod manifests;
mod parent;
#[cfg(test)]
mod testing;
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub use c2pa::SigningAlg;
pub use certificates::{CertificateError, Certificates};
pub use claim_signer::{ClaimSigner, PemSigner, SigningClaim, check};
