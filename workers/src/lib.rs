//! The edge: a Worker that serves proofs and manifests from R2, on the CDN domain.
//!
//! **In scope:** reading, from this data center's cache, from R2, and from the API for what R2 does not have; what is kept
//! and for how long; purging; health.
//! **Out of scope:** everything that changes a proof, and every credential but signed links: those are the API's. What an
//! answer says is decided by `credlink_core`, by the same code as in the API.
//!
//! | to find | look in |
//! |---|---|
//! | one request, from the first decision to the last | `edge` |
//! | what a request asks | `request` |
//! | where an object is looked for | `read` |
//! | where a legacy id leads | `alias` |
//! | how much a client may have looked for | `admission` |
//! | R2, the origin, and the check of what they hand out | `source` |
//! | what a load comes to | `outcome` |
//! | one load for all who ask at the same time | `flight` |
//! | what is cached, and in which form | `keep`, `entry` |
//! | for how long | `lifetime` |
//! | purging, health | `purge`, `health` |
//! | variables and secrets | `configuration` |
//! | the log | `log` |
//! | what runs futures | `task` |
//! | the Workers runtime | `runtime`, `js/runtime.js` |
//!
//! What holds here of the design's guarantees:
//!
//! * 4 (exact bytes): what comes from R2 or the origin is checked before anybody gets it and before it is kept, and no
//!   body is copied through WebAssembly's memory.
//! * 7 (absence is not failure): what is out of reach is a 503 or an older answer, and never kept.
//! * 8 (deleted stays deleted): an answer is at most as old as `lifetime` says, a marker is an answer, and what is put into
//!   R2 is put only where nothing stands.
//! * 9 (bounds): every body that is read has one.
//!
//! A panic would fail every request that is under way in the isolate. So what can panic is refused by lints.

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
// Its start function has the program begin anew after it was aborted.
use worker as _;

/// What the runtime calls for every request.
#[wasm_bindgen]
pub fn fetch(request: Request, environment: JsValue, context: JsValue) -> Promise {
    task::promise(async move {
        let answered: Result<Response, _> = edge::handle(&request, &environment, &context).await;
        answered.map(JsValue::from).map_err(|error| Error::new(&error.0).into())
    })
}
