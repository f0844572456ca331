//! The contract of a legacy store that a service is served beside.

use std::future::Future;

use bytes::Bytes;
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;

use credlink_ports::Failure;

/// The name by which a legacy record is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyQuery {
    /// The id of the proof that it becomes.
    Proof(ProofId),
    /// Its own id.
    Legacy(LegacyId),
}

/// A legacy record that was found.
#[derive(Clone, Debug)]
pub struct FoundRecord {
    /// The draft that its import stores.
    pub draft: Draft,
    /// The key of its item.
    pub item: String,
}

/// A legacy store.
pub trait LegacyStore {
    /// Returns the name that operators know it by.
    fn name(&self) -> &'static str;

    /// Finds a record by what the store knows of itself: its names, and a catalogue where it has one. `None` where there is none.
    ///
    /// # Errors
    /// The store failed, or cannot say yet.
    fn find(&self, query: &LegacyQuery) -> impl Future<Output = Result<Option<FoundRecord>, Failure>>;

    /// Reads the record of a proof under the key of an item; `None` where that is not there, or is another proof.
    ///
    /// # Errors
    /// The store failed, or what has this key is no legacy record.
    fn read(&self, item: &str, proof: &ProofId)
    -> impl Future<Output = Result<Option<FoundRecord>, Failure>>;

    /// Writes a record under a key that nothing has, and returns `true` if it did. After that it survives a crash.
    ///
    /// # Errors
    /// The store failed, or is read only.
    fn create(&self, key: &str, record: Bytes) -> impl Future<Output = Result<bool, Failure>>;

    /// Has a record imported soon, once for all who ask for it meanwhile.
    fn request_import(&self, found: &FoundRecord);

    /// Returns `true` if every proof is found by its proof id, as it is by its legacy id.
    fn finds_every_proof(&self) -> bool;

    /// Returns `true` if the cloud storage is off.
    fn is_cloud_storage_off(&self) -> bool;

    /// Returns the tenant whose proofs its records are.
    fn tenant(&self) -> &Tenant;
}
