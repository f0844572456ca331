//! Sends a job's items to a queue, for workers that copy them elsewhere.
//!
//! Each page of the source is written to the ledger before it is sent, so every item that a message names is in the
//! ledger. Listing again sends only items that are not done, and a worker that receives an item twice finds that out in
//! the ledger.

use std::collections::BTreeSet;

use credlink_core::bounds::{MAX_ITEM_KEY_BYTES, MAX_MESSAGE_BYTES, MAX_MESSAGE_ITEMS};
use credlink_core::job_name::JobName;
use credlink_core::message::{Message, Work};
use credlink_ports::migration::ledger::{Entry, ItemState, Job};
use credlink_ports::migration::{Item, Ledger, Source};
use credlink_ports::{Clock, Failure, Queue};
use futures_util::stream::{StreamExt as _, TryStreamExt as _, iter};
use serde::Serialize;

use crate::copy::is_done;

/// Number of items in a page of a source.
const PAGE: usize = 1_000;

/// Number of messages that are sent concurrently.
const AT_ONCE: usize = 8;

/// Size of a message apart from its keys, in bytes: the name of a job, a fully escaped request ID, and the names of the
/// members.
const ENVELOPE_BYTES: usize = 1_024;

/// Options for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnqueueOptions<'a> {
    /// The name of the job.
    pub job: &'a JobName,
    /// Number of items in one message, at most [`MAX_MESSAGE_ITEMS`].
    pub batch_size: usize,
    /// The ID of the request that causes the messages, for the logs.
    pub request_id: &'a str,
}

/// The result of listing and sending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Enqueued {
    /// Items that the source listed.
    pub listed: u64,
    /// Listed items that an earlier run completed and that have not changed since.
    pub done: u64,
    /// Items that were sent.
    pub sent: u64,
    /// Messages that were sent.
    pub messages: u64,
    /// A description of what cannot be read from the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<&'static str>,
    /// The cursor from which to continue, or `None` if the source was listed to its end.
    pub resume: Option<String>,
}

/// Lists the source after `after`, and sends the items that are to be copied, page by page, until the end or until
/// `go_on` returns `false`.
///
/// # Errors
/// Fails if the source, the ledger or the queue does. Messages that were sent stay sent; list again from the last
/// [`Enqueued::resume`].
pub async fn enqueue<S: Source, L: Ledger, Q: Queue, C: Clock>(
    source: &S,
    ledger: &L,
    queue: &Q,
    clock: &C,
    options: EnqueueOptions<'_>,
    after: Option<String>,
    mut go_on: impl FnMut(&Enqueued) -> bool,
) -> Result<Enqueued, Failure> {
    let mut enqueued = Enqueued { resume: after, ..Enqueued::default() };
    loop {
        let page = source.list(enqueued.resume.as_deref(), PAGE).await?;
        let mut seen = BTreeSet::new();
        let items: Vec<Item> = page.items.into_iter().filter(|item| seen.insert(item.key.clone())).collect();
        enqueued.listed += items.len() as u64;
        enqueued.left_behind = source.left_behind();
        let keys = plan(ledger, clock, items, &mut enqueued.done).await?;
        let sends = batches(keys, options.batch_size).into_iter().map(|keys| {
            let sent = keys.len() as u64;
            let work = Work::Migrate { job: options.job.clone(), keys };
            let message = Message { request_id: options.request_id.to_owned(), work };
            async move { queue.send(&message, 0).await.map(|()| sent) }
        });
        let sent: Vec<u64> = iter(sends).buffer_unordered(AT_ONCE).try_collect().await?;
        enqueued.sent += sent.iter().sum::<u64>();
        enqueued.messages += sent.len() as u64;
        enqueued.resume = page.next;
        if enqueued.resume.is_none() || !go_on(&enqueued) {
            return Ok(enqueued);
        }
    }
}

/// Records in the job that its source was listed to the end and its items were sent. If the claim was lost and the job
/// removed meanwhile, it stays removed.
///
/// # Errors
/// Fails if the ledger does.
pub async fn close<L: Ledger, C: Clock>(ledger: &L, clock: &C, enqueued: &Enqueued) -> Result<(), Failure> {
    let Some(job) = ledger.job().await?.filter(|job| !job.removing) else { return Ok(()) };
    let listed = Some(clock.now());
    let left_behind = enqueued.left_behind.map(str::to_owned).or(job.left_behind);
    ledger.keep_job(&Job { listed, queued: true, left_behind, ..job }).await
}

/// Writes an entry for each item that has none, and returns the keys of the items that are to be copied.
async fn plan<L: Ledger, C: Clock>(
    ledger: &L,
    clock: &C,
    items: Vec<Item>,
    done: &mut u64,
) -> Result<Vec<String>, Failure> {
    let (items, odd): (Vec<Item>, Vec<Item>) =
        items.into_iter().partition(|item| (1..=MAX_ITEM_KEY_BYTES).contains(&item.key.len()));
    for item in odd {
        tracing::error!(
            key = item.key,
            "the source lists a key that is empty or too long: the key is skipped"
        );
    }
    let keys: Vec<String> = items.iter().map(|item| item.key.clone()).collect();
    let entries = ledger.entries(&keys).await?;
    let now = clock.now();
    let (mut planned, mut wanted) = (Vec::new(), Vec::with_capacity(items.len()));
    for (item, entry) in items.into_iter().zip(entries) {
        match entry {
            Some(entry) if is_done(&entry, &item) => {
                *done += 1;
                continue;
            }
            // The next copy depends on the existing entry, so it is kept.
            Some(_) => {}
            None => planned.push(Entry {
                key: item.key.clone(),
                item: item.version,
                size: item.size,
                version: 1,
                updated: now,
                begun: None,
                withdrawing: None,
                state: ItemState::Planned,
            }),
        }
        wanted.push(item.key);
    }
    // A concurrent writer of the same entry has seen the item as well.
    ledger.write(&planned).await?;
    Ok(wanted)
}

/// Splits the keys into batches that each fit into a message.
fn batches(keys: Vec<String>, most: usize) -> Vec<Vec<String>> {
    let most = most.clamp(1, MAX_MESSAGE_ITEMS);
    let (mut batches, mut batch, mut bytes) = (Vec::new(), Vec::new(), ENVELOPE_BYTES);
    for key in keys {
        let more = serde_json::to_string(&key).map_or(MAX_MESSAGE_BYTES, |text| text.len() + 1);
        if !batch.is_empty() && (batch.len() >= most || bytes + more > MAX_MESSAGE_BYTES) {
            batches.push(std::mem::take(&mut batch));
            bytes = ENVELOPE_BYTES;
        }
        bytes += more;
        batch.push(key);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

#[cfg(test)]
mod tests {
    use credlink_core::bounds::MAX_REQUEST_ID_BYTES;

    use super::*;

    #[test]
    fn every_lot_fits_a_message() {
        let job: JobName = "x".repeat(64).parse().unwrap();
        let lots = |key: &str, count: usize, most| {
            let keys: Vec<String> = (0..count).map(|number| format!("{key}{number:04}")).collect();
            let lots = batches(keys.clone(), most);
            assert_eq!(lots.concat(), keys, "in their order, none lost and none twice");
            for keys in &lots {
                let work = Work::Migrate { job: job.clone(), keys: keys.clone() };
                let message = Message { request_id: "\u{1}".repeat(MAX_REQUEST_ID_BYTES), work };
                assert_eq!(message.to_string().parse(), Ok(message));
            }
            lots.len()
        };
        assert_eq!(lots("a", 0, 100), 0);
        assert_eq!(lots("a", 1, 100), 1);
        assert_eq!(lots("a", 250, 100), 3);
        assert_eq!(lots("a", 250, 1), 250);
        assert_eq!(lots("a", 250, 1_000), 3, "no message names more than it may");
        assert_eq!(lots("a", 3, 0), 3);
        assert_eq!(lots(&"k".repeat(1_020), 100, 100), 2);
        assert_eq!(lots(&"\u{1}".repeat(1_020), 100, 100), 10, "escaped, a key takes six times the room");
    }
}
