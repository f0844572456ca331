//! Two providers behind one port: parallel writes, fail-over reads, and a queued repair for every write that one of
//! them missed.
//!
//! **Truth.** The index row decides what is current. Between concurrent writers the primary decides as long as it
//! answers, and the fallback otherwise. A provider that missed a replacement or a deletion is *behind* (`behind`):
//! until it is repaired, objects read from it are checked against the row.
//!
//! **In scope:** two providers of any kind as one, and the repairs of objects that one of them lacks. **Out of scope:**
//! the rules of a repair ([`credlink_core::rules::repair`], [`credlink_core::rules::replica_lag`]), the providers
//! themselves, and the delivery of queued repairs (`credlink-deployment`).
//!
//! | to find | look in |
//! |---|---|
//! | [`Replicated`]: two providers behind the port | `replicated` |
//! | writes to both providers | `replicated/write` |
//! | reads, including hedged and checked ones | `replicated/read` |
//! | the repairs that writes and reads queue | `replicated/repairs` |
//! | listings of both providers | `replicated/merge` |
//! | both copies of an object, compared | `replicated/copies` |
//! | the settings of an operator | `settings` |
//! | repairs of given objects, and of all | [`replicate`] · of long ones, piece by piece: `replicate/long` |
//! | the flags that a process knows, and how they are raised | `behind`, `flags` |
//! | the marks of repairs, the last of which lowers a flag | [`repair_mark`] |
//! | the tags that this adapter returns | `tag` |
//! | timeouts and measurements | `side`, `latency` |
//! | the circuit breaker | [`circuit_breaker`](credlink_runtime::circuit_breaker) |
//!
//! The reasons are in `docs/decisions/0003-two-providers.md`.

mod behind;
mod flags;
mod latency;
pub mod repair_mark;
pub mod replicate;
mod replicated;
mod settings;
mod side;
mod tag;

pub use replicated::Replicated;
pub use settings::ReplicationSettings;
