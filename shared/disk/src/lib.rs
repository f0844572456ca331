//! CredLink's objects in a folder of this machine, and the means by which adapters keep files safe.
//!
//! **In scope:** files that are private, durable and bounded. **Out of scope:** the index and the queue of one machine
//! (`credlink-embedded`).
//!
//! | to find | look in |
//! |---|---|
//! | `Objects` over a folder | [`folder`] |
//! | uploads, before they are files | [`quarantine`] |
//! | files and folders that others cannot read, written durably | [`private`] |
//! | the calls that change files, which tests record | [`tracked`] |
//! | files that an operator edits, read with a bound | [`bounded_file`] |
//! | room for deletions on a full disk | [`reserve`] |
//! | folders of other programs | [`foreign`] |
//! | the existence of paths | [`presence`] |
//! | from errors of the file system to failures | [`failure`] |

pub mod bounded_file;
pub mod failure;
pub mod folder;
pub mod foreign;
pub mod presence;
pub mod private;
pub mod quarantine;
#[cfg(any(test, feature = "recorder"))]
pub mod recorder;
pub mod reserve;
pub mod tracked;
