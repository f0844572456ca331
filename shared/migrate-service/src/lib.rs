//! A CredLink service in this process as the destination of a migration: its use cases, without HTTP.
//!
//! **In scope:** importing, comparing and withdrawing what a job copies. **Out of scope:** jobs (`credlink-migrate`), and
//! a CredLink behind HTTP (`credlink-migrate-io`).
//!
//! | to find | look in |
//! |---|---|
//! | [`ServiceDestination`]: the port over a service | `destination` |
//! | aliases, and manifests without a proof | `aliases`, `manifests` |
//! | the comparison of a copy with what was copied | `compare` |
//! | earlier revisions of a proof | `history` |
//! | the item of a legacy store that a proof comes from | `items` |
//! | legacy IDs of a store that is not imported yet | [`ReservedIds`] |

mod aliases;
mod compare;
mod destination;
mod history;
mod items;
mod manifests;
mod reserved_ids;

pub use destination::{ServiceDestination, check_one_tenant};
pub use reserved_ids::{NoReservedIds, ReservedIds};
