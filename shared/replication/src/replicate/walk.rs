//! A walk over everything that a provider holds, which queues its repair on the other one.

use credlink_core::bounds::MAX_MESSAGE_KEYS;
use credlink_core::message::{Message, Work};
use credlink_core::object::ObjectKey;
use credlink_core::replica::Replica;
use credlink_ports::{Failure, Objects, Queue};
use serde::Serialize;

use super::is_in_quarantine;

/// The number of objects in one page of a walk.
const PAGE: usize = 1_000;

/// The progress of a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Walked {
    /// Objects that were queued.
    pub queued: u64,
    /// Objects that are not CredLink's and were skipped.
    pub foreign: u64,
    /// The position at which to continue, or `None` if everything is queued.
    pub resume: Option<String>,
}

/// Queues a repair on the provider `to` of every object that `from` holds, except for bytes in quarantine, page by page
/// after the position `after`, until it is done or `go_on` returns `false`. For a new provider, and for one that was
/// restored by hand.
///
/// # Errors
/// The listing or the queue failed. Everything queued so far stays queued; the walk can be repeated.
pub async fn walk(
    from: &impl Objects,
    to: Replica,
    queue: &impl Queue,
    request_id: &str,
    after: Option<String>,
    go_on: impl Fn() -> bool,
) -> Result<Walked, Failure> {
    let mut walked = Walked { resume: after, ..Walked::default() };
    loop {
        let page = from.list("", walked.resume.as_deref(), PAGE).await?;
        let mut keys: Vec<ObjectKey> = page.items.iter().filter_map(|item| item.key.parse().ok()).collect();
        walked.foreign += (page.items.len() - keys.len()) as u64;
        keys.retain(|key| !is_in_quarantine(key));
        for keys in keys.chunks(MAX_MESSAGE_KEYS) {
            let work = Work::Replicate { to, keys: keys.to_vec(), mark: None };
            queue.send(&Message { request_id: request_id.to_owned(), work }, 0).await?;
            walked.queued += keys.len() as u64;
        }
        walked.resume = page.next;
        if walked.resume.is_none() || !go_on() {
            return Ok(walked);
        }
    }
}
