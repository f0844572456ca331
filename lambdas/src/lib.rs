//! CredLink on AWS: the code that its six Lambda functions share.
//!
//! **In scope:** parsing events, building responses, and the life of a function between them. **Out of scope:** the
//! operations themselves (`credlink-service`), and the choice of adapters (`credlink-deployment`). Nothing is stored on
//! the machine.
//!
//! | function | event | does |
//! |---|---|---|
//! | `store` | API Gateway, HTTP API (payload 2.0) | POST and PUT |
//! | `retrieve` | API Gateway | GET and HEAD |
//! | `delete` | API Gateway | DELETE, and batch deletion |
//! | `migrate` | SQS | replicates what a provider missed; lists and copies the items of a migration |
//! | `finalise` | SQS, fed by the bucket and by `store`; API Gateway | makes files of uploads; PATCH, and renditions anew |
//! | `cleanup` | EventBridge, on a schedule | removes expired proofs and files, orphans and stale uploads |
//!
//! | to find | look in |
//! |---|---|
//! | a request of API Gateway and its response | [`gateway`] |
//! | a batch of SQS and its failures | [`batch`] |
//! | a scheduled run | [`schedule`] |
//! | the start of a process, up to its first event | [`start`] |
//!
//! The functions behind API Gateway serve the same router: `template.yaml` decides which requests reach which function, and
//! what each function may do with the bucket and the table. `finalise` alone has codecs (feature `finalise`); the others
//! leave uploads to it.

pub mod batch;
pub mod gateway;
pub mod schedule;
pub mod start;
