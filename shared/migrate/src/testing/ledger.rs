use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use credlink_core::time::Timestamp;
use credlink_ports::migration::Ledger;
use credlink_ports::migration::ledger::{Entry, ItemState, Job, Order};
use credlink_ports::{Clock as _, Failure, Page};

use super::{Faults, Time};
use crate::lease::LEASE_SECONDS;

/// A ledger in memory. It panics if a write forgets something that was done.
pub(crate) struct MemoryLedger {
    state: Mutex<State>,
    faults: Arc<Faults>,
    time: Time,
}

#[derive(Default)]
struct State {
    job: Option<Job>,
    holder: Option<(String, Timestamp)>,
    entries: BTreeMap<String, Entry>,
}

impl MemoryLedger {
    pub(super) fn new(faults: Arc<Faults>, time: Time) -> Self {
        Self { state: Mutex::default(), faults, time }
    }

    pub(crate) fn all(&self) -> Vec<Entry> {
        self.state.lock().unwrap().entries.values().cloned().collect()
    }

    pub(crate) fn one(&self, key: &str) -> Entry {
        self.state.lock().unwrap().entries[key].clone()
    }

    pub(crate) fn put(&self, entry: Entry) {
        self.state.lock().unwrap().entries.insert(entry.key.clone(), entry);
    }

    /// Ends the current claim of the job, and gives the job to `holder`.
    pub(crate) fn give_to(&self, holder: &str) {
        let until = self.time.now().plus_seconds(LEASE_SECONDS);
        self.state.lock().unwrap().holder = Some((holder.to_owned(), until));
    }
}

impl State {
    fn write(&mut self, entry: &Entry) -> bool {
        let current = self.entries.get(&entry.key);
        if current.map_or(0, |entry| entry.version) + 1 != entry.version {
            return false;
        }
        if let Some(current) = current {
            police(current, entry);
        }
        self.entries.insert(entry.key.clone(), entry.clone());
        true
    }
}

fn police(before: &Entry, after: &Entry) {
    let (one, two) = (before.state.copy(), after.state.copy());
    if let (Some(one), Some(two)) = (one, two)
        && one.target == two.target
        && one.objects.first().map(|object| object.content)
            == two.objects.first().map(|object| object.content)
    {
        assert!(two.created || !one.created, "{}: who made it is forgotten", after.key);
    }
    if before.item == after.item {
        let was = matches!(before.state, ItemState::Verified { .. } | ItemState::Deleted { .. });
        assert!(!was || !matches!(after.state, ItemState::Copied(_)), "{}: verified, forgotten", after.key);
    }
    if let Some(begun) = &before.begun {
        let rolled_back = matches!(after.state, ItemState::RolledBack { .. });
        let other = after.begun.as_ref().is_some_and(|after| after.target != begun.target);
        assert!(after.begun.is_some() != rolled_back || other, "{}: what was begun", after.key);
    }
    assert!(!matches!(before.state, ItemState::Deleted { .. }), "{}: it is gone", after.key);
}

impl Ledger for MemoryLedger {
    fn name(&self) -> &'static str {
        "ledger"
    }

    async fn job(&self) -> Result<Option<Job>, Failure> {
        self.faults.call("ledger job", "", || self.state.lock().unwrap().job.clone()).await
    }

    async fn keep_job(&self, job: &Job) -> Result<(), Failure> {
        self.faults.call("ledger keep", "", || self.state.lock().unwrap().job = Some(job.clone())).await
    }

    async fn claim(&self, holder: &str, seconds: u64) -> Result<bool, Failure> {
        self.faults
            .call("ledger claim", "", || {
                let mut state = self.state.lock().unwrap();
                let now = self.time.now();
                if state.holder.as_ref().is_some_and(|(other, until)| other != holder && *until > now) {
                    return false;
                }
                state.holder = Some((holder.to_owned(), now.plus_seconds(seconds)));
                true
            })
            .await
    }

    async fn release(&self, holder: &str) -> Result<(), Failure> {
        self.faults
            .call("ledger release", "", || {
                self.state.lock().unwrap().holder.take_if(|(other, _)| other == holder);
            })
            .await
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Option<Entry>>, Failure> {
        self.faults
            .call("ledger entries", "", || {
                let state = self.state.lock().unwrap();
                keys.iter().map(|key| state.entries.get(key).cloned()).collect()
            })
            .await
    }

    async fn write(&self, entries: &[Entry]) -> Result<Vec<bool>, Failure> {
        self.faults
            .call("ledger write", "", || {
                let mut state = self.state.lock().unwrap();
                entries.iter().map(|entry| state.write(entry)).collect()
            })
            .await
    }

    async fn list(&self, order: Order, after: Option<&str>, limit: usize) -> Result<Page<Entry>, Failure> {
        let limit = limit.min(2);
        self.faults
            .call("ledger list", "", || {
                let state = self.state.lock().unwrap();
                let mut items: Vec<Entry> = match order {
                    Order::Forward => state
                        .entries
                        .range::<str, _>((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded))
                        .map(|(_, entry)| entry.clone())
                        .collect(),
                    Order::Backward => state
                        .entries
                        .range::<str, _>((Bound::Unbounded, after.map_or(Bound::Unbounded, Bound::Excluded)))
                        .rev()
                        .map(|(_, entry)| entry.clone())
                        .collect(),
                };
                let more = items.len() > limit;
                items.truncate(limit);
                let next = items.last().filter(|_| more).map(|entry| entry.key.clone());
                Page { items, next }
            })
            .await
    }

    async fn remove_entries(&self, keys: &[String]) -> Result<(), Failure> {
        let remove = || {
            let mut state = self.state.lock().unwrap();
            state.entries.retain(|key, _| !keys.contains(key));
        };
        self.faults.call("ledger remove", "", remove).await
    }

    async fn remove_job(&self, holder: &str) -> Result<bool, Failure> {
        let remove = || {
            let mut state = self.state.lock().unwrap();
            assert!(state.entries.is_empty(), "entries of a job that is gone");
            let is_ours = state.holder.as_ref().is_some_and(|(name, _)| name == holder);
            if is_ours {
                (state.job, state.holder) = (None, None);
            }
            is_ours
        };
        self.faults.call("ledger forget", "", remove).await
    }
}
