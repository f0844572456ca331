//! The parts that all of CredLink's clients of AWS share, and the queue on SQS.
//!
//! **In scope:** connections, timeouts, retries and the meaning of errors, and SQS. **Out of scope:** S3 and R2
//! (`credlink-s3`), DynamoDB (`credlink-dynamodb`), and the choice of queue, which is up to the configuration.
//!
//! | to find | look in |
//! |---|---|
//! | configuration of the SDK: connections, credentials, time limits | [`sdk_config`], [`plain_config`], [`http_client`]; [`Limits`] |
//! | errors by what has to be done about them | [`Error`], [`ErrorKind`] |
//! | `Queue` | [`sqs`] |
//!
//! Without the feature `sdk`, nothing of AWS is built in. Errors and limits are the same, and the clients are stand-ins
//! without values, so that a program that chooses at run time is the same code with both.

#[cfg(feature = "sdk")]
mod classify;
mod error;
mod limits;
mod redriven;
#[cfg_attr(not(feature = "sdk"), path = "sdk/absent.rs")]
mod sdk;
#[cfg_attr(not(feature = "sdk"), path = "sqs/absent.rs")]
pub mod sqs;

pub use error::{Error, ErrorKind};
pub use limits::Limits;
pub use redriven::{RedrivePolicy, Redriven};
pub use sdk::{SdkConfig, http_client, plain_config, sdk_config};
