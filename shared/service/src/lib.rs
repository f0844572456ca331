//! CredLink's service: use cases over ports, and the HTTP router in front of them.
//!
//! **In scope:** the order of steps that keeps the guarantees, in every interleaving and after every crash. **Out of
//! scope:** the rules themselves (`credlink-core`), and everything that talks to the outside world (crates such as
//! `credlink-aws`, behind the traits in [`credlink_ports`]). No SDK, runtime or socket is imported here.
//!
//! | to find | look in |
//! |---|---|
//! | HTTP requests and responses; the body of a request | [`router`]; [`request_body`] |
//! | routes and their operations; the seam that another crate can wrap | [`plain`]; [`handler`] |
//! | the operations over HTTP, and the OpenAPI document | [`openapi`] |
//! | storing, and how a race is decided | [`store`](mod@store), `publish`; the result: [`stored`] |
//! | importing: proofs that a migration stores, with their timestamps and legacy IDs | [`import`](mod@import) |
//! | legacy IDs: binding, withdrawing, listing, redirecting | [`aliases`] |
//! | replacing, and recovery from a crash in between | [`supersede`](mod@supersede) |
//! | deleting, and why a deleted proof stays deleted | [`delete`]; the steps: [`removal`] |
//! | a row that lags behind its objects | `reconcile` |
//! | single rows; the objects of manifests; holds | [`rows`]; `manifests`; [`holds`] |
//! | manifests of several tenants under one ID; withdrawing a manifest | [`front`], [`visibility`] |
//! | retrieving | [`retrieve`](mod@retrieve) |
//! | listing, health, statistics | `list`, `overview` |
//! | cleanup and fsck | [`cleanup`](mod@cleanup), [`fsck`](mod@fsck) |
//! | rebuilding the index from the objects | [`rebuild`] |
//! | an index, a store and a clock that do not match | `guard` |
//! | records that a cut-off request may have left | `leftovers` |
//! | access counts | `reads` |
//! | who may be told of an object whose bytes cannot be read | `ownership` |
//! | the errors of all use cases, and their conversion into HTTP | [`error`] |
//! | the ports and settings that all of these share | [`service`](mod@service) |
//!
//! The guarantees of the design live here: 1 and 5 in the order of writes in `store`, `supersede` and `delete`; 2 in
//! `publish`; 3 in `store` (`identical`) and `supersede`; 8 in `delete` and `removal`; 10 and 12 in `guard`.

pub mod aliases;
mod amounts;
pub mod cleanup;
pub mod delete;
pub mod error;
mod file_rows;
pub mod front;
pub mod fsck;
mod guard;
pub mod handler;
pub mod holds;
pub mod import;
mod leftovers;
mod list;
mod manifests;
pub mod openapi;
mod overview;
mod ownership;
pub mod plain;
mod publish;
mod reads;
pub mod rebuild;
mod reconcile;
pub mod removal;
pub mod request_body;
pub mod retrieve;
pub mod router;
pub mod rows;
pub mod service;
pub mod store;
pub mod stored;
pub mod supersede;
pub mod visibility;

pub use service::{Service, ServiceSettings};
