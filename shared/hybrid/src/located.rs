//! Finds the legacy record of a proof by the row of the index with its location. This is for a process that is too
//! short-lived for a catalogue of its own. A migration writes these rows when it lists a source.

use credlink_core::proof_id::ProofId;
use credlink_core::row::{LegacyItemRow, Row, RowKey};

use credlink_ports::{Failure, Index as _, Ports};
use credlink_service::Service;

use crate::hybrid::Hybrid;
use crate::legacy_store::{FoundRecord, LegacyQuery, LegacyStore};

impl<L: LegacyStore> Hybrid<L> {
    /// Finds the legacy record of a proof, in the item that the index names or through the store itself.
    ///
    /// # Errors
    /// The store failed; or the store does not find the record itself, and the index failed or the item that it names
    /// cannot be read. In the latter case the record may still exist (guarantee 7).
    pub(crate) async fn locate<P: Ports>(
        &self,
        service: &Service<P>,
        proof: &ProofId,
    ) -> Result<Option<FoundRecord>, Failure> {
        let query = LegacyQuery::Proof(*proof);
        if self.legacy.finds_every_proof() {
            return self.legacy.find(&query).await;
        }
        let named = match item_row(service, proof).await {
            Ok(Some(row)) => self.legacy.read(&row.item, proof).await,
            Ok(None) => Ok(None),
            Err(failure) => Err(failure),
        };
        if let Ok(Some(found)) = named {
            return Ok(Some(found));
        }
        // Since the row was written, the item may have been removed or replaced.
        match (self.legacy.find(&query).await?, named) {
            (None, Err(failure)) => Err(failure),
            (found, _) => Ok(found),
        }
    }

    /// Returns `true` if the index leads from the proof ID to this very record.
    pub(crate) async fn is_located<P: Ports>(&self, service: &Service<P>, found: &FoundRecord) -> bool {
        let row = item_row(service, &found.draft.id()).await;
        // If it does not, the caller answers with the record itself.
        row.is_ok_and(|row| row.is_some_and(|row| row.item == found.item))
    }
}

/// Returns the row with the location of a proof in the legacy store.
async fn item_row<P: Ports>(service: &Service<P>, proof: &ProofId) -> Result<Option<LegacyItemRow>, Failure> {
    Ok(service.ports().index().get(&RowKey::LegacyItem(*proof)).await?.and_then(Row::legacy_item))
}
