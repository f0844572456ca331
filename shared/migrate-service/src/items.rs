//! Item rows in the index of a CredLink in this process: they say which item of a source has a proof.

use credlink_core::proof_id::ProofId;
use credlink_core::row::{LegacyItemRow, Row, RowKey};

use credlink_ports::migration::ItemRows;
use credlink_ports::{Commit, Failure, Index as _, Ports, Write};

use crate::{ReservedIds, ServiceDestination};

impl<P: Ports, R: ReservedIds> ItemRows for ServiceDestination<P, R> {
    async fn item_row(&self, proof: &ProofId) -> Result<Option<LegacyItemRow>, Failure> {
        let row = self.service().ports().index().get(&RowKey::LegacyItem(*proof)).await?;
        Ok(row.and_then(Row::legacy_item))
    }

    async fn keep_item(&self, row: &LegacyItemRow) -> Result<bool, Failure> {
        let expected = row.version.checked_sub(1).filter(|version| *version > 0);
        let row = Row::LegacyItem(row.clone());
        Ok(match self.service().write_rows(&[Write { row: row.clone(), expected }]).await? {
            Commit::Done => true,
            Commit::Lost { current, .. } => current == Some(row),
        })
    }
}
