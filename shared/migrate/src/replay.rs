//! A walk through the ledger, entry by entry, as cleanup and rollback make it.

#[cfg(test)]
mod tests;

use credlink_ports::migration::MigrationPorts;
use credlink_ports::migration::ledger::{Entry, Order};
use futures_util::stream::{self, StreamExt as _};

use crate::progress::{Counts, Watch};
use crate::retry_policy::GivenUp;
use crate::retrying_ports::RetryingPorts;

/// Runs `each` on every entry of the ledger, `concurrency` of them at a time, and passes the results to `note`, which
/// returns the number of items deleted so far. An entry that is given up ends the walk after its page.
pub(super) async fn replay<M, W, F, R>(
    ports: &RetryingPorts<'_, M, W>,
    order: Order,
    concurrency: usize,
    each: impl Fn(Entry) -> F,
    mut note: impl FnMut(R) -> u64,
) -> Result<(), GivenUp>
where
    M: MigrationPorts,
    W: Watch,
    F: Future<Output = Result<R, GivenUp>>,
{
    let (mut after, mut counts) = (None, Counts::default());
    loop {
        let page = ports.listed(order, after.as_deref()).await?;
        counts.listed += page.items.len() as u64;
        let work: Vec<_> = page.items.into_iter().map(&each).collect();
        let done: Vec<_> = stream::iter(work).buffer_unordered(concurrency.max(1)).collect().await;
        let mut end = Ok(());
        for done in done {
            match done {
                Ok(done) => counts.deleted = note(done),
                Err(given_up) => end = Err(given_up),
            }
        }
        ports.watch.progress(&counts);
        end?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
        if ports.watch.is_cancelled() {
            return Err(GivenUp::Cancelled);
        }
    }
}
