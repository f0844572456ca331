//! A run: everything that the source lists is copied, beginning where the last run ended.

use std::collections::{BTreeSet, VecDeque};
use std::pin::pin;
use std::time::Duration;

use credlink_core::tenant::Tenant;
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Serialize;

use credlink_ports::migration::ledger::{Job, JobName, LEDGER_VERSION};
use credlink_ports::migration::{Destination, Item, Ledger, Sleep, Source};
use credlink_ports::{Clock, Failure, Page};

use super::copy::{Copier, CopyOptions};
use super::incoming::Owners;
use super::parts::Migration;
use super::patience::GivenUp;
use super::progress::{Counts, Watch};
use super::removal::is_being_removed;

/// For how long a job is claimed at a time, in seconds. A run that is killed holds it for as long.
pub const LEASE_SECONDS: u64 = 60;

/// Most batches in flight, so that some read or write while others wait for the ledger.
const MAX_BATCHES: usize = 4;

/// Most bytes of items in one batch, as the source tells them: a batch is held in memory.
const MAX_BATCH_BYTES: u64 = 16_000_000;

/// Which job to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Its name.
    pub name: JobName,
    /// The source, as it is named.
    pub from: String,
    /// The destination, as it is named.
    pub to: String,
    /// Whose proofs legacy records become; and those of a CredLink, unless they keep their tenants.
    pub tenant: Tenant,
    /// Whether the proofs of a CredLink keep their tenants, and with them their ids.
    pub keep_tenants: bool,
    /// The tenant whose proofs of a CredLink become `tenant`'s, where that is another one.
    pub from_tenant: Option<Tenant>,
}

impl JobSpec {
    /// The tenants whose proofs its items become.
    #[must_use]
    pub fn owners(&self) -> Owners {
        Owners { tenant: self.tenant.clone(), keep: self.keep_tenants, from: self.from_tenant.clone() }
    }
}

impl From<&Job> for JobSpec {
    /// What a job that was begun moves.
    fn from(job: &Job) -> Self {
        let Job { name, from, to, tenant, keep_tenants, from_tenant, .. } = job;
        Self {
            name: name.clone(),
            from: from.clone(),
            to: to.clone(),
            tenant: tenant.clone(),
            keep_tenants: *keep_tenants,
            from_tenant: from_tenant.clone(),
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// What became of the items.
    pub counts: Counts,
    /// Whether it was cancelled before its end. The next run goes on from there.
    pub interrupted: bool,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// What the source has that could not be read from there, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<&'static str>,
}

/// Why a run ended before its end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// Another run has the job.
    #[error(
        "the job `{0}` is being worked on; one run of a job at a time, and one that was killed lets it go \
         {LEASE_SECONDS} s later"
    )]
    Held(JobName),
    /// The job moves something else.
    #[error(
        "the job `{name}` has {member} `{kept}`, not `{given}`; a job keeps its source, destination and tenant for ever: \
         take another name"
    )]
    Differs {
        /// The job.
        name: JobName,
        /// What differs.
        member: &'static str,
        /// What the job has.
        kept: String,
        /// What was asked for.
        given: String,
    },
    /// No such job was begun.
    #[error("there is no job `{0}`")]
    Unknown(JobName),
    /// The job is being removed.
    #[error(
        "the job `{0}` is being removed, or left something when it was: its ledger is not whole. `credlink migrate remove` ends \
         that, and then its name is free"
    )]
    Removing(JobName),
    /// The job was taken over by another run while this one could not say that it lives.
    #[error("another run took the job `{0}` over")]
    Lost(JobName),
    /// Somebody is out of reach, or an operator has to act. No item failed of that.
    #[error("it was ended, and can be resumed: {failure}")]
    Ended {
        /// Who failed, and how.
        failure: Failure,
        /// What had become of the items by then.
        counts: Box<Counts>,
    },
}

impl From<Failure> for RunError {
    fn from(failure: Failure) -> Self {
        Self::Ended { failure, counts: Box::default() }
    }
}

/// Whether a step was cancelled before its end.
pub(super) fn was_cancelled(end: Result<(), GivenUp>) -> Result<bool, RunError> {
    match end {
        Ok(()) => Ok(false),
        Err(GivenUp::Cancelled) => Ok(true),
        Err(GivenUp::Step(failure) | GivenUp::Item(failure)) => Err(failure.into()),
    }
}

/// Runs a job: begins it, or goes on with it. `holder` names this run, unique for ever.
///
/// # Errors
/// See [`RunError`]. Every one of them leaves a ledger that the next run goes on from.
pub async fn run<S, D, L, C, T, W>(
    parts: Migration<'_, S, D, L, C, T>,
    spec: &JobSpec,
    options: &CopyOptions,
    holder: &str,
    watch: &W,
) -> Result<Run, RunError>
where
    S: Source,
    D: Destination,
    L: Ledger,
    C: Clock,
    T: Sleep,
    W: Watch,
{
    hold(parts, &spec.name, holder, async {
        let began = parts.milliseconds();
        let mut job = open(parts, spec).await?;
        let copier = Copier::new(parts, options, watch);
        let mut walk = Walk::new(&copier);
        let end = walk.run().await;
        let mut run = Run {
            counts: walk.counts,
            interrupted: false,
            elapsed_ms: parts.milliseconds().saturating_sub(began),
            left_behind: parts.source.left_behind(),
        };
        job.left_behind = run.left_behind.map(str::to_owned).or(job.left_behind);
        job.elapsed_ms = job.elapsed_ms.saturating_add(run.elapsed_ms);
        match end {
            Ok(()) => job.listed = Some(parts.clock.now()),
            Err(GivenUp::Cancelled) => run.interrupted = true,
            Err(GivenUp::Step(failure) | GivenUp::Item(failure)) => {
                // Who failed may be the ledger. The time that the run took is not worth another error.
                if let Ok(true) = parts.ledger.claim(holder, LEASE_SECONDS).await {
                    let _ = parts.ledger.keep_job(&job).await;
                }
                return Err(RunError::Ended { failure, counts: Box::new(run.counts) });
            }
        }
        // Whoever took the job over may have removed it since.
        match copier.calls.steady.need("ledger claim", || parts.ledger.claim(holder, LEASE_SECONDS)).await {
            Ok(true) => {}
            Ok(false) => return Err(RunError::Lost(spec.name.clone())),
            Err(GivenUp::Cancelled) => return Ok(run),
            Err(GivenUp::Step(failure) | GivenUp::Item(failure)) => {
                return Err(RunError::Ended { failure, counts: Box::new(run.counts) });
            }
        }
        match copier.calls.steady.need("ledger keep_job", || parts.ledger.keep_job(&job)).await {
            Ok(()) | Err(GivenUp::Cancelled) => Ok(run),
            Err(GivenUp::Step(failure) | GivenUp::Item(failure)) => {
                Err(RunError::Ended { failure, counts: Box::new(run.counts) })
            }
        }
    })
    .await
}

/// The job, begun if it is new.
///
/// # Errors
/// It moves something else, or is being removed; or a failure.
pub async fn open<S, D, L: Ledger, C: Clock, T>(
    parts: Migration<'_, S, D, L, C, T>,
    spec: &JobSpec,
) -> Result<Job, RunError> {
    let job = parts.ledger.job().await?;
    if is_being_removed(parts.ledger, job.as_ref()).await? {
        return Err(RunError::Removing(spec.name.clone()));
    }
    if let Some(job) = job {
        for (member, kept, given) in [
            ("the source", job.from.as_str(), spec.from.as_str()),
            ("the destination", job.to.as_str(), spec.to.as_str()),
            ("the tenant", job.tenant.as_str(), spec.tenant.as_str()),
            (
                "proofs of",
                origin(job.keep_tenants, job.from_tenant.as_ref()),
                origin(spec.keep_tenants, spec.from_tenant.as_ref()),
            ),
        ] {
            if kept != given {
                let (kept, given) = (kept.to_owned(), given.to_owned());
                return Err(RunError::Differs { name: spec.name.clone(), member, kept, given });
            }
        }
        return Ok(job);
    }
    let job = Job {
        version: LEDGER_VERSION,
        name: spec.name.clone(),
        from: spec.from.clone(),
        to: spec.to.clone(),
        tenant: spec.tenant.clone(),
        keep_tenants: spec.keep_tenants,
        from_tenant: spec.from_tenant.clone(),
        created: parts.clock.now(),
        listed: None,
        elapsed_ms: 0,
        queued: false,
        left_behind: None,
        removing: false,
    };
    parts.ledger.keep_job(&job).await?;
    Ok(job)
}

/// The proofs of a CredLink that a job takes, in a word.
fn origin(keep_tenants: bool, from_tenant: Option<&Tenant>) -> &str {
    match from_tenant {
        _ if keep_tenants => "every tenant, for themselves",
        Some(tenant) => tenant.as_str(),
        None => "its tenant",
    }
}

/// The job, which has to have been begun.
///
/// # Errors
/// It was not, or is being removed; or a failure.
pub async fn known<S, D, L: Ledger, C, T>(
    parts: Migration<'_, S, D, L, C, T>,
    name: &JobName,
) -> Result<Job, RunError> {
    let job = parts.ledger.job().await?.ok_or_else(|| RunError::Unknown(name.clone()))?;
    if job.removing { Err(RunError::Removing(name.clone())) } else { Ok(job) }
}

/// Does `work` while `holder` has the job, and lets it go at the end.
///
/// # Errors
/// Another one has it, or got it because this one could not say in time that it lives; or what `work` answers.
pub async fn hold<S, D, L: Ledger, C, T: Sleep, R>(
    parts: Migration<'_, S, D, L, C, T>,
    name: &JobName,
    holder: &str,
    work: impl Future<Output = Result<R, RunError>>,
) -> Result<R, RunError> {
    if !parts.ledger.claim(holder, LEASE_SECONDS).await? {
        return Err(RunError::Held(name.clone()));
    }
    let keep = async {
        loop {
            parts.sleep.sleep(Duration::from_secs(LEASE_SECONDS / 4)).await;
            // A ledger that is out of reach is asked again: whoever writes to it meanwhile loses against its versions.
            if let Ok(false) = parts.ledger.claim(holder, LEASE_SECONDS).await {
                break;
            }
        }
    };
    let outcome = match select(pin!(work), pin!(keep)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => return Err(RunError::Lost(name.clone())),
    };
    // If this fails, the claim ends by itself.
    let _ = parts.ledger.release(holder).await;
    outcome
}

/// A walk through the source.
struct Walk<'b, 'a, S, D, L, C, T, W> {
    copier: &'b Copier<'a, S, D, L, C, T, W>,
    counts: Counts,
    /// Items that wait.
    waiting: VecDeque<Item>,
    /// Keys that wait or are in flight: a source may repeat them.
    under_way: BTreeSet<String>,
    after: Option<String>,
    listed: bool,
    /// Batches in flight of items that others may follow.
    leading: usize,
}

impl<'b, 'a, S: Source, D: Destination, L: Ledger, C: Clock, T: Sleep, W: Watch>
    Walk<'b, 'a, S, D, L, C, T, W>
{
    const fn new(copier: &'b Copier<'a, S, D, L, C, T, W>) -> Self {
        Self {
            copier,
            counts: Counts {
                listed: 0,
                copied: 0,
                duplicates: 0,
                done: 0,
                failed: std::collections::BTreeMap::new(),
                skipped: std::collections::BTreeMap::new(),
                deleted: 0,
                bytes: 0,
            },
            waiting: VecDeque::new(),
            under_way: BTreeSet::new(),
            after: None,
            listed: false,
            leading: 0,
        }
    }

    async fn run(&mut self) -> Result<(), GivenUp> {
        let (copier, size) = (self.copier, self.copier.batch_size());
        let concurrency = copier.options.concurrency.max(1);
        let batches = concurrency.min(MAX_BATCHES);
        let each = concurrency / batches;
        let (mut flying, mut copying, mut listing) = (FuturesUnordered::new(), 0, false);
        let mut end = Ok(());
        loop {
            if end.is_ok() && copier.calls.watch.is_cancelled() {
                end = Err(GivenUp::Cancelled);
            }
            // The next page comes while batches of the last one are copied.
            if end.is_ok() && !listing && !self.listed && self.waiting.len() < size * batches {
                listing = true;
                let after = self.after.take();
                flying.push(Either::Left(
                    async move { Event::Listed(copier.calls.page(after.as_deref()).await) },
                ));
            }
            while end.is_ok() && copying < batches && (self.listed || self.waiting.len() >= size) {
                let batch = self.next_batch(size);
                if batch.is_empty() {
                    break;
                }
                copying += 1;
                let leads = batch.first().is_none_or(|item| !self.follows(item));
                self.leading += usize::from(leads);
                flying.push(Either::Right(async move {
                    let keys = batch.iter().map(|item| item.key.clone()).collect();
                    let (counts, end) = copier.copy(batch, each).await;
                    Event::Copied { keys, counts, end, leads }
                }));
            }
            let outcome = match flying.next().await {
                None => return end,
                Some(Event::Listed(page)) => {
                    listing = false;
                    page.map(|page| self.take(page))
                }
                Some(Event::Copied { keys, counts, end: outcome, leads }) => {
                    copying -= 1;
                    self.leading -= usize::from(leads);
                    for key in keys {
                        self.under_way.remove(&key);
                    }
                    self.counts.add(&counts);
                    copier.calls.watch.progress(&self.counts);
                    outcome
                }
            };
            match outcome {
                Ok(()) => {}
                // What is in flight is finished first.
                Err(GivenUp::Cancelled) => end = end.and(Err(GivenUp::Cancelled)),
                // It cannot be.
                Err(given_up) => return Err(given_up),
            }
        }
    }

    /// Takes a page's items in.
    fn take(&mut self, page: Page<Item>) {
        self.listed = page.next.is_none();
        self.after = page.next;
        for item in page.items {
            if self.under_way.insert(item.key.clone()) {
                self.counts.listed += 1;
                self.waiting.push_back(item);
            }
        }
    }

    fn follows(&self, item: &Item) -> bool {
        self.copier.calls.parts.source.follows(item)
    }

    /// The next items, none where none waits, or where those in flight come before them. Items that follow others make
    /// batches of their own.
    fn next_batch(&mut self, size: usize) -> Vec<Item> {
        let follow = self.waiting.front().is_some_and(|item| self.follows(item));
        if follow && self.leading > 0 {
            return Vec::new();
        }
        let (mut batch, mut bytes) = (Vec::with_capacity(size), 0_u64);
        while batch.len() < size
            && let Some(item) = self.waiting.front()
        {
            if self.follows(item) != follow {
                break;
            }
            bytes = bytes.saturating_add(item.size);
            if bytes > MAX_BATCH_BYTES && !batch.is_empty() {
                break;
            }
            batch.extend(self.waiting.pop_front());
        }
        batch
    }
}

/// What happens in a walk.
enum Event {
    /// A page came.
    Listed(Result<Page<Item>, GivenUp>),
    /// A batch is done.
    Copied {
        keys: Vec<String>,
        /// What became of it.
        counts: Counts,
        end: Result<(), GivenUp>,
        /// Whether others may follow its items.
        leads: bool,
    },
}

#[cfg(test)]
mod tests;
