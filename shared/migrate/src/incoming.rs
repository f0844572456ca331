//! Turns a source's content into what is to be stored, or into the reason why nothing is.

mod not_copied;
mod owners;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::http::problem::ProblemKind;
use credlink_core::legacy::{LegacyError, LegacyId, LegacyRecord};
use credlink_core::manifest::Manifest;
use credlink_core::proof_id::ProofId;
use credlink_core::record::{Record, RecordError};
use credlink_core::rules::store::{Draft, Origin, check_binding};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::migration::ledger::{CopiedItem, Reason};
use credlink_ports::migration::target::{AliasDraft, ManifestDraft, Payload};
use credlink_ports::migration::{Content, Revision};

pub(super) use not_copied::ItemError;
pub use not_copied::NotCopied;
pub use owners::Owners;

/// An item that can be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// SHA-256 of the item's content ([`digest`]).
    pub source: Digest,
    /// The content that is to be stored.
    pub payload: Payload,
}

/// Returns the SHA-256 of an item's content, or `None` if the content cannot be read. For a legacy record or a manifest
/// this is the digest of its bytes. For a proof it covers the digests of its records and manifests. For an alias it
/// covers the alias and the proof's ID, whatever the proof says. A manifest that is private by itself, or whose
/// visibility differs from that of the record that refers to it, has another digest.
#[must_use]
pub fn digest(content: &Content) -> Option<Digest> {
    match content {
        Content::Legacy(json) => Some(Digest::of(json)),
        Content::Proof(revisions) => {
            let mut digests = Vec::with_capacity(revisions.len() * 64);
            for Revision { record, manifest } in revisions {
                digests.extend_from_slice(Digest::of(record).as_bytes());
                let bytes = manifest.as_ref().map(|manifest| &*manifest.bytes).unwrap_or_default();
                digests.extend_from_slice(Digest::of(bytes).as_bytes());
                let readers = manifest.as_ref().map(|manifest| manifest.visibility);
                let others = readers.filter(|readers| {
                    Record::parse(record).is_ok_and(|record| record.visibility != *readers)
                });
                if let Some(readers) = others {
                    digests.extend_from_slice(readers.to_string().as_bytes());
                }
            }
            Some(Digest::of(&digests))
        }
        Content::Alias { id, record } => {
            let proof = Record::parse(record).ok()?.id;
            Some(Digest::of(format!("{id} {proof}").as_bytes()))
        }
        Content::Manifest { bytes, visibility: Visibility::Public, .. } => Some(Digest::of(bytes)),
        Content::Manifest { bytes, visibility: Visibility::Private, .. } => {
            Some(Digest::of(format!("{} private", Digest::of(bytes)).as_bytes()))
        }
        Content::Gone(_) | Content::Unreadable(_) => None,
    }
}

/// Returns `true` if an item has the content that was copied with another visibility: with the copy's visibility, its
/// digest is that of the copy's source.
pub(super) fn is_same_for_other_readers(content: &Content, copy: &CopiedItem) -> bool {
    let copied = |bytes: &[u8], readers: &mut Visibility| {
        let sha256 = Digest::of(bytes);
        if let Some(object) = copy.objects.iter().find(|object| object.content == sha256) {
            *readers = if object.private { Visibility::Private } else { Visibility::Public };
        }
    };
    let mut before = content.clone();
    match &mut before {
        Content::Proof(revisions) => {
            for manifest in revisions.iter_mut().filter_map(|revision| revision.manifest.as_mut()) {
                copied(&manifest.bytes, &mut manifest.visibility);
            }
        }
        Content::Manifest { bytes, visibility, .. } => copied(bytes, visibility),
        Content::Legacy(_) | Content::Alias { .. } | Content::Gone(_) | Content::Unreadable(_) => {}
    }
    before != *content && digest(&before) == Some(copy.source)
}

/// Reads and checks an item, at the instant `now`.
///
/// # Errors
/// Returns the reason why the item is not copied.
pub fn incoming(content: &Content, owners: &Owners, now: Timestamp) -> Result<Incoming, NotCopied> {
    let payload = match content {
        Content::Legacy(json) => Payload::Proof(vec![legacy(json, owners)?]),
        Content::Proof(revisions) => Payload::Proof(proof(revisions, owners)?),
        Content::Alias { id, record } => Payload::Alias(alias_draft(id, record, owners, now)?),
        Content::Manifest { bytes, tenant, visibility } => {
            Payload::Manifest(manifest_draft(bytes, tenant.as_ref(), *visibility, owners)?)
        }
        Content::Gone(why) => return Err(NotCopied::new(Reason::Gone, why)),
        Content::Unreadable(why) => return Err(NotCopied::new(Reason::InvalidRecord, why)),
    };
    if let Some(Origin { expires, .. }) = payload.drafts().last().and_then(|draft| draft.origin.as_ref())
        && *expires <= now
    {
        return Err(NotCopied::new(Reason::Expired, format!("it expired on {expires}")));
    }
    let source = digest(content).ok_or_else(|| NotCopied::new(Reason::InvalidRecord, "it cannot be read"))?;
    Ok(Incoming { source, payload })
}

/// Returns the draft of an alias, under the tenant that its proof is imported for.
fn alias_draft(
    id: &LegacyId,
    record: &[u8],
    owners: &Owners,
    now: Timestamp,
) -> Result<AliasDraft, NotCopied> {
    let record = Record::parse(record).map_err(unread)?;
    if record.expires <= now {
        let detail = format!("it names the proof {}, which expired on {}", record.id, record.expires);
        return Err(NotCopied::new(Reason::Gone, detail));
    }
    let tenant = owners.of(&record.tenant)?;
    Ok(AliasDraft {
        id: id.clone(),
        proof: ProofId::derive(&tenant, &record.media_hash),
        tenant,
        manifest_sha256: record.manifest.sha256,
        signature: record.signature,
    })
}

fn manifest_draft(
    bytes: &Bytes,
    tenant: Option<&Tenant>,
    visibility: Visibility,
    owners: &Owners,
) -> Result<ManifestDraft, NotCopied> {
    let manifest =
        Manifest::c2pa(bytes.clone()).map_err(|error| NotCopied::new(Reason::InvalidManifest, error))?;
    let tenant = tenant.map_or_else(|| Ok(owners.tenant.clone()), |own| owners.of(own))?;
    Ok(ManifestDraft { manifest, tenant, visibility, restores: None })
}

fn unread(error: RecordError) -> NotCopied {
    let reason = match &error {
        RecordError::Damaged(_) | RecordError::Id | RecordError::Manifest => Reason::Damaged,
        RecordError::Version(_) => Reason::InvalidRecord,
    };
    NotCopied::new(reason, error)
}

/// Returns the draft of a legacy record, even of an expired one.
pub(super) fn legacy(json: &[u8], owners: &Owners) -> Result<Draft, NotCopied> {
    let record = LegacyRecord::parse(json).map_err(|error| {
        let reason = match &error {
            LegacyError::Binding { .. } => Reason::HashMismatch,
            LegacyError::Manifest(_) | LegacyError::Member { member: "manifest", .. } => {
                Reason::InvalidManifest
            }
            LegacyError::TooLong(_)
            | LegacyError::TooDeep(_)
            | LegacyError::NotAnObject(_)
            | LegacyError::Missing(_)
            | LegacyError::Member { .. } => Reason::InvalidRecord,
        };
        NotCopied::new(reason, error)
    })?;
    Ok(record.draft(owners.tenant.clone()))
}

fn proof(revisions: &[Revision], owners: &Owners) -> Result<Vec<Draft>, NotCopied> {
    let mut before: Option<Record> = None;
    let mut drafts = Vec::with_capacity(revisions.len());
    for revision in revisions {
        let record = Record::parse(&revision.record).map_err(unread)?;
        if let Some(before) = &before
            && (before.id != record.id || before.revision >= record.revision)
        {
            let detail = format!(
                "revision {} of {} follows on revision {} of {}",
                record.revision, record.id, before.revision, before.id
            );
            return Err(NotCopied::new(Reason::Damaged, detail));
        }
        drafts.push(draft(&record, revision, owners)?);
        before = Some(record);
    }
    if drafts.is_empty() {
        return Err(NotCopied::new(Reason::Damaged, "the proof has no record"));
    }
    Ok(drafts)
}

fn draft(record: &Record, revision: &Revision, owners: &Owners) -> Result<Draft, NotCopied> {
    let damaged =
        |why: String| NotCopied::new(Reason::Damaged, format!("revision {}: {why}", record.revision));
    let inline = record.manifest.inline_bytes().map_err(|error| damaged(error.to_string()))?;
    let bytes = match (inline, &revision.manifest) {
        (Some(bytes), _) => bytes,
        (None, Some(manifest)) => manifest.bytes.clone(),
        (None, None) => return Err(damaged("the manifest that it refers to is not there".to_owned())),
    };
    let found = Digest::of(&bytes);
    if found != record.manifest.sha256 || bytes.len() as u64 != record.manifest.length {
        return Err(damaged(format!(
            "the record's manifest has the SHA-256 {}; {found} is there",
            record.manifest.sha256
        )));
    }
    let manifest = Manifest::of_type(record.manifest.kind, bytes)
        .map_err(|error| NotCopied::new(Reason::InvalidManifest, error))?;
    check_binding(&manifest, &record.media_hash).map_err(|problem| {
        let reason = if problem.kind == ProblemKind::BindingMismatch {
            Reason::HashMismatch
        } else {
            Reason::InvalidManifest
        };
        NotCopied::new(reason, problem.detail)
    })?;
    Ok(Draft {
        tenant: owners.of(&record.tenant)?,
        media_hash: record.media_hash,
        media_type: record.media_type.clone(),
        manifest,
        signature: record.signature.clone(),
        lifetime: 0,
        tags: record.tags.clone(),
        visibility: record.visibility,
        origin: Some(Origin {
            created: record.created,
            expires: record.expires,
            legacy: record.legacy.clone(),
            restores: None,
            manifest_visibility: revision
                .manifest
                .as_ref()
                .map(|manifest| manifest.visibility)
                .filter(|readers| *readers != record.visibility),
        }),
    })
}
