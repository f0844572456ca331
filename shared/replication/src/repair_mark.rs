//! Lowers the flag of a provider once its repairs are done.
//!
//! The rules, and the consequences of a crash, are in `credlink_core::rules::replica_lag`. Flags are raised by the
//! adapter for two providers.

use credlink_core::repair_mark::RepairMark;
use credlink_core::replica::Replica;
use credlink_core::row::{Row, RowKey};
use credlink_core::rules::replica_lag::done;
use credlink_ports::{Commit, Failure, FailureKind, Index, Write};

/// The maximum number of attempts to commit a row. A commit is lost if somebody else has changed the row.
const ATTEMPTS: usize = 32;

/// Removes the mark of a finished repair from the row of `replica`. Removing the last mark lowers the flag. The caller
/// must call this after the repair and before its message is settled: after a failure, the same message does it again.
///
/// # Errors
/// The index failed, or others changed the row each time.
pub async fn lower(index: &impl Index, replica: Replica, mark: RepairMark) -> Result<(), Failure> {
    let mut row = index.get(&RowKey::Replica(replica)).await?.and_then(Row::replica);
    for _ in 0..ATTEMPTS {
        let Some(before) = row else { return Ok(()) };
        let Some(after) = done(&before, mark) else { return Ok(()) };
        let write = Write { expected: Some(before.version), row: Row::Replica(after) };
        match index.commit(&[write]).await? {
            Commit::Done => return Ok(()),
            Commit::Lost { current, .. } => row = current.and_then(Row::replica),
        }
    }
    let message = format!("the row of the {replica} changed too often");
    Err(Failure { provider: index.name(), kind: FailureKind::Unavailable, message })
}
