//! The signed manifests of renditions, with `provenance = sign`.
//!
//! A rendition's bytes hold the address of its manifest, which therefore has an ID before it is signed. The ID follows from the
//! rendition, so each attempt makes the same bytes, and its manifest is the first one that was stored for them. A signature
//! differs each time: a manifest that an attempt stored before it was cut off is looked up by its ID, and taken.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use credlink_core::c2pa::Binding;
use credlink_core::collection::{Collection, ParentLocation, Provenance};
use credlink_core::file::{FocalPoint, Rejection, RenditionName};
use credlink_core::file_record::FileRecord;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::link::path;
use credlink_core::manifest::Manifest;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::row::State;

use credlink_ports::{
    MadeRendition, NotSigned, Ports, Quarantine, SignedRendition, SigningOrder, UnsignedRendition,
};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::store::store;

use super::Unfinished;
use super::provenance::{draft, invalid, manifest_path};
use crate::files::Files;
use crate::objects::standing_bytes;

/// The number of IDs that the manifests of a rendition can have. Each deletion of a manifest uses up its ID, because an ID keeps
/// its content for ever. A rendition that has used up all of them is bound.
const IDS: u32 = 100;

/// The provenance that the renditions of a picture get.
#[derive(Debug, Default)]
pub(crate) struct Provenances {
    kind: Provenance,
    signed: BTreeMap<RenditionName, SignedRendition>,
    standing: BTreeSet<RenditionName>,
}

/// The provenance that is planned for a rendition.
#[derive(Debug)]
pub(crate) enum Planned<'a> {
    /// It gets none.
    Nothing,
    /// It gets a record, once it is stored.
    Bound,
    /// It gets this signed manifest.
    Signed(&'a SignedRendition),
    /// It keeps its present proof, or gets a record if it has none, because it was there before anything was signed.
    Standing,
}

impl Provenances {
    /// Returns the provenance that is planned for a rendition.
    pub(crate) fn of(&self, name: &RenditionName) -> Planned<'_> {
        match (self.kind, self.signed.get(name)) {
            (Provenance::None, _) => Planned::Nothing,
            (Provenance::Bind, _) => Planned::Bound,
            (Provenance::Sign, Some(signed)) => Planned::Signed(signed),
            (Provenance::Sign, None) if self.standing.contains(name) => Planned::Standing,
            // It could not be signed.
            (Provenance::Sign, None) => Planned::Bound,
        }
    }
}

impl<Q: Quarantine> Files<Q> {
    /// Decides the provenance of the renditions of a picture, and signs those that are not there yet if the collection says so.
    /// Renditions that cannot be signed are bound.
    ///
    /// # Errors
    /// Fails if the original is rejected for the place that its manifest tells, or if the signer, a provider or the index fails.
    pub(crate) async fn provenances<P: Ports>(
        &self,
        service: &Service<P>,
        record: &FileRecord,
        rules: &Collection,
        location: ParentLocation,
        original: Bytes,
        made: &[MadeRendition],
    ) -> Result<Provenances, Unfinished> {
        let mut all = Provenances { kind: rules.provenance, ..Provenances::default() };
        if rules.provenance != Provenance::Sign || made.is_empty() {
            return Ok(all);
        }
        let Some(signer) = self.signer.clone() else {
            tracing::warn!(file = %record.id, "nothing signs renditions here; they are bound");
            return Ok(all);
        };
        let mut renditions = Vec::new();
        for made in made {
            let key = MediaKey::Rendition(record.blob, made.name.clone());
            if standing_bytes(service, &key).await?.is_some() {
                all.standing.insert(made.name.clone());
            } else {
                renditions.extend(self.unsigned(service, record, rules, made).await?);
            }
        }
        // Refusing a location requires looking for it, even if there is nothing to sign.
        if renditions.is_empty() && location != ParentLocation::Refuse {
            return Ok(all);
        }
        let (kind, proof_url) = (record.kind, self.proof_url(record));
        match signer.sign(original, SigningOrder { kind, proof_url, location, renditions }).await {
            Ok(signed) => {
                all.signed = signed.into_iter().map(|signed| (signed.name.clone(), signed)).collect();
                Ok(all)
            }
            Err(NotSigned::Location) if location == ParentLocation::Refuse => {
                Err(Unfinished::Rejected(Rejection::Location))
            }
            Err(NotSigned::Location) => {
                tracing::info!(file = %record.id, "an original's manifest tells a place; its renditions are bound");
                Ok(all)
            }
            Err(NotSigned::Unable(why)) => {
                tracing::warn!(file = %record.id, reason = why, "renditions cannot be signed; they are bound");
                Ok(all)
            }
            Err(NotSigned::Failed(failure)) => Err(failure.into()),
        }
    }

    fn proof_url(&self, record: &FileRecord) -> String {
        let proof = ProofId::derive(&record.tenant, &record.media_hash);
        format!("{}/v1{}", self.settings.public_url, path(&ObjectKey::Record(proof)))
    }

    /// Returns the order for the manifest of a rendition, or `None` if there is no ID left for it.
    ///
    /// # Errors
    /// Fails if the index fails.
    async fn unsigned<P: Ports>(
        &self,
        service: &Service<P>,
        record: &FileRecord,
        rules: &Collection,
        made: &MadeRendition,
    ) -> Result<Option<UnsignedRendition>, Error> {
        let Some(manifest) = self.manifest_id(service, record, made).await? else {
            tracing::warn!(
                file = %record.id,
                rendition = %made.name,
                "{IDS} manifests of a rendition were deleted; it is bound"
            );
            return Ok(None);
        };
        let key = ManifestKey::new(&record.tenant, &manifest);
        let path = manifest_path(service, &key);
        let Edits { is_cropped, is_scaled } = Edits::of(record, rules, made);
        Ok(Some(UnsignedRendition {
            name: made.name.clone(),
            bytes: made.bytes.clone(),
            is_scaled,
            is_cropped,
            manifest,
            manifest_url: format!("{}{path}", self.settings.public_url),
        }))
    }

    /// Returns the first ID of a rendition's manifests whose manifest was not deleted, or `None` if all of them were.
    ///
    /// # Errors
    /// Fails if the index fails.
    async fn manifest_id<P: Ports>(
        &self,
        service: &Service<P>,
        record: &FileRecord,
        made: &MadeRendition,
    ) -> Result<Option<ManifestId>, Error> {
        let unsigned = Digest::of(&made.bytes);
        for life in 0..IDS {
            let id = self.settings.link_keys.manifest_of(&record.blob, &made.name, &unsigned, life);
            let id = id.ok_or_else(contended)?;
            let row = service.manifest_row(&ManifestKey::new(&record.tenant, &id)).await?;
            if row.is_none_or(|row| row.state == State::Live) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

/// The edits that made a rendition of an original, as the actions of its manifest tell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edits {
    /// `true` if it shows only a part of the original.
    is_cropped: bool,
    /// `true` if it has fewer pixels than that part.
    is_scaled: bool,
}

impl Edits {
    /// Returns the edits of a rendition. They are all assumed where the profile or the size of the original is unknown.
    fn of(record: &FileRecord, rules: &Collection, made: &MadeRendition) -> Self {
        let profile = rules.renditions.iter().find(|profile| profile.name == made.name.profile);
        let (Some(profile), Some(width), Some(height)) = (profile, record.width, record.height) else {
            return Self { is_cropped: true, is_scaled: true };
        };
        let focal = made.name.focal.unwrap_or(FocalPoint::CENTRE);
        let geometry = profile.geometry(width, height, focal);
        let part = (geometry.part_width, geometry.part_height);
        Self { is_cropped: part != (width, height), is_scaled: part != (made.width, made.height) }
    }
}

/// Stores the manifest of a rendition as the proof of its signed bytes. Returns `false` if it cannot be stored, or if something
/// else is the proof of these bytes.
///
/// # Errors
/// Fails if the store fails.
pub(super) async fn keep_signed<P: Ports>(
    service: &Service<P>,
    file: &FileRecord,
    signed: &SignedRendition,
) -> Result<bool, Error> {
    match try_to_keep_signed(service, file, signed).await {
        Ok(is_kept) => Ok(is_kept),
        Err(Error::Problem(problem)) => {
            tracing::warn!(file = %file.id, rendition = %signed.name, reason = %problem, "a signed manifest is not stored");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

async fn try_to_keep_signed<P: Ports>(
    service: &Service<P>,
    file: &FileRecord,
    signed: &SignedRendition,
) -> Result<bool, Error> {
    let hash = MediaHash::of(&signed.bytes);
    let manifest = binding_manifest(signed.manifest.clone(), &hash)?;
    let Some(id) = manifest.id().cloned() else { return Ok(false) };
    let kind = signed.name.format.file_type();
    let proof = |manifest| draft(file, hash, kind, manifest, file.access.visibility());
    let stored = match store(service, &proof(manifest)).await {
        Err(Error::Problem(problem)) if problem.kind == ProblemKind::ManifestConflict => {
            // An attempt that was cut off signed the same bytes.
            let key = ObjectKey::Manifest(ManifestKey::new(&file.tenant, &id));
            let standing = service.current(&key).await?;
            let standing = standing.filter(|standing| !standing.verified.facts().tombstone);
            let Some(standing) = standing else { return Err(problem.into()) };
            store(service, &proof(binding_manifest(standing.verified.content(), &hash)?)).await?
        }
        stored => stored?,
    };
    Ok(stored.row.manifest_key().is_some_and(|key| key.id == id))
}

/// Reads a manifest, which has to bind all of the file with this hash.
///
/// # Errors
/// Fails if it is invalid, or binds something else.
fn binding_manifest(bytes: Bytes, hash: &MediaHash) -> Result<Manifest, Problem> {
    let manifest = Manifest::c2pa(bytes).map_err(invalid)?;
    match manifest.binding() {
        Binding::WholeFile(digest) if digest == hash.digest() => Ok(manifest),
        _ => Err(invalid(format!("the manifest does not bind all of {hash}"))),
    }
}
