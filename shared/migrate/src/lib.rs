//! Migration: everything that another store has is imported, once, and it is plain to see that nothing was lost.
//!
//! A *job* moves the *items* of a source to a destination. Its ledger knows the state of every item, and each state is
//! durable before the next step depends on it:
//!
//! ```text
//! (planned) → copying → copied → verified → deleted at the source
//!     ├→ failed, with its reason       └──→ rolled back
//!     └→ skipped, with its reason
//! ```
//!
//! *Copying* is written before the destination is, and only where the destination has nothing yet: whatever stands there
//! afterwards with exactly the record that the item makes was made by this job, also when the job was killed between the
//! two. That is what rollback goes by.
//!
//! **In scope:** the steps of a job, over the ports of [`credlink_ports::migration`].
//! **Out of scope:** sources, destinations and ledgers (`credlink-migrate-io`, and the adapters), and serving beside a source
//! (`credlink-hybrid`).
//!
//! | to find | look in |
//! |---|---|
//! | a dry run | [`plan`](mod@plan) |
//! | a whole run | [`run`](mod@run) |
//! | copying given items, and what a kill leaves | [`copy`](mod@copy) |
//! | whether everything is there | [`verify`](mod@verify) |
//! | where a job stands | [`report`](mod@report) |
//! | removing from the source | [`cleanup`](mod@cleanup) |
//! | undoing it | [`rollback`](mod@rollback) |
//! | the job that is asked for, and one step of it at a time | [`job_spec`], [`lease`] |
//! | why a step ended | [`error`] |
//! | saying in the index where a legacy source has what is not copied yet | [`item_rows`] |
//! | from a source's content to what is imported | [`incoming`] |
//! | a job that others run: sending its items, and copying what a message names | [`enqueue`], [`queued`] |
//! | the worker behind the queue | [`worker`] |
//! | beginning and looking up such a job | [`jobs`] |
//! | proofs that were asked for, by messages | [`requested`] |
//! | removing a job | [`removal`] |
//! | outages | `patience`, `retrier`, `retrying_ports` |
//! | what several workers know of one item | `records`, `target_locks` |
//! | a walk through the ledger | `replay` |
//! | what whoever started it is told | [`progress`] |

pub mod cleanup;
pub mod copy;
pub mod enqueue;
pub mod error;
pub mod incoming;
pub mod item_rows;
pub mod job_spec;
pub mod jobs;
pub mod lease;
mod patience;
pub mod plan;
pub mod progress;
pub mod queued;
mod rate;
mod records;
pub mod removal;
mod replay;
pub mod report;
pub mod requested;
mod retrier;
mod retrying_ports;
pub mod rollback;
pub mod run;
mod target_locks;
#[cfg(test)]
mod targets;
#[cfg(test)]
mod testing;
pub mod verify;
pub mod worker;

pub use patience::Patience;
