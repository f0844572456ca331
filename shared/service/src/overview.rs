//! Health and statistics, for operators.

use credlink_core::bounds::{UPLOAD_SECONDS, UPLOAD_STEP_SECONDS};
use credlink_core::hash::Digest;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::replica::Replica;
use credlink_core::row::{Row, RowKey, Totals, UploadState};
use credlink_core::rules::guard::Standing;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use serde::Serialize;

use credlink_ports::{
    Authenticator as _, BreakerState, Cache as _, Clock as _, Credentials, Failure, FailureKind, Index as _,
    LayerStats, Listing, Medium as _, Objects as _, Ports, ProviderState, Replicas as _, Unread,
};

use crate::error::in_words;
use crate::service::Service;

/// Rows of one page of those among which the uploads that have waited the longest are looked for.
const WAITING_PAGE: usize = 500;

/// The most rows that are looked at. If more are due before an upload, the statistics do not name it.
const WAITING_ROWS: usize = 5_000;

/// The state of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `ok` if everything works; `degraded` if one of two providers does not answer, something is stopped, credentials
    /// cannot be read, or proofs can be found and deleted but not stored; `down` if the index, or every object
    /// provider, does not answer.
    pub status: Status,
    /// The state of each provider.
    pub providers: Vec<ProviderHealth>,
    /// The reasons why something is stopped until an operator has intervened, such as an index, a store and a clock
    /// that do not match, or a cleanup that would remove more than its share; and the sources of credentials that
    /// cannot be read. Reads continue to work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// The sources of credentials that cannot be read. Only an operator sees them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<UnreadCredentials>,
}

/// A source of credentials that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct UnreadCredentials {
    /// The kind of source: `tokens` for static tokens, `keys` for the keys that verify JSON Web Tokens.
    pub source: &'static str,
    /// `degraded` while the credentials that were read last are in use, `down` if there are none.
    pub status: Status,
    /// Seconds since the source was last read; absent if it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_seconds_ago: Option<u64>,
    /// The reason why the source cannot be read.
    pub problem: String,
}

/// The state of the service, or of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything works.
    Ok,
    /// A fallback is in use, or only some functions work.
    Degraded,
    /// The service or provider does not answer.
    Down,
}

/// The state of one provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ProviderHealth {
    /// The name of the provider.
    pub name: &'static str,
    /// The role of the provider: `objects` or `index`; with two object providers, `primary` or `fallback`.
    pub role: &'static str,
    /// The state of the provider.
    pub status: Status,
    /// The time until the provider answered, in milliseconds; with two object providers, the median of the latest
    /// reads.
    pub latency_ms: u64,
    /// The reason why the provider does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Statistics of the store and this process.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Stats {
    /// The totals of the whole store.
    #[serde(flatten)]
    pub totals: Totals,
    /// The time at which the oldest upload whose bytes have not all arrived was announced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest_pending: Option<Timestamp>,
    /// The time since which an upload whose bytes are there has waited, or been with a finaliser, the longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest_received: Option<Timestamp>,
    /// The cache of this process.
    pub cache: CacheReport,
}

/// Statistics of the cache since this process started.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct CacheReport {
    /// Reads that a layer of the cache answered.
    pub hits: u64,
    /// Reads that went to a provider.
    pub misses: u64,
    /// The share of hits in all reads, from 0 to 1.
    pub hit_rate: f64,
    /// Entries held in memory.
    pub entries: u64,
    /// Bytes held in memory.
    pub bytes: u64,
    /// The layers, in the order in which they are asked.
    pub layers: Vec<LayerReport>,
}

/// Statistics of one layer of the cache since this process started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LayerReport {
    /// `l1` for memory, `l2` for Redis, `l3` for a folder.
    pub layer: &'static str,
    /// Reads that the layer answered.
    pub hits: u64,
    /// Reads that reached the layer and that it could not answer.
    pub misses: u64,
    /// Failed operations and damaged entries.
    pub errors: u64,
    /// Entries held, if the layer knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// Bytes held, if the layer knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// Asks each provider for an object that does not exist. Causes that name files and addresses are included only with
/// `details`.
pub async fn health<P: Ports>(service: &Service<P>, details: bool) -> Health {
    let clock = service.ports.clock();
    let probe = ProofId::derive(&Tenant::default(), &Digest::from_bytes([0; 32]).into());
    let started = clock.monotonic_microseconds();
    let objects = service.ports.objects().head(&ObjectKey::Record(probe)).await.err();
    let between = clock.monotonic_microseconds();
    let index = service.ports.index().get(&RowKey::Proof(probe)).await.err();
    let ended = clock.monotonic_microseconds();
    let full = (service.ports.objects().write_failure().await, service.ports.index().write_failure().await);
    let provider =
        |name, role, failure: Option<Failure>, unwritable: Option<FailureKind>, microseconds: u64| {
            let (status, problem) = match (failure, unwritable) {
                (Some(failure), _) => (Status::Down, Some(in_words(failure.kind).to_owned())),
                (None, Some(kind)) => (Status::Degraded, Some(unwritable_in_words(kind))),
                (None, None) => (Status::Ok, None),
            };
            ProviderHealth { name, role, status, latency_ms: microseconds / 1_000, problem }
        };
    // With two providers, the question reaches both: an absent object is also looked up at the fallback.
    let mut providers: Vec<_> = service.ports.objects().providers().iter().map(one_of_two).collect();
    if providers.is_empty() {
        providers.push(provider(
            service.ports.objects().name(),
            "objects",
            objects,
            full.0,
            between.saturating_sub(started),
        ));
    }
    let is_up = |provider: &ProviderHealth| provider.status == Status::Ok;
    let (all, any) = (providers.iter().all(is_up), providers.iter().any(is_up));
    let index = provider(service.ports.index().name(), "index", index, full.1, ended.saturating_sub(between));
    let answers = |provider: &ProviderHealth| provider.status != Status::Down;
    // A provider that does not answer is reported as such, and only once.
    let standing = if answers(&index) && providers.iter().any(answers) {
        service.standing_for_readers().await
    } else {
        Standing::default()
    };
    let unread = service.ports.authenticator().unread().await;
    let doubts = standing.doubts.iter().map(ToString::to_string);
    let problems: Vec<_> = doubts.chain(unread.iter().map(unread_in_words)).collect();
    let credentials = unread.into_iter().filter(|_| details).map(UnreadCredentials::from).collect();
    let status = match (is_up(&index), all && problems.is_empty(), any) {
        (true, true, _) => Status::Ok,
        (true, false, true) => Status::Degraded,
        _ if answers(&index) && providers.iter().any(answers) => Status::Degraded,
        _ => Status::Down,
    };
    providers.push(index);
    Health { status, providers, problems, credentials }
}

impl From<Unread> for UnreadCredentials {
    fn from(unread: Unread) -> Self {
        let Unread { source, reason, read_seconds_ago, is_in_use } = unread;
        let status = if is_in_use { Status::Degraded } else { Status::Down };
        Self { source: source.name(), status, read_seconds_ago, problem: reason }
    }
}

/// Describes an unreadable source of credentials without the cause, because health is public.
fn unread_in_words(unread: &Unread) -> String {
    let what = match unread.source {
        Credentials::Keys => "the keys that access tokens are checked with cannot be read",
        Credentials::Tokens => "the list of access tokens cannot be read",
    };
    let then = if unread.is_in_use { "the previous ones are in use" } else { "no such token is accepted" };
    format!("{what}; {then}")
}

/// Reports one of two providers by its last call and its median latency.
fn one_of_two(state: &ProviderState) -> ProviderHealth {
    let problem = match (state.breaker, state.failure) {
        (BreakerState::Closed, None) => None,
        (BreakerState::Closed, Some(kind)) => Some(in_words(kind).to_owned()),
        (BreakerState::Open | BreakerState::HalfOpen, kind) => {
            let why = kind.map(|kind| format!(", {}", in_words(kind))).unwrap_or_default();
            Some(format!("not asked for {} s{why}", state.for_ms / 1_000))
        }
    };
    let behind =
        state.behind.then(|| "it missed writes; its copies are checked when they are read".to_owned());
    ProviderHealth {
        name: state.name,
        role: match state.replica {
            Replica::Primary => "primary",
            Replica::Fallback => "fallback",
        },
        status: if problem.is_some() { Status::Down } else { Status::Ok },
        latency_ms: state.p50_ms,
        problem: problem.or(behind),
    }
}

/// Describes a provider that fails to write but can be read. Room for deletions is kept on a full disk only.
fn unwritable_in_words(kind: FailureKind) -> String {
    let then = match kind {
        FailureKind::OutOfSpace => "nothing can be stored, while reading and deleting go on",
        _ => "nothing can be stored or deleted, while reading goes on",
    };
    format!("{}: {then}", in_words(kind))
}

/// Returns counts, bytes and the hit rate of the cache.
///
/// # Errors
/// A failure of the index.
pub async fn stats<P: Ports>(service: &Service<P>) -> Result<Stats, Failure> {
    let cache = service.ports.cache().stats();
    let reads = cache.hits + cache.misses;
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
    let hit_rate = if reads == 0 { 0.0 } else { cache.hits as f64 / reads as f64 };
    let totals = service.ports.index().totals().await?;
    let waiting = match totals.files.uploads.open {
        0 => Waiting::default(),
        _ => waiting(service).await?,
    };
    Ok(Stats {
        totals,
        oldest_pending: waiting.pending,
        oldest_received: waiting.received,
        cache: CacheReport {
            hits: cache.hits,
            misses: cache.misses,
            hit_rate,
            entries: cache.entries,
            bytes: cache.bytes,
            layers: cache.layers.iter().map(layer).collect(),
        },
    })
}

/// The uploads that have waited the longest.
#[derive(Default)]
struct Waiting {
    pending: Option<Timestamp>,
    received: Option<Timestamp>,
}

/// Finds the uploads that have waited the longest among the rows that are due within a day, at most [`WAITING_ROWS`] of them. An
/// upload is due a day after its announcement until its bytes are there, and 15 minutes after each later step, so that the
/// longest overdue of each kind is the one that has waited the longest. An upload in parts is due earlier, so that all that
/// have waited longer than a pending one come before it. An upload for which something failed counts from its announcement.
async fn waiting<P: Ports>(service: &Service<P>) -> Result<Waiting, Failure> {
    let listing = Listing::Due(service.now().plus_seconds(UPLOAD_SECONDS));
    let mut waiting = Waiting::default();
    let mut is_pending_known = false;
    let (mut after, mut rows): (Option<String>, usize) = (None, 0);
    loop {
        let page = service.ports.index().list(&listing, after.as_deref(), WAITING_PAGE).await?;
        let page = page.unwrap_or_default();
        rows += page.items.len();
        for row in page.items.into_iter().filter_map(Row::upload) {
            match row.state {
                UploadState::Pending | UploadState::Uploading => {
                    waiting.pending = waiting.pending.into_iter().chain([row.created]).min();
                    is_pending_known |= row.state == UploadState::Pending;
                }
                UploadState::Received | UploadState::Scanning | UploadState::Processing => {
                    // A finaliser for which something failed has set another time.
                    let since = match row.failures {
                        0 => row.due.map(|due| due.minus_seconds(UPLOAD_STEP_SECONDS)),
                        _ => Some(row.created),
                    };
                    waiting.received = waiting.received.into_iter().chain(since).min();
                }
                UploadState::Ready { .. } | UploadState::Rejected { .. } | UploadState::Expired => {}
            }
        }
        after = page.next;
        let is_complete = is_pending_known && waiting.received.is_some();
        if after.is_none() || is_complete || rows >= WAITING_ROWS {
            return Ok(waiting);
        }
    }
}

const fn layer(stats: &LayerStats) -> LayerReport {
    let LayerStats { name, hits, misses, errors, entries, bytes } = *stats;
    LayerReport { layer: name, hits, misses, errors, entries, bytes }
}
