//! CredLink's ports over S3, R2 and SQS, and what all clients of AWS share.
//!
//! **In scope:** one folder per service, each with the idea by which it fulfils its port's contract, and the
//! credentials, timeouts and errors that they share. **Out of scope:** DynamoDB (`credlink-dynamodb`), and the choice of bucket
//! and queue, which is up to the configuration.
//!
//! | port | look in |
//! |---|---|
//! | `Objects` | [`s3`]: S3 and R2 |
//! | `Queue` | [`sqs`] |

mod error;
pub mod s3;
mod sdk;
pub mod sqs;

pub use error::{Error, ErrorKind};
pub use sdk::*;
