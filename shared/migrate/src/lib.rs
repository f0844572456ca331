//! Migration: imports everything that another store has, exactly once, and shows that nothing was lost.
//!
//! A *job* moves the *items* of a source to a destination. Its ledger has the state of every item, and each state is
//! durable before the next step depends on it:
//!
//! ```text
//! (planned) → copying → copied → verified → deleted at the source
//!     ├→ failed, with its reason       └──→ rolled back
//!     └→ skipped, with its reason
//! ```
//!
//! *Copying* is recorded before the import, and only if the destination has nothing of the item yet. A proof that is
//! there afterwards with exactly the item's record was therefore created by this job, even if the job was killed in
//! between. Rollback relies on this.
//!
//! **In scope:** the steps of a job, over the ports of [`credlink_ports::migration`]. **Out of scope:** sources,
//! destinations and ledgers (`credlink-migrate-io`, and the adapters), and serving beside a source (`credlink-hybrid`).
//!
//! | to find | look in |
//! |---|---|
//! | a dry run | [`plan`](mod@plan) |
//! | a whole run | [`run`](mod@run) |
//! | copying given items, and what a kill leaves | [`copy`](mod@copy) |
//! | verification | [`verify`](mod@verify) |
//! | the state of a job | [`report`](mod@report) |
//! | removing from the source | [`cleanup`](mod@cleanup) |
//! | undoing a job | [`rollback`](mod@rollback) |
//! | the requested job, and one step of it at a time | [`job_spec`], [`lease`] |
//! | the reason why a step stopped early | [`error`] |
//! | index rows that say which item of a legacy source has a proof that is not copied yet | [`item_rows`] |
//! | from a source's content to what is imported | [`incoming`] |
//! | a job that workers run: sending its items, and copying those that a message names | [`enqueue`], [`queued`] |
//! | the worker behind the queue | [`worker`] |
//! | starting and looking up such a job | [`jobs`] |
//! | migrating requested proofs by messages | [`requested`] |
//! | removing a job | [`removal`] |
//! | outages | `retry_policy`, `retrier`, `retrying_ports` |
//! | merging what several workers know of one item | `records`, `target_locks` |
//! | a walk through the ledger | `replay` |
//! | progress reports to the caller; a limit on items per second | [`progress`]; `rate` |

pub mod cleanup;
pub mod copy;
pub mod enqueue;
pub mod error;
pub mod incoming;
pub mod item_rows;
pub mod job_spec;
pub mod jobs;
pub mod lease;
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
mod retry_policy;
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

pub use retry_policy::RetryPolicy;
