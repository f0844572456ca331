//! Bringing a proof's row up to date with the objects, which are the truth and from which the index can be rebuilt
//! (guarantee 10).
//!
//! Every writer changes objects first and the row last, and every deletion changes the row first. A row that lags
//! behind its objects was therefore left by a request that was cut off, or by an index that was lost or restored from
//! an earlier time. Any process that finds such a row makes it follow, across any number of revisions, deletions and
//! lives.

mod claims;
mod earlier;
pub(crate) mod hold;

use std::collections::{BTreeMap, BTreeSet};

use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{ProofRow, State};
use credlink_core::rules::consistency::{ObjectVerdict, ProofObject, judge_record};
use credlink_core::tombstone::Tombstone;

use credlink_ports::{Objects as _, Ports, Replicas as _};

use crate::aliases::agree::secure_alias;
use crate::error::{Error, contended};
use crate::guard::may_follow;
use crate::publish::{Published, Reference, Released};
use crate::removal::finish_proof;
use crate::rows::claim;
use crate::service::{MAX_ATTEMPTS, Service};

pub(crate) use claims::{give_back, settle};
pub(crate) use earlier::hold_earlier;

/// The outcome of making a row follow its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reconciled {
    /// The row already agreed with the objects.
    Right,
    /// The row was changed.
    Changed,
    /// The record's manifest is missing and the record has no row, so no caller can have been told of it.
    Orphan,
    /// The row says that the proof is deleted, and a record of that life is there again because it was put back from
    /// elsewhere.
    Risen,
    /// The row knows more than the objects, which were lost or restored from an earlier time.
    Broken(String),
}

/// Makes the row of a proof follow its objects.
///
/// # Errors
/// A failure of a provider or the index; a repeated call continues the work.
pub(crate) async fn reconcile<P: Ports>(service: &Service<P>, id: &ProofId) -> Result<Reconciled, Error> {
    for _ in 0..MAX_ATTEMPTS {
        let row = service.proof_row(id).await?;
        if let Some(row @ ProofRow { state: State::Deleting(_), .. }) = &row
            && !service.spares
        {
            service.may_destroy().await?;
            finish_proof(service, row).await?;
            return Ok(Reconciled::Changed);
        }
        match attempt(service, id, row.as_ref()).await? {
            None => {}
            // Unless the proof was replaced or deleted while its objects were read.
            Some(Reconciled::Broken(why)) => {
                let now = service.proof_row(id).await?;
                if now.map(|now| now.version) == row.map(|row| row.version) {
                    return Ok(Reconciled::Broken(why));
                }
            }
            Some(reconciled) => return Ok(reconciled),
        }
    }
    Err(contended())
}

/// Makes one attempt. Returns `None` if the state changed in the meantime, and the caller must retry.
async fn attempt<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    row: Option<&ProofRow>,
) -> Result<Option<Reconciled>, Error> {
    let key = ObjectKey::Record(*id);
    let Some(current) = service.current(&key).await? else {
        return Ok(Some(match row {
            Some(ProofRow { state: State::Live, .. }) => {
                Reconciled::Broken("the index has a live proof whose record is not stored".to_owned())
            }
            _ => Reconciled::Right,
        }));
    };
    let facts = current.verified.facts();
    if facts.tombstone {
        let tombstone = Tombstone::parse(&current.verified.content());
        let tombstone = tombstone.map_err(|error| service.damaged(&key, &error))?;
        return follow_tombstone(service, &tombstone, row).await;
    }
    let record = service.record(&key, &current.verified)?;
    match (judge_record(ProofObject::Record(record.revision), row), row) {
        (ObjectVerdict::Right, Some(row)) if row.record_sha256 != facts.sha256 => {
            let why = "the record differs from the one that the index records".to_owned();
            Ok(Some(Reconciled::Broken(why)))
        }
        (ObjectVerdict::Right, _) => Ok(Some(Reconciled::Right)),
        // The proof was stored again since the deletion that the row records, so the index is older.
        (ObjectVerdict::Unfinished, Some(row)) if record.revision > row.revision => {
            follow_record(service, &record, facts, Some(row)).await
        }
        (ObjectVerdict::Unfinished, _) => Ok(service.spares.then_some(Reconciled::Right)),
        (ObjectVerdict::Broken(_), Some(ProofRow { state: State::Deleted(_), .. })) => {
            Ok(Some(Reconciled::Risen))
        }
        (ObjectVerdict::Broken(why), _) => Ok(Some(Reconciled::Broken(why.to_owned()))),
        (ObjectVerdict::Orphan | ObjectVerdict::Ahead, _) => {
            follow_record(service, &record, facts, row).await
        }
    }
}

/// Makes a row follow the deletion that a tombstone records.
async fn follow_tombstone<P: Ports>(
    service: &Service<P>,
    tombstone: &Tombstone,
    row: Option<&ProofRow>,
) -> Result<Option<Reconciled>, Error> {
    let kept = tombstone.row.as_ref().and_then(|row| row.as_ref().clone().proof());
    match row {
        None => {
            let Some(kept) = kept else { return Ok(Some(Reconciled::Right)) };
            may_follow(service).await?;
            let first = ProofRow { version: 1, ..kept };
            let claimed = claim(service, credlink_core::row::Row::Proof(first), None).await?;
            Ok(claimed.then_some(Reconciled::Changed))
        }
        Some(row) if row.state != State::Live && tombstone.last <= row.revision => {
            Ok(Some(Reconciled::Right))
        }
        Some(row) if tombstone.last >= row.revision => {
            may_follow(service).await?;
            let deleted = kept.unwrap_or_else(|| row.deleted(tombstone.deleted));
            let next = ProofRow { version: row.version + 1, reads: row.reads, ..deleted };
            // A deletion that is under way has already released them.
            let held: Vec<Released> = match row.state {
                State::Live => row.held.iter().map(|id| Released::by(row, id)).collect(),
                State::Deleting(_) | State::Deleted(_) => Vec::new(),
            };
            match service.commit(Some((next, Some(row.version))), &[], &held).await? {
                Published::Done => Ok(Some(Reconciled::Changed)),
                Published::Lost(_) | Published::ManifestGone => Ok(None),
            }
        }
        Some(_) => {
            let why = "the index has a live proof whose record is deleted".to_owned();
            Ok(Some(Reconciled::Broken(why)))
        }
    }
}

/// The records of a proof's life, taken together.
struct Life {
    /// The manifests that the records name.
    manifests: BTreeSet<ManifestId>,
    /// The first of the records, if it was read.
    first: Option<Record>,
}

/// Makes a row follow a record that is ahead of it, or has no row.
async fn follow_record<P: Ports>(
    service: &Service<P>,
    record: &Record,
    facts: &Facts,
    row: Option<&ProofRow>,
) -> Result<Option<Reconciled>, Error> {
    may_follow(service).await?;
    let live = row.filter(|row| row.state == State::Live);
    // The record of the next life does not name the legacy ID of the one before.
    if let Some(legacy) = row.filter(|row| row.state != State::Live).and_then(|row| row.legacy.as_ref())
        && !service.spares
    {
        secure_alias(service, legacy).await?;
    }
    let continued = live.filter(|row| row.first_revision == record.first_revision);
    let life = read_life(service, record, continued).await?;
    let mut next = ProofRow::publish(record, facts.sha256, row);
    if continued.is_none() {
        let first = life.first.as_ref().unwrap_or(record);
        next.legacy = first.legacy.as_ref().map(|legacy| legacy.id.clone());
    }
    let mut found: BTreeMap<ManifestKey, Facts> = BTreeMap::new();
    for id in life.manifests {
        if live.is_some_and(|row| row.held.contains(&id)) {
            next.held.insert(id);
            continue;
        }
        let key = ManifestKey::new(&record.tenant, &id);
        match service.manifest_facts(&key).await? {
            Some(facts)
                if record.manifest.id.as_ref() == Some(&id) && facts.sha256 != record.manifest.sha256 =>
            {
                // The store of the record was refused, because the ID has another content.
                let is_new = live.is_none() && record.revision == record.first_revision;
                return Ok(Some(if is_new {
                    Reconciled::Orphan
                } else {
                    Reconciled::Broken(other_content(&id))
                }));
            }
            Some(facts) => {
                next.held.insert(id);
                found.insert(key, facts);
            }
            None if record.manifest.id.as_ref() != Some(&id) => {
                tracing::error!(proof = %record.id, manifest = %id, "an earlier record names a manifest that is not stored");
            }
            // A store writes the manifest first. If a tombstone took its place, the manifest was deleted before a row
            // held it; if nothing is there, it was lost.
            None if live.is_none()
                && record.revision == record.first_revision
                && service.ports.objects().head(&ObjectKey::Manifest(key)).await?.is_some() =>
            {
                return Ok(Some(Reconciled::Orphan));
            }
            None => {
                let why = format!("the record names the manifest {id}, which is not stored");
                return Ok(Some(Reconciled::Broken(why)));
            }
        }
    }
    let released: Vec<Released> = live
        .map(|row| row.held.difference(&next.held).map(|id| Released::by(row, id)).collect())
        .unwrap_or_default();
    if let Some(row) = live.filter(|_| continued.is_none() && !released.is_empty()) {
        // Both lives may have as many manifests as a proof can have, and one commit would be too large.
        let held = row.holding_only(&next.held);
        return match service.commit(Some((held, Some(row.version))), &[], &released).await? {
            Published::Done | Published::Lost(_) | Published::ManifestGone => Ok(None),
        };
    }
    let references: Vec<Reference<'_>> =
        found.iter().map(|(key, facts)| Reference::found(key, facts)).collect();
    service.ports.objects().confirm(&ObjectKey::Record(record.id), facts).await?;
    let expected = row.map(|row| row.version);
    match service.commit(Some((next, expected)), &references, &released).await {
        Ok(Published::Done) => Ok(Some(Reconciled::Changed)),
        // The deletion of its manifest has begun, and is not finished here.
        Ok(Published::ManifestGone) if service.spares => Ok(Some(Reconciled::Orphan)),
        Ok(Published::Lost(_) | Published::ManifestGone) => Ok(None),
        // The index has another content or another visibility under the manifest's ID.
        Err(Error::Problem(problem)) if !is_conflict(&problem) => Err(problem.into()),
        Err(Error::Problem(problem)) if live.is_none() => {
            tracing::warn!(proof = %record.id, why = problem.detail, "a record without a row cannot be added to the \
                                                                      index");
            Ok(Some(Reconciled::Orphan))
        }
        Err(Error::Problem(problem)) => Ok(Some(Reconciled::Broken(problem.detail))),
        Err(failure) => Err(failure),
    }
}

fn other_content(manifest: &ManifestId) -> String {
    format!("the record names another content of the manifest {manifest} than is stored")
}

/// Returns `true` if a reference is refused for good, and not just for now.
const fn is_conflict(problem: &Problem) -> bool {
    matches!(problem.kind, ProblemKind::ManifestConflict | ProblemKind::VisibilityConflict)
}

/// Reads the earlier records of a life for what the row lacks: those after its revision, or all of them.
async fn read_life<P: Ports>(
    service: &Service<P>,
    record: &Record,
    continued: Option<&ProofRow>,
) -> Result<Life, Error> {
    let mut life = Life { manifests: record.manifest.id.iter().cloned().collect(), first: None };
    let unread = continued.map_or(record.first_revision, |row| row.revision + 1);
    for revision in unread..record.revision {
        let key = ObjectKey::Revision(record.id, revision);
        let Some(earlier) = service.current(&key).await? else {
            tracing::error!(%key, "an earlier record is not stored");
            continue;
        };
        let earlier = service.record(&key, &earlier.verified)?;
        life.manifests.extend(earlier.manifest.id.clone());
        if revision == record.first_revision {
            life.first = Some(earlier);
        }
    }
    Ok(life)
}
