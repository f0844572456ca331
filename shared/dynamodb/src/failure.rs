//! The failures of this crate that are not errors of DynamoDB.

use credlink_ports::{Failure, FailureKind};

/// The name by which operators know this index, and the ledgers beside it.
pub(crate) const NAME: &str = "dynamodb";

/// Returns the failure for an item that this crate did not write.
pub(crate) fn damaged(message: String) -> Failure {
    Failure { provider: NAME, kind: FailureKind::Damaged, message }
}
