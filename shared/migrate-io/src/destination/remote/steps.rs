//! What comes next in importing a history of drafts, by what the API answered.

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

/// The drafts of one proof, by their revisions.
pub(super) struct Steps<'a> {
    drafts: &'a [Draft],
    first: &'a Draft,
    last: &'a Draft,
}

/// What to do next.
pub(super) enum Next<'a> {
    /// Nothing: this came out.
    Done(Imported),
    /// Ask this, which stores the draft.
    Ask(Question, &'a Draft),
    /// None of the drafts stands there: compare the last one with the record.
    Compare(Reply),
}

/// What an answer says of the proof that is there.
pub(super) struct Reply {
    /// SHA-256 of its record.
    pub(super) tag: Digest,
    said: Said,
}

/// The answer to a store or a replacement, as far as it matters here.
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
    /// The steps of these drafts; `None` where there are none.
    pub(super) fn of(drafts: &'a [Draft]) -> Option<Self> {
        Some(Self { drafts, first: drafts.first()?, last: drafts.last()? })
    }

    /// The proof.
    pub(super) fn id(&self) -> ProofId {
        self.first.id()
    }

    /// The first question, whatever stands there, and the draft that it stores.
    pub(super) fn first(&self) -> (Question, &'a Draft) {
        (self.store(self.first), self.first)
    }

    /// The number of drafts.
    pub(super) const fn count(&self) -> usize {
        self.drafts.len()
    }

    /// The question that lets the legacy id lead to a proof that has the last draft's manifest and signature.
    pub(super) fn last(&self) -> Question {
        self.store(self.last)
    }

    fn store(&self, draft: &Draft) -> Question {
        let mut question = Question::new(Method::POST, "/v1/proofs");
        question.body = Some(body(draft, self.legacy()));
        question
    }

    /// The earlier id of the proof. Its own id is no other name of it.
    fn legacy(&self) -> Option<&'a LegacyId> {
        let ids = self.drafts.iter().filter_map(|draft| Some(&draft.origin.as_ref()?.legacy.as_ref()?.id));
        ids.into_iter().find(|id| id.as_str().parse() != Ok(self.id()))
    }

    /// The record that a draft makes, where the proof's life begins with the revision `first`.
    fn record(&self, at: usize, first: u32) -> Option<(u32, Bytes)> {
        let revision = first.checked_add(u32::try_from(at).ok()?)?;
        // The instant does not count: what is imported brings its own.
        let mut record = self.drafts.get(at)?.record(revision, Timestamp::from_milliseconds(0));
        record.first_revision = first;
        Some((revision, record.to_bytes()))
    }

    /// Which draft stands there exactly, and the revision of the first.
    fn position(&self, reply: &Reply) -> Option<(usize, u32)> {
        let candidates = (0..self.drafts.len()).filter_map(|at| {
            let first = reply.said.revision.checked_sub(u32::try_from(at).ok()?)?;
            (first > 0).then_some((at, first))
        });
        candidates.into_iter().find(|(at, first)| {
            self.record(*at, *first).is_some_and(|(_, record)| Digest::of(&record) == reply.tag)
        })
    }

    /// What follows from an answer to a store or a replacement.
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
                // Where the proof is private, it matters who may read the one that is there.
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

    /// Whether a record has the last draft's manifest and signature.
    pub(super) fn ends_as(&self, record: &Record) -> bool {
        record.manifest.sha256 == *self.last.manifest.sha256() && record.signature == self.last.signature
    }

    /// Returns `true` if a record shows to everybody what the last draft shows to its tenant alone.
    pub(super) fn is_published_by(&self, record: &Record) -> bool {
        (self.last.visibility, record.visibility) == (Visibility::Private, Visibility::Public)
    }

    /// The manifests that are private at the source, with their digests.
    pub(super) fn private_manifests(&self) -> impl Iterator<Item = (ManifestKey, &'a Digest)> {
        let private = self.drafts.iter().filter(|draft| draft.has_private_manifest());
        private.filter_map(|draft| Some((draft.manifest_key()?, draft.manifest.sha256())))
    }

    /// How the proof that is there differs.
    pub(super) fn conflict(&self, reply: &Reply) -> Imported {
        let detail = difference(&self.id(), &reply.said.manifest.sha256, self.last);
        Imported::Conflict { detail }
    }

    /// The whole history as it stands there, the current record first.
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
                // Two revisions may have one manifest.
                if objects.iter().all(|object| object.key != manifest.key) {
                    objects.push(manifest);
                }
            }
        }
        CopiedItem { objects, exact: true, ..self.standing(reply) }
    }

    /// What stands there. Whose doing it is, and of which content, the caller knows.
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

/// An object by its content: in which form it is stored, only the destination knows.
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
