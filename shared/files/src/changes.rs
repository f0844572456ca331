//! The writes of one commit.

use credlink_core::row::Row;

use credlink_ports::{Commit, Failure, Ports, Write};
use credlink_service::Service;

/// The rows that are written together, each with the next version. They are written only if each row still has the
/// version before.
#[derive(Debug, Default)]
pub(crate) struct Changes(Vec<Write>);

impl Changes {
    /// Adds a row.
    pub(crate) fn put(&mut self, row: Row) {
        let expected = row.version().checked_sub(1).filter(|version| *version > 0);
        self.0.push(Write { row, expected });
    }

    /// Adds rows.
    pub(crate) fn put_all(&mut self, rows: impl IntoIterator<Item = Row>) {
        rows.into_iter().for_each(|row| self.put(row));
    }

    /// Commits the rows. Returns `false` if another commit was first, and nothing is written.
    pub(crate) async fn commit<P: Ports>(self, service: &Service<P>) -> Result<bool, Failure> {
        Ok(service.write_rows(&self.0).await? == Commit::Done)
    }
}
