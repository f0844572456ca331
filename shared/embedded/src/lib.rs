//! CredLink's index, queue and ledgers in local files, over redb.
//!
//! **In scope:** group commit, recovery after a failed write, and the tables. **Out of scope:** objects
//! (`credlink-disk`).
//!
//! | port | look in |
//! |---|---|
//! | `Index` | [`index`]: a single writer with group commit |
//! | `Queue` | [`queue`]: every change is synced |
//! | `Ledger` | [`ledger`]: one file per job |
//!
//! `database` opens the files, exclusively for a writer, and reopens them after a failure.

mod database;
pub mod failure;
pub mod index;
pub mod ledger;
pub mod queue;

pub use database::opening::OpenError;
