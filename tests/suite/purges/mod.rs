//! What the edge is told: calls as they come to a stand-in for the Worker.
//!
//! `calls` is a cache with an edge by itself: how changes become calls, and what an edge that is out of order costs.
//! `requests` is a service over a folder: which requests tell what. `server` and `functions` are the same out of
//! `credlink serve` and out of the Lambdas, and `repairs` is a second provider that was behind.

mod calls;
pub mod edge;
mod functions;
mod repairs;
mod requests;
mod server;
