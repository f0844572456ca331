//! The port for the index.

use std::future::Future;

use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

use crate::{Failure, FailureKind, Page};

/// A write to one row. The row's version must be one more than the version that is expected, and 1 for a new row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The row as it shall be.
    pub row: Row,
    /// The version that stands there now; `None`: there is no row.
    pub expected: Option<u64>,
}

/// The outcome of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one answer a commit, looked at once and never kept")]
pub enum Commit {
    /// All rows are written.
    Done,
    /// An expectation did not hold; nothing changed.
    Lost {
        /// The number of the write, counted from 0: the first that did not hold.
        write: usize,
        /// The row that stands there instead.
        current: Option<Row>,
    },
}

/// The rows to list, and their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// A tenant's live proofs, by the time since when each is live: a replacement does not move it.
    Tenant(Tenant),
    /// The legacy ids that were taken over for a tenant and name a proof, in the order of their bytes.
    Aliases(Tenant),
    /// A tenant's C2PA manifests that live and were stored for themselves, held by proofs or not, in the order of their ids'
    /// bytes.
    Manifests(Tenant),
    /// The rows that are due by then ([`Row::due`]), longest due first.
    Due(Timestamp),
    /// All rows, in whatever state and in an order of the adapter's own. For operators: no request path walks the whole
    /// index.
    All,
}

/// The table that makes proofs unique and findable.
///
/// * **Durability.** When `commit` has answered [`Commit::Done`], it survives a crash of process and machine.
/// * **Atomicity.** All writes of one commit are seen, or none. At most 100 writes make one commit, to different rows.
/// * **Isolation.** Commits are serialisable: of concurrent ones that expect the same version of a row, one is done.
/// * **Consistency.** `get` sees every commit that was answered. `list` and `totals` may lag by a few seconds where
///   the adapter says so, and a page may then show one row of a commit and not yet another.
/// * **Failure.** After an `Err` the commit may be done or not.
pub trait Index {
    /// The name that operators know the index by.
    fn name(&self) -> &'static str;

    /// The row under `key`.
    fn get(&self, key: &RowKey) -> impl Future<Output = Result<Option<Row>, Failure>>;

    /// Writes all rows, if each expectation holds.
    fn commit(&self, writes: &[Write]) -> impl Future<Output = Result<Commit, Failure>>;

    /// A page of rows, at most `limit` (1 to 1,000); `None` where `after` is no cursor of this listing.
    ///
    /// A row that fits the listing all the while is in it exactly once; one whose due instant moves later meanwhile may
    /// be in [`Listing::Due`] twice.
    fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Option<Page<Row>>, Failure>>;

    /// Notes at `at` that an object is about to be written under `key`, and its row after it: so that
    /// [`intents`](Self::intents) shows it, should the writer end between the two. It is kept for a day at least, and is no
    /// row.
    ///
    /// An index whose readers look at rows themselves ([`Settings::notice_on_read`](credlink_service::service::Settings)) need not keep any.
    fn intend(&self, key: &ObjectKey, at: Timestamp) -> impl Future<Output = Result<(), Failure>>;

    /// A page of the intents that were noted at `from` or later, at most `limit` (1 to 1,000), in the order of their
    /// instants. `after` is the `next` of the page before.
    fn intents(
        &self,
        from: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Intent>, Failure>>;

    /// Adds to the read counts of proofs, and leaves version and everything else alone. Rows that are not there are
    /// passed over. Counts are statistics: they may be lost in a crash.
    fn count_reads(&self, reads: &[(ProofId, Reads)]) -> impl Future<Output = Result<(), Failure>>;

    /// Sums over all rows.
    fn totals(&self) -> impl Future<Output = Result<Totals, Failure>>;

    /// The kind of failure for which commits fail, as far as is known without making one: the last one did, and none
    /// succeeded since. Commits that make room may go on.
    fn write_failure(&self) -> impl Future<Output = Option<FailureKind>>;
}

/// A note that an object is about to be written ([`Index::intend`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Time at which it was noted.
    pub at: Timestamp,
    /// The object.
    pub key: ObjectKey,
}
