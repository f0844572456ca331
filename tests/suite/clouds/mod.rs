//! The real binaries of the five Lambda functions, over S3, R2, DynamoDB, SQS and Redis as engines of this machine.
//!
//! `functions` is the API out of three of them, `ground` what they stand on. `script` walks through the whole API, `session`
//! does what a client may do over both providers and all layers of the cache, `migrate` and `cleanup` are the two
//! functions that nobody calls, `migrations` runs whole migrations over the queue, `hybrid` serves beside a legacy source, `races` has many processes at once, `rights` compares what they ask for with their roles, and `start` what a function says that cannot work.
//! `stack` has them deployed by `template.yaml`.

pub mod cleanup;
pub mod functions;
pub mod ground;
mod guard;
mod hybrid;
mod migrate;
mod migrations;
mod races;
pub mod rights;
mod script;
mod session;
mod start;
