//! The steps of a replacement.
//!
//! The order is: a copy of the current record under its revision; the new manifest; a row that says that a replacement
//! is under way and holds its manifest; the new record by compare-and-swap; the row once more. A crash before the swap
//! leaves a copy that the next replacement needs anyway, and a claim that cleanup releases. A crash after it leaves a
//! record ahead of its row, and the row says that it may be: any process that finds it makes the row follow
//! (`reconcile`). That is always possible, because the row holds the manifest *before* a record names it, so that
//! nobody can delete it in between. A replacement that is refused releases its claim, and removes the manifest that it
//! stored (guarantee 11).

use std::collections::BTreeSet;

use credlink_core::bounds::{MAX_REVISIONS, ORPHAN_AGE_SECONDS};
use credlink_core::hash::Digest;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::object::ObjectKey;
use credlink_core::record::Record;
use credlink_core::row::{Pending, ProofRow, State};
use credlink_core::rules::store::Draft;
use credlink_core::time::Timestamp;

use credlink_ports::{Condition, Objects as _, Ports, Replicas as _};

use crate::error::{Error, contended};
use crate::front::Arrival;
use crate::publish::{Brought, Published, Reference};
use crate::reconcile::{give_back, reconcile};
use crate::service::{Current, MAX_ATTEMPTS, Service};
use crate::stored::{Stored, put_record};

/// Longest time that a replacement may take from its claim to the swap of the record, in seconds. Cleanup releases the
/// claim after three times as long ([`ORPHAN_AGE_SECONDS`](credlink_core::bounds::ORPHAN_AGE_SECONDS)).
const MAX_CLAIM_SECONDS: u64 = 300;

/// Most replacements of one proof that bring manifests and are under way, or were cut off in the last 15 minutes. With
/// 64 revisions and the proof itself they stay below the 100 rows of one commit.
const MAX_PENDING: usize = 32;

/// A replacement whose manifest is stored, and held by the proof's row.
struct Begun {
    row: ProofRow,
    claims: BTreeSet<Pending>,
    at: Timestamp,
    /// The generation of the stored manifest.
    generation: Option<u32>,
}

/// Replaces the current record with the draft's. Returns `None` if the state changed in the meantime, and the caller must
/// retry.
///
/// # Errors
/// The manifest ID has another content (409), the proof has too many revisions (409), or a failure.
pub(super) async fn replace<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    row: &ProofRow,
    current: &Current,
    record: &Record,
    brought: &mut Brought,
) -> Result<Option<Stored>, Error> {
    if record.revision + 1 - row.first_revision >= MAX_REVISIONS {
        return Err(too_many());
    }
    let copy = ObjectKey::Revision(row.id, record.revision);
    let content = current.verified.content();
    let content = (&content[..], current.verified.facts().sha256);
    if put_record(service, &copy, record, content, Condition::Absent).await?.is_none() {
        // An earlier attempt got this far. The copy is of the same record, or something is badly wrong. If it is gone
        // again, the proof was deleted.
        let Some(kept) = service.current(&copy).await? else { return Ok(None) };
        if kept.verified.facts().sha256 != current.verified.facts().sha256 {
            return Err(service.damaged(&copy, &"the copy of the current record differs from it").into());
        }
        service.ports.objects().confirm(&copy, kept.verified.facts()).await?;
    }
    let Some(begun) = begin(service, draft, row, brought).await? else { return Ok(None) };
    let claims = begun.claims.clone();
    let stored = swap(service, draft, current, record, begun, brought).await?;
    if stored.is_none() {
        if !claims.is_empty() {
            let ours = |row: &ProofRow| (!row.pending.is_disjoint(&claims)).then(|| claims.clone());
            give_back(service, &row.id, ours).await?;
        }
        // Another replacement was first. If its end was not noticed yet, the row follows it, and no longer says that a
        // replacement is under way.
        reconcile(service, &row.id).await?;
        // If the proof was deleted in the meantime, and perhaps stored again, the copy must be removed as well. A copy
        // that a crash leaves here is not served (`Lookup::admit`), and cleanup removes it.
        let now = service.proof_row(&row.id).await?;
        if now.is_none_or(|now| now.state != State::Live || record.revision < now.first_revision) {
            service.ports.objects().delete(&copy).await?;
            service.changed(&copy).await;
        }
    }
    Ok(stored)
}

/// Swaps the current record for the new one, and makes the row follow. Returns `None` if another writer was first.
async fn swap<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    current: &Current,
    record: &Record,
    begun: Begun,
    brought: &mut Brought,
) -> Result<Option<Stored>, Error> {
    let (mut row, mut generation, key) = (begun.row, begun.generation, ObjectKey::Record(record.id));
    let mut next = draft.record(record.revision + 1, service.now());
    next.first_revision = row.first_revision;
    let bytes = next.to_bytes();
    let sha256 = Digest::of(&bytes);
    if service.now() > begun.at.plus_seconds(MAX_CLAIM_SECONDS) {
        return Ok(None);
    }
    let condition = Condition::Matches(current.tag.clone());
    let Some(body) = put_record(service, &key, &next, (&bytes, sha256), condition).await? else {
        return Ok(None);
    };
    // The record is in its place, so the replacement is done, unless the proof is deleted before its row follows.
    for _ in 0..MAX_ATTEMPTS {
        let stored = || Stored {
            row: ProofRow::publish(&next, sha256, Some(&row)),
            deduplicated: false,
            identical: true,
            body: Some(body.clone()),
        };
        let placed = (generation, draft.manifest_visibility());
        match service.publish(&next, sha256, Some(&row), placed).await? {
            Published::Done => return Ok(Some(stored())),
            Published::Lost(Some(now))
                if now.state == State::Live && now.first_revision == row.first_revision =>
            {
                // Another process updated the row, and perhaps went on from there. If two providers decided one after
                // the other, it may have been another record of the same revision.
                if now.revision >= next.revision {
                    let is_ours = now.record_sha256 == sha256
                        || now.revision > next.revision && kept(service, &next, &sha256).await?;
                    return Ok(is_ours.then(stored));
                }
                row = now;
            }
            Published::Lost(_) => return Ok(None),
            // The claim was released in the meantime, but the record names the manifest by now, so the manifest is
            // stored again.
            Published::ManifestGone => match draft.manifest_key() {
                None => return Ok(None),
                Some(key) => {
                    generation = service
                        .ensure_manifest(
                            &draft.manifest,
                            &key,
                            (draft.manifest_visibility(), Arrival::of(draft)),
                            brought,
                        )
                        .await?
                        .or(generation);
                }
            },
        }
    }
    Err(contended())
}

/// Returns `true` if the copy of the record's revision, which the following replacement left, is of this record.
async fn kept<P: Ports>(service: &Service<P>, record: &Record, sha256: &Digest) -> Result<bool, Error> {
    let copy = ObjectKey::Revision(record.id, record.revision);
    let found = service.current(&copy).await?;
    Ok(found.is_some_and(|found| found.verified.facts().sha256 == *sha256))
}

/// Stores the draft's manifest, and makes the row say that a replacement is under way, and hold the manifest. Returns
/// `None` if the state changed in the meantime, and the caller must retry.
async fn begin<P: Ports>(
    service: &Service<P>,
    draft: &Draft,
    row: &ProofRow,
    brought: &mut Brought,
) -> Result<Option<Begun>, Error> {
    let at = service.now();
    if row.pending.len() >= MAX_PENDING {
        return Err(contended());
    }
    let manifest = draft.manifest_key();
    let generation = match &manifest {
        None => None,
        Some(key) => {
            let how = (draft.manifest_visibility(), Arrival::of(draft));
            let placed = service.ensure_manifest(&draft.manifest, key, how, brought).await?;
            let Some(generation) = placed else { return Ok(None) };
            Some(generation)
        }
    };
    let (next, claim) = row.replaced_by(draft.manifest.id(), at);
    // A replacement that began long ago may be regarded as over at any moment.
    let is_young = |begun: Timestamp| at < begun.plus_seconds(ORPHAN_AGE_SECONDS / 2);
    if claim.is_none() && row.replacing.is_some_and(is_young) {
        return Ok(Some(Begun { row: row.clone(), claims: BTreeSet::new(), at, generation }));
    }
    // A manifest of another replacement that is under way is already held.
    let is_new = claim.as_ref().is_some_and(|claim| !row.held.contains(&claim.manifest));
    let reference = manifest.as_ref().filter(|_| is_new).map(|key| Reference {
        key,
        sha256: *draft.manifest.sha256(),
        length: draft.manifest.bytes().len() as u64,
        visibility: draft.manifest_visibility(),
        generation: generation.unwrap_or(0),
        standalone: false,
        imported: false,
        is_claim: true,
    });
    match service.commit(Some((next.clone(), Some(row.version))), reference.as_slice(), &[]).await? {
        Published::Done => Ok(Some(Begun { row: next, claims: claim.into_iter().collect(), at, generation })),
        Published::Lost(_) | Published::ManifestGone => Ok(None),
    }
}

fn too_many() -> Error {
    let detail = format!("a proof has at most {MAX_REVISIONS} revisions; delete it and store it anew");
    Problem::new(ProblemKind::TooManyRevisions, detail).into()
}
