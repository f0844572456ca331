//! Due work: replacements and deletions that were cut off, and proofs that expired some days ago.

use credlink_core::row::{ProofRow, Row, State};
use credlink_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::stream::iter;

use credlink_ports::{Failure, Index as _, Listing, Ports};

use super::{CONCURRENCY, Done, Limits, Report};
use crate::error::Error;
use crate::reconcile::{Reconciled, reconcile, settle};
use crate::removal::{bury, finish_manifest, finish_proof};
use crate::service::Service;

/// Rows of one page, which bounds the time between two checks of the clock.
const PAGE: usize = 200;

/// Handles due rows, page by page, for at most three quarters of the time, so that the rest of the run also makes
/// progress.
pub(super) async fn run<P: Ports>(
    service: &Service<P>,
    limits: Limits,
    report: &mut Report,
) -> Result<(), Failure> {
    let began = service.now();
    let left = limits.deadline.milliseconds().saturating_sub(began.milliseconds()).max(0);
    let until = Timestamp::from_milliseconds(began.milliseconds().saturating_add(left / 4 * 3));
    let listing = Listing::Due(began);
    let mut after: Option<String> = None;
    loop {
        let page = service.ports.index().list(&listing, after.as_deref(), PAGE).await?.unwrap_or_default();
        report.ask(service).await;
        let may_destroy = report.may_destroy();
        let mut items = iter(page.items)
            .map(|row| async move {
                let key = row.key();
                (key, finish(service, row, may_destroy).await)
            })
            .buffer_unordered(CONCURRENCY);
        while let Some((key, done)) = items.next().await {
            report.note(&key, done);
        }
        drop(items);
        // After every page, even after a failure, since completed work stays done.
        service.announce().await;
        after = page.next;
        if after.is_none() || service.now() >= until {
            return Ok(());
        }
    }
}

/// Destroys a proof that expired some days ago, or finishes a change that was cut off.
async fn finish<P: Ports>(service: &Service<P>, row: Row, may_destroy: bool) -> Result<Done, Error> {
    let bytes = row.totals().manifest_bytes;
    match row {
        Row::Manifest(row) if may_destroy => {
            finish_manifest(service, &row).await?;
            Ok(Done::Removed(row.length))
        }
        Row::Proof(row @ ProofRow { state: State::Deleting(_), .. }) if may_destroy => {
            finish_proof(service, &row).await?;
            Ok(Done::Removed(0))
        }
        Row::Proof(row) if row.replacing.is_some() => Ok(match settle(service, &row).await? {
            Reconciled::Changed => Done::Completed,
            Reconciled::Right | Reconciled::Orphan | Reconciled::Risen | Reconciled::Broken(_) => {
                Done::Nothing
            }
        }),
        Row::Proof(row) if may_destroy => expire(service, &row, bytes).await,
        Row::Proof(_)
        | Row::Manifest(_)
        | Row::Alias(_)
        | Row::LegacyItem(_)
        | Row::Replica(_)
        | Row::Store(_)
        | Row::File(_)
        | Row::Blob(_)
        | Row::List(_)
        | Row::Upload(_)
        | Row::Quota(_) => Ok(Done::Nothing),
    }
}

/// Destroys a proof that expired days ago. The record is read first: if it is ahead of its row, the proof may have been
/// extended.
async fn expire<P: Ports>(service: &Service<P>, row: &ProofRow, bytes: u64) -> Result<Done, Error> {
    match reconcile(service, &row.id).await? {
        Reconciled::Right => {}
        Reconciled::Changed => return Ok(Done::Completed),
        Reconciled::Orphan | Reconciled::Risen => return Ok(Done::Nothing),
        Reconciled::Broken(why) => {
            let key = credlink_core::object::ObjectKey::Record(row.id);
            return Err(service.damaged(&key, &why).into());
        }
    }
    let now = service.now();
    if Row::Proof(row.clone()).due().is_none_or(|due| due > now) {
        return Ok(Done::Nothing);
    }
    match bury(service, row, now).await? {
        None => Ok(Done::Nothing),
        Some(row) => {
            finish_proof(service, &row).await?;
            Ok(Done::Removed(bytes))
        }
    }
}
