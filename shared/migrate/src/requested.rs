//! Has requested proofs migrated by messages, in a process that does not live long enough to import them itself. A
//! message names the item of one proof, under a job in a ledger that all processes share.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use credlink_core::message::{Message, Work};
use credlink_core::proof_id::ProofId;
use credlink_core::time::Timestamp;
use credlink_ports::migration::jobs::{AllowedRequest, BeginOutcome};
use credlink_ports::migration::{Ledger, Sleep};
use credlink_ports::request::{current_request_id, within_request};
use credlink_ports::{Clock, Failure, Queue};

use crate::jobs::ensure;

/// Time for which a process sends no second message for a proof, in milliseconds.
const AGAIN_MILLISECONDS: i64 = 300_000;
/// Time for which a process assumes that its job exists, in seconds.
const JOB_SECONDS: u64 = 60;
/// Maximum number of proofs that a process remembers. A proof that does not fit waits until it is requested again.
const MAX_BEGUN: usize = 10_000;
/// Number of attempts at a message. A serverless function is frozen between events, and a call that was in progress
/// then fails.
const ATTEMPTS: usize = 3;
/// The wait between two attempts.
const WAIT: Duration = Duration::from_millis(500);

/// The messages of one process.
#[derive(Debug)]
pub struct Messages {
    /// The job, as the ledger must have it.
    request: AllowedRequest,
    to: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The instant at which each proof was begun.
    begun: BTreeMap<ProofId, Timestamp>,
    waiting: VecDeque<Waiting>,
    is_sending: bool,
    job: KnownJob,
}

#[derive(Debug)]
struct Waiting {
    proof: ProofId,
    item: String,
    request_id: String,
}

/// This process's knowledge of the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum KnownJob {
    #[default]
    Nothing,
    /// The job was in the ledger at this instant. An operator may remove it, and a message of a removed job does
    /// nothing.
    There(Timestamp),
    /// The job of this name has another specification.
    Differs,
}

impl Messages {
    /// Creates messages under the job that `request` describes, whose destination is `to`.
    pub fn new(request: AllowedRequest, to: String) -> Self {
        Self { request, to, state: Mutex::default() }
    }

    /// Has a proof migrated by the next [`Self::send`], unless it was begun recently. Returns `true` if no `send` is
    /// running and the caller must start one.
    #[must_use]
    pub fn begin<C: Clock>(&self, proof: ProofId, item: &str, clock: &C) -> bool {
        let now = clock.now();
        let is_fresh =
            |begun: &Timestamp| now.milliseconds().saturating_sub(begun.milliseconds()) < AGAIN_MILLISECONDS;
        let mut state = self.state();
        if state.job == KnownJob::Differs || state.begun.get(&proof).is_some_and(is_fresh) {
            return false;
        }
        if state.begun.len() >= MAX_BEGUN {
            state.begun.retain(|_, begun| is_fresh(begun));
        }
        if state.begun.len() >= MAX_BEGUN {
            return false;
        }
        state.begun.insert(proof, now);
        let request_id = current_request_id().map_or_else(|| clock.request_id(), |id| id.to_string());
        state.waiting.push_back(Waiting { proof, item: item.to_owned(), request_id });
        !std::mem::replace(&mut state.is_sending, true)
    }

    /// Sends the waiting messages, and returns their number. A message that could not be sent is logged, and begun
    /// again by the next request.
    pub async fn send<L: Ledger, Q: Queue, C: Clock + Sleep>(&self, ledger: &L, queue: &Q, clock: &C) -> u64 {
        let mut sent = 0;
        while let Some(waiting) = self.next() {
            let id = waiting.request_id.as_str().into();
            if within_request(id, self.send_one(&waiting, ledger, queue, clock)).await {
                sent += 1;
            }
        }
        sent
    }

    /// Returns the proof that has waited longest. If there is none, the current `send` ends.
    fn next(&self) -> Option<Waiting> {
        let mut state = self.state();
        let next = state.waiting.pop_front();
        state.is_sending = next.is_some();
        next
    }

    async fn send_one<L: Ledger, Q: Queue, C: Clock + Sleep>(
        &self,
        waiting: &Waiting,
        ledger: &L,
        queue: &Q,
        clock: &C,
    ) -> bool {
        let mut why = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                clock.sleep(WAIT).await;
            }
            match self.attempt(waiting, ledger, queue, clock).await {
                Ok(None) => return true,
                Ok(Some(BeginOutcome::Differs(job))) => {
                    let mut state = self.state();
                    state.job = KnownJob::Differs;
                    state.waiting.clear();
                    drop(state);
                    tracing::warn!(
                        job = %job.name, from = job.from, to = job.to, tenant = %job.tenant,
                        "this job does not move the legacy source, so reads migrate nothing; name another job"
                    );
                    return false;
                }
                Ok(Some(BeginOutcome::Removing)) => "the job is being removed".clone_into(&mut why),
                Ok(Some(BeginOutcome::Held | BeginOutcome::Queued(_))) => {
                    "another run has the job".clone_into(&mut why);
                }
                Err(failure) => why = failure.to_string(),
            }
        }
        let mut state = self.state();
        let rest: Vec<ProofId> = state.waiting.drain(..).map(|waiting| waiting.proof).collect();
        for proof in rest.iter().chain([&waiting.proof]) {
            state.begun.remove(proof);
        }
        drop(state);
        let proofs = rest.len() + 1;
        tracing::warn!(
            proofs,
            reason = why,
            "legacy records that were read could not be queued for migration; later reads try again"
        );
        false
    }

    /// Tries to send a message. Returns `None`, or the reason why the job does not accept it.
    async fn attempt<L: Ledger, Q: Queue, C: Clock>(
        &self,
        waiting: &Waiting,
        ledger: &L,
        queue: &Q,
        clock: &C,
    ) -> Result<Option<BeginOutcome>, Failure> {
        let now = clock.now();
        let is_there = matches!(self.state().job, KnownJob::There(at) if now < at.plus_seconds(JOB_SECONDS));
        if !is_there {
            match ensure(ledger, clock, &self.request, &self.to).await? {
                BeginOutcome::Queued(_) => self.state().job = KnownJob::There(now),
                other => return Ok(Some(other)),
            }
        }
        let work = Work::Migrate { job: self.request.name.clone(), keys: vec![waiting.item.clone()] };
        queue.send(&Message { request_id: waiting.request_id.clone(), work }, 0).await?;
        Ok(None)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
