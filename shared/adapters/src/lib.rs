//! The ports of `credlink-service` over real things.
//!
//! **In scope:** one adapter a module, each with the one idea that makes it keep its port's contract.
//! **Out of scope:** rules (they are `credlink-core`'s), the order of calls (the use cases of `credlink-service`), and
//! the choice of adapters: only a `main` names one.
//!
//! | port | adapters |
//! |---|---|
//! | `Objects` | [`folder`]: one file an object, replaced by rename · [`s3`]: S3 and R2 · [`memory`]: polices the contract |
//! | `Index` | [`embedded`]: redb, one writer, group commit · [`dynamodb`]: one table, one call a request · [`memory`]: polices the contract |
//! | `Queue` | [`sqs`] · [`queue`]: redb, synced · [`memory`] |
//! | `Cache` | [`cache`]: memory, Redis and a folder in layers · [`cache::NoCache`] |
//! | `Events` | [`counters`] · [`metered`]: these, and metrics for [`prometheus`] or [`emf`] |
//! | `Authenticator` | [`tokens`]: a file of token digests · [`tokens::Trusted`] · [`jwt`]: JSON Web Tokens · [`gate`]: the one or the other |
//! | `Clock` | [`clock`]: the system's, and one for tests |
//! | `Objects` | [`replicated`]: two providers as one, with repair and fail-over |
//! | `Objects`, `Index` | [`faults`]: a wrapper that fails the calls that a test names |
//! | `Source`, `Destination`, `Ledger` | [`migrate`]: where proofs are taken over from and where to, and what a job has done |
//!
//! [`signers`] are those that an operator lists for tenants, and [`threads`] computes what takes long, beside the requests that wait.
//! [`provider`] is a bucket or a folder, chosen at run time.
//! [`reserve`] is the room on this machine's disk that deletions and the index may use when it is full.
//! [`private`] makes files and folders of which others see nothing, durably.
//! [`foreign`] tells a folder of other files from one that is a CredLink's.
//! [`local`] puts together those that make a service on one machine.
//!
//! What holds for every adapter here:
//!
//! 1. An `Ok` of a write means synced to the disk; where something is softer (read counts), the module says so.
//! 2. Only a missing file or row is absence. Every other error keeps its kind (guarantee 7).
//! 3. What comes back from a disk is checked before it is handed on: lengths, digests, formats (guarantees 4, 9).
//! 4. No adapter holds an executor's thread while it waits for a disk, except where it says why.

pub mod aws;
mod bounded_file;
pub mod cache;
pub mod clock;
pub mod configuration;
pub mod counters;
mod cursor;
mod database;
pub mod deadline;
pub mod deployment;
pub mod dynamodb;
pub mod embedded;
pub mod emf;
mod failure;
pub mod faults;
pub mod folder;
pub mod foreign;
pub mod gate;
mod in_flight;
pub mod jwt;
pub mod legacy;
pub mod local;
pub mod memory;
pub mod metered;
pub mod migrate;
pub mod private;
pub mod prometheus;
pub mod provider;
pub mod queue;
pub mod replicated;
pub mod reserve;
pub mod s3;
pub mod signers;
pub mod sqs;
pub mod threads;
mod throttle;
pub mod tokens;
