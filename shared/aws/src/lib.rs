//! The parts that all of CredLink's clients of AWS share, and the queue on SQS.
//!
//! **In scope:** connections, timeouts, retries and the meaning of errors, and SQS. **Out of scope:** S3 and R2
//! (`credlink-s3`), DynamoDB (`credlink-dynamodb`), and the choice of queue, which is up to the configuration.
//!
//! | to find | look in |
//! |---|---|
//! | configuration of the SDK: connections, credentials, time limits | [`sdk_config`], [`plain_config`], [`http_client`]; [`Limits`] |
//! | errors of the SDK by what has to be done about them | [`Error`], [`ErrorKind`] |
//! | `Queue` | [`sqs`] |

mod error;
mod sdk;
pub mod sqs;

pub use error::{Error, ErrorKind};
pub use sdk::{Limits, http_client, plain_config, sdk_config};
