//! Hybrid serving: a CredLink beside a legacy store that is not migrated yet.
//!
//! **In scope:** what the service does not have is looked for in the legacy store, answered with exactly the record that its import
//! makes, and imported afterwards. What is to be changed is imported first. With the cloud storage switched off, the legacy store
//! alone is read and written: the way back.
//! **Out of scope:** the service, which knows nothing of this crate: it is wrapped from outside, at the seam of
//! [`credlink_service::handler`]. How items of a legacy store are read is a [`Source`](credlink_ports::migration::Source)'s to say,
//! and copying a whole store is the migration's.
//!
//! A tombstone wins: what was deleted here is not looked for there (guarantee 8). A legacy store that does not answer is a failure,
//! and never absence (guarantee 7).
//!
//! | to find | look in |
//! |---|---|
//! | which requests are answered otherwise than by the service itself | [`handler`] |
//! | what a legacy store has to offer | [`legacy_store`] |
//! | answering a read from a legacy record | `reads` |
//! | importing before a change; legacy ids that are another tenant's | `changes` |
//! | what is refused while the cloud storage is off, and storing then | `off`; the JSON that is written: [`written`] |
//! | a legacy record, by the row of the index that says where it is | `located` |
//! | finding records in a source, and importing what was asked for | [`records`] |
//! | which item of a source has which proof | [`catalogue`] |

pub mod catalogue;
mod changes;
pub mod handler;
pub mod legacy_store;
mod located;
mod off;
mod reads;
pub mod records;
pub mod written;

pub use handler::Hybrid;
pub use legacy_store::{FoundRecord, LegacyQuery, LegacyStore};
