//! HTTP/1.1 and HTTP/2 on one machine: bounded connections, bodies and memory, for any handler.
//!
//! **In scope:** everything between a socket and the handler that answers a request: which connections are served, how
//! long they may be silent, how much memory their bodies and answers hold, and an orderly end. **Out of scope:** the
//! meaning of a request, which the [`Handler`] decides.
//!
//! | to find | look in |
//! |---|---|
//! | the interface to the application | [`handler`] |
//! | the socket that listens, and the signals that end the server | [`listener`], [`signals`] |
//! | connections, from their first bytes to their end | [`connections`] |
//! | which of them are served, which wait, and which give way | `admission` |
//! | the memory that they may hold | `memory` |
//! | one request, and a panic in it | `request` |
//! | its body on the way in, and the answer's on the way out | `request_body`, `response_body` |
//! | a change, which outlives its connection | `changes` |
//! | a problem document as an answer | [`problem`] |

mod admission;
mod changes;
pub mod connections;
pub mod handler;
pub mod listener;
mod memory;
pub mod problem;
mod request;
mod request_body;
mod response_body;
pub mod signals;

pub use handler::Handler;
