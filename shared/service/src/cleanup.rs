//! Cleanup: expired proofs, unfinished deletions and orphans.
//!
//! It can be cut off at any moment and resumed, runs beside everything else, and decides by conditional commits
//! alone: an extension that comes first wins.

use credlink_core::object::{Facts, ObjectKey};
use credlink_core::row::{ProofRow, Row, State};
use credlink_core::rules::life::{
    Found, Verdict, judge_manifest, judge_record, judge_revision, orphan_is_due,
};
use credlink_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::delete::{bury, bury_orphan, claim, finish_manifest, finish_proof, orphan_manifest_row};
use crate::error::Error;
use crate::ports::{Failure, Index as _, Listed, Listing, Objects as _, Ports};
use crate::service::Service;
use crate::supersede::roll_forward;

/// Items of one page: small, so that a run stops close to its deadline.
const PAGE: usize = 200;

/// Where a run continues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The part of the work.
    phase: Phase,
    /// The last item of it that was done.
    after: Option<String>,
}

/// The parts of the work, in their order. Records come before manifests, so that a record which is ahead of its row
/// claims its manifest before that is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    #[default]
    Due,
    Proofs,
    Manifests,
}

/// What a run is allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// When to stop, at the latest after the page that is being worked on.
    pub deadline: Timestamp,
    /// Whether orphans of any age are removed, and not just those older than a day. Only for a store that nobody
    /// writes to meanwhile.
    pub any_age: bool,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows and objects that were looked at.
    pub examined: u64,
    /// Proofs, manifests and objects that were removed.
    pub deleted: u64,
    /// Rows that followed a record ahead of them.
    pub completed: u64,
    /// Items that could not be dealt with; the reasons are logged.
    pub failed: u64,
    /// Bytes of the objects that were removed, as stored.
    pub bytes: u64,
    /// Why it did not go on: index, store or clock are in doubt, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Where to continue; `None` when everything was done, or it is stopped.
    pub resume: Option<Position>,
}

/// Cleans up from `position` until everything is done or the deadline is over.
///
/// # Errors
/// A listing failed. What was done is done; run again.
pub async fn cleanup<P: Ports>(
    service: &Service<P>,
    limits: Limits,
    position: Option<Position>,
) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut position = position.unwrap_or_default();
    // Afresh, and then page by page: a clock may jump meanwhile.
    service.standing().await;
    loop {
        if let Err(error) = service.may_destroy().await {
            report.stopped = Some(error.to_string());
            return Ok(report);
        }
        let after = position.after.as_deref();
        let next = match position.phase {
            Phase::Due => due(service, after, &mut report).await,
            Phase::Proofs => objects(service, ObjectKey::PROOFS, after, limits, &mut report).await,
            Phase::Manifests => objects(service, ObjectKey::MANIFESTS, after, limits, &mut report).await,
        };
        // Page by page, also after a failure: what was done is done.
        service.announce().await;
        position = match (next?, position.phase) {
            (Some(after), phase) => Position { phase, after: Some(after) },
            (None, Phase::Due) => Position { phase: Phase::Proofs, after: None },
            (None, Phase::Proofs) => Position { phase: Phase::Manifests, after: None },
            (None, Phase::Manifests) => return Ok(report),
        };
        if service.now() >= limits.deadline {
            report.resume = Some(position);
            return Ok(report);
        }
    }
}

/// One page of rows that are due.
async fn due<P: Ports>(
    service: &Service<P>,
    after: Option<&str>,
    report: &mut Report,
) -> Result<Option<String>, Failure> {
    // A position that the index does not know starts from the beginning: what was done is not due any more.
    let listing = Listing::Due(service.now());
    let page = match service.ports.index().list(&listing, after, PAGE).await? {
        Some(page) => page,
        None => service.ports.index().list(&listing, None, PAGE).await?.unwrap_or_default(),
    };
    for row in page.items {
        report.examined += 1;
        let key = row.key();
        let length = row.totals().manifest_bytes;
        match finish(service, row).await {
            Ok(false) => {}
            Ok(true) => {
                report.deleted += 1;
                report.bytes += length;
            }
            Err(failure) => failed(report, &key, &failure),
        }
    }
    Ok(page.next)
}

/// Deletes an expired proof, or finishes a deletion. Whether something was deleted.
async fn finish<P: Ports>(service: &Service<P>, row: Row) -> Result<bool, Failure> {
    match row {
        Row::Manifest(row) => finish_manifest(service, &row).await.map(|()| true),
        Row::Proof(row @ ProofRow { state: State::Deleting(_), .. }) => {
            finish_proof(service, &row).await.map(|()| true)
        }
        Row::Proof(row) if row.has_expired(service.now()) => {
            match bury(service, &row, service.now()).await? {
                None => Ok(false),
                Some(row) => finish_proof(service, &row).await.map(|()| true),
            }
        }
        Row::Proof(_) | Row::Alias(_) | Row::LegacyItem(_) | Row::Replica(_) | Row::Store(_) => Ok(false),
    }
}

/// One page of objects.
async fn objects<P: Ports>(
    service: &Service<P>,
    prefix: &str,
    after: Option<&str>,
    limits: Limits,
    report: &mut Report,
) -> Result<Option<String>, Failure> {
    let page = service.ports.objects().list(prefix, after, PAGE).await?;
    for listed in page.items {
        report.examined += 1;
        let is_due = limits.any_age || orphan_is_due(listed.modified, service.now());
        // An object that is none of ours is none of our business.
        let Some(key) = listed.key.parse::<ObjectKey>().ok().filter(|_| is_due) else { continue };
        match examine(service, &key).await {
            Ok(Done::Nothing) => {}
            Ok(Done::Completed) => report.completed += 1,
            Ok(Done::Removed) => {
                report.deleted += 1;
                report.bytes += removed_bytes(&listed);
            }
            Err(error) => failed(report, &key, &error),
        }
    }
    Ok(page.next)
}

const fn removed_bytes(listed: &Listed) -> u64 {
    listed.size
}

enum Done {
    Nothing,
    Removed,
    Completed,
}

/// Deals with one object, as its row has it.
async fn examine<P: Ports>(service: &Service<P>, key: &ObjectKey) -> Result<Done, Error> {
    match key {
        ObjectKey::Record(id) => {
            let row = service.proof_row(id).await?;
            let Some(current) = service.current(key).await? else { return Ok(Done::Nothing) };
            let found = if current.verified.facts().tombstone {
                Found::Tombstone
            } else {
                Found::Record(service.record(key, &current.verified)?.revision)
            };
            match (judge_record(found, row.as_ref()), row) {
                (Verdict::Orphan, row) => match bury_orphan(service, id, row.as_ref()).await? {
                    true => Ok(Done::Removed),
                    false => Ok(Done::Nothing),
                },
                (Verdict::Ahead, Some(row)) => {
                    let record = service.record(key, &current.verified)?;
                    roll_forward(service, &record, &current.verified.facts().sha256, &row).await?;
                    Ok(Done::Completed)
                }
                _ => Ok(Done::Nothing),
            }
        }
        ObjectKey::Revision(id, revision) => {
            let row = service.proof_row(id).await?;
            match judge_revision(*revision, row.as_ref()) {
                // Of a proof's present life nothing is removed: a replacement may be about to use it.
                Verdict::Orphan
                    if row.is_none_or(|row| row.state != State::Live || *revision < row.first_revision) =>
                {
                    service.ports.objects().delete(key).await?;
                    service.changed(key).await;
                    Ok(Done::Removed)
                }
                _ => Ok(Done::Nothing),
            }
        }
        ObjectKey::Manifest(id) => {
            let row = service.manifest_row(id).await?;
            let Some(head) = service.ports.objects().head(key).await? else { return Ok(Done::Nothing) };
            let facts = Facts::read(&head.attributes).map_err(|error| service.damaged(key, &error))?;
            let generation = (!facts.tombstone).then_some(facts.generation);
            if judge_manifest(generation, row.as_ref()) != Verdict::Orphan {
                return Ok(Done::Nothing);
            }
            let Some(orphan) = orphan_manifest_row(service, id, row.as_ref(), service.now()).await? else {
                return Ok(Done::Nothing);
            };
            if claim(service, Row::Manifest(orphan.clone()), row.map(|row| row.version)).await? {
                finish_manifest(service, &orphan).await?;
                return Ok(Done::Removed);
            }
            Ok(Done::Nothing)
        }
        ObjectKey::Alias(_) | ObjectKey::Hold(..) | ObjectKey::Removed(..) | ObjectKey::Identity => {
            Ok(Done::Nothing)
        }
    }
}

fn failed(report: &mut Report, key: &dyn std::fmt::Display, error: &dyn std::fmt::Display) {
    tracing::warn!(key = %key, error = %error, "cleanup left an item for the next run");
    report.failed += 1;
}
