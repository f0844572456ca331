//! The proofs of an original and of its renditions.

use std::collections::BTreeMap;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::bounds::MAX_LIFETIME_SECONDS;
use credlink_core::c2pa::tells_place;
use credlink_core::file::FileType;
use credlink_core::file_record::{FileRecord, RenditionRecord};
use credlink_core::hash::MediaHash;
use credlink_core::http::conditional::entity_tag;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::link::{own_path, path};
use credlink_core::manifest::Manifest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{ProofRow, State};
use credlink_core::rules::store::{Draft, check_binding};
use http::header::IF_MATCH;
use serde::Deserialize;
use serde_json::json;

use credlink_ports::{Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;
use credlink_service::store::store;
use credlink_service::stored::Stored;
use credlink_service::supersede::supersede;
use credlink_service::visibility::change_visibility;

use crate::files::Files;
use crate::objects::damaged;

/// The relation of a copy to its original, as a manifest of this service says it.
const RENDITION: &str = "rendition";

/// Stores the proof of a rendition: a JSON manifest with the hash and the proof of the original, the profile and the size. It
/// is a statement of the operator, and not signed. A rendition that has a proof keeps it.
///
/// # Errors
/// Fails if the store fails.
pub(crate) async fn bind<P: Ports>(
    service: &Service<P>,
    file: &FileRecord,
    rendition: &RenditionRecord,
) -> Result<ProofId, Error> {
    let name = &rendition.name;
    let manifest = json!({
        "relation": RENDITION,
        "of": file.media_hash,
        "proof": ProofId::derive(&file.tenant, &file.media_hash),
        "profile": format!("{}@{}", name.profile, name.version),
        "focal": name.focal,
        "format": name.format.file_type(),
        "width": rendition.width,
        "height": rendition.height,
    });
    let text = Bytes::from(manifest.to_string());
    let manifest = Manifest::json(text).map_err(invalid)?;
    let (hash, kind) = (MediaHash::from(rendition.sha256), name.format.file_type());
    let draft = draft(file, hash, kind, manifest, file.access.visibility());
    for _ in 0..MAX_ATTEMPTS {
        let (row, is_identical) = store_proof(service, &draft).await?;
        if is_identical {
            return Ok(row.id);
        }
        if would_publish(&row, &draft)
            && let Some(manifest) = named_manifest(service, file, rendition, &row).await?
        {
            return store_proof(service, &Draft { manifest, ..draft }).await.map(|(row, _)| row.id);
        }
        if !has_to_lead_here(service, file, &row, &draft).await? {
            return Ok(row.id);
        }
        if let Some(row) = replace_proof(service, &row, &draft).await? {
            return Ok(row.id);
        }
    }
    Err(contended())
}

/// Returns `true` if a proof has what no proof of a file has, or another lifetime than all of these have: somebody stored it, and
/// chose who may read it.
fn is_of_somebody(record: &Record) -> bool {
    let lifetime = record.expires.seconds().saturating_sub(record.created.seconds());
    lifetime != MAX_LIFETIME_SECONDS
        || !record.tags.is_empty()
        || record.signature.is_some()
        || record.legacy.is_some()
}

/// Returns `true` if a proof is private and the draft would make it public.
fn would_publish(row: &ProofRow, draft: &Draft) -> bool {
    (row.visibility, draft.visibility) == (Visibility::Private, Visibility::Public)
}

/// Returns `true` if the proof of a copy leads to another original, and has to lead to that of this file. Two originals with
/// the same pixels have the same copies, and so one proof for both. It leads to the original that the readers of a public
/// file may see, and otherwise to the one that has credentials.
///
/// # Errors
/// Fails if the store fails.
async fn has_to_lead_here<P: Ports>(
    service: &Service<P>,
    file: &FileRecord,
    row: &ProofRow,
    draft: &Draft,
) -> Result<bool, Error> {
    #[derive(Deserialize)]
    struct Bound {
        relation: String,
        proof: ProofId,
    }
    // A file that is private has nothing to say to the readers of a public proof.
    let is_hidden = (row.visibility, draft.visibility) == (Visibility::Public, Visibility::Private);
    if is_hidden || row.manifest_id.is_some() {
        return Ok(false);
    }
    let Some(record) = service.current(&ObjectKey::Record(row.id)).await? else { return Ok(false) };
    let record = Record::parse(&record.verified.content()).ok().filter(|record| !is_of_somebody(record));
    let text = record.and_then(|record| record.manifest.json);
    let bound = text.and_then(|text| serde_json::from_str::<Bound>(text.get()).ok());
    let own = ProofId::derive(&file.tenant, &file.media_hash);
    let Some(bound) = bound.filter(|bound| bound.relation == RENDITION && bound.proof != own) else {
        return Ok(false);
    };
    Ok(would_publish(row, draft) || is_live(service, &own).await? && !is_live(service, &bound.proof).await?)
}

/// Replaces a proof by a draft, and returns its new row. A proof that cannot be replaced, since it has too many revisions, stays.
/// Returns `None` if another process was first.
///
/// # Errors
/// Fails if the store fails, or if others keep changing the proof.
async fn replace_proof<P: Ports>(
    service: &Service<P>,
    row: &ProofRow,
    draft: &Draft,
) -> Result<Option<ProofRow>, Error> {
    let tag = entity_tag(&row.record_sha256, None).parse().ok();
    let headers = tag.map(|tag| (IF_MATCH, tag)).into_iter().collect();
    match supersede(service, &row.id, &row.tenant, &headers, |_| Ok(draft.clone())).await {
        Ok(Stored { row, .. }) => Ok(Some(row)),
        Err(Error::Problem(problem)) if problem.kind == ProblemKind::PreconditionFailed => Ok(None),
        Err(Error::Problem(problem)) if problem.kind != ProblemKind::Contended => {
            tracing::warn!(proof = %row.id, reason = %problem, "a proof of a file stays as it is");
            Ok(Some(row.clone()))
        }
        Err(error) => Err(error),
    }
}

/// Returns the manifest of a rendition's proof if the bytes of the rendition contain its ID, as those of a signed rendition
/// do. A reader of such a rendition has to find its manifest. Any other manifest is a proof that somebody else has stored.
///
/// # Errors
/// Fails if the store fails.
async fn named_manifest<P: Ports>(
    service: &Service<P>,
    file: &FileRecord,
    rendition: &RenditionRecord,
    row: &ProofRow,
) -> Result<Option<Manifest>, Error> {
    let Some(key) = row.manifest_key() else { return Ok(None) };
    let media = ObjectKey::Media(MediaKey::Rendition(file.blob, rendition.name.clone()));
    let Some(media) = service.current(&media).await? else { return Ok(None) };
    let named = manifest_path(service, &key);
    if !media.verified.content().windows(named.len()).any(|part| part == named.as_bytes()) {
        return Ok(None);
    }
    let Some(standing) = service.current(&ObjectKey::Manifest(key)).await? else { return Ok(None) };
    Ok(Some(Manifest::c2pa(standing.verified.content()).map_err(invalid)?))
}

/// Returns the path at which a manifest is read, as a signed rendition names it.
pub(super) fn manifest_path<P: Ports>(service: &Service<P>, key: &ManifestKey) -> String {
    let path = match service.settings().has_tenants {
        true => own_path(key),
        false => path(&ObjectKey::Manifest(key.clone())),
    };
    format!("/v1{path}")
}

/// Stores a proof, and returns its row, and `true` if it says what the draft does.
///
/// If there is one already that says the same and is private, because another file of the blob is, it becomes public with a
/// public file, whose readers have to find the original. It then stays public.
///
/// # Errors
/// Fails if the store fails.
async fn store_proof<P: Ports>(service: &Service<P>, draft: &Draft) -> Result<(ProofRow, bool), Error> {
    for _ in 0..MAX_ATTEMPTS {
        let Stored { row, identical, .. } = store(service, draft).await?;
        if !identical || !would_publish(&row, draft) {
            return Ok((row, identical));
        }
        if let Some(row) = publish_proof(service, &row, draft).await? {
            return Ok((row, true));
        }
    }
    Err(contended())
}

/// Makes a proof public that says the same as a draft, and returns its row. One that somebody stored stays as it is. Returns `None`
/// if another process was first.
///
/// # Errors
/// Fails if the store fails, or if others keep changing the proof.
async fn publish_proof<P: Ports>(
    service: &Service<P>,
    row: &ProofRow,
    draft: &Draft,
) -> Result<Option<ProofRow>, Error> {
    let Some(current) = service.current(&ObjectKey::Record(row.id)).await? else { return Ok(None) };
    let Ok(record) = Record::parse(&current.verified.content()) else { return Ok(Some(row.clone())) };
    if is_of_somebody(&record) {
        return Ok(Some(row.clone()));
    }
    if let Some(manifest) = draft.manifest_key() {
        change_visibility(service, &manifest, Visibility::Public).await?;
    }
    replace_proof(service, row, draft).await
}

/// Returns `true` if there is such a proof, by its row and by its record. One that was deleted stays deleted.
async fn is_there<P: Ports>(service: &Service<P>, proof: &ProofId) -> Result<bool, Error> {
    if service.proof_row(proof).await?.is_none_or(|row| row.state != State::Live) {
        return Ok(false);
    }
    let record = service.current(&ObjectKey::Record(*proof)).await?;
    Ok(record.is_some_and(|record| !record.verified.facts().tombstone))
}

/// Returns `true` if the proof of an original is private and a public file makes it public: it is the proof of a C2PA manifest
/// that does not tell a place, and nobody chose who may read it.
async fn may_become_public<P: Ports>(service: &Service<P>, proof: Option<ProofId>) -> Result<bool, Error> {
    let Some(proof) = proof else { return Ok(false) };
    let Some(row) = service.proof_row(&proof).await? else { return Ok(false) };
    let Some(manifest) = row.manifest_key() else { return Ok(false) };
    if row.state != State::Live || row.visibility == Visibility::Public {
        return Ok(false);
    }
    let Some(record) = service.current(&ObjectKey::Record(proof)).await? else { return Ok(false) };
    if Record::parse(&record.verified.content()).map_or(true, |record| is_of_somebody(&record)) {
        return Ok(false);
    }
    let manifest = service.current(&ObjectKey::Manifest(manifest)).await?;
    Ok(manifest.is_some_and(|manifest| !tells_place(&manifest.verified.content())))
}

impl<Q: Quarantine> Files<Q> {
    /// Makes the proofs of a public file public: those of its renditions, and that of the manifest in its original.
    ///
    /// # Errors
    /// Fails if the store fails, and with 503 if too many originals are in memory.
    pub(crate) async fn publish_proofs<P: Ports>(
        &self,
        service: &Service<P>,
        file: &FileRecord,
    ) -> Result<(), Error> {
        for rendition in &file.renditions {
            // One that is public already may lead to another original with the same pixels.
            if let Some(proof) = &rendition.proof
                && is_there(service, proof).await?
            {
                bind(service, file, rendition).await?;
            }
        }
        if !may_become_public(service, file.proof).await? {
            return Ok(());
        }
        let _turn = self.turns.take().await?;
        let key = ObjectKey::Media(MediaKey::Original(file.blob));
        let original = service.current(&key).await?;
        let original = original.ok_or_else(|| damaged(service, &key, &"the original is gone"))?;
        let embedded = self.manifests.embedded(original.verified.content(), file.kind).await?;
        match embedded {
            Some(embedded) => keep_embedded(service, file, embedded).await,
            None => Ok(()),
        }
    }
}

/// Returns the draft of a proof with the longest lifetime that a proof may have.
pub(super) fn draft(
    file: &FileRecord,
    media_hash: MediaHash,
    kind: FileType,
    manifest: Manifest,
    visibility: Visibility,
) -> Draft {
    Draft {
        tenant: file.tenant.clone(),
        media_hash,
        media_type: Some(kind.media_type().to_owned()),
        manifest,
        signature: None,
        lifetime: MAX_LIFETIME_SECONDS,
        tags: BTreeMap::new(),
        visibility,
        origin: None,
    }
}

/// Stores the manifest that an original carries as the original's proof. A manifest that tells where the picture was taken is
/// private, like the original itself. A manifest that does not belong to this file is logged and not stored, and the file is
/// published without it.
///
/// # Errors
/// Fails if the store fails.
pub(super) async fn keep_embedded<P: Ports>(
    service: &Service<P>,
    file: &FileRecord,
    embedded: Bytes,
) -> Result<(), Error> {
    match try_to_keep_embedded(service, file, embedded).await {
        Err(Error::Problem(problem)) => {
            tracing::info!(file = %file.id, reason = %problem, "the manifest in an original is not stored");
            Ok(())
        }
        kept => kept,
    }
}

async fn try_to_keep_embedded<P: Ports>(
    service: &Service<P>,
    file: &FileRecord,
    embedded: Bytes,
) -> Result<(), Error> {
    let visibility = if tells_place(&embedded) { Visibility::Private } else { file.access.visibility() };
    let manifest = Manifest::c2pa(embedded).map_err(invalid)?;
    check_binding(&manifest, &file.media_hash)?;
    let draft = draft(file, file.media_hash, file.kind, manifest, visibility);
    store_proof(service, &draft).await.map(drop)
}

/// Returns the problem of a manifest that is not valid.
pub(super) fn invalid(reason: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::InvalidManifest, reason.to_string())
}

/// Returns the proof of the original, if it has one that is live.
///
/// # Errors
/// Fails if the index fails.
pub(super) async fn proof_of_original<P: Ports>(
    service: &Service<P>,
    file: &FileRecord,
) -> Result<Option<ProofId>, Error> {
    let id = ProofId::derive(&file.tenant, &file.media_hash);
    Ok(is_live(service, &id).await?.then_some(id))
}

/// Returns `true` if there is such a proof, and it has not expired.
///
/// # Errors
/// Fails if the index fails.
async fn is_live<P: Ports>(service: &Service<P>, id: &ProofId) -> Result<bool, Error> {
    let row = service.proof_row(id).await?;
    Ok(row.is_some_and(|row| row.state == State::Live && !row.has_expired(service.now())))
}
