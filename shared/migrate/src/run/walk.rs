//! The walk of a run through its source: a page is listed while batches of the one before it are copied.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use credlink_ports::Page;
use credlink_ports::migration::{Item, MigrationPorts, Source as _};
use futures_util::future::Either;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::copy::Copier;
use crate::progress::{Counts, Watch};
use crate::retry_policy::GivenUp;

/// Maximum number of batches in flight, so that some read or write while others wait for the ledger.
const MAX_BATCHES: usize = 4;

/// Maximum number of bytes of items in one batch, as the source reports them: a batch is held in memory.
const MAX_BATCH_BYTES: u64 = 16_000_000;

/// A walk through the source.
pub(super) struct Walk<'b, 'a, M: MigrationPorts, W> {
    copier: &'b Copier<'a, M, W>,
    pub(super) counts: Counts,
    /// Listed items that wait to be copied.
    waiting: VecDeque<Item>,
    /// Keys of items that wait or are in flight, since a source may repeat them.
    under_way: BTreeSet<String>,
    after: Option<String>,
    listed: bool,
    /// Number of batches in flight whose items must precede others.
    leading: usize,
}

impl<'b, 'a, M: MigrationPorts, W: Watch> Walk<'b, 'a, M, W> {
    pub(super) const fn new(copier: &'b Copier<'a, M, W>) -> Self {
        Self {
            copier,
            counts: Counts {
                listed: 0,
                copied: 0,
                duplicates: 0,
                done: 0,
                failed: BTreeMap::new(),
                skipped: BTreeMap::new(),
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

    pub(super) async fn run(&mut self) -> Result<(), GivenUp> {
        let (copier, size) = (self.copier, self.copier.batch_size());
        let concurrency = copier.options.concurrency.max(1);
        let batches = concurrency.min(MAX_BATCHES);
        let each = concurrency / batches;
        let (mut flying, mut copying, mut listing) = (FuturesUnordered::new(), 0, false);
        let mut end = Ok(());
        loop {
            if end.is_ok() && copier.ports.watch.is_cancelled() {
                end = Err(GivenUp::Cancelled);
            }
            // The next page is listed while batches of the last one are copied.
            if end.is_ok() && !listing && !self.listed && self.waiting.len() < size * batches {
                listing = true;
                let after = self.after.take();
                flying.push(Either::Left(
                    async move { Event::Listed(copier.ports.page(after.as_deref()).await) },
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
                    copier.ports.watch.progress(&self.counts);
                    outcome
                }
            };
            match outcome {
                Ok(()) => {}
                // Batches in flight are finished first.
                Err(GivenUp::Cancelled) => end = end.and(Err(GivenUp::Cancelled)),
                // Batches in flight cannot be finished.
                Err(given_up) => return Err(given_up),
            }
        }
    }

    /// Adds a page's items to the waiting ones.
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
        self.copier.ports.source().follows(item)
    }

    /// Returns the next items. There are none if no item waits, or if items in flight must come first. Items that must
    /// follow others are in batches of their own.
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

/// An event in a walk.
enum Event {
    /// A page was listed.
    Listed(Result<Page<Item>, GivenUp>),
    /// A batch was copied.
    Copied {
        keys: Vec<String>,
        /// The outcomes of its items.
        counts: Counts,
        end: Result<(), GivenUp>,
        /// `true` if its items must precede others.
        leads: bool,
    },
}
