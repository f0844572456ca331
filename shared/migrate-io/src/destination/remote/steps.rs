//! The next step in importing a history of drafts, given the API's answer.

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::legacy::LegacyId;
use credlink_core::link::exact_path;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::rules::store::Draft;
use credlink_core::time::Timestamp;
use credlink_ports::migration::Imported;
use credlink_ports::migration::ledger::{CopiedItem, StoredObject};
use credlink_ports::migration::proof_content::difference;
use credlink_ports::migration::target::Target;
use credlink_ports::{Failure, FailureKind};
use http::Method;
use serde::Deserialize;

use super::upload::body;
use crate::api::{Answer, Question, failure};

/// The drafts of one proof, in order of revision.
pub(super) struct Steps<'a> {
    drafts: &'a [Draft],
    first: &'a Draft,
    last: &'a Draft,
}

/// The next step.
pub(super) enum Next<'a> {
    /// The import is finished with this outcome.
    Done(Imported),
    /// Send this request, which stores the draft.
    Ask(Question, &'a Draft),
    /// The current record is not one of the drafts: compare it with the last draft.
    Compare(Reply),
}

/// The API's answer about the proof at the destination.
pub(super) struct Reply {
    /// SHA-256 of the current record.
    pub(super) tag: Digest,
    said: Said,
}

/// The answer to a store or a replacement; other members are ignored.
#[derive(Debug, Deserialize)]
struct Said {
    id: ProofId,
    identical: bool,
    revision: u32,
    manifest: SaidManifest,
}

#[derive(Debug, Deserialize)]
struct SaidManifest {
    sha256: Digest,
    id: Option<ManifestId>,
}

impl<'a> Steps<'a> {
    /// Returns the steps that import these drafts, or `None` if there are no drafts.
    pub(super) fn of(drafts: &'a [Draft]) -> Option<Self> {
        Some(Self { drafts, first: drafts.first()?, last: drafts.last()? })
    }

    /// Returns the ID of the proof.
    pub(super) fn id(&self) -> ProofId {
        self.first.id()
    }

    /// Returns the first request, which does not depend on the destination's state, and the draft that it stores.
    pub(super) fn first(&self) -> (Question, &'a Draft) {
        (self.store(self.first), self.first)
    }

    /// Returns the number of drafts.
    pub(super) const fn count(&self) -> usize {
        self.drafts.len()
    }

    /// Returns the request that makes the legacy ID lead to a proof with the last draft's manifest and signature.
    pub(super) fn last(&self) -> Question {
        self.store(self.last)
    }

    fn store(&self, draft: &Draft) -> Question {
        let mut question = Question::new(Method::POST, "/v1/proofs");
        question.body = Some(body(draft, self.legacy()));
        question
    }

    /// Returns the legacy ID of the proof. The proof's own ID does not count as one.
    fn legacy(&self) -> Option<&'a LegacyId> {
        let ids = self.drafts.iter().filter_map(|draft| Some(&draft.origin.as_ref()?.legacy.as_ref()?.id));
        ids.into_iter().find(|id| id.as_str().parse() != Ok(self.id()))
    }

    /// Returns the record that a draft produces if the proof's first revision is `first`.
    fn record(&self, at: usize, first: u32) -> Option<(u32, Bytes)> {
        let revision = first.checked_add(u32::try_from(at).ok()?)?;
        // This instant is not used: an imported draft has its own.
        let mut record = self.drafts.get(at)?.record(revision, Timestamp::from_milliseconds(0));
        record.first_revision = first;
        Some((revision, record.to_bytes()))
    }

    /// Returns the index of the draft that is exactly the current record, and the first revision.
    fn position(&self, reply: &Reply) -> Option<(usize, u32)> {
        let candidates = (0..self.drafts.len()).filter_map(|at| {
            let first = reply.said.revision.checked_sub(u32::try_from(at).ok()?)?;
            (first > 0).then_some((at, first))
        });
        candidates.into_iter().find(|(at, first)| {
            self.record(*at, *first).is_some_and(|(_, record)| Digest::of(&record) == reply.tag)
        })
    }

    /// Decides on the next step from the answer to a store or a replacement.
    pub(super) fn next(&self, answer: &Answer) -> Result<Next<'a>, Failure> {
        let said = serde_json::from_slice::<Said>(&answer.body).ok();
        let Some((tag, said)) = answer.digest().zip(said) else {
            let what = format!("{}: it is no CredLink that answers", self.id());
            return Err(failure(FailureKind::Damaged, what));
        };
        if said.id != self.id() {
            let what = format!("{}: it answers with the proof {}, which is another one", self.id(), said.id);
            return Err(failure(FailureKind::Damaged, what));
        }
        let reply = Reply { tag, said };
        let Some((at, first)) = self.position(&reply) else {
            return Ok(match self.drafts {
                // For a private proof, the visibility of the existing one matters as well.
                [_] if reply.said.identical && self.last.visibility == Visibility::Private => {
                    Next::Compare(reply)
                }
                [_] if reply.said.identical => Next::Done(Imported::Equal(self.standing(&reply))),
                [_] => Next::Done(self.conflict(&reply)),
                _ => Next::Compare(reply),
            });
        };
        let Some(draft) = self.drafts.get(at + 1) else {
            return Ok(Next::Done(Imported::Stored(self.copy(first, &reply))));
        };
        let target = format!("/v1{}", exact_path(&ObjectKey::Record(self.id())));
        let mut question = Question::new(Method::PUT, target);
        question.if_match = Some(tag);
        question.body = Some(body(draft, None));
        Ok(Next::Ask(question, draft))
    }

    /// Returns `true` if a record has the last draft's manifest and signature.
    pub(super) fn ends_as(&self, record: &Record) -> bool {
        record.manifest.sha256 == *self.last.manifest.sha256() && record.signature == self.last.signature
    }

    /// Returns `true` if a record is public and the last draft is private.
    pub(super) fn is_published_by(&self, record: &Record) -> bool {
        (self.last.visibility, record.visibility) == (Visibility::Private, Visibility::Public)
    }

    /// Returns the manifests that are private at the source, with their digests.
    pub(super) fn private_manifests(&self) -> impl Iterator<Item = (ManifestKey, &'a Digest)> {
        let private = self.drafts.iter().filter(|draft| draft.has_private_manifest());
        private.filter_map(|draft| Some((draft.manifest_key()?, draft.manifest.sha256())))
    }

    /// Returns the conflict with the existing proof.
    pub(super) fn conflict(&self, reply: &Reply) -> Imported {
        let detail = difference(&self.id(), &reply.said.manifest.sha256, self.last);
        Imported::Conflict { detail }
    }

    /// Returns the whole history as the destination has it, with the current record first.
    fn copy(&self, first: u32, reply: &Reply) -> CopiedItem {
        let mut objects: Vec<StoredObject> = Vec::new();
        for (at, draft) in self.drafts.iter().enumerate().rev() {
            let Some((revision, record)) = self.record(at, first) else { continue };
            let key = if revision == reply.said.revision {
                ObjectKey::Record(self.id())
            } else {
                ObjectKey::Revision(self.id(), revision)
            };
            objects.push(object(&key, Digest::of(&record)));
            if let Some(manifest) = draft.manifest_key() {
                let manifest = object(&ObjectKey::Manifest(manifest), *draft.manifest.sha256());
                let manifest = StoredObject { private: draft.has_private_manifest(), ..manifest };
                // Two revisions may share a manifest.
                if objects.iter().all(|object| object.key != manifest.key) {
                    objects.push(manifest);
                }
            }
        }
        CopiedItem { objects, exact: true, ..self.standing(reply) }
    }

    /// Returns the existing copy. The caller fills in who created it and the digest of the source's content.
    pub(super) fn standing(&self, reply: &Reply) -> CopiedItem {
        let manifest = reply.said.manifest.id.as_ref();
        let manifest = manifest.map(|id| ObjectKey::Manifest(ManifestKey::new(&self.first.tenant, id)));
        let mut objects = vec![object(&ObjectKey::Record(self.id()), reply.tag)];
        let sha256 = reply.said.manifest.sha256;
        let private = self.private_manifests().any(|(_, private)| *private == sha256);
        objects.extend(manifest.map(|key| StoredObject { private, ..object(&key, sha256) }));
        CopiedItem {
            target: Target::Proof(self.id()),
            legacy: self.legacy().cloned(),
            source: Digest::from_bytes([0; 32]),
            created: false,
            exact: false,
            objects,
        }
    }
}

/// Returns an object known by its content only: the API does not tell in which form it is stored.
fn object(key: &ObjectKey, content: Digest) -> StoredObject {
    StoredObject {
        key: key.to_string(),
        content,
        stored: None,
        crc64nvme: None,
        coding: None,
        private: false,
    }
}
