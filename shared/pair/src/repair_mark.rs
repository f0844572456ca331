//! A repair that is done lowers the flag that it held up.
//!
//! The rules, and what a crash leaves, are in `credlink_core::rules::replica_lag`. Raising the flag is the business of the
//! adapter that has two providers.

use credlink_core::repair_mark::RepairMark;
use credlink_core::replica::Replica;
use credlink_core::row::{Row, RowKey};
use credlink_core::rules::replica_lag::done;

use credlink_ports::{Commit, Failure, FailureKind, Index, Write};

/// Most attempts to commit a row: each one that is lost means that somebody else has changed the row.
const ATTEMPTS: usize = 32;

/// Takes the mark of a repair that is done out of the row of `replica`; with the last one, its flag goes down. To be
/// called after the repair, and before its message is settled: after a failure the same message does it again.
///
/// # Errors
/// The index failed, or others wrote the row all the time.
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
