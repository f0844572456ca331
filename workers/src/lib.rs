//! The edge: a Worker that serves proofs and manifests from R2 on the CDN domain.
//!
//! **In scope:** reading from this data center's cache, from R2, and from the API for objects that R2 does not have;
//! caching and its lifetimes; purging; health. **Out of scope:** all changes to proofs and all credentials except
//! signed links, which belong to the API. The content of a response is decided by `credlink_core`, the same code as in
//! the API.
//!
//! | to find | look in |
//! |---|---|
//! | the handling of one request, from the first decision to the last | `edge` |
//! | the parsed request | `request` |
//! | the search for an object | `read` |
//! | the resolution of legacy IDs | `alias` |
//! | rate limits for requests that the cache cannot answer | `admission` |
//! | R2, the origin, and the verification of what they send | `source` |
//! | single flight: one load for concurrent requests | `flight` |
//! | the cache and the format of its entries | `keep`, `entry` |
//! | freshness lifetimes | `lifetime` |
//! | purging, health | `purge`, `health` |
//! | variables and secrets | `configuration` |
//! | the log | `log` |
//! | the executor of futures | `task` |
//! | the Workers runtime | `runtime`, `js/runtime.js` |
//!
//! The design's guarantees that the edge upholds:
//!
//! * 4 (exact bytes): everything that R2 or the origin sends is verified before it is served or cached, and no body is
//!   copied through WebAssembly's memory.
//! * 7 (absence is not failure): an unreachable source leads to a 503 or to an older answer, and is never cached.
//! * 8 (deleted stays deleted): an answer is at most as old as `lifetime` allows, a tombstone is an answer, and an
//!   object is put into R2 only if its key is free.
//! * 9 (bounds): every body that is read has a limit.
//!
//! A panic would fail every request in progress in the isolate, so lints forbid code that can panic.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::get_unwrap,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::panic_in_result_fn,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_in_result,
        clippy::unwrap_used
    )
)]

mod admission;
mod alias;
mod configuration;
mod edge;
mod entry;
mod flight;
mod health;
mod keep;
mod lifetime;
mod log;
mod outcome;
mod purge;
mod read;
mod request;
mod runtime;
mod source;
mod task;

use js_sys::{Error, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{Request, Response};
// The start function of the `worker` crate restarts the program after it was aborted.
use worker as _;

/// The entry point that the runtime calls for every request.
#[wasm_bindgen]
pub fn fetch(request: Request, environment: JsValue, context: JsValue) -> Promise {
    task::promise(async move {
        let answered: Result<Response, _> = edge::handle(&request, &environment, &context).await;
        answered.map(JsValue::from).map_err(|error| Error::new(&error.0).into())
    })
}
