//! The edge: a Worker that serves proofs, manifests and the bytes of files from R2 on the CDN domain.
//!
//! **In scope:** reading from this data center's cache, from R2, and from the API for objects that R2 does not have;
//! caching and its lifetimes; purging; health. **Out of scope:** all changes to proofs and all credentials except
//! signed links, which belong to the API. The content of a response is decided by `credlink_core`, the same code as in
//! the API.
//!
//! | to find | look in |
//! |---|---|
//! | the part of a request that waits for nothing: a hit from beginning to end | `immediate` |
//! | the handling of a request that waits | `edge` |
//! | the answer, and its description for `js/runtime.js` | `answer` |
//! | the parsed request | `request` |
//! | the search for an object | `read` |
//! | the resolution of legacy IDs | `alias` |
//! | the bytes of files: the part that waits for nothing, and the one that waits | `media`, `media_read` |
//! | the record of a file, and its bytes in R2 | `file`, `media_bytes` |
//! | passing a request on to the API | `forward` |
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
mod answer;
mod configuration;
mod edge;
mod entry;
mod file;
mod flight;
mod forward;
mod health;
mod immediate;
mod keep;
mod lifetime;
mod log;
mod media;
mod media_bytes;
mod media_read;
mod outcome;
mod purge;
mod read;
mod request;
mod runtime;
mod source;
mod task;

use js_sys::{Error, Object, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::handler::{schedule_reinit, set_on_abort};
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{Request, Response};

use crate::edge::Call;
use crate::runtime::{Broken, FirstLookup};

/// Prepares the program when it is loaded: a panic is logged, and the next request after it starts the program anew.
#[wasm_bindgen(start, private)]
fn start() {
    std::panic::set_hook(Box::new(|panic| log::failure("", "the program panicked", &panic.to_string())));
    set_on_abort(schedule_reinit);
}

/// Returns the function that answers requests with the entry points below.
#[wasm_bindgen]
pub fn server() -> JsValue {
    runtime::server()
}

/// Starts the program anew if it was aborted, and does nothing otherwise.
///
/// wasm-bindgen starts it anew at the next call, but only after it has written the call's texts into the memory of the
/// aborted program. A call without texts must therefore come first.
#[wasm_bindgen]
pub fn ready() {}

/// Decides the first step of a request; see `immediate::begin`.
#[wasm_bindgen]
pub fn begin(lines: &str, environment: &JsValue) -> String {
    immediate::begin(lines, environment).into_text()
}

/// Describes an answer from the cache; see `immediate::hit`.
#[wasm_bindgen]
pub fn hit(lines: &str, said: &str) -> Option<String> {
    immediate::hit(lines, said)
}

/// Describes the answer from the entry of a file's record, or returns the URL of the entry with the bytes; see `media::hit`.
#[wasm_bindgen]
pub fn file(lines: &str, said: &str) -> Option<String> {
    media::hit(lines, said)
}

/// Describes an answer with bytes from the cache; see `media::hit_bytes`.
#[wasm_bindgen]
pub fn part(lines: &str, said: &str, of_bytes: &str) -> Option<String> {
    media::hit_bytes(lines, said, of_bytes)
}

/// Describes the answer in place of one that could not be made; see `immediate::fail`.
#[wasm_bindgen]
pub fn fail(lines: &str, why: JsValue) -> String {
    immediate::fail(lines, &Broken::from(why).0)
}

/// Answers a request that waits; see `edge::handle`.
#[wasm_bindgen]
#[expect(
    clippy::too_many_arguments,
    reason = "each is a value of JavaScript, and a structure would cost a crossing for each of its members"
)]
pub fn handle(
    request: Request,
    environment: JsValue,
    context: JsValue,
    lines: String,
    url: String,
    first: JsValue,
    bytes_url: String,
    second: JsValue,
) -> Promise {
    let (first, second) = (FirstLookup::of(url, first), FirstLookup::of(bytes_url, second));
    let call = Call { request, environment, context, first, second };
    task::promise(async move {
        let answered: Result<Response, _> = edge::handle(call, lines).await;
        answered.map(JsValue::from).map_err(|error| Error::new(&error.0).into())
    })
}

/// Returns the state for which `worker-build`'s own entry point asks when it is loaded, and which it does not use here.
#[wasm_bindgen(js_name = __worker_init_state)]
pub fn worker_init_state() -> Object {
    Object::new()
}
