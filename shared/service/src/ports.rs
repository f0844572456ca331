//! The ports: what the use cases need of the world, and what they may rely on.
//!
//! Each method documents a guarantee, not a mechanism. Futures carry no `Send` bound: it is found at the concrete
//! type, in `main`. The contract suites in `tests/` run over every adapter.

mod checksum;
mod copies;
mod parts;
mod shared;
mod signers;
mod work;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::message::{Message, Replica};
use credlink_core::object::{Attributes, Facts, Head, Object, ObjectKey, StoredTag, Verified};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

pub use checksum::Checksum;
pub use copies::{Copied, Copies, Lag, Lagging};
pub use parts::{Parts, Ports};
pub use signers::{NoSigners, Signers};
pub use work::{InPlace, Job, Work};

/// A service that did not answer as it should: an opaque source, with who, what and how.
///
/// It says nothing about whether the operation took effect. Absence and lost races are never reported as this
/// (guarantee 7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {kind}: {message}")]
pub struct Failure {
    /// The provider, by the name that the operator knows it by.
    pub provider: &'static str,
    /// The kind of failure.
    pub kind: FailureKind,
    /// For the operator's log, never for a client.
    pub message: String,
}

/// The kinds of failure that lead to different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FailureKind {
    /// Out of reach, or broken for now: worth a retry.
    #[error("unavailable")]
    Unavailable,
    /// It did not answer in time: worth a retry.
    #[error("timed out")]
    TimedOut,
    /// It asks to slow down: worth a retry, later.
    #[error("throttled")]
    Throttled,
    /// It does not let us: an operator has to act.
    #[error("access denied")]
    AccessDenied,
    /// No room left: an operator has to act.
    #[error("out of space")]
    OutOfSpace,
    /// Its content is not what was written: an operator has to act.
    #[error("damaged")]
    Damaged,
}

/// The condition of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing stands under the key.
    Absent,
    /// The object under the key has this tag.
    Matches(StoredTag),
}

/// The outcome of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is stored, with this tag.
    Stored(StoredTag),
    /// The condition did not hold; nothing changed.
    Lost,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the listing's order.
    pub items: Vec<T>,
    /// The place where the next page begins: pass it as `after`. `None` on the last page.
    pub next: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next: None }
    }
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key, as text: a store may hold objects that are not ours.
    pub key: String,
    /// Its size in bytes, as stored (with whatever the provider keeps in the same place).
    pub size: u64,
    /// Time at which it was written.
    pub modified: Timestamp,
}

/// A place for bytes: S3, R2, a folder, memory.
///
/// * **Durability.** When `put` or `delete` has answered `Ok`, the change survives a crash of this process and of
///   the provider's machine.
/// * **Atomicity.** A reader sees an object whole (bytes and attributes of one write) or not at all.
/// * **Consistency.** What was acknowledged is seen by every later call, also in listings. Of concurrent conditional
///   writes to one key, at most one that names the same state succeeds.
/// * **Failure.** After an `Err` the change may have happened or not; a `put` that failed as
///   [`FailureKind::Throttled`] has not.
/// * **Tags.** Different bytes have different tags. The same bytes may have the same tag.
/// * **Attributes** come back as they were written, but for [`Attributes::tags`], which a provider may leave out.
pub trait Objects {
    /// The name that operators know the provider by.
    fn name(&self) -> &'static str;

    /// Returns `true` if a look costs microseconds and nothing else: what is here may be looked at more often.
    fn is_at_hand(&self) -> bool {
        false
    }

    /// The object under `key`, or `None` if there is none.
    fn get(&self, key: &ObjectKey) -> impl Future<Output = Result<Option<Object>, Failure>>;

    /// Returns what is said of the object under `key`, without its bytes.
    fn head(&self, key: &ObjectKey) -> impl Future<Output = Result<Option<Head>, Failure>>;

    /// The same, with a checksum of all stored bytes, where the provider holds one: what it was told of them, or computed
    /// when they were written. Of two providers, the primary's.
    fn head_with_checksum(
        &self,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<Option<(Head, Option<Checksum>)>, Failure>> {
        async { Ok(self.head(key).await?.map(|head| (head, None))) }
    }

    /// Writes `body` under `key` if `condition` holds. There is no unconditional write.
    fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> impl Future<Output = Result<Put, Failure>>;

    /// Removes the object under `key`. That there is none is no failure.
    fn delete(&self, key: &ObjectKey) -> impl Future<Output = Result<(), Failure>>;

    /// The objects whose key begins with `prefix`, in the order of their keys' bytes, from behind `after`, at most
    /// `limit` (1 to 1,000). An object that is there during the whole listing is in it exactly once.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Listed>, Failure>>;

    /// Makes sure that what stands under `key`, and was read as `expected`, is as durable as a write that was answered: with
    /// a repair queued for a provider that does not have it, or has another one. To be called before anybody is told of an object that another request wrote,
    /// which may have ended before its write was answered. Where there is one provider, there is nothing to do.
    fn confirm(&self, key: &ObjectKey, expected: &Facts) -> impl Future<Output = Result<(), Failure>> {
        let _ = (key, expected);
        async { Ok(()) }
    }

    /// Another copy of what was read under `key` and is damaged: `damaged` is the tag that it was read with. `None`: there
    /// is no other copy. Where there is one that is whole, a repair of the damaged one is queued. Nothing is
    /// overwritten here.
    fn get_instead(
        &self,
        key: &ObjectKey,
        damaged: &StoredTag,
    ) -> impl Future<Output = Result<Option<Object>, Failure>> {
        let _ = (key, damaged);
        async { Ok(None) }
    }

    /// The providers behind this one, where there are several.
    fn providers(&self) -> Vec<ProviderState> {
        Vec::new()
    }

    /// The kind of failure for which nothing can be stored here, as far as is known without storing anything. What makes
    /// room may go on. Of two providers nothing is said here: [`Objects::providers`] does.
    fn write_failure(&self) -> impl Future<Output = Option<FailureKind>> {
        std::future::ready(None)
    }
}

/// The state of one of several providers, as it is known without asking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderState {
    /// Its name.
    pub name: &'static str,
    /// The role of the provider.
    pub replica: Replica,
    /// The state of its circuit breaker.
    pub breaker: BreakerState,
    /// Time for which the breaker has been in that state, in milliseconds.
    pub for_ms: u64,
    /// The kind of its last failure, if it failed since it last answered.
    pub failure: Option<FailureKind>,
    /// The median of its latest answers, in milliseconds.
    pub p50_ms: u64,
    /// The time within which 95 of 100 of its latest answers came, in milliseconds.
    pub p95_ms: u64,
    /// `true` if it missed writes lately, so that what it holds is checked against the index.
    pub behind: bool,
}

/// The state of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// The provider is called.
    Closed,
    /// It failed too often, and is not called.
    Open,
    /// One call tries whether it answers again.
    HalfOpen,
}

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
    /// An index whose readers look at rows themselves ([`Settings::notice_on_read`](crate::service::Settings)) need not keep any.
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
    fn write_failure(&self) -> impl Future<Output = Option<FailureKind>> {
        std::future::ready(None)
    }
}

/// A note that an object is about to be written ([`Index::intend`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Time at which it was noted.
    pub at: Timestamp,
    /// The object.
    pub key: ObjectKey,
}

/// A message as a queue hands it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names this delivery to [`Queue::settle`].
    pub receipt: String,
    /// The message's text: what is no message of CredLink has to be dealt with too.
    pub text: String,
    /// Number of times that it was handed out, this time included.
    pub attempts: u32,
}

/// Work that waits: SQS, or a file of this machine.
///
/// * **Durability.** What `send` answered `Ok` for is handed out until it is settled, or until the queue's operator
///   takes it out (a dead-letter queue).
/// * **At least once.** A message may be handed out more often than once, and in any order.
/// * **Failure.** After an `Err` of `send` the message may be there or not.
pub trait Queue {
    /// The name that operators know the queue by.
    fn name(&self) -> &'static str;

    /// Takes `message`, and hands it out `delay_seconds` (0 to 900) from now at the earliest.
    fn send(&self, message: &Message, delay_seconds: u32) -> impl Future<Output = Result<(), Failure>>;

    /// Hands out at most `most` (1 to 10) messages, and hides each for `hidden_seconds` from every other call. It does
    /// not wait for messages.
    fn receive(
        &self,
        most: usize,
        hidden_seconds: u32,
    ) -> impl Future<Output = Result<Vec<Delivery>, Failure>>;

    /// Takes a delivered message out for good. That it is gone already is no failure.
    fn settle(&self, receipt: &str) -> impl Future<Output = Result<(), Failure>>;

    /// Returns the number of messages that wait or are handed out, roughly.
    fn depth(&self) -> impl Future<Output = Result<u64, Failure>>;
}

/// Counts of what a cache has seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Reads that were answered without a load, by whichever layer.
    pub hits: u64,
    /// Reads that had to load.
    pub misses: u64,
    /// Entries held in memory now.
    pub entries: u64,
    /// Weight of the entries held in memory now, in bytes.
    pub bytes: u64,
    /// Each layer, in the order in which they are asked.
    pub layers: Vec<LayerStats>,
}

/// Counts of what one layer of a cache has seen so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerStats {
    /// `l1`: memory; `l2`: Redis; `l3`: a folder.
    pub name: &'static str,
    /// Reads that it answered.
    pub hits: u64,
    /// Reads that came to it and that it could not answer, because it did not have it or was out of order.
    pub misses: u64,
    /// Its operations that failed, and its entries that were damaged.
    pub errors: u64,
    /// Entries held now, where it knows.
    pub entries: Option<u64>,
    /// Bytes held now, where it knows.
    pub bytes: Option<u64>,
}

/// A cache in front of [`Objects::get`].
///
/// * What [`Cache::invalidate`] was called for is loaded anew by every `get_or_load` of this process that begins after
///   the call returned, even when a load that began before is still under way, and whatever layer is out of order.
///   Other processes notice within the time for which a layer of theirs keeps its entries.
/// * A cache that is out of order costs hits, never an answer: only a failure of the load is one of the read.
/// * Concurrent reads of one key share one load. A failed load is not kept.
/// * Absence is kept, for a second at most.
pub trait Cache {
    /// The object under `key`, from the cache or else from `load`.
    fn get_or_load<L>(
        &self,
        key: &ObjectKey,
        load: L,
    ) -> impl Future<Output = Result<Option<Arc<Verified>>, Failure>>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>;

    /// Forgets `key`. To be called after the change. A call that is cut short has taken effect on this process's
    /// readers once it was polled.
    fn invalidate(&self, key: &ObjectKey) -> impl Future<Output = ()>;

    /// Forgets that nothing stood under `key`, or a marker. To be called after it was taken. Here it does what
    /// [`Cache::invalidate`] does; but those who keep copies elsewhere keep an absence for seconds only, and are not told.
    fn forget_absence(&self, key: &ObjectKey) -> impl Future<Output = ()> {
        self.invalidate(key)
    }

    /// Tells those who keep copies elsewhere, and answer readers without asking this cache, what was invalidated: all
    /// of it at once. To be called at the end of what changed something. It waits for them, but not for long, and what they
    /// could not be told they are told with a later call.
    fn announce(&self) -> impl Future<Output = ()> {
        std::future::ready(())
    }

    /// Returns the counts of what it has seen.
    fn stats(&self) -> CacheStats;
}

/// The things that the service cannot decide: the time, and the identity of a request.
pub trait Clock {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Microseconds since some moment before: never less than an earlier answer.
    fn monotonic_microseconds(&self) -> u64;

    /// A new request id, unique for ever.
    fn request_id(&self) -> String;
}

/// Something worth counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A proof was stored.
    Stored,
    /// A proof was there already.
    Deduplicated,
    /// A proof was replaced.
    Superseded,
    /// A proof or a manifest was deleted.
    Deleted,
    /// A proof or a manifest was read, with this many bytes of content.
    Retrieved {
        /// Bytes of the body.
        bytes: u64,
    },
    /// A proof or a manifest was asked for that is not there.
    Missed,
    /// A proof was read from the legacy source, which does not stand here yet.
    LegacyHit,
    /// A request ended with a failure of ours (status 500 and above).
    Failed,
    /// Tells if a doubt about index, store or clock stands ([`Doubt`](credlink_core::rules::guard::Doubt)). A doubt
    /// stops deletions or more.
    Doubted {
        /// The label of the doubt.
        label: &'static str,
        /// `true` if it stands.
        stands: bool,
    },
    /// A request was answered.
    Answered {
        /// The name of its operation ([`Route::name`](credlink_core::http::route::Route::name)), or `none`.
        route: &'static str,
        /// From the whole request read to the whole answer made, in microseconds.
        microseconds: u64,
    },
}

/// A place for events: counters, a metrics exporter. Recording never fails and never waits.
pub trait Events {
    /// Takes note of `event`.
    fn record(&self, event: Event);
}

/// The reasons why nobody was let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The credential is unknown, malformed or expired; the reason is in words for the caller.
    #[error("{0}")]
    Invalid(String),
    /// The service could not find out if the credential is good: a failure of ours, and not the caller's (guarantee
    /// 7).
    #[error(transparent)]
    Undecided(#[from] Failure),
}

/// A source of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// The list of access tokens.
    Tokens,
    /// The keys that JSON Web Tokens are checked with.
    Keys,
}

impl Credentials {
    /// Its name in health and in metrics: `tokens` or `keys`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Keys => "keys",
        }
    }
}

/// A source of credentials that cannot be read anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The source.
    pub source: Credentials,
    /// The cause in its own words, for an operator: it may name a file or an address.
    pub reason: String,
    /// Seconds since it was last read. `None`: it never was.
    pub read_seconds_ago: Option<u64>,
    /// `true` if what was read then is in use.
    pub is_in_use: bool,
}

/// A check of credentials.
pub trait Authenticator {
    /// Finds out who shows `bearer`, the token of an `Authorization: Bearer` header (RFC 6750, section 2.1), or
    /// nothing.
    fn authenticate(&self, bearer: Option<&str>) -> impl Future<Output = Result<Caller, Refused>>;

    /// Finds out which of its sources cannot be read. A file that was not looked at for a while is looked at now.
    fn unread(&self) -> impl Future<Output = Vec<Unread>>;
}
