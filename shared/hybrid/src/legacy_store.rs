//! The contract of a legacy store that is served next to a service.

use std::future::Future;

use bytes::Bytes;
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;

use credlink_ports::Failure;

/// The ID by which a legacy record is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyQuery {
    /// The ID of the proof that the record becomes.
    Proof(ProofId),
    /// The legacy ID of the record.
    Legacy(LegacyId),
}

/// A legacy record that was found.
#[derive(Clone, Debug)]
pub struct FoundRecord {
    /// The draft that its import stores.
    pub draft: Draft,
    /// The key of the item that holds the record.
    pub item: String,
}

/// A legacy store.
pub trait LegacyStore {
    /// Returns the name of the store for operators.
    fn name(&self) -> &'static str;

    /// Finds a record by its own name or in the catalogue, if there is one. Returns `None` if there is no such record.
    ///
    /// # Errors
    /// The store failed, or cannot tell yet.
    fn find(&self, query: &LegacyQuery) -> impl Future<Output = Result<Option<FoundRecord>, Failure>>;

    /// Reads the record of a proof from the item with this key. Returns `None` if the item does not exist, or is
    /// another proof.
    ///
    /// # Errors
    /// The store failed, or the item is not a legacy record.
    fn read(&self, item: &str, proof: &ProofId)
    -> impl Future<Output = Result<Option<FoundRecord>, Failure>>;

    /// Writes a record under an unused key, durably. Returns `true` if it was written, and `false` if the key is in
    /// use.
    ///
    /// # Errors
    /// The store failed, or is read-only.
    fn create(&self, key: &str, record: Bytes) -> impl Future<Output = Result<bool, Failure>>;

    /// Requests that a record be imported soon. Concurrent requests for the same record are coalesced.
    fn request_import(&self, found: &FoundRecord);

    /// Returns `true` if every proof can be found by its proof ID, as it can by its legacy ID.
    fn finds_every_proof(&self) -> bool;

    /// Returns `true` if the cloud storage is switched off.
    fn is_cloud_storage_off(&self) -> bool;

    /// Returns the tenant that owns the store's proofs.
    fn tenant(&self) -> &Tenant;
}
