//! The rules of CredLink.
//!
//! Bytes and values come in, decisions go out. In every runtime, the life of a request is *decide, one await, decide*:
//! the first and the last decision are made here, and are therefore the same in the Lambda, in `credlink serve` and at
//! the edge.
//!
//! **In scope:** the types that everything is parsed into once, the formats, the rules of each operation, HTTP
//! semantics as pure functions, and every bound.
//!
//! **Out of scope:** clocks, randomness, environment, files and sockets. They come in as arguments; `clippy.toml`
//! beside this crate forbids them, and the crate compiles for `wasm32-unknown-unknown`.
//!
//! | to find | look in |
//! |---|---|
//! | names of things | [`hash`], [`tenant`], [`proof_id`], [`manifest_id`], [`manifest_key`] (a tenant's manifest), [`job_name`], [`store_id`], [`replica`] (one of the two providers), [`time`]; of files: [`file`](mod@file) |
//! | formats | [`record`] (record v1), [`file_record`] (file record v1), [`row`] (index rows), [`tombstone`], [`note`] (legacy IDs and holds, so that an index can be rebuilt), [`front`] (plain addresses of manifests), [`identity`] (do index and store belong together), [`object`] (keys and attributes), [`media_type`], [`message`] (work in a queue), [`repair_mark`] |
//! | the rules of a collection of files | [`collection`], [`cache_policy`] |
//! | records of the legacy store | [`legacy`] |
//! | manifests | [`manifest`] (both kinds, and the text of a detached signature), [`c2pa`] (JUMBF and signatures), [`cbor`] |
//! | bounds on input | [`bounds`], [`json`] (depth), [`encoding`] (gzip, base64) |
//! | rules of the operations | [`rules`] |
//! | HTTP | [`http`]: routes by subject, conditional requests, ranges, content negotiation, problem documents |
//! | permissions | [`access`], [`link`] (signed links), [`audit`] (who read a private file) |
//! | quotations of a client's text in answers | `excerpt` |
//! | C2PA manifest stores for tests | `testing` |
//!
//! At the edge a panic would fail every request of an isolate. Lints therefore refuse code that can panic, and integer
//! overflow wraps in release builds.
//!
//! Of the design's guarantees, 4 (exact bytes), 6 (one content for each ID), 7 (absence is not failure) and 9 (bounds)
//! rest on rules of this crate alone. `docs/architecture.md` says where each of the others is kept.

#![cfg_attr(
    not(test),
    deny(
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

pub mod access;
pub mod audit;
mod base32_id;
pub mod bounds;
pub mod c2pa;
pub mod cache_policy;
pub mod cbor;
pub mod collection;
pub mod encoding;
mod excerpt;
pub mod file;
pub mod file_record;
pub mod front;
pub mod hash;
pub mod http;
pub mod identity;
pub mod job_name;
pub mod json;
pub mod legacy;
pub mod link;
pub mod manifest;
pub mod manifest_id;
pub mod manifest_key;
pub mod media_type;
pub mod message;
pub mod note;
pub mod object;
pub mod proof_id;
pub mod record;
pub mod repair_mark;
pub mod replica;
pub mod row;
pub mod rules;
pub mod store_id;
pub mod tenant;
#[doc(hidden)]
pub mod testing;
pub mod time;
pub mod tombstone;
