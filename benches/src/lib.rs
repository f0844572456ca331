//! CredLink's benchmarks: what they measure, and how they keep a fast wrong answer from counting.
//!
//! **In scope:** `credlink serve` as it is deployed, over HTTP from another process, the functions' binaries over a
//! Runtime API, a deployment over local engines, the edge on workerd, the adapters in this process, and pure functions
//! of the core. **Out of scope:** cloud providers, and any network. `docs/performance.md` has the figures.
//!
//! | to find | look in |
//! |---|---|
//! | proofs stored per second, beside the bare disk | [`stores`], [`disk`] |
//! | hot and cold reads per second, beside a server that answers a constant | [`reads`], [`ceiling`] |
//! | latency at 100 and at 1,000 connections | [`latency`] |
//! | the latency of other clients beside slow ones | [`slow`] |
//! | the time of a cache hit, and the hit rate beside the best possible | [`cache`], [`traces`] |
//! | memory, size and cost as the store grows | [`growth`], [`grown`] |
//! | cold starts of the functions | [`lambda`], [`runtime_api`] |
//! | the service beside the bare SDK, and 1,000 concurrent reads | [`clouds`], [`clouded`], [`bare`] |
//! | the edge in Rust beside the same Worker in JavaScript | [`edge`] |
//! | a migration beside `rclone` and `s5cmd` | [`migrate`] |
//! | uploads beside `aws s3 cp` and `rclone`, and the time until a photo is a file | [`uploads`] |
//! | cleanup where every call takes as long as in a cloud | [`mod@cleanup`] |
//! | the stand-ins for S3 and DynamoDB | [`engines`], [`answerer`] |
//! | pure functions | [`functions`] |
//! | the load, its client, and the server under it | [`load`], [`client`], [`server`] |
//! | proofs to store, and the answers to expect | [`material`], [`work`] |
//! | medians, tables, the machine | [`spread`], [`report`], [`machine`] |
//! | other programs, what they use, and several side by side | [`process`], [`side_by_side`] |
//!
//! Rules for every figure here:
//!
//! 1. Every answer's status is checked, every read's length, and every byte of each 64th read.
//! 2. A round that is not counted comes first. Counted rounds of things that are compared take turns, so that the noise
//!    of a shared machine affects all of them. A figure is the median of its rounds, with the minimum and the maximum.
//! 3. If there is something to compare with, it runs in the same minute with the same client, and the ratio is the
//!    figure to trust.

// A task that reads contains the future of a whole request.
#![recursion_limit = "256"]

pub mod answerer;
pub mod bare;
pub mod cache;
pub mod ceiling;
pub mod cleanup;
pub mod client;
pub mod clouded;
pub mod clouds;
pub mod disk;
pub mod edge;
pub mod engines;
pub mod error;
pub mod functions;
pub mod grown;
pub mod growth;
pub mod lambda;
pub mod latency;
pub mod line;
pub mod load;
pub mod machine;
pub mod material;
pub mod migrate;
pub mod plan;
pub mod process;
pub mod reads;
pub mod rebuild;
pub mod report;
pub mod runtime_api;
pub mod server;
pub mod side_by_side;
pub mod slow;
pub mod spread;
pub mod stores;
pub mod traces;
pub mod uploads;
pub mod work;
