//! CredLink's ports over S3 and R2, DynamoDB and SQS.
//!
//! **In scope:** one folder a service, each with the one idea that makes it keep its port's contract; credentials, time-outs and
//! errors that they share.
//! **Out of scope:** which bucket, table and queue: the configuration says that.
//!
//! | port | look in |
//! |---|---|
//! | `Objects` | [`s3`]: S3 and R2 |
//! | `Index`, `Ledger` | [`dynamodb`]: one table, one call a request |
//! | `Queue` | [`sqs`] |

pub mod dynamodb;
mod error;
pub mod s3;
mod sdk;
pub mod sqs;

pub use error::{Error, ErrorKind};
pub use sdk::*;
