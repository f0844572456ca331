//! The port for the index.

use std::future::Future;

use credlink_core::audit::AuditEntry;
use credlink_core::file::{CollectionName, FileId, OwnerId};
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{FileRow, Reads, Row, RowKey, State, Totals};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Failure, FailureKind, Page};

/// A write to one row. The version of the row must be one more than the expected version, and 1 for a new row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The new row.
    pub row: Row,
    /// The version that the index must have now. `None` means that there must be no row.
    pub expected: Option<u64>,
}

/// The outcome of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one answer a commit, looked at once and never kept")]
pub enum Commit {
    /// All rows are written.
    Done,
    /// An expectation did not hold, and nothing changed.
    Lost {
        /// The position of the first write whose expectation did not hold, counted from 0.
        write: usize,
        /// The row that the index has instead.
        current: Option<Row>,
    },
}

/// A selection of rows, and their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// A tenant's live proofs, in the order in which they became live. A replacement does not move a proof.
    Tenant(Tenant),
    /// The legacy IDs that were imported for a tenant and lead to a proof, in the order of their bytes.
    Aliases(Tenant),
    /// A tenant's live C2PA manifests that were stored for themselves, whether or not proofs hold them, in the order of
    /// the bytes of their IDs.
    Manifests(Tenant),
    /// A tenant's live files, or some of them, in the order in which they became ready.
    Files(Tenant, FilesOf),
    /// The rows that are due by this instant ([`Row::due`]), the longest overdue first.
    Due(Timestamp),
    /// All rows, in any state and in an order that the adapter chooses. For operators: no request walks the whole
    /// index.
    All,
}

/// The files of a tenant in one of its listings. What decides it never changes in the life of a file, and a file is live
/// from its first row on until it is deleted for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FilesOf {
    /// All files.
    #[serde(rename = "a")]
    Tenant,
    /// The files of an owner.
    #[serde(rename = "o")]
    Owner(OwnerId),
    /// The files in a collection.
    #[serde(rename = "c")]
    Collection(CollectionName),
}

impl FilesOf {
    /// Returns the listings that have this row.
    pub fn all_with(row: &FileRow) -> impl Iterator<Item = Self> {
        let all = [
            Some(Self::Tenant),
            row.owner.clone().map(Self::Owner),
            Some(Self::Collection(row.collection.clone())),
        ];
        let is_live = row.state == State::Live;
        all.into_iter().flatten().filter(move |_| is_live)
    }

    /// Returns the name of the listing, under which an index may keep it: no two listings have the same.
    #[must_use]
    pub fn name(&self, tenant: &Tenant) -> String {
        match self {
            Self::Tenant => format!("FILES#{tenant}"),
            Self::Owner(owner) => format!("OWNER#{tenant}#{owner}"),
            Self::Collection(collection) => format!("COLLECTION#{tenant}#{collection}"),
        }
    }
}

/// The table that makes proofs unique and findable.
///
/// * **Durability.** A commit that was answered with [`Commit::Done`] survives a crash of the process and of the
///   machine.
/// * **Atomicity.** Either all writes of a commit are visible, or none. One commit has at most 100 writes, all to
///   different rows; that of a file which enters the listings or leaves them counts three times
///   ([`limits::places`](crate::limits::places)).
/// * **Isolation.** Commits are serialisable: of concurrent commits that expect the same version of a row, one
///   succeeds.
/// * **Consistency.** `get` sees every commit that was answered. `list` and `totals` may lag by a few seconds if the
///   adapter says so, and a page may then show one row of a commit and not yet another.
/// * **Failure.** After an `Err`, the commit may or may not have taken effect.
pub trait Index {
    /// Returns the name by which operators know the index.
    fn name(&self) -> &'static str;

    /// Returns the row under `key`.
    fn get(&self, key: &RowKey) -> impl Future<Output = Result<Option<Row>, Failure>>;

    /// Writes all rows if every expectation holds.
    fn commit(&self, writes: &[Write]) -> impl Future<Output = Result<Commit, Failure>>;

    /// Returns a page of at most `limit` rows (1 to 1,000), or `None` if `after` is not a cursor of this listing.
    ///
    /// A row that belongs to the listing throughout appears exactly once. In [`Listing::Due`], a row whose due instant
    /// moves to a later time meanwhile may appear twice.
    fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Option<Page<Row>>, Failure>>;

    /// Records at `at` that an object is about to be written under `key`, and its row after that. If the writer ends
    /// between the two, [`intents`](Self::intents) shows the object. An intent is kept for at least one day, and is not
    /// a row.
    ///
    /// An index whose readers check rows themselves (`ServiceSettings::notice_on_read`)
    /// need not keep intents.
    fn intend(&self, key: &ObjectKey, at: Timestamp) -> impl Future<Output = Result<(), Failure>>;

    /// Returns a page of at most `limit` intents (1 to 1,000) that were recorded at `from` or later, in the order of
    /// their instants. `after` is the `next` of the previous page.
    fn intents(
        &self,
        from: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Intent>, Failure>>;

    /// Appends an entry to the log of accesses to a file. Once this is answered, the entry survives a crash of the process
    /// and of the machine, [`accesses`](Self::accesses) shows it, and it stays as it is for
    /// [`AUDIT_KEPT_SECONDS`](credlink_core::bounds::AUDIT_KEPT_SECONDS) at least. Older entries are removed at some time, but
    /// not before that time has passed by the store's trusted time (`seen` in its row) too. An entry is not a row.
    fn note_access(&self, entry: &AuditEntry) -> impl Future<Output = Result<(), Failure>>;

    /// Returns a page of at most `limit` entries (1 to 1,000) of the log of a file, the oldest first, or `None` if `after`
    /// is not the `next` of a page.
    fn accesses(
        &self,
        file: &FileId,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Option<Page<AuditEntry>>, Failure>>;

    /// Adds to the read counts of proofs, and leaves the version and everything else unchanged. Absent rows are
    /// skipped. Counts are statistics, and may be lost in a crash.
    fn count_reads(&self, reads: &[(ProofId, Reads)]) -> impl Future<Output = Result<(), Failure>>;

    /// Returns the sums over all rows.
    fn totals(&self) -> impl Future<Output = Result<Totals, Failure>>;

    /// Returns the kind of failure with which commits currently fail, as far as is known without making one: the last
    /// commit failed that way, and none has succeeded since. Commits that free space may still succeed.
    fn write_failure(&self) -> impl Future<Output = Option<FailureKind>>;
}

/// A note that an object is about to be written ([`Index::intend`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The time at which the intent was recorded.
    pub at: Timestamp,
    /// The object.
    pub key: ObjectKey,
}
