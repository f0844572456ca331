//! What a migration needs of the world: a source, a destination, a ledger, and time. As with all ports, futures carry no
//! `Send` bound.

pub mod bucket;
pub mod form;
pub mod jobs;
pub mod ledger;
pub mod proof_content;
pub mod target;

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::front::Front;
use credlink_core::legacy::LegacyId;
use credlink_core::manifest_id::ManifestId;
use credlink_core::object::StoredTag;
use credlink_core::proof_id::ProofId;
use credlink_core::row::LegacyItemRow;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

use self::ledger::{Copy, Entry, Job, Order, StoredObject};
use self::proof_content::ProofContent;
use self::target::{Parcel, Target};
use crate::{Failure, Page};

/// Something that a source has: one legacy record; or of another CredLink one proof with all its records, one more name of a
/// proof, or one manifest that was stored for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Names it within its source: a path, a key, `line 7`, a proof id. At most 1,024 bytes.
    pub key: String,
    /// Its size in bytes, as the source tells it.
    pub size: u64,
    /// Differs whenever its content does: an entity tag, or size and time of a file. Empty where the source knows nothing.
    pub version: String,
}

/// What stands under an item's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A legacy record: its JSON.
    Legacy(Bytes),
    /// A proof of a CredLink: its records by their revisions, the current one last. At least one.
    Proof(Vec<Revision>),
    /// A legacy id of a proof of a CredLink, beside the one that its record may have.
    Alias {
        /// The id.
        id: LegacyId,
        /// The current record of the proof that it names.
        record: Bytes,
    },
    /// A C2PA manifest of a CredLink that was stored for itself.
    Manifest {
        /// Its bytes.
        bytes: Bytes,
        /// Whose it is, where the source tells.
        tenant: Option<Tenant>,
        /// Its readers.
        visibility: Visibility,
    },
    /// It belongs to something that was deleted there or has expired, and leads nowhere: what, in words.
    Gone(String),
    /// It is there, and cannot be read as either: why, in words.
    Unreadable(String),
}

/// A record of a CredLink, with the bytes of the C2PA manifest that it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The record's bytes, with no content coding.
    pub record: Bytes,
    /// The manifest store that it refers to; `None` where the manifest stands in the record.
    pub manifest: Option<RevisionManifest>,
}

/// The C2PA manifest that a record refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionManifest {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its readers. It may have been withdrawn or published since the record was stored.
    pub visibility: Visibility,
}

/// What became of an item that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is removed for good.
    Removed,
    /// It was not there any more.
    Absent,
    /// It is another content than the one that was named, and stays.
    Changed,
}

/// Where items come from. Reading never changes anything.
///
/// * **Listing.** An item that is there during the whole listing is in it at least once. Items that [follow](Self::follows)
///   others come behind all of those.
/// * **Absence** is told as such, and never as a failure.
pub trait Source {
    /// The name that operators know it by.
    fn name(&self) -> &'static str;

    /// A page of items from behind `after` (a [`Page::next`] of this source), at most `limit` (1 to 1,000).
    fn list(&self, after: Option<&str>, limit: usize) -> impl Future<Output = Result<Page<Item>, Failure>>;

    /// Keys that can be read, at most `limit` of the first ones: for who wants to know whether it answers. Nothing is found out
    /// about them that a listing would.
    fn sample(&self, limit: usize) -> impl Future<Output = Result<Vec<String>, Failure>> {
        async move { Ok(self.list(None, limit).await?.items.into_iter().map(|item| item.key).collect()) }
    }

    /// Whether an item needs what other items become: another name of a proof needs the proof. Such items are copied when
    /// all that were listed before them are.
    fn follows(&self, item: &Item) -> bool {
        let _ = item;
        false
    }

    /// What it has that cannot be read from here, as far as it was listed: in words. `None`: there is nothing of that kind.
    fn left_behind(&self) -> Option<&'static str> {
        None
    }

    /// Whose manifest the plain address of `id` serves at a source that is a CredLink with several tenants; `None` where nothing
    /// says so.
    fn front(&self, id: &ManifestId) -> impl Future<Output = Result<Option<Front>, Failure>> {
        let _ = id;
        async { Ok(None) }
    }

    /// What stands under `key`; `None` where nothing does (any more).
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<Content>, Failure>>;

    /// What a listing would say of `key` now.
    fn look(&self, key: &str) -> impl Future<Output = Result<Option<Item>, Failure>>;

    /// Removes an item for good, as long as it is the content that `item` names.
    ///
    /// `Err` with [`FailureKind::AccessDenied`](crate::FailureKind::AccessDenied) where this source cannot remove
    /// anything.
    fn remove(&self, item: &Item) -> impl Future<Output = Result<Removal, Failure>>;
}

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
pub enum TakenOver {
    /// Exactly this stands there now, and so does its legacy id: written by this call or by an earlier one.
    Stored(Copy),
    /// A proof with the same manifest and signature was there before, with other instants or other legacy members. The legacy
    /// id leads to it.
    Equal(Copy),
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

/// How to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// By the checksum that the provider holds of the stored bytes, by content where it holds none.
    Checksum,
    /// Always by content.
    Content,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Record, manifest and legacy id are what was copied.
    Verified {
        /// Which way it was found out.
        by: Depth,
    },
    /// Something is not there: what.
    Missing(String),
    /// Something is other bytes: what, and how.
    Corrupted(String),
    /// The bytes are right, but their content coding is said to be another one.
    EncodingDiffers(String),
    /// The proof was replaced or deleted since, by somebody who may: what happened. No fault.
    Changed(String),
}

impl Verdict {
    /// The verdict on the readers of an object, which are `None` where the destination does not tell them. A manifest that was
    /// copied as a private one has to be private.
    #[must_use]
    pub fn of_readers(object: &StoredObject, readers: Option<Visibility>) -> Option<Self> {
        let key = &object.key;
        match readers {
            _ if !object.private => None,
            Some(Visibility::Private) => None,
            Some(Visibility::Public) => {
                Some(Self::Changed(format!("{key} was copied as private, and is public")))
            }
            None => {
                let detail = "was copied as private, and the destination does not say who may read it";
                Some(Self::Changed(format!("{key} {detail}")))
            }
        }
    }
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

    /// Takes over what is to be stored of an item. Idempotent. Another name of a proof that is not there is refused as
    /// [`PROOF_MISSING`].
    ///
    /// A C2PA manifest that the source has as private and that is public here is withdrawn here. Nothing is published: one that
    /// is private here stays private.
    ///
    /// It claims plain addresses as every store does, but none that an operator has freed.
    fn take_over(&self, parcel: &Parcel) -> impl Future<Output = Result<TakenOver, Failure>>;

    /// The same, with what the source says of the plain addresses of its manifests: each serves whom it serves there, where nothing
    /// here says whom it serves. Nobody else who is copied first, or stores under the id later, gets it. What is refused claims
    /// nothing.
    fn take_over_with(
        &self,
        parcel: &Parcel,
        fronts: &[Front],
    ) -> impl Future<Output = Result<TakenOver, Failure>> {
        async move {
            self.admits(parcel).await?;
            let mut adopted = Vec::with_capacity(fronts.len());
            for front in fronts {
                adopted.extend(self.adopt_front(front).await?);
            }
            let outcome = self.take_over(parcel).await?;
            if !matches!(outcome, TakenOver::Stored(_) | TakenOver::Equal(_)) {
                for front in &adopted {
                    self.release_front(front).await?;
                }
            }
            Ok(outcome)
        }
    }

    /// Refuses what nothing here can be changed for: [`take_over`](Self::take_over) would refuse it, too.
    ///
    /// # Errors
    /// The destination may not change anything, or takes nothing of this tenant.
    fn admits(&self, parcel: &Parcel) -> impl Future<Output = Result<(), Failure>> {
        let _ = parcel;
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
    fn verify(&self, copy: &Copy, depth: Depth) -> impl Future<Output = Result<Verdict, Failure>>;

    /// Deletes what was copied, as long as nobody has touched it since. The deletion is known by its instant, `at`: the same one
    /// again is told as the first was, whoever heard of that. A manifest that proofs hold stays for them, and is no longer
    /// stored for itself.
    fn withdraw(&self, copy: &Copy, at: Timestamp) -> impl Future<Output = Result<Withdrawal, Failure>>;

    /// A page of the ids of its live proofs.
    fn list(&self, after: Option<&str>, limit: usize)
    -> impl Future<Output = Result<Page<ProofId>, Failure>>;
}

/// A destination that can say where a source has the proofs that are not taken over yet: one row a proof.
pub trait ItemRows {
    /// The row of a proof.
    fn item_row(&self, proof: &ProofId) -> impl Future<Output = Result<Option<LegacyItemRow>, Failure>>;

    /// Writes a row if what stands there is one version behind it (1: nothing does). Whether exactly this row stands there
    /// now: after an `Err` it may, too.
    fn keep_item(&self, row: &LegacyItemRow) -> impl Future<Output = Result<bool, Failure>>;
}

/// What a job has done and decided so far.
///
/// * **Durability.** What was answered with `Ok` survives a crash of process and machine.
/// * **Isolation.** Of concurrent writes that expect the same version of an entry, one holds.
pub trait Ledger {
    /// The name that operators know it by.
    fn name(&self) -> &'static str;

    /// The job, if it was begun.
    fn job(&self) -> impl Future<Output = Result<Option<Job>, Failure>>;

    /// Keeps what is said of the job, in place of what was.
    fn keep_job(&self, job: &Job) -> impl Future<Output = Result<(), Failure>>;

    /// Takes the job for `seconds`, or keeps it: whether `holder` has it. Nobody else has it meanwhile.
    fn claim(&self, holder: &str, seconds: u64) -> impl Future<Output = Result<bool, Failure>>;

    /// Lets the job go, if `holder` has it.
    fn release(&self, holder: &str) -> impl Future<Output = Result<(), Failure>>;

    /// The entries of these items, in their order.
    fn entries(&self, keys: &[String]) -> impl Future<Output = Result<Vec<Option<Entry>>, Failure>>;

    /// Writes each entry that is one version on from what stands there (1: nothing does). Which were written, in their
    /// order. After an `Err`, each may be written or not.
    fn write(&self, entries: &[Entry]) -> impl Future<Output = Result<Vec<bool>, Failure>>;

    /// A page of entries in the order of their keys' bytes, or in the reverse, at most `limit` (1 to 1,000).
    fn list(
        &self,
        order: Order,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Entry>, Failure>>;
}

/// Time that passes.
pub trait Sleep {
    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()>;
}

/// A ledger of which a job can be removed.
pub trait Removable: Ledger {
    /// Removes the entries of these items, where there are any.
    fn remove_entries(&self, keys: &[String]) -> impl Future<Output = Result<(), Failure>>;

    /// Removes what is said of the job, and who has it, if that is `holder`. Returns `false` if it is not, or nobody has the job.
    fn remove_job(&self, holder: &str) -> impl Future<Output = Result<bool, Failure>>;
}
