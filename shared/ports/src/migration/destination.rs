//! The port for the CredLink to which a migration writes.

use std::future::Future;

use credlink_core::front::Front;
use credlink_core::object::StoredTag;
use credlink_core::proof_id::ProofId;
use credlink_core::row::LegacyItemRow;
use credlink_core::time::Timestamp;

use super::ledger::CopiedItem;
use super::proof_content::ProofContent;
use super::target::{Payload, Target};
use super::verdict::{Depth, Verdict};
use crate::{Failure, Page};

/// The state of an item's target at a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExistingState {
    /// The target does not exist and never did, or it is an alias that does not or no longer lead anywhere, or a
    /// manifest that exists only for proofs.
    Absent,
    /// The target is live. For a proof, this is its content if the destination shows it. An alias is live if it leads
    /// to any proof.
    Live(Option<ProofContent>),
    /// The target was deleted at the destination, at this instant.
    Deleted(Timestamp),
}

/// The outcome of importing an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// The destination now has exactly this item, including its legacy ID, written by this call or by an earlier one.
    Stored(CopiedItem),
    /// The destination already had a proof with the same manifest and signature, but with other instants or other
    /// legacy members. The legacy ID leads to that proof.
    Equal(CopiedItem),
    /// The destination has a proof of the same media file with another manifest or signature. Nothing was changed.
    Conflict {
        /// The SHA-256 of the destination's manifest, and any other difference between the two proofs, in words.
        detail: String,
    },
    /// The target was deleted at the destination, at this instant, and stays deleted.
    Deleted(Timestamp),
    /// The destination refused the item.
    Refused {
        /// The slug of the problem ([`Kind::slug`](credlink_core::http::problem::ProblemKind::slug)).
        kind: String,
        /// The reason in words.
        detail: String,
    },
}

/// The outcome of withdrawing a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// The copy is deleted, since this instant.
    Deleted(Timestamp),
    /// Somebody replaced or deleted the copy since it was made, so it is left alone.
    Touched,
    /// The copy is not there.
    Absent,
}

/// The `kind` of a refusal of an alias whose proof is not there.
pub const PROOF_MISSING: &str = "proof-missing";

/// A front that a migration copied from the source, before it stored anything under the manifest ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptedFront {
    /// The front as it was written.
    pub front: Front,
    /// `true` if the tenant that the front names already had a manifest under the ID.
    pub is_founded: bool,
    /// The tag of the front's object.
    pub tag: StoredTag,
    /// The number of times that the front was written.
    pub writes: u32,
}

/// A CredLink that imports proofs, in this process or over HTTP.
pub trait Destination {
    /// Returns the name by which operators know the destination.
    fn name(&self) -> &'static str;

    /// Returns the state of a target at the destination.
    fn find(&self, target: &Target) -> impl Future<Output = Result<ExistingState, Failure>>;

    /// Imports an item. Idempotent. An alias whose proof is not there is refused with [`PROOF_MISSING`].
    ///
    /// A C2PA manifest that is private at the source and public at the destination is withdrawn at the destination.
    /// Nothing is published: a manifest that is private at the destination stays private.
    ///
    /// An import claims plain addresses as every store does, except those that an operator has freed.
    fn import(&self, payload: &Payload) -> impl Future<Output = Result<Imported, Failure>>;

    /// Checks that the destination can be changed at all for this payload. If it cannot, [`import`](Self::import) would
    /// fail, too.
    ///
    /// # Errors
    /// The destination may not change anything, or accepts nothing of this tenant.
    fn admits(&self, payload: &Payload) -> impl Future<Output = Result<(), Failure>> {
        let _ = payload;
        async { Ok(()) }
    }

    /// Makes a plain address serve the same tenant as at the source, if the destination does not say yet which tenant
    /// it serves. Returns `None` if the destination already says so, or if it leaves this to an operator.
    fn adopt_front(&self, front: &Front) -> impl Future<Output = Result<Option<AdoptedFront>, Failure>> {
        let _ = front;
        async { Ok(None) }
    }

    /// Frees the plain address of a front that was adopted in vain, unless somebody has changed the front in the
    /// meantime.
    fn release_front(&self, adopted: &AdoptedFront) -> impl Future<Output = Result<(), Failure>> {
        let _ = adopted;
        async { Ok(()) }
    }

    /// Compares a copy with the objects at the destination.
    fn verify(&self, copy: &CopiedItem, depth: Depth) -> impl Future<Output = Result<Verdict, Failure>>;

    /// Deletes a copy, unless somebody has changed it since it was made. The instant `at` identifies the deletion: a
    /// repeated call with the same instant gets the answer of the first one, even if nobody received that. A manifest
    /// that proofs hold stays for them, and is no longer stored for itself.
    fn withdraw(&self, copy: &CopiedItem, at: Timestamp)
    -> impl Future<Output = Result<Withdrawal, Failure>>;

    /// Returns a page of the IDs of the destination's live proofs.
    fn list(&self, after: Option<&str>, limit: usize)
    -> impl Future<Output = Result<Page<ProofId>, Failure>>;
}

/// Imports an item, together with the fronts that the source has for its manifests.
///
/// Each plain address serves the same tenant as at the source, unless the destination already says which tenant it
/// serves. Another tenant that is copied first, or that stores a manifest under the ID later, does not get the address.
/// A refused import claims nothing.
///
/// # Errors
/// The destination failed, or accepts nothing of this tenant.
pub async fn import_with_fronts<D: Destination>(
    destination: &D,
    payload: &Payload,
    fronts: &[Front],
) -> Result<Imported, Failure> {
    destination.admits(payload).await?;
    let mut adopted = Vec::with_capacity(fronts.len());
    for front in fronts {
        adopted.extend(destination.adopt_front(front).await?);
    }
    let outcome = destination.import(payload).await?;
    if !matches!(outcome, Imported::Stored(_) | Imported::Equal(_)) {
        for front in &adopted {
            destination.release_front(front).await?;
        }
    }
    Ok(outcome)
}

/// A destination that can record where a source has the proofs that are not imported yet, in one row per proof.
pub trait ItemRows {
    /// Returns the row of a proof.
    fn item_row(&self, proof: &ProofId) -> impl Future<Output = Result<Option<LegacyItemRow>, Failure>>;

    /// Writes a row if its version is one more than the version of the current row, and 1 if there is no row. Returns
    /// `true` if exactly this row is now stored. After an `Err`, it may be stored, too.
    fn keep_item(&self, row: &LegacyItemRow) -> impl Future<Output = Result<bool, Failure>>;
}
