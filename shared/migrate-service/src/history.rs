//! The history that a proof's drafts produce, and how much of it a destination has.

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use credlink_core::encoding::Coding;
use credlink_core::hash::Digest;
use credlink_core::legacy::LegacyId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::row::ProofRow;
use credlink_core::rules::store::Draft;
use credlink_core::time::Timestamp;
use credlink_ports::migration::ledger::{CopiedItem, StoredObject};
use credlink_ports::migration::target::Target;
use credlink_service::aliases::is_another_name;
use credlink_service::stored::StoredBody;

/// The records that drafts produce if their proof's first revision is `first`.
pub(super) struct History<'a> {
    first: u32,
    records: Vec<(&'a Draft, u32, Bytes)>,
}

impl<'a> History<'a> {
    pub(super) fn new(drafts: &'a [Draft], first: u32) -> Self {
        let records = drafts.iter().zip(first..).map(|(draft, revision)| {
            // This instant is not used: an imported draft has its own.
            let mut record = draft.record(revision, Timestamp::from_milliseconds(0));
            record.first_revision = first;
            (draft, revision, record.to_bytes())
        });
        Self { first, records: records.collect() }
    }

    /// Returns the index of the draft that is exactly the row's record.
    pub(super) fn position(&self, row: &ProofRow) -> Option<usize> {
        let position = usize::try_from(row.revision.checked_sub(self.first)?).ok()?;
        let (_, _, record) = self.records.get(position)?;
        (Digest::of(record) == row.record_sha256).then_some(position)
    }

    /// Returns the whole history as it is stored, with `row` as its latest revision.
    pub(super) fn copy(&self, row: &ProofRow) -> CopiedItem {
        let mut objects: Vec<StoredObject> = Vec::with_capacity(self.records.len() * 2);
        for (draft, revision, record) in self.records.iter().rev() {
            let key = if *revision == row.revision {
                ObjectKey::Record(row.id)
            } else {
                ObjectKey::Revision(row.id, *revision)
            };
            objects.push(first_stored(&key, record));
            if let Some(manifest) = stored_manifest(draft)
                // Two revisions may share a manifest.
                && objects.iter().all(|object| object.key != manifest.key)
            {
                objects.push(manifest);
            }
        }
        let drafts = self.records.iter().map(|(draft, ..)| *draft);
        CopiedItem { objects, exact: true, ..standing(row, drafts) }
    }
}

/// Returns the copy that was just stored for a draft, with its row and the stored bytes of its record.
pub(super) fn stored_just_now(draft: &Draft, row: &ProofRow, body: &StoredBody) -> CopiedItem {
    let record = stored(&ObjectKey::Record(row.id), row.record_sha256, &body.bytes, body.coding);
    let objects = [record].into_iter().chain(stored_manifest(draft)).collect();
    CopiedItem { objects, exact: true, ..standing(row, [draft]) }
}

/// Returns the copy of `drafts` as the row has it. The caller fills in who created it and the digest of the source's
/// content.
pub(super) fn standing<'a>(
    row: &ProofRow,
    drafts: impl IntoIterator<Item = &'a Draft> + Clone,
) -> CopiedItem {
    let known = |key: ObjectKey, content| StoredObject {
        key: key.to_string(),
        content,
        stored: None,
        crc64nvme: None,
        coding: None,
        private: false,
    };
    let mut objects = vec![known(ObjectKey::Record(row.id), row.record_sha256)];
    let manifest = row.manifest_id.as_ref().map(|id| ObjectKey::Manifest(ManifestKey::new(&row.tenant, id)));
    let is_it = |draft: &&Draft| *draft.manifest.sha256() == row.manifest_sha256;
    let private = drafts.clone().into_iter().filter(is_it).any(Draft::has_private_manifest);
    objects.extend(manifest.map(|key| StoredObject { private, ..known(key, row.manifest_sha256) }));
    CopiedItem {
        target: Target::Proof(row.id),
        legacy: legacy(drafts).map(|(id, _)| id.clone()),
        source: Digest::from_bytes([0; 32]),
        created: false,
        exact: false,
        objects,
    }
}

/// Returns the ID that the proof had in a legacy store, and the draft that names it.
pub(super) fn legacy<'a>(drafts: impl IntoIterator<Item = &'a Draft>) -> Option<(&'a LegacyId, &'a Draft)> {
    drafts.into_iter().find_map(|draft| {
        let legacy = draft.origin.as_ref()?.legacy.as_ref()?;
        is_another_name(&legacy.id, &draft.id()).then_some((&legacy.id, draft))
    })
}

/// Returns a draft's manifest in the form in which it is first stored, or `None` if it is part of the record.
fn stored_manifest(draft: &Draft) -> Option<StoredObject> {
    let object = first_stored(&ObjectKey::Manifest(draft.manifest_key()?), draft.manifest.bytes());
    Some(StoredObject { private: draft.has_private_manifest(), ..object })
}

/// Returns an object by its content, in the form in which it is first stored.
pub(super) fn first_stored(key: &ObjectKey, content: &[u8]) -> StoredObject {
    let form = key.at_rest(content, 0);
    stored(key, Digest::of(content), &form.bytes, form.coding)
}

/// Returns an object by the SHA-256 of its content and its stored form.
fn stored(key: &ObjectKey, content: Digest, body: &[u8], coding: Option<Coding>) -> StoredObject {
    StoredObject {
        key: key.to_string(),
        content,
        stored: Some(Digest::of(body)),
        crc64nvme: Some(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, body)),
        coding: coding.map(|Coding::Gzip| "gzip".to_owned()),
        private: false,
    }
}
