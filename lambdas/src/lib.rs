//! CredLink on AWS: what its five Lambda functions share.
//!
//! **In scope:** events in, answers out, and the life of a function between them. **Out of scope:** what is done with
//! a request (`credlink-service`), and which adapters it is done over (`credlink-deployment`). Nothing is kept on the machine.
//!
//! | function | event | does |
//! |---|---|---|
//! | `store` | API Gateway, HTTP API (payload 2.0) | POST and PUT |
//! | `retrieve` | API Gateway | GET and HEAD |
//! | `delete` | API Gateway | DELETE, and deletion in batches |
//! | `migrate` | SQS | replicate what a provider missed; list and copy the items of a migration |
//! | `cleanup` | EventBridge, on a schedule | expired proofs, orphans, stale uploads |
//!
//! | to find | look in |
//! |---|---|
//! | a request of API Gateway and its answer | [`gateway`] |
//! | a batch of SQS and its failures | [`batch`] |
//! | a run of the schedule | [`schedule`] |
//! | from the start of a process to its first event | [`start`] |
//!
//! The three HTTP functions serve the same router: which requests reach one, and what it may do with bucket and table,
//! is `template.yaml`'s to say.

pub mod batch;
pub mod gateway;
pub mod schedule;
pub mod start;
