//! The port to a job's ledger, and what it keeps: the job, and the state of each of its items. Both are JSON wherever they are
//! kept.

mod entry;
mod job;
mod reason;

use std::future::Future;

use crate::{Failure, Page};

pub use credlink_core::bounds::MAX_JOB_NAME_BYTES;
<<<<<<< ours
pub use credlink_core::job_name::{JobName, JobNameError};

/// The version of the format that is written, and the only one there is.
pub const LEDGER_VERSION: u32 = 1;

/// A job: what moves where, and what was done of it when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The version of the format.
    pub version: u32,
    /// Its name.
    pub name: JobName,
    /// The source, as it was named.
    pub from: String,
    /// The destination, as it was named. A job keeps both for ever.
    pub to: String,
    /// Whose proofs legacy records become; and those of a CredLink, unless they keep their tenants.
    pub tenant: Tenant,
    /// Whether the proofs of a CredLink keep their tenants, and with them their ids.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_tenants: bool,
    /// The tenant whose proofs of a CredLink become `tenant`'s, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_tenant: Option<Tenant>,
    /// When it was begun.
    pub created: Timestamp,
    /// When its source was listed to the end for the last time; `None` while that is still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Timestamp>,
    /// How long its runs took together, in milliseconds.
    #[serde(default)]
    pub elapsed_ms: u64,
    /// Whether its items were sent to a queue, for others to copy.
    #[serde(default)]
    pub queued: bool,
    /// What the source has that could not be read from there, in words ([`left_behind`](super::Source::left_behind)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<String>,
    /// `true` while it is being removed: its ledger is no longer whole, and nothing is done with it but to end the removal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removing: bool,
}

/// An item of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The item's key.
    pub key: String,
    /// The item's version, as the source told it when this was written.
    pub item: String,
    /// The item's size in bytes.
    pub size: u64,
    /// 1 for the first entry of this key, and one more with every write.
    pub version: u64,
    /// When this was written.
    pub updated: Timestamp,
    /// What this job began to make of the item while the destination had none of it. It stays, whatever becomes of the item,
    /// until that is deleted at the destination again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
    /// When what was copied was about to be deleted at the destination again: a deletion there at this very instant is this
    /// job's. Whatever else is written of the item takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawing: Option<Timestamp>,
    /// Where the item is.
    #[serde(flatten)]
    pub state: ItemState,
}

impl Entry {
    /// The item, as the source told it when this was written.
    #[must_use]
    pub fn item(&self) -> Item {
        Item { key: self.key.clone(), size: self.size, version: self.item.clone() }
    }
}

/// Something that the destination did not have when this job began to write it: if it is exactly the item's there later, this
/// job made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// What the item becomes.
    pub target: Target,
    /// Of something that this job had deleted there again: when it did, which is what taking it over once more names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<Timestamp>,
}

/// Where an item is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ItemState {
    /// It was seen, and sent to a queue.
    Planned,
    /// It is being copied, and the destination had nothing of it when this was written.
    Copying {
        /// What it becomes.
        target: Target,
    },
    /// It was copied.
    Copied(Copy),
    /// It was copied, and found to be there.
    Verified {
        /// What was copied.
        #[serde(flatten)]
        copy: Copy,
        /// When it was found to be there.
        at: Timestamp,
    },
    /// It was removed from the source.
    Deleted {
        /// What was copied.
        #[serde(flatten)]
        copy: Copy,
        /// When it was removed.
        at: Timestamp,
    },
    /// What was copied was deleted at the destination again.
    RolledBack {
        /// What it had become.
        target: Target,
        /// When it was deleted: the only deletion that a new run undoes.
        at: Timestamp,
    },
    /// It was copied, and a verification found that it does not stand there any more, or that other bytes do. The next run copies
    /// it again, and it stays lost unless it stands there then.
    Lost {
        /// What was copied.
        #[serde(flatten)]
        copy: Copy,
        /// What was found, in words.
        detail: String,
    },
    /// It could not be copied.
    Failed {
        /// Why.
        reason: Reason,
        /// In words.
        detail: String,
    },
    /// There is nothing to copy.
    Skipped {
        /// Why.
        reason: Reason,
        /// In words.
        detail: String,
    },
}

/// What was copied: enough to verify and to withdraw it, without the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// What the item became.
    pub target: Target,
    /// Of a proof: the legacy id that leads to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<LegacyId>,
    /// SHA-256 of the content of the source's item.
    pub source: Digest,
    /// Whether this job made it. Only such are ever withdrawn.
    pub created: bool,
    /// Whether what is there is exactly the one that the item makes. Only of such is the source's item ever removed.
    pub exact: bool,
    /// The objects that it is: of a proof the record first, then its manifest if that is an object of its own; none of another
    /// name.
    pub objects: Vec<StoredObject>,
}

/// An object at the destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// SHA-256 of its content, with no content coding.
    pub content: Digest,
    /// SHA-256 of its bytes as stored; `None` where only the destination knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Digest>,
    /// CRC-64/NVME of its bytes as stored, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<u64>,
    /// The content coding that it is stored in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coding: Option<String>,
    /// `true` if it is a manifest that its tenant alone may read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}
||||||| base
pub use credlink_core::job::{JobName, JobNameError};

/// The version of the format that is written, and the only one there is.
pub const LEDGER_VERSION: u32 = 1;

/// A job: what moves where, and what was done of it when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The version of the format.
    pub version: u32,
    /// Its name.
    pub name: JobName,
    /// The source, as it was named.
    pub from: String,
    /// The destination, as it was named. A job keeps both for ever.
    pub to: String,
    /// Whose proofs legacy records become; and those of a CredLink, unless they keep their tenants.
    pub tenant: Tenant,
    /// Whether the proofs of a CredLink keep their tenants, and with them their ids.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_tenants: bool,
    /// The tenant whose proofs of a CredLink become `tenant`'s, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_tenant: Option<Tenant>,
    /// When it was begun.
    pub created: Timestamp,
    /// When its source was listed to the end for the last time; `None` while that is still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Timestamp>,
    /// How long its runs took together, in milliseconds.
    #[serde(default)]
    pub elapsed_ms: u64,
    /// Whether its items were sent to a queue, for others to copy.
    #[serde(default)]
    pub queued: bool,
    /// What the source has that could not be read from there, in words ([`left_behind`](super::Source::left_behind)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<String>,
    /// `true` while it is being removed: its ledger is no longer whole, and nothing is done with it but to end the removal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removing: bool,
}

/// An item of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The item's key.
    pub key: String,
    /// The item's version, as the source told it when this was written.
    pub item: String,
    /// The item's size in bytes.
    pub size: u64,
    /// 1 for the first entry of this key, and one more with every write.
    pub version: u64,
    /// When this was written.
    pub updated: Timestamp,
    /// What this job began to make of the item while the destination had none of it. It stays, whatever becomes of the item,
    /// until that is deleted at the destination again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
    /// When what was copied was about to be deleted at the destination again: a deletion there at this very instant is this
    /// job's. Whatever else is written of the item takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawing: Option<Timestamp>,
    /// Where the item is.
    #[serde(flatten)]
    pub state: ItemState,
}

impl Entry {
    /// The item, as the source told it when this was written.
    #[must_use]
    pub fn item(&self) -> Item {
        Item { key: self.key.clone(), size: self.size, version: self.item.clone() }
    }
}

/// Something that the destination did not have when this job began to write it: if it is exactly the item's there later, this
/// job made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// What the item becomes.
    pub target: Target,
    /// Of something that this job had deleted there again: when it did, which is what taking it over once more names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<Timestamp>,
}

/// Where an item is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ItemState {
    /// It was seen, and sent to a queue.
    Planned,
    /// It is being copied, and the destination had nothing of it when this was written.
    Copying {
        /// What it becomes.
        target: Target,
    },
    /// It was copied.
    Copied(Copy),
    /// It was copied, and found to be there.
    Verified {
        /// What was copied.
        #[serde(flatten)]
        copy: Copy,
        /// When it was found to be there.
        at: Timestamp,
    },
    /// It was removed from the source.
    Deleted {
        /// What was copied.
        #[serde(flatten)]
        copy: Copy,
        /// When it was removed.
        at: Timestamp,
    },
    /// What was copied was deleted at the destination again.
    RolledBack {
        /// What it had become.
        target: Target,
        /// When it was deleted: the only deletion that a new run undoes.
        at: Timestamp,
    },
    /// It was copied, and a verification found that it does not stand there any more, or that other bytes do. The next run copies
    /// it again, and it stays lost unless it stands there then.
    Lost {
        /// What was copied.
        #[serde(flatten)]
        copy: Copy,
        /// What was found, in words.
        detail: String,
    },
    /// It could not be copied.
    Failed {
        /// Why.
        reason: Reason,
        /// In words.
        detail: String,
    },
    /// There is nothing to copy.
    Skipped {
        /// Why.
        reason: Reason,
        /// In words.
        detail: String,
    },
}

/// What was copied: enough to verify and to withdraw it, without the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// What the item became.
    pub target: Target,
    /// Of a proof: the legacy id that leads to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<LegacyId>,
    /// SHA-256 of the content of the source's item.
    pub source: Digest,
    /// Whether this job made it. Only such are ever withdrawn.
    pub created: bool,
    /// Whether what is there is exactly the one that the item makes. Only of such is the source's item ever removed.
    pub exact: bool,
    /// The objects that it is: of a proof the record first, then its manifest if that is an object of its own; none of another
    /// name.
    pub objects: Vec<StoredObject>,
}

/// An object at the destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// SHA-256 of its content, with no content coding.
    pub content: Digest,
    /// SHA-256 of its bytes as stored; `None` where only the destination knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Digest>,
    /// CRC-64/NVME of its bytes as stored, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<u64>,
    /// The content coding that it is stored in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coding: Option<String>,
    /// `true` if it is a manifest that its tenant alone may read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}
=======
pub use credlink_core::job::{JobName, JobNameError};
pub use entry::{Begun, CopiedItem, Entry, ItemState, StoredObject};
pub use job::{Job, LEDGER_VERSION};
pub use reason::Reason;
>>>>>>> theirs

/// The order of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By the keys' bytes.
    Forward,
    /// The reverse.
    Backward,
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

    /// Removes the entries of these items, where there are any.
    fn remove_entries(&self, keys: &[String]) -> impl Future<Output = Result<(), Failure>>;

    /// Removes what is said of the job, and who has it, if that is `holder`. Returns `false` if it is not, or nobody has the job.
    fn remove_job(&self, holder: &str) -> impl Future<Output = Result<bool, Failure>>;
}
