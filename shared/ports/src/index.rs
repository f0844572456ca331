//! The port for the index.

use std::future::Future;

use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

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
    /// The rows that are due by this instant ([`Row::due`]), the longest overdue first.
    Due(Timestamp),
    /// All rows, in any state and in an order that the adapter chooses. For operators: no request walks the whole
    /// index.
    All,
}

/// The table that makes proofs unique and findable.
///
/// * **Durability.** A commit that was answered with [`Commit::Done`] survives a crash of the process and of the
///   machine.
/// * **Atomicity.** Either all writes of a commit are visible, or none. One commit has at most 100 writes, all to
///   different rows.
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
