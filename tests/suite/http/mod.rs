//! The HTTP API as a client sees it.
//!
//! `script` walks through the whole API and is written to run anywhere: against the service in this process, or any
//! base URL. `bad_input` is a table of the mistakes of clients and the answers to them, and `auth` a table of
//! permissions. `legacy_ids` tests who owns a legacy ID, `links` what a signed link opens, `metrics` the metrics, and
//! `unread` the reports about credentials that cannot be read. `openapi` and `contract` keep the OpenAPI document true:
//! every exchange of a [`session::Session`] is checked against it.

pub mod api;
pub mod ask;
pub mod auth;
mod bad_input;
pub mod contract;
mod legacy_ids;
mod links;
mod metrics;
mod migrations;
mod openapi;
pub mod script;
pub mod session;
mod unread;
