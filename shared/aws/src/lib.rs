//! CredLink's ports over S3 and R2, DynamoDB and SQS.
//!
//! **In scope:** one folder per service, each with the idea by which it fulfils its port's contract, and the
//! credentials, timeouts and errors that they share. **Out of scope:** the choice of bucket, table and queue, which is
//! up to the configuration.
//!
//! | port | look in |
//! |---|---|
//! | `Objects` | [`s3`]: S3 and R2 |
//! | `Index`, `Ledger` | [`dynamodb`]: one table, one call per request |
//! | `Queue` | [`sqs`] |

pub mod dynamodb;
mod error;
pub mod s3;
mod sdk;
pub mod sqs;

pub use error::{Error, ErrorKind};
pub use sdk::*;
