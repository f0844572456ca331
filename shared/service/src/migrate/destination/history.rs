//! What a proof's drafts make, and where in it a destination stands.

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use credlink_core::encoding::at_rest;
use credlink_core::hash::Digest;
use credlink_core::legacy::LegacyId;
use credlink_core::object::{Coding, ObjectKey};
use credlink_core::row::ProofRow;
use credlink_core::rules::store::Draft;
use credlink_core::time::Timestamp;

use crate::migrate::ledger::{Copy, StoredObject};
use crate::take_over::is_another_name;

/// The records that drafts make, where their proof's life begins with the revision `first`.
pub(super) struct History<'a> {
    first: u32,
    records: Vec<(&'a Draft, u32, Bytes)>,
}

impl<'a> History<'a> {
    pub(super) fn new(drafts: &'a [Draft], first: u32) -> Self {
        let records = drafts.iter().zip(first..).map(|(draft, revision)| {
            // The instant does not count: what is taken over brings its own.
            let mut record = draft.record(revision, Timestamp::from_milliseconds(0));
            record.first_revision = first;
            (draft, revision, record.to_bytes())
        });
        Self { first, records: records.collect() }
    }

    /// Which of the drafts the row stands for, exactly.
    pub(super) fn position(&self, row: &ProofRow) -> Option<usize> {
        let position = usize::try_from(row.revision.checked_sub(self.first)?).ok()?;
        let (_, _, record) = self.records.get(position)?;
        (Digest::of(record) == row.record_sha256).then_some(position)
    }

    /// The whole history as it is stored, with `row` for its end, and with `body` for the bytes in which its record was
    /// just stored.
    pub(super) fn copy(&self, row: &ProofRow, body: Option<&[u8]>) -> Copy {
        let mut objects: Vec<StoredObject> = Vec::with_capacity(self.records.len() * 2);
        for (draft, revision, record) in self.records.iter().rev() {
            let is_current = *revision == row.revision;
            let key =
                if is_current { ObjectKey::Record(row.id) } else { ObjectKey::Revision(row.id, *revision) };
            objects.push(match body.filter(|_| is_current) {
                Some(body) => {
                    let coding = (body != record).then_some(Coding::Gzip);
                    stored(&key, row.record_sha256, body, coding)
                }
                None => first_stored(&key, record),
            });
            if let Some(id) = draft.manifest.id() {
                let key = ObjectKey::Manifest(id.clone());
                // Two revisions may have one manifest.
                if objects.iter().all(|object| object.key != key.to_string()) {
                    objects.push(first_stored(&key, draft.manifest.bytes()));
                }
            }
        }
        let drafts = self.records.iter().map(|(draft, ..)| *draft);
        Copy { objects, exact: true, ..standing(row, drafts) }
    }
}

/// What stands there for `drafts`, as the row has it. Whose doing it is, and of which content, the caller knows.
pub(super) fn standing<'a>(row: &ProofRow, drafts: impl IntoIterator<Item = &'a Draft>) -> Copy {
    let known = |key: ObjectKey, content| StoredObject {
        key: key.to_string(),
        content,
        stored: None,
        crc64nvme: None,
        coding: None,
    };
    let mut objects = vec![known(ObjectKey::Record(row.id), row.record_sha256)];
    let manifest = row.manifest_id.clone().map(ObjectKey::Manifest);
    objects.extend(manifest.map(|key| known(key, row.manifest_sha256)));
    Copy {
        proof: row.id,
        legacy: legacy(drafts).map(|(id, _)| id.clone()),
        source: Digest::from_bytes([0; 32]),
        created: false,
        exact: false,
        objects,
    }
}

/// The id that a history's proof had in a legacy store, and the draft that says so.
pub(super) fn legacy<'a>(drafts: impl IntoIterator<Item = &'a Draft>) -> Option<(&'a LegacyId, &'a Draft)> {
    drafts.into_iter().find_map(|draft| {
        let legacy = draft.origin.as_ref()?.legacy.as_ref()?;
        is_another_name(&legacy.id, &draft.id()).then_some((&legacy.id, draft))
    })
}

/// An object by its content, in the form in which it is stored for the first time.
fn first_stored(key: &ObjectKey, content: &[u8]) -> StoredObject {
    let form = at_rest(content);
    stored(key, Digest::of(content), &form.bytes, form.coding)
}

fn stored(key: &ObjectKey, content: Digest, body: &[u8], coding: Option<Coding>) -> StoredObject {
    StoredObject {
        key: key.to_string(),
        content,
        stored: Some(Digest::of(body)),
        crc64nvme: Some(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, body)),
        coding: coding.map(|Coding::Gzip| "gzip".to_owned()),
    }
}
