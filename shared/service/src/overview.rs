//! Health and statistics, as operators ask for them.

use credlink_core::hash::Digest;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::replica::Replica;
use credlink_core::row::{RowKey, Totals};
use credlink_core::rules::guard::Standing;
use credlink_core::tenant::Tenant;
use serde::Serialize;

use credlink_ports::{
    Authenticator as _, BreakerState, Cache as _, Clock as _, Credentials, Failure, FailureKind, Index as _,
    LayerStats, Medium as _, Objects as _, Ports, ProviderState, Replicas as _, Unread,
};

use crate::service::Service;

/// The state of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `ok` when everything works; `degraded` when one of two providers does not answer, when something is stopped, when credentials
    /// cannot be read, or when proofs are found and deleted but nothing can be stored; `down` when the index, or every provider of objects, does not
    /// answer.
    pub status: Status,
    /// Each provider.
    pub providers: Vec<ProviderHealth>,
    /// The reasons for which something is stopped until an operator has looked: index, store and clock do not fit
    /// together, or cleanup would remove more than its share; and the sources of credentials that cannot be read. Reading goes on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// Each source of credentials that cannot be read. Only an operator is shown this.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<UnreadCredentials>,
}

/// A source of credentials that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct UnreadCredentials {
    /// Its content: `tokens`, static ones, or `keys`, those that JSON Web Tokens are checked with.
    pub source: &'static str,
    /// `degraded` while what was read before is in use, `down` when nothing is.
    pub status: Status,
    /// Seconds since it was last read; missing if it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_seconds_ago: Option<u64>,
    /// The cause.
    pub problem: String,
}

/// The state of the service, or of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It works.
    Ok,
    /// Something else stands in for it, or it does a part of what it is for.
    Degraded,
    /// It does not answer.
    Down,
}

/// The state of one provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ProviderHealth {
    /// Its name.
    pub name: &'static str,
    /// Its role: `objects` or `index`; of two providers of objects, `primary` or `fallback`.
    pub role: &'static str,
    /// The state of the provider.
    pub status: Status,
    /// Time that the answer took, in milliseconds; of two providers of objects, the median of the latest reads.
    pub latency_ms: u64,
    /// The problem that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Statistics.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Stats {
    /// Sums over the whole store.
    #[serde(flatten)]
    pub totals: Totals,
    /// The cache of this process.
    pub cache: CacheReport,
}

/// Counts of what the cache of this process has seen since it started.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct CacheReport {
    /// Reads answered by one of its layers.
    pub hits: u64,
    /// Reads that had to ask a provider.
    pub misses: u64,
    /// Hits as a share of both, from 0 to 1.
    pub hit_rate: f64,
    /// Entries held in memory.
    pub entries: u64,
    /// Bytes held in memory.
    pub bytes: u64,
    /// Each layer, in the order in which they are asked.
    pub layers: Vec<LayerReport>,
}

/// Counts of what one layer of the cache has seen since this process started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LayerReport {
    /// `l1`: memory; `l2`: Redis; `l3`: a folder.
    pub layer: &'static str,
    /// Reads that it answered.
    pub hits: u64,
    /// Reads that came to it and that it could not answer.
    pub misses: u64,
    /// Its operations that failed, and its entries that were damaged.
    pub errors: u64,
    /// Entries held, where it knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// Bytes held, where it knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// Asks each provider for something that is not there. Causes that name files and addresses are for who sees `details`.
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
    // Of two providers, the question went to both: what is not there is asked of the fallback too.
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
    // What does not answer is told as that, and once.
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

/// A source of credentials that cannot be read, without the cause: health is public.
fn unread_in_words(unread: &Unread) -> String {
    let what = match unread.source {
        Credentials::Keys => "the keys that access tokens are checked with cannot be read",
        Credentials::Tokens => "the list of access tokens cannot be read",
    };
    let then = if unread.is_in_use { "the previous ones are in use" } else { "no such token is accepted" };
    format!("{what}; {then}")
}

/// One of two providers, by what is known of it: its last call, and its median latency.
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

/// Describes in words a provider whose writes fail and whose reads do not.
fn unwritable_in_words(kind: FailureKind) -> String {
    format!("{}: nothing can be stored, while reading and deleting go on", in_words(kind))
}

/// A kind of failure without the provider's own words: health is public.
pub(crate) const fn in_words(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Unavailable => "unavailable",
        FailureKind::TimedOut => "timed out",
        FailureKind::Throttled => "throttled",
        FailureKind::AccessDenied => "access denied",
        FailureKind::OutOfSpace => "out of space",
        FailureKind::Damaged => "damaged",
    }
}

/// Counts, bytes and the cache's hit rate.
///
/// # Errors
/// A failure of the index.
pub async fn stats<P: Ports>(service: &Service<P>) -> Result<Stats, Failure> {
    let cache = service.ports.cache().stats();
    let reads = cache.hits + cache.misses;
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
    let hit_rate = if reads == 0 { 0.0 } else { cache.hits as f64 / reads as f64 };
    Ok(Stats {
        totals: service.ports.index().totals().await?,
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

const fn layer(stats: &LayerStats) -> LayerReport {
    let LayerStats { name, hits, misses, errors, entries, bytes } = *stats;
    LayerReport { layer: name, hits, misses, errors, entries, bytes }
}
