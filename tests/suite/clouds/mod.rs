//! The real binaries of the six Lambda functions, over S3, R2, DynamoDB, SQS and Redis as engines on this machine.
//!
//! `functions` is the API as three of them serve it, and `ground` holds the engines that they use. `script` walks through the
//! whole API. `session` does everything a client may do, over both providers and all layers of the cache. `migrate` and
//! `cleanup` test the two functions that no client calls, `migrations` runs whole migrations over the queue, and `hybrid`
//! serves beside a legacy source. `files` takes uploads through the finaliser. `races` runs many processes at once, `rights`
//! compares the calls of the functions with their roles, `routes` says which function a request reaches, and `start` tests
//! what a function reports that cannot work. `stack` deploys them with `template.yaml`.

pub mod cleanup;
mod files;
pub mod functions;
pub mod ground;
mod guard;
mod hybrid;
mod migrate;
mod migrations;
mod races;
pub mod rights;
mod routes;
mod script;
mod session;
mod start;
