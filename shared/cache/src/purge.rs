//! Purges of the edge: a Worker that answers readers in place of the service, and keeps what it answered with for a while.
//!
//! It is no layer: nothing is read from it. It is told which proofs and manifests changed, so that it forgets them before
//! their lifetimes are over.
//!
//! **Together.** A change is taken note of at once, and told at the end of the request, in as few calls as there can be:
//! a deletion of a thousand proofs is ten calls, four at a time, and not a thousand one after the other.
//!
//! **Outage.** A request waits for the edge, but not for long ([`EdgeSettings::wait`]), and never fails because of it. What
//! did not get there is remembered, and told again with the next request that changes something, and every few seconds
//! where a process runs by itself. After a wait that was in vain nobody waits until the edge has answered again; after three
//! failures it is not called for a while. What is not told in the end the edge notices by its own lifetimes.

mod call;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use credlink_core::object::ObjectKey;
use credlink_core::time::Timestamp;
use credlink_ports::request::current_request_id;
use futures_util::stream::{self, StreamExt as _};
use metrics::Counter;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::Instrument as _;

use call::{Call, Untold};
use credlink_runtime::circuit_breaker::SharedBreaker;
use credlink_runtime::deadline::at_most;

use super::unsettled::Unsettled;
use crate::breaker;

/// Fewest characters of a token: as many as the Worker asks for.
pub const MIN_TOKEN_CHARACTERS: usize = 32;

/// Most ids that the Worker takes in one call.
const MAX_IDS: usize = 100;

/// Calls that are under way at once.
const CALLS: usize = 4;

/// How the edge is told.
#[derive(Clone)]
pub struct EdgeSettings {
    /// The Worker's address, without a slash at the end.
    pub url: String,
    /// What the Worker knows the service by.
    pub token: String,
    /// How long a request waits until the edge was told.
    pub wait: Duration,
    /// How long a call may take: longer than the Worker gives Cloudflare's API, 5 s, or it could not say how that went.
    pub call: Duration,
    /// How long no calls are made after the third failure in a row; doubled with each further failure.
    pub rest: Duration,
    /// Longest time without calls.
    pub longest_rest: Duration,
    /// Most changes that are remembered until they are told: 10,000 of about 200 bytes.
    pub remembered: usize,
}

impl EdgeSettings {
    /// The usual ones: requests wait for 2 s, calls take at most 10 s, rests of 2 s to 60 s.
    #[must_use]
    pub const fn new(url: String, token: String) -> Self {
        Self {
            url,
            token,
            wait: Duration::from_secs(2),
            call: Duration::from_secs(10),
            rest: Duration::from_secs(2),
            longest_rest: Duration::from_secs(60),
            remembered: 10_000,
        }
    }
}

impl fmt::Debug for EdgeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeSettings")
            .field("url", &self.url)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// The edge, as this process tells it.
#[derive(Debug)]
pub(super) struct Edge(Arc<Teller>);

struct Teller {
    call: Call,
    wait: Duration,
    changes: Unsettled,
    breaker: SharedBreaker,
    /// Held by the one who tells.
    telling: Mutex<()>,
    /// Whether the last wait was in vain: nobody waits until the edge has answered again.
    is_late: AtomicBool,
    /// Whether there were more changes than are remembered.
    is_full: AtomicBool,
    /// What is wrong with the edge, as the log has it: said once, however many requests meet it.
    problem: Lock<Option<String>>,
    errors: Counter,
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller").field("call", &self.call).finish_non_exhaustive()
    }
}

impl Edge {
    /// The edge at this address, which is not called yet.
    pub(super) fn new(settings: &EdgeSettings) -> Self {
        Self(Arc::new(Teller {
            call: Call::new(settings),
            wait: settings.wait,
            changes: Unsettled::new(settings.remembered),
            breaker: breaker(settings.rest, settings.longest_rest),
            telling: Mutex::new(()),
            is_late: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            problem: Lock::default(),
            errors: metrics::counter!("credlink_cache_errors", "layer" => "edge"),
        }))
    }

    /// Takes note of a change, to be told with the next [`Edge::tell`].
    pub(super) fn note(&self, key: &ObjectKey) {
        let key = match key {
            // What the edge forgets of a proof, it forgets with its revisions.
            ObjectKey::Revision(id, _) => &ObjectKey::Record(*id),
            ObjectKey::Record(_) | ObjectKey::Manifest(_) | ObjectKey::Front(_) => key,
            // The edge serves none of these.
            ObjectKey::Alias(_) | ObjectKey::Hold(..) | ObjectKey::Removed(..) | ObjectKey::Identity => {
                return;
            }
        };
        let Teller { changes, is_full, .. } = &*self.0;
        // Owed from now on: nothing is under way before it is told.
        drop(changes.begin(key, Timestamp::from_milliseconds(0)));
        if !changes.contains(key) && !is_full.swap(true, Ordering::SeqCst) {
            tracing::warn!(
                "more has changed than is remembered for the edge: it notices by its own lifetimes"
            );
        }
    }

    /// Tells what was noted. Returns when that is done, has failed or has taken too long; in the last case it goes on
    /// for itself. To be called inside a tokio runtime.
    pub(super) async fn tell(&self) {
        let teller = &self.0;
        if teller.changes.owes_nothing() {
            return;
        }
        let nobody_waits = teller.is_late.load(Ordering::SeqCst);
        let told = Arc::clone(teller).tell(nobody_waits, current_request_id());
        // In a task of its own, so that neither the end of the wait nor that of the request ends it.
        let told = tokio::spawn(told.in_current_span());
        if nobody_waits {
            return;
        }
        let limit = at_most(teller.wait);
        // A request that is short of time is not the edge's fault.
        if timeout(limit, told).await.is_err() && limit == teller.wait {
            teller.is_late.store(true, Ordering::SeqCst);
            teller.say("it takes too long to answer");
        }
    }
}

impl Teller {
    /// Tells everything that is owed now, unless the edge is let alone.
    async fn tell(self: Arc<Self>, nobody_waits: bool, request_id: Option<Arc<str>>) {
        let _alone = if nobody_waits {
            // Whoever is at it already is enough.
            let Ok(alone) = self.telling.try_lock() else { return };
            alone
        } else {
            self.telling.lock().await
        };
        // What others noted meanwhile is told by them, who wait for it.
        let owed = self.changes.owed(usize::MAX);
        if owed.is_empty() || !self.breaker.admit() {
            return;
        }
        let parts: Vec<Vec<(ObjectKey, u64)>> = owed.chunks(MAX_IDS).map(<[_]>::to_vec).collect();
        let calls = stream::iter(parts).map(|changes| self.purge(changes, request_id.as_deref()));
        let failed: Vec<Option<String>> = calls.buffer_unordered(CALLS).collect().await;
        match failed.into_iter().flatten().next() {
            Some(problem) => {
                self.breaker.failed();
                self.say(&problem);
            }
            None => {
                self.breaker.succeeded();
                self.is_late.store(false, Ordering::SeqCst);
                self.is_full.store(false, Ordering::SeqCst);
                if self.problem().take().is_some() {
                    tracing::info!(edge.url = self.call.url(), "the edge is told what changes again");
                }
            }
        }
    }

    /// Makes one call; what was wrong.
    async fn purge(&self, changes: Vec<(ObjectKey, u64)>, request_id: Option<&str>) -> Option<String> {
        let told = self.call.purge(changes.iter().map(|(key, _)| key), request_id).await;
        let Err(Untold { problem, is_for_good }) = told else {
            self.changes.settle_all(&changes);
            return None;
        };
        self.errors.increment(1);
        if is_for_good {
            self.changes.settle_all(&changes);
        }
        Some(problem)
    }

    /// Says what is wrong, unless that was said last.
    fn say(&self, problem: &str) {
        let mut said = self.problem();
        if said.as_deref() != Some(problem) {
            let url = self.call.url();
            tracing::warn!(
                edge.url = url,
                problem,
                "the edge is not told what changes: it notices by its own lifetimes"
            );
            *said = Some(problem.to_owned());
        }
    }

    fn problem(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
