//! The walk over all objects: rows follow the objects, and objects that nothing names are removed.

use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ProofRow, State};
use credlink_core::rules::consistency::{ObjectVerdict, judge_manifest, judge_revision, orphan_is_due};
use credlink_core::rules::guard::{Doubt, Stopped};
use credlink_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::stream::iter;

use credlink_ports::{Failure, Listed, Objects as _, Ports};

use super::position::{Part, Position};
use super::{CONCURRENCY, Done, Limits, Report, removed};
use crate::aliases::agree::follow_alias;
use crate::error::Error;
use crate::front::Arrival;
use crate::reconcile::hold::follow_hold;
use crate::reconcile::{Reconciled, reconcile};
use crate::removal::kept::keep;
use crate::removal::undo::{undo_manifest, undo_record};
use crate::service::Service;
use crate::visibility::bring_up;

/// Objects of one page, which bounds the time between two checks of the clock.
const PAGE: usize = 400;

/// Walks from `position`, for at least one page and until the deadline has passed, and stores there where to continue,
/// or `None` at the end.
///
/// # Errors
/// A listing failed.
pub(super) async fn run<P: Ports>(
    service: &Service<P>,
    limits: Limits,
    position: &mut Option<Position>,
    report: &mut Report,
) -> Result<(), Failure> {
    while let Some(at) = position {
        report.ask(service).await;
        let after = at.after.as_deref();
        let page = service.ports.objects().list(at.part.prefix(), after, PAGE).await?;
        let is_over = examine_page(service, limits, page.items, at, report).await;
        service.announce().await;
        // All further removed objects are younger than the last one that was examined.
        let next = if is_over { None } else { page.next };
        *position = position.take().and_then(|at| at.behind(next));
        if service.now() >= limits.deadline {
            break;
        }
    }
    Ok(())
}

/// Processes one page of a walk. Returns `true` if the rest of the part need not be examined.
async fn examine_page<P: Ports>(
    service: &Service<P>,
    limits: Limits,
    items: Vec<Listed>,
    position: &mut Position,
    report: &mut Report,
) -> bool {
    let walk = Walk { service, limits, began: position.began, may_destroy: report.may_destroy() };
    let keyed = items.into_iter().filter_map(|listed| {
        // A foreign object is left alone.
        let key = listed.key.parse::<ObjectKey>().ok()?;
        Some((key, listed))
    });
    let items: Vec<_> = keyed.collect();
    let is_over = matches!(position.part, Part::Removed)
        && items.iter().any(|(key, _)| !removed::is_over(key, service.now()));
    position.examined += items.len() as u64;
    let (part, is_sound) = (position.part, position.is_sound);
    let mut found = iter(items)
        .map(|(key, listed)| async {
            let found = walk.examine(&key, &listed, part, is_sound).await;
            (key, listed, found)
        })
        .buffer_unordered(CONCURRENCY);
    while let Some((key, listed, found)) = found.next().await {
        let done = match found {
            Ok(WalkedObject::Done(done)) => Ok(done),
            // In sequence, because removals are counted.
            Ok(WalkedObject::Orphan) => walk.collect(&key, listed.size, position, report).await,
            Err(error) => {
                position.is_sound = false;
                Err(error)
            }
        };
        report.note(&key, done);
    }
    is_over
}

/// The outcome of examining one object.
pub(super) enum WalkedObject {
    Done(Done),
    /// Nothing names the object.
    Orphan,
}

pub(super) struct Walk<'a, P> {
    pub(super) service: &'a Service<P>,
    pub(super) limits: Limits,
    pub(super) began: Timestamp,
    pub(super) may_destroy: bool,
}

impl<P: Ports> Walk<'_, P> {
    /// Examines one object.
    async fn examine(
        &self,
        key: &ObjectKey,
        listed: &Listed,
        part: Part,
        is_sound: bool,
    ) -> Result<WalkedObject, Error> {
        let service = self.service;
        if part == Part::Removed {
            return self.purge(key, listed).await;
        }
        let is_old = self.limits.any_age || orphan_is_due(listed.modified, service.now());
        if let (ObjectKey::Manifest(manifest), false) = (key, is_old) {
            return self.bring_up(key, manifest).await;
        }
        if !is_old {
            return Ok(WalkedObject::Done(Done::Nothing));
        }
        match key {
            ObjectKey::Record(id) => match reconcile(service, id).await? {
                Reconciled::Right => Ok(WalkedObject::Done(Done::Nothing)),
                Reconciled::Changed => Ok(WalkedObject::Done(Done::Completed)),
                Reconciled::Orphan | Reconciled::Risen => Ok(WalkedObject::Orphan),
                Reconciled::Broken(why) => Err(service.damaged(key, &why).into()),
            },
            ObjectKey::Revision(id, revision) => Ok(match self.is_orphan(id, *revision).await? {
                true => WalkedObject::Orphan,
                false => WalkedObject::Done(Done::Nothing),
            }),
            ObjectKey::Manifest(manifest) => self.examine_manifest(key, manifest, listed, is_sound).await,
            // Whether the row or the object is right is known only if the index and the store belong together.
            ObjectKey::Alias(_) if !self.may_destroy => Ok(WalkedObject::Done(Done::Nothing)),
            ObjectKey::Alias(id) => Ok(match follow_alias(service, id, true).await? {
                true => WalkedObject::Done(Done::Completed),
                false => WalkedObject::Done(Done::Nothing),
            }),
            ObjectKey::Hold(manifest, generation) => {
                Ok(match follow_hold(service, manifest, *generation).await? {
                    Reconciled::Changed => WalkedObject::Done(Done::Completed),
                    Reconciled::Orphan => WalkedObject::Orphan,
                    Reconciled::Right | Reconciled::Risen | Reconciled::Broken(_) => {
                        WalkedObject::Done(Done::Nothing)
                    }
                })
            }
            ObjectKey::Front(_) | ObjectKey::Removed(..) | ObjectKey::Identity | ObjectKey::Media(_) => {
                Ok(WalkedObject::Done(Done::Nothing))
            }
        }
    }

    /// Finishes a change of a young manifest's visibility that was cut off. This is safe even if the change is still
    /// under way, since the other request then finds it done.
    async fn bring_up(&self, key: &ObjectKey, manifest: &ManifestKey) -> Result<WalkedObject, Error> {
        let service = self.service;
        let row = service.manifest_row(manifest).await?.filter(|row| row.state == State::Live);
        let Some(row) = row.filter(|row| row.generation > 0) else {
            return Ok(WalkedObject::Done(Done::Nothing));
        };
        let Some(head) = service.ports.objects().head(key).await? else {
            return Ok(WalkedObject::Done(Done::Nothing));
        };
        let facts = Facts::read(&head.attributes).map_err(|error| service.damaged(key, &error))?;
        let is_behind = !facts.tombstone && facts.generation < row.generation && facts.sha256 == row.sha256;
        let is_done = is_behind && service.trusts_index().await? && bring_up(service, &row).await?;
        Ok(WalkedObject::Done(if is_done { Done::Completed } else { Done::Nothing }))
    }

    async fn examine_manifest(
        &self,
        key: &ObjectKey,
        manifest: &ManifestKey,
        listed: &Listed,
        is_sound: bool,
    ) -> Result<WalkedObject, Error> {
        let service = self.service;
        let Some(head) = service.ports.objects().head(key).await? else {
            return Ok(WalkedObject::Done(Done::Nothing));
        };
        let facts = Facts::read(&head.attributes).map_err(|error| service.damaged(key, &error))?;
        let generation = (!facts.tombstone).then_some(facts.generation);
        let row = service.manifest_row(manifest).await?;
        // A record that names the manifest was written at most 15 minutes later, and records are examined from an age
        // of 15 minutes. So if the manifest was 30 minutes old when the walk began, its record was examined.
        let is_due = self.limits.any_age
            || orphan_is_due(
                listed.modified.plus_seconds(credlink_core::bounds::ORPHAN_AGE_SECONDS),
                self.began,
            );
        if let Some(row) = row.as_ref().filter(|row| row.state == State::Live && !facts.tombstone) {
            // A change of the manifest's visibility was cut off, or a store before it claimed the plain address.
            let is_behind = facts.generation < row.generation && facts.sha256 == row.sha256;
            if is_behind && service.trusts_index().await? && bring_up(service, row).await? {
                return Ok(WalkedObject::Done(Done::Completed));
            }
            // No caller has been told of a replacement that may still be refused.
            let was_claimed =
                !row.void && service.try_to_claim_front(manifest, facts.visibility, Arrival::Earlier).await?;
            return Ok(WalkedObject::Done(if was_claimed { Done::Completed } else { Done::Nothing }));
        }
        Ok(match judge_manifest(generation, row.as_ref()) {
            // The row says that the manifest was deleted, so the object was put back from elsewhere.
            ObjectVerdict::Broken(_) if generation.is_some() => WalkedObject::Orphan,
            // No row holds the manifest, but a record that could not be read may name it.
            ObjectVerdict::Orphan if is_sound && is_due => WalkedObject::Orphan,
            _ => WalkedObject::Done(Done::Nothing),
        })
    }

    /// Returns `true` if an earlier record belongs to no present life of its proof, once the proof's row has followed.
    /// Nothing of a present life is removed, because a replacement may be about to use it.
    async fn is_orphan(&self, id: &ProofId, revision: u32) -> Result<bool, Error> {
        let is_out = |row: Option<&ProofRow>| {
            judge_revision(revision, row) == ObjectVerdict::Orphan
                && row.is_none_or(|row| row.state != State::Live || revision < row.first_revision)
        };
        let row = self.service.proof_row(id).await?;
        if !is_out(row.as_ref()) {
            return Ok(false);
        }
        match reconcile(self.service, id).await? {
            Reconciled::Right => Ok(true),
            Reconciled::Changed => Ok(is_out(self.service.proof_row(id).await?.as_ref())),
            Reconciled::Orphan | Reconciled::Risen | Reconciled::Broken(_) => Ok(false),
        }
    }

    /// Removes a kept orphan for good once its days are over.
    async fn purge(&self, key: &ObjectKey, listed: &Listed) -> Result<WalkedObject, Error> {
        if !self.may_destroy || !removed::is_over(key, self.service.now()) {
            return Ok(WalkedObject::Done(Done::Nothing));
        }
        self.service.ports.objects().delete(key).await?;
        Ok(WalkedObject::Done(Done::Removed(listed.size)))
    }

    /// Removes an orphan of this size in bytes, so that it can be restored for some days.
    pub(super) async fn collect(
        &self,
        key: &ObjectKey,
        size: u64,
        position: &mut Position,
        report: &mut Report,
    ) -> Result<Done, Error> {
        let service = self.service;
        if !report.may_destroy() {
            return Ok(Done::Nothing);
        }
        if !self.limits.any_share && !position.allows() {
            let (removed, examined) = (position.removed, position.examined);
            service.stop_collector(removed, examined).await?;
            let stopped = Stopped { since: service.now(), removed, of: examined };
            report.stopped = Some(Doubt::CollectorStopped(stopped).to_string());
            return Ok(Done::Nothing);
        }
        if !self.limits.any_share
            && let Err(error) = service.may_collect().await
        {
            // Reported once for the whole run: there may be millions of orphans.
            report.stopped = Some(error.problem().detail);
            return Ok(Done::Nothing);
        }
        keep(service, key).await?;
        let is_removed = match key {
            ObjectKey::Record(id) => {
                let row = service.proof_row(id).await?;
                undo_record(service, id, row.as_ref()).await?
            }
            ObjectKey::Manifest(manifest) => undo_manifest(service, manifest).await?,
            // The row may have followed since it was examined.
            ObjectKey::Revision(id, revision) if !self.is_orphan(id, *revision).await? => {
                return Ok(Done::Nothing);
            }
            ObjectKey::Revision(..) | ObjectKey::Hold(..) => {
                service.ports.objects().delete(key).await?;
                service.changed(key).await;
                true
            }
            ObjectKey::Front(_)
            | ObjectKey::Alias(_)
            | ObjectKey::Removed(..)
            | ObjectKey::Identity
            | ObjectKey::Media(_) => false,
        };
        if !is_removed {
            return Ok(Done::Nothing);
        }
        position.removed += 1;
        Ok(Done::Removed(size))
    }
}
