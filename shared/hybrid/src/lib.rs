//! Hybrid serving: a CredLink next to a legacy store that is not migrated yet.
//!
//! **In scope:** a proof that the service does not have is looked up in the legacy store, answered with exactly the
//! record that its import creates, and imported afterwards. A proof that is to be changed is imported first. With the
//! cloud storage switched off, only the legacy store is read and written, which is the way back. **Out of scope:** the
//! service, which knows nothing of this crate and is wrapped from outside, at the seam of
//! [`credlink_service::handler`]. A [`Source`](credlink_ports::migration::Source) decides how items of a legacy store
//! are read, and a migration copies a whole store.
//!
//! A tombstone wins: a proof that was deleted here is not looked up in the legacy store (guarantee 8). A legacy store
//! that does not answer is a failure, and never absence (guarantee 7).
//!
//! | to find | look in |
//! |---|---|
//! | the legacy store that a service is next to | [`hybrid`] |
//! | the requests that are not answered by the service alone | [`handler`] |
//! | the contract of a legacy store | [`legacy_store`] |
//! | answering a read from a legacy record | `reads` |
//! | importing before a change; legacy IDs of another tenant | `changes` |
//! | refusals while the cloud storage is off, and storing then | `cloud_storage_off`; the JSON that is written: [`written`] |
//! | finding a legacy record by the row of the index with its location | `located` |
//! | finding records in a source, and importing requested ones | [`records`] |
//! | the proofs in the items of a source | [`catalogue`] |

pub mod catalogue;
mod changes;
mod cloud_storage_off;
pub mod handler;
pub mod hybrid;
pub mod legacy_store;
mod located;
mod reads;
pub mod records;
pub mod written;

pub use hybrid::Hybrid;
pub use legacy_store::{FoundRecord, LegacyQuery, LegacyStore};
