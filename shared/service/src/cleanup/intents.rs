//! Stores that were cut off between an object and its row, found by what they noted before ([`Index::intend`]).

use credlink_core::bounds::MAX_CLOCK_LAG_SECONDS;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ManifestRow, ProofRow, State};
use credlink_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::stream::iter;

use credlink_ports::{Failure, FailureKind, Index as _, Objects as _, Ports};

use super::position::Position;
use super::walk::{Found, Walk};
use super::{CONCURRENCY, Done, Limits, Report};
use crate::error::Error;
use crate::holds::follow_hold;
use crate::reconcile::{Reconciled, reconcile};
use crate::service::Service;
use crate::visibility::bring_up;

/// Intents of one page: the time between two looks at the clock.
const PAGE: usize = 400;

/// Intents that are younger, in seconds, are looked at once more: what they announce may not be written yet, and the clock that
/// they are by may be behind. The calls of a store end within a minute; a clock that is 5 minutes behind may change nothing.
const UNDER_WAY_SECONDS: u64 = 300 + MAX_CLOCK_LAG_SECONDS;

/// Most orphans that a run removes, of stores that were just begun. Of others the next ones come by, and a walk.
const MAX_ORPHANS: u64 = 10;

/// Time within which what is left to do is noted once, in milliseconds: 5 minutes.
const NOTED_AGAIN_MILLISECONDS: i64 = 300_000;

/// Looks at what was intended since the last time, lets rows follow what was written and has none, and removes what cannot be
/// followed. In the report it says where the next run begins. Where a walk comes behind it, it leaves that half of the time that is left.
///
/// # Errors
/// A listing failed.
pub(super) async fn run<P: Ports>(
    service: &Service<P>,
    limits: Limits,
    report: &mut Report,
) -> Result<(), Failure> {
    // Then the index is on this machine, and keeps none: reads find such records.
    if service.settings.notice_on_read {
        return Ok(());
    }
    let began = service.now();
    let left = limits.deadline.milliseconds().saturating_sub(began.milliseconds()).max(0);
    let until = match limits.walk {
        true => Timestamp::from_milliseconds(began.milliseconds().saturating_add(left / 2)),
        false => limits.deadline,
    };
    let old = began.minus_seconds(UNDER_WAY_SECONDS);
    // An instant that is still to come is of a clock that was wrong, and says nothing.
    let is_known = |from: &Timestamp| *from <= began.plus_seconds(MAX_CLOCK_LAG_SECONDS);
    let from = limits.intents_from.filter(is_known);
    let from = from.map_or(Timestamp::from_milliseconds(0), |from| from.min(old));
    let (mut after, mut last): (Option<String>, Option<Timestamp>) = (None, None);
    let (mut position, mut are_all_kept) = (Position::at(began), true);
    // What is noted once more in these minutes is one intent.
    let since = began.milliseconds().rem_euclid(NOTED_AGAIN_MILLISECONDS);
    let again = Timestamp::from_milliseconds(began.milliseconds() - since);
    loop {
        let page = service.ports.index().intents(from, after.as_deref(), PAGE).await?;
        last = page.items.last().map(|intent| intent.at).or(last);
        report.ask(service).await;
        let walk = Walk { service, limits, began, may_destroy: report.may_destroy() };
        position.examined += page.items.len() as u64;
        let mut items = iter(page.items)
            .map(|intent| async move {
                let done = follow(service, &intent.key).await;
                (intent.key, done)
            })
            .buffer_unordered(CONCURRENCY);
        while let Some((key, found)) = items.next().await {
            let (done, is_open) = match found {
                Ok(Found::Done(done)) => (Ok(done), false),
                // One after the other: how many may go is counted. It may not go now, or it was overtaken.
                Ok(Found::Orphan) if position.removed >= MAX_ORPHANS => (Ok(Done::Nothing), true),
                Ok(Found::Orphan) => {
                    let done = walk.collect(&key, 0, &mut position, report).await;
                    let is_open = !matches!(done, Ok(Done::Removed(_)));
                    (done, is_open)
                }
                Err(error) => {
                    let is_open = is_open(&error);
                    (Err(error), is_open)
                }
            };
            if is_open {
                // It is noted once more, so that the next runs come by it, and go on behind it.
                let noted = service.ports.index().intend(&key, again).await;
                are_all_kept &= noted.is_ok();
            }
            // Of nearly all nothing is left to do: they are not counted.
            if !matches!(done, Ok(Done::Nothing)) {
                report.note(&key, done);
            }
        }
        drop(items);
        service.announce().await;
        after = page.next;
        if after.is_none() || service.now() >= until {
            let next = match after {
                None => Some(old),
                Some(_) => last.map(|last| last.min(old)),
            };
            report.intents_from = next.filter(|_| are_all_kept);
            return Ok(());
        }
    }
}

/// Returns `true` if another run may come to another end. What is damaged stays so.
fn is_open(error: &Error) -> bool {
    match error {
        Error::Failure(failure) => failure.kind != FailureKind::Damaged,
        Error::Problem(_) => true,
    }
}

/// Lets the row of an object follow that was to be written.
async fn follow<P: Ports>(service: &Service<P>, key: &ObjectKey) -> Result<Found, Error> {
    let followed = match key {
        ObjectKey::Record(id) => follow_record(service, id).await?,
        ObjectKey::Hold(manifest, generation) => match service.manifest_row(manifest).await? {
            // It is due by itself.
            Some(ManifestRow { state: State::Deleting(_), .. }) => Reconciled::Right,
            // It was not written, or dropped since.
            _ if service.ports.objects().head(key).await?.is_none() => Reconciled::Right,
            _ => follow_hold(service, manifest, *generation).await?,
        },
        ObjectKey::Manifest(manifest) => finish_visibility(service, manifest).await?,
        ObjectKey::Revision(..)
        | ObjectKey::Front(_)
        | ObjectKey::Alias(_)
        | ObjectKey::Removed(..)
        | ObjectKey::Identity => Reconciled::Right,
    };
    match followed {
        Reconciled::Changed => Ok(Found::Done(Done::Completed)),
        Reconciled::Right => Ok(Found::Done(Done::Nothing)),
        Reconciled::Orphan | Reconciled::Risen => Ok(Found::Orphan),
        Reconciled::Broken(why) => Err(service.damaged(key, &why).into()),
    }
}

/// Brings about a change of a manifest's visibility that was cut off.
async fn finish_visibility<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
) -> Result<Reconciled, Error> {
    let row = service.manifest_row(manifest).await?.filter(|row| row.state == State::Live);
    let Some(row) = row else { return Ok(Reconciled::Right) };
    let Some(facts) = service.manifest_facts(manifest).await? else { return Ok(Reconciled::Right) };
    if facts.generation >= row.generation || !service.trusts_index().await? {
        return Ok(Reconciled::Right);
    }
    Ok(if bring_up(service, &row).await? { Reconciled::Changed } else { Reconciled::Right })
}

async fn follow_record<P: Ports>(service: &Service<P>, id: &ProofId) -> Result<Reconciled, Error> {
    match service.proof_row(id).await? {
        // Of nearly all stores: a row that is live has followed, and one that is not is due by itself.
        Some(ProofRow { state: State::Live | State::Deleting(_), .. }) => Ok(Reconciled::Right),
        Some(_) | None => reconcile(service, id).await,
    }
}
