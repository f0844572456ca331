//! CredLink's index, queue and ledgers in files of this machine, over redb.
//!
//! **In scope:** group commit, recovery after a failed write, and the tables.
//! **Out of scope:** objects (`credlink-disk`).
//!
//! | port | look in |
//! |---|---|
//! | `Index` | [`index`]: one writer, group commit |
//! | `Queue` | [`queue`]: every change is synced |
//! | `Ledger` | [`ledger`]: one file a job |
//!
//! `database` opens the files: for who writes alone, and anew after a failure.

mod database;
pub mod failure;
pub mod index;
pub mod ledger;
pub mod queue;

pub use database::opening::OpenError;
