//! Serving beside a legacy source: what CredLink does not have yet is looked for there, answered with exactly the record
//! that its migration makes, and taken over afterwards.
//!
//! A marker wins: what was deleted here is not looked for there (guarantee 8). A source that does not answer is a failure,
//! and never absence (guarantee 7). With the cloud storage switched off, the source alone is read and written
//! ([`alone`]): the way back.
//!
//! | to find | look in |
//! |---|---|
//! | looking for a proof, and what waits to be taken over | [`hybrid`] |
//! | which item of the source has which proof | [`catalogue`]: in memory · `rows`: in the index |
//! | the answers to requests | `serve` |
//! | having proofs migrated by messages | [`queued`] |
//! | storing while the cloud storage is off | [`alone`] |

pub mod alone;
mod rows;
pub(crate) mod serve;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;

use credlink_ports::Failure;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A proof.
    Proof(ProofId),
    /// The proof that has this legacy id.
    Legacy(LegacyId),
}

/// A legacy record that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is stored of it.
    pub draft: Draft,
    /// The key of its item.
    pub item: String,
}

/// An answer on its way.
pub type Coming<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// The legacy source of a service. A trait object, and no port: nearly no deployment has one, and none has one for ever.
pub trait Legacy: Debug + Send + Sync {
    /// The name that operators know it by.
    fn name(&self) -> &'static str;

    /// The record of a proof, by what the source knows of itself: its names, and a catalogue where it has one. `None` where
    /// there is none. What cannot be said yet is a failure.
    fn find<'a>(&'a self, wanted: &'a Wanted) -> Coming<'a, Option<Found>>;

    /// The record of a proof under the key of an item; `None` where that is not there, or is another proof.
    fn read<'a>(&'a self, item: &'a str, proof: &'a ProofId) -> Coming<'a, Option<Found>>;

    /// Writes a record under a key that nothing has: whether it did. After `Ok` it survives a crash.
    fn create<'a>(&'a self, key: &'a str, record: Bytes) -> Coming<'a, bool>;

    /// Has a proof taken over soon, once for all who ask for it meanwhile.
    fn begin(&self, found: &Found);

    /// Whether every proof is found by its proof id, as it is by its legacy id.
    fn knows_proofs(&self) -> bool;

    /// Whether the cloud storage is off.
    fn is_alone(&self) -> bool;

    /// Whose proofs its records are.
    fn tenant(&self) -> &Tenant;
}
