//! Migration: everything that another store has is taken over, once, and it is plain to see that nothing was lost.
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
//! | to find | look in |
//! |---|---|
//! | what a job needs of the world | [`ports`] |
//! | what the ledger keeps | [`ledger`] |
//! | what items become: proofs, other names of them, manifests | [`target`] |
//! | a dry run | [`plan`](mod@plan) |
//! | a whole run | [`run`](mod@run) |
//! | copying given items, and what a kill leaves | [`copy`](mod@copy) |
//! | whether everything is there | [`verify`](mod@verify) |
//! | where a job stands | [`report`](mod@report) |
//! | removing from the source | [`cleanup`](mod@cleanup) |
//! | undoing it | [`rollback`](mod@rollback) |
//! | saying in the index where a legacy source has what is not copied yet | [`catalogue`](mod@catalogue) |
//! | from a source's content to drafts | [`incoming`](mod@incoming) |
//! | a CredLink at hand as a destination | [`destination`] |
//! | a job that others run: sending its items, and copying what a message names | [`enqueue`], [`queued`] |
//! | beginning and looking up such a job | [`jobs`] |
//! | removing one | [`removal`] |
//! | outages | `patience` |
//! | what several workers know of one item | `records` |
//! | whether two proofs say the same | [`proof_content`] |
//! | a walk through the ledger | `replay` |
//! | what whoever started it is told | [`progress`] |

mod calls;
pub mod catalogue;
pub mod cleanup;
pub mod copy;
pub mod enqueue;
pub mod incoming;
pub mod jobs;
pub mod parts;
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
pub mod rollback;
pub mod run;
#[cfg(test)]
mod targets;
#[cfg(test)]
mod testing;
mod turns;
pub mod verify;

pub use patience::Patience;
