//! The purges of the edge, as they arrive at a stand-in for the Worker.
//!
//! `calls` tests a cache with an edge by itself: how changes become calls, and what a faulty edge costs. `requests`
//! tests a service over a folder: which requests purge what. `server` and `functions` test the same with `credlink
//! serve` and with the Lambdas, and `repairs` has a second provider that was behind.

mod calls;
pub mod edge;
mod functions;
mod repairs;
mod requests;
mod server;
