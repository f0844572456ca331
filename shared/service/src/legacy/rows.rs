//! Where a legacy source has a proof, as the index says: for a process that has no catalogue of its own, because it lives too
//! short for one. The rows are made by `credlink_migrate::item_rows`.

use credlink_core::proof_id::ProofId;
use credlink_core::row::{LegacyItemRow, Row, RowKey};

use credlink_ports::{Failure, Index as _, Ports};

use super::{Found, Legacy, Wanted};
use crate::service::Service;

impl<P: Ports> Service<P> {
    /// The row that says where a legacy source has a proof.
    pub async fn legacy_item(&self, proof: &ProofId) -> Result<Option<LegacyItemRow>, Failure> {
        Ok(self.ports.index().get(&RowKey::LegacyItem(*proof)).await?.and_then(Row::legacy_item))
    }

    /// The legacy record of a proof: in the item that the index names, or where the source finds it by itself.
    ///
    /// # Errors
    /// The source failed; or the index did, or the item that it names cannot be read, of what the source does not find by
    /// itself: it may be there all the same (guarantee 7).
    pub(crate) async fn legacy_record(
        &self,
        legacy: &dyn Legacy,
        proof: &ProofId,
    ) -> Result<Option<Found>, Failure> {
        let wanted = Wanted::Proof(*proof);
        if legacy.knows_proofs() {
            return legacy.find(&wanted).await;
        }
        let named = match self.legacy_item(proof).await {
            Ok(Some(row)) => legacy.read(&row.item, proof).await,
            Ok(None) => Ok(None),
            Err(failure) => Err(failure),
        };
        if let Ok(Some(found)) = named {
            return Ok(Some(found));
        }
        // The item may be gone or another one since the row was written.
        match (legacy.find(&wanted).await?, named) {
            (None, Err(failure)) => Err(failure),
            (found, _) => Ok(found),
        }
    }

    /// Whether the index leads from the proof id to this very record.
    pub(crate) async fn is_kept(&self, found: &Found) -> bool {
        let row = self.legacy_item(&found.draft.id()).await;
        // Whoever is not led there gets the record itself.
        row.is_ok_and(|row| row.is_some_and(|row| row.item == found.item))
    }
}
