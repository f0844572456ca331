//! CredLink's service: use cases over ports, and the HTTP router in front of them.
//!
//! **In scope:** the order of steps that keeps the guarantees, in every interleaving and after every crash.
//! **Out of scope:** the rules themselves (`credlink-core`), and everything that talks to the world
//! (crates such as `credlink-aws`, behind the traits in [`ports`]). No SDK, no runtime and no socket is imported here.
//!
//! | to find | look in |
//! |---|---|
//! | what the world has to offer, and its contracts | [`ports`] |
//! | storing, and how a race is decided | [`store`](mod@store), `publish` |
//! | moving everything that another store has | [`migrate`] |
//! | serving beside a store that is not migrated yet | [`legacy`] |
//! | taking over from another store | [`take_over`](mod@take_over) |
//! | replacing, and what a crash in it leaves | [`supersede`](mod@supersede) |
//! | deleting, and why it stays deleted | [`delete`] |
//! | manifests of several tenants under one id; withdrawing one | `front`, `visibility` |
//! | retrieving | [`retrieve`](mod@retrieve) |
//! | listing, health, statistics | [`list`](mod@list), [`overview`] |
//! | cleanup and fsck | [`cleanup`](mod@cleanup), [`fsck`](mod@fsck) |
//! | making the index anew from the objects | [`rebuild`] |
//! | repair of a provider, its queue, and the flag that a repair lowers | [`replicate`](mod@replicate), [`worker`], [`behind`] |
//! | index, store and clock that do not fit together | `guard` |
//! | access counts | `reads` |
//! | HTTP in and out | [`router`], [`openapi`] |
//! | the request at hand, for logs and queues | [`request`] |
//!
//! The guarantees of the design live here: 1 and 5 in the order of writes in `store`, `supersede` and `delete`;
//! 2 in `publish`; 3 in `store` (`identical`) and `supersede`; 8 in `delete`; 10 and 12 in `guard`.

pub mod aliases;
pub mod cleanup;
pub mod delete;
pub mod error;
pub mod front;
pub mod fsck;
mod guard;
pub mod holds;
mod leftovers;
pub mod legacy;
pub mod list;
pub mod openapi;
pub mod overview;
mod ownership;
mod publish;
mod reads;
pub mod rebuild;
mod reconcile;
pub mod retrieve;
pub mod router;
pub mod service;
pub mod store;
pub mod supersede;
pub mod take_over;
pub mod visibility;

pub use service::{Service, Settings};
