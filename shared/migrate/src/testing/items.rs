use std::collections::BTreeMap;

use credlink_core::proof_id::ProofId;
use credlink_core::row::LegacyItemRow;
use credlink_ports::Failure;
use credlink_ports::migration::ItemRows;

use super::MemoryDestination;

impl MemoryDestination {
    /// Returns the item rows: the item that has each proof, with the version of the row.
    pub(crate) fn items(&self) -> BTreeMap<String, u64> {
        let items = self.items.lock().unwrap();
        items.values().map(|row| (row.item.clone(), row.version)).collect()
    }
}

impl ItemRows for MemoryDestination {
    async fn item_row(&self, proof: &ProofId) -> Result<Option<LegacyItemRow>, Failure> {
        self.faults.call("destination item", "", || self.items.lock().unwrap().get(proof).cloned()).await
    }

    async fn keep_item(&self, row: &LegacyItemRow) -> Result<bool, Failure> {
        self.faults
            .call("destination keep", &row.item, || {
                let mut items = self.items.lock().unwrap();
                let current = items.get(&row.proof);
                if current.map_or(0, |current| current.version) + 1 == row.version {
                    items.insert(row.proof, row.clone());
                    return true;
                }
                current == Some(row)
            })
            .await
    }
}
