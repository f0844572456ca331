//! Scanners for malware in uploaded files.
//!
//! **In scope:** the protocol of clamd, the server of ClamAV. **Out of scope:** when a file is scanned and what follows from
//! a verdict (`credlink-files`), and scanners that read a bucket themselves (`credlink-s3`).
//!
//! | to find | look in |
//! |---|---|
//! | clamd's address | [`ClamdAddress`] |
//! | clamd | [`Clamd`] |

mod address;
mod clamd;

pub use address::{ClamdAddress, ClamdAddressError};
pub use clamd::Clamd;
