//! Stores that were cut off between an object and its row, found by the intents that they noted before
//! ([`Index::intend`]).

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
use super::walk::{Walk, WalkedObject};
use super::{CONCURRENCY, Done, Limits, Report};
use crate::error::Error;
use crate::reconcile::hold::follow_hold;
use crate::reconcile::{Reconciled, reconcile};
use crate::service::Service;
use crate::visibility::bring_up;

/// Intents of one page, which bounds the time between two checks of the clock.
const PAGE: usize = 400;

/// Age, in seconds, below which an intent is examined once more: its object may not be written yet, and the clock that
/// dated it may be behind. The calls of a store end within a minute, and a clock that is 5 minutes behind may change
/// nothing.
const UNDER_WAY_SECONDS: u64 = 300 + MAX_CLOCK_LAG_SECONDS;

/// Most orphans of unfinished stores that a run removes. Further ones are left to the next runs and to a walk.
const MAX_ORPHANS: u64 = 10;

/// The period, in milliseconds (5 minutes), within which remaining work is noted only once.
const NOTED_AGAIN_MILLISECONDS: i64 = 300_000;

/// Examines the intents since the last run, makes rows follow objects that were written without a row, and removes
/// objects that cannot be adopted. The report says where the next run begins. If a walk follows, this leaves it half of
/// the remaining time.
///
/// # Errors
/// A listing failed.
pub(super) async fn run<P: Ports>(
    service: &Service<P>,
    limits: Limits,
    report: &mut Report,
) -> Result<(), Failure> {
    // In this case the index is on the same machine and keeps no intents; reads find such records.
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
    // A time in the future comes from a wrong clock, and says nothing.
    let is_known = |from: &Timestamp| *from <= began.plus_seconds(MAX_CLOCK_LAG_SECONDS);
    let from = limits.intents_from.filter(is_known);
    let from = from.map_or(Timestamp::from_milliseconds(0), |from| from.min(old));
    let (mut after, mut last): (Option<String>, Option<Timestamp>) = (None, None);
    let (mut position, mut are_all_kept) = (Position::at(began), true);
    // Work that is noted again within this period is a single intent.
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
                Ok(WalkedObject::Done(done)) => (Ok(done), false),
                // In sequence, because removals are counted. The orphan may not be removed now, or was overtaken.
                Ok(WalkedObject::Orphan) if position.removed >= MAX_ORPHANS => (Ok(Done::Nothing), true),
                Ok(WalkedObject::Orphan) => {
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
                // The intent is noted once more, so that the next runs come across it even though they continue after
                // it.
                let noted = service.ports.index().intend(&key, again).await;
                are_all_kept &= noted.is_ok();
            }
            // Nearly all stores are complete, and are not counted.
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

/// Returns `true` if another run may have a different outcome. A damaged object stays damaged.
fn is_open(error: &Error) -> bool {
    match error {
        Error::Failure(failure) => failure.kind != FailureKind::Damaged,
        Error::Problem(_) => true,
    }
}

/// Makes the row of an object follow, if the object was written as intended.
async fn follow<P: Ports>(service: &Service<P>, key: &ObjectKey) -> Result<WalkedObject, Error> {
    let followed = match key {
        ObjectKey::Record(id) => follow_record(service, id).await?,
        ObjectKey::Hold(manifest, generation) => match service.manifest_row(manifest).await? {
            // The row is due by itself.
            Some(ManifestRow { state: State::Deleting(_), .. }) => Reconciled::Right,
            // The object was not written, or has been removed since.
            _ if service.ports.objects().head(key).await?.is_none() => Reconciled::Right,
            _ => follow_hold(service, manifest, *generation).await?,
        },
        ObjectKey::Manifest(manifest) => finish_visibility(service, manifest).await?,
        ObjectKey::Revision(..)
        | ObjectKey::Front(_)
        | ObjectKey::Alias(_)
        | ObjectKey::Removed(..)
        | ObjectKey::Identity
        | ObjectKey::Media(_) => Reconciled::Right,
    };
    match followed {
        Reconciled::Changed => Ok(WalkedObject::Done(Done::Completed)),
        Reconciled::Right => Ok(WalkedObject::Done(Done::Nothing)),
        Reconciled::Orphan | Reconciled::Risen => Ok(WalkedObject::Orphan),
        Reconciled::Broken(why) => Err(service.damaged(key, &why).into()),
    }
}

/// Finishes a change of a manifest's visibility that was cut off.
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
        // The usual case: a live row has followed, and one that is not live is due by itself.
        Some(ProofRow { state: State::Live | State::Deleting(_), .. }) => Ok(Reconciled::Right),
        Some(_) | None => reconcile(service, id).await,
    }
}
