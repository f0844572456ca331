//! Stores that were cut off between an object and its row, found by what they noted before ([`Index::intend`]).

use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ProofRow, State};
use credlink_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::stream::iter;

use super::{CONCURRENCY, Done, Limits, Report};
use crate::error::Error;
use crate::holds::follow_hold;
use crate::ports::{Failure, FailureKind, Index as _, Intent, Ports};
use crate::reconcile::{Reconciled, reconcile};
use crate::service::Service;
use crate::store::take_up;

/// Intents of one page: the time between two looks at the clock.
const PAGE: usize = 400;

/// Longest time from an intent to its object, in seconds: the calls of a store end within a minute. Intents that were younger
/// when they were looked at are looked at once more.
const UNDER_WAY_SECONDS: u64 = 300;

/// Looks at what was intended since the last time, and lets rows follow what was written and has none. In the report it says
/// until when everything was looked at.
///
/// # Errors
/// A listing failed.
pub(super) async fn run<P: Ports>(
    service: &Service<P>,
    limits: Limits,
    report: &mut Report,
) -> Result<(), Failure> {
    // Where readers look at rows themselves, nothing is noted.
    if service.settings.notice_on_read {
        return Ok(());
    }
    let began = service.now();
    // An instant that is still to come is of a clock that was ahead, and says nothing.
    let since = limits.intents_since.filter(|since| *since <= began);
    let from = since.map_or(Timestamp::from_milliseconds(0), |since| since.minus_seconds(UNDER_WAY_SECONDS));
    let mut last: Option<Intent> = None;
    let mut is_open = false;
    loop {
        let page = service.ports.index().intents(from, last.as_ref(), PAGE).await?;
        let is_end = page.len() < PAGE;
        last = page.last().cloned().or(last);
        report.ask(service).await;
        let may_destroy = report.may_destroy();
        let keys = page.into_iter().filter_map(|intent| {
            // What is none of ours is none of our business.
            intent.key.parse::<ObjectKey>().ok()
        });
        let mut items = iter(keys)
            .map(|key| async move {
                let done = follow(service, &key, may_destroy).await;
                (key, done)
            })
            .buffer_unordered(CONCURRENCY);
        while let Some((key, done)) = items.next().await {
            // What is damaged stays so: it does not keep the next runs from going on behind it.
            is_open |= matches!(&done, Err(Error::Failure(failure)) if failure.kind != FailureKind::Damaged);
            // Of nearly all nothing is left to do: they are not counted.
            if !matches!(done, Ok(Done::Nothing)) {
                report.note(&key, done);
            }
        }
        drop(items);
        service.announce().await;
        let is_late = service.now() >= limits.deadline;
        if is_end || is_late {
            let until = if is_end { Some(began) } else { last.map(|intent| intent.at) };
            report.intents_until = until.filter(|_| !is_open);
            return Ok(());
        }
    }
}

/// Lets the row of an object follow that was to be written.
async fn follow<P: Ports>(service: &Service<P>, key: &ObjectKey, may_destroy: bool) -> Result<Done, Error> {
    match key {
        ObjectKey::Record(id) => follow_record(service, id, may_destroy).await,
        ObjectKey::Hold(id, generation) => Ok(match follow_hold(service, id, *generation).await? {
            Reconciled::Changed => Done::Completed,
            // A walk collects what nothing names.
            Reconciled::Right | Reconciled::Orphan | Reconciled::Risen | Reconciled::Broken(_) => {
                Done::Nothing
            }
        }),
        ObjectKey::Revision(..)
        | ObjectKey::Manifest(_)
        | ObjectKey::Alias(_)
        | ObjectKey::Removed(..)
        | ObjectKey::Identity => Ok(Done::Nothing),
    }
}

async fn follow_record<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    may_destroy: bool,
) -> Result<Done, Error> {
    let row = service.proof_row(id).await?;
    // Of nearly all stores: a row that is live has followed, and one that is not is due by itself.
    if let Some(ProofRow { state: State::Live | State::Deleting(_), .. }) = row {
        return Ok(Done::Nothing);
    }
    match reconcile(service, id).await? {
        Reconciled::Changed => Ok(Done::Completed),
        Reconciled::Orphan | Reconciled::Risen if may_destroy => {
            take_up(service, id, row.as_ref()).await?;
            Ok(Done::Removed(0))
        }
        Reconciled::Right | Reconciled::Orphan | Reconciled::Risen => Ok(Done::Nothing),
        Reconciled::Broken(why) => Err(service.damaged(&ObjectKey::Record(*id), &why).into()),
    }
}
