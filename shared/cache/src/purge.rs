//! Purges of the edge: a Worker that answers readers in place of the service, and caches its answers for a while.
//!
//! The edge is not a layer, and nothing is read from it. It is told which proofs, manifests and files
//! changed, so that it forgets them before their lifetimes end.
//!
//! **Batches.** A change is noted at once, and announced at the end of the request, in as few calls as possible: a
//! deletion of a thousand proofs takes ten calls, four at a time, instead of a thousand one after the other.
//!
//! **Outage.** A request waits for the edge, but not for long ([`EdgeSettings::wait`]), and never fails because of it.
//! A purge that did not arrive is remembered, and repeated with the next request that changes something, and every few
//! seconds where a process runs on its own. After a wait that timed out, no request waits until the edge has answered
//! again; after three failures, it is not called for a while. If a purge never arrives, the edge notices the change by
//! its own lifetimes.

mod call;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::time::Timestamp;
use credlink_ports::request::current_request_id;
use credlink_runtime::circuit_breaker::SharedBreaker;
use credlink_runtime::deadline::at_most;
use futures_util::stream::{self, StreamExt as _};
use metrics::Counter;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::breaker::breaker;
use crate::unsettled::Unsettled;
use call::{Call, Untold};

/// The minimum number of characters in a token, as the Worker requires.
pub const MIN_TOKEN_CHARACTERS: usize = 32;

/// The maximum number of IDs that the Worker accepts in one call.
const MAX_IDS: usize = 100;

/// The maximum number of concurrent calls.
const CALLS: usize = 4;

/// The settings of the edge.
#[derive(Clone)]
pub struct EdgeSettings {
    /// The Worker's address, without a trailing slash.
    pub url: String,
    /// The token by which the Worker recognizes the service.
    pub token: String,
    /// The time that a request waits for the edge to be told.
    pub wait: Duration,
    /// The timeout of a call. It is longer than the 5 s that the Worker allows Cloudflare's API, so that the Worker can
    /// report the result.
    pub call: Duration,
    /// The time without calls after the third failure in a row; doubled with each further failure.
    pub rest: Duration,
    /// The maximum time without calls.
    pub longest_rest: Duration,
    /// The maximum number of changes that are remembered until the edge is told: 10,000 of about 200 bytes.
    pub remembered: usize,
}

impl EdgeSettings {
    /// Returns the usual settings: requests wait for 2 s, calls take at most 10 s, pauses last 2 s to 60 s.
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

/// The edge, as this process calls it.
#[derive(Debug)]
pub(super) struct Edge(Arc<Teller>);

struct Teller {
    call: Call,
    wait: Duration,
    changes: Unsettled,
    breaker: SharedBreaker,
    /// Held by the task that tells the edge.
    telling: Mutex<()>,
    /// `true` if the last wait timed out: no request waits until the edge has answered again.
    is_late: AtomicBool,
    /// `true` if there were more changes than are remembered.
    is_full: AtomicBool,
    /// The problem with the edge that was logged last: it is logged once, however many requests meet it.
    problem: Lock<Option<String>>,
    errors: Counter,
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller").field("call", &self.call).finish_non_exhaustive()
    }
}

impl Edge {
    /// Returns the edge at this address, which is not called yet.
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

    /// Notes a change, to be announced with the next [`Edge::tell`].
    pub(super) fn note(&self, key: &ObjectKey) {
        let key = match key {
            // The edge forgets a proof together with its revisions.
            ObjectKey::Revision(id, _) => &ObjectKey::Record(*id),
            // The edge forgets the bytes of a file together with its record.
            ObjectKey::Record(_)
            | ObjectKey::Manifest(_)
            | ObjectKey::Front(_)
            | ObjectKey::Media(MediaKey::File(_)) => key,
            // The edge serves none of these by themselves.
            ObjectKey::Alias(_)
            | ObjectKey::Hold(..)
            | ObjectKey::Removed(..)
            | ObjectKey::Identity
            | ObjectKey::Media(MediaKey::Upload(..) | MediaKey::Original(_) | MediaKey::Rendition(..)) => {
                return;
            }
        };
        let Teller { changes, is_full, .. } = &*self.0;
        // The purge is owed from now on, as no call is under way before the edge is told.
        drop(changes.begin(key, Timestamp::from_milliseconds(0)));
        if !changes.contains(key) && !is_full.swap(true, Ordering::SeqCst) {
            tracing::warn!(
                "more has changed than is remembered for the edge: it notices by its own lifetimes"
            );
        }
    }

    /// Announces the changes that were noted. Returns when that is done, has failed or has taken too long; in the last
    /// case it continues in the background. The caller must be inside a Tokio runtime.
    pub(super) async fn tell(&self) {
        let teller = &self.0;
        if teller.changes.owes_nothing() {
            return;
        }
        let nobody_waits = teller.is_late.load(Ordering::SeqCst);
        let told = Arc::clone(teller).tell(nobody_waits, current_request_id());
        // A task of its own, so that neither the end of the wait nor the end of the request cancels it.
        let told = tokio::spawn(told.in_current_span());
        if nobody_waits {
            return;
        }
        let limit = at_most(teller.wait);
        // If the request itself is short of time, the edge is not to blame.
        if timeout(limit, told).await.is_err() && limit == teller.wait {
            teller.is_late.store(true, Ordering::SeqCst);
            teller.say("it takes too long to answer");
        }
    }
}

impl Teller {
    /// Announces every change that is owed now, unless calls to the edge are paused.
    async fn tell(self: Arc<Self>, nobody_waits: bool, request_id: Option<Arc<str>>) {
        let _alone = if nobody_waits {
            // One task at a time is enough.
            let Ok(alone) = self.telling.try_lock() else { return };
            alone
        } else {
            self.telling.lock().await
        };
        // Changes that are noted meanwhile are announced by the requests that noted them and wait.
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

    /// Makes one call, and returns the problem if there was one.
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

    /// Logs a problem, unless it was the last one logged.
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
