//! The port to the CredLink that a migration writes to.

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

/// What a destination has of what an item becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing, and it never had. Also of an id that leads nowhere (any more), and of a manifest that is there for proofs alone.
    Absent,
    /// It is live: of a proof, what it says, where that is shown; of another name, that it leads to whatever proof.
    Live(Option<ProofContent>),
    /// It was deleted there, at this instant.
    Deleted(Timestamp),
}

/// What a destination made of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// Exactly this stands there now, and so does its legacy id: written by this call or by an earlier one.
    Stored(CopiedItem),
    /// A proof with the same manifest and signature was there before, with other instants or other legacy members. The legacy
    /// id leads to it.
    Equal(CopiedItem),
    /// The media file has a proof with another manifest or signature there. Nothing was changed.
    Conflict {
        /// The manifest's SHA-256 there, and whatever else tells the two apart, in words.
        detail: String,
    },
    /// It was deleted there, at this instant, and stays deleted.
    Deleted(Timestamp),
    /// It is refused: why. `kind` is the slug of a problem
    /// ([`Kind::slug`](credlink_core::http::problem::Kind::slug)).
    Refused {
        /// Which problem.
        kind: String,
        /// In words.
        detail: String,
    },
}

/// What became of something that was to be withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// It is deleted, since this instant.
    Deleted(Timestamp),
    /// Somebody replaced or deleted it since it was copied: it is left alone.
    Touched,
    /// It is not there.
    Absent,
}

/// The `kind` of a refusal: another name of a proof that is not there.
pub const PROOF_MISSING: &str = "proof-missing";

/// The front of a source that a migration has written here before it stores anything under the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptedFront {
    /// The front as it was written.
    pub front: Front,
    /// `true` if the tenant that it names had a manifest under the id before.
    pub is_founded: bool,
    /// Its tag.
    pub tag: StoredTag,
    /// The number of times that it was written.
    pub writes: u32,
}

/// Where proofs go: a CredLink, at hand or behind HTTP.
pub trait Destination {
    /// The name that operators know it by.
    fn name(&self) -> &'static str;

    /// What it has of a target.
    fn find(&self, target: &Target) -> impl Future<Output = Result<Standing, Failure>>;

    /// Imports what is to be stored of an item. Idempotent. Another name of a proof that is not there is refused as
    /// [`PROOF_MISSING`].
    ///
    /// A C2PA manifest that the source has as private and that is public here is withdrawn here. Nothing is published: one that
    /// is private here stays private.
    ///
    /// It claims plain addresses as every store does, but none that an operator has freed.
    fn import(&self, payload: &Payload) -> impl Future<Output = Result<Imported, Failure>>;

    /// Refuses what nothing here can be changed for: [`import`](Self::import) would refuse it, too.
    ///
    /// # Errors
    /// The destination may not change anything, or takes nothing of this tenant.
    fn admits(&self, payload: &Payload) -> impl Future<Output = Result<(), Failure>> {
        let _ = payload;
        async { Ok(()) }
    }

    /// Has a plain address serve whom it serves at the source, where nothing here says whom it serves. `None`: something does, or
    /// the destination leaves that to an operator.
    fn adopt_front(&self, front: &Front) -> impl Future<Output = Result<Option<AdoptedFront>, Failure>> {
        let _ = front;
        async { Ok(None) }
    }

    /// Frees an address again whose front was adopted for nothing, unless somebody has decided otherwise meanwhile.
    fn release_front(&self, adopted: &AdoptedFront) -> impl Future<Output = Result<(), Failure>> {
        let _ = adopted;
        async { Ok(()) }
    }

    /// Whether what was copied stands there.
    fn verify(&self, copy: &CopiedItem, depth: Depth) -> impl Future<Output = Result<Verdict, Failure>>;

    /// Deletes what was copied, as long as nobody has touched it since. The deletion is known by its instant, `at`: the same one
    /// again is told as the first was, whoever heard of that. A manifest that proofs hold stays for them, and is no longer
    /// stored for itself.
    fn withdraw(&self, copy: &CopiedItem, at: Timestamp)
    -> impl Future<Output = Result<Withdrawal, Failure>>;

    /// A page of the ids of its live proofs.
    fn list(&self, after: Option<&str>, limit: usize)
    -> impl Future<Output = Result<Page<ProofId>, Failure>>;
}

/// Imports what is to be stored of an item, together with what the source says of the plain addresses of its manifests.
///
/// Each address serves the tenant that it serves at the source, unless the destination already says whom it serves: a tenant that is
/// copied first, or stores under the ID later, does not get it. A refused import claims nothing.
///
/// # Errors
/// The destination failed, or takes nothing of this tenant.
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

/// A destination that can say where a source has the proofs that are not imported yet: one row a proof.
pub trait ItemRows {
    /// The row of a proof.
    fn item_row(&self, proof: &ProofId) -> impl Future<Output = Result<Option<LegacyItemRow>, Failure>>;

    /// Writes a row if what stands there is one version behind it (1: nothing does). Whether exactly this row stands there
    /// now: after an `Err` it may, too.
    fn keep_item(&self, row: &LegacyItemRow) -> impl Future<Output = Result<bool, Failure>>;
}
