//! The objects of another CredLink, as its API serves them.

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::http::problem::ProblemKind;
use credlink_core::link::exact_path;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::time::Timestamp;
use credlink_ports::migration::ledger::StoredObject;
use credlink_ports::migration::{Depth, Verdict};
use credlink_ports::{Failure, FailureKind};
use http::StatusCode;

use super::Remote;
use crate::api::{Question, Unexpected as _, failure};

/// The state of the object under a key.
pub(super) enum ObjectState {
    /// Content with this digest, and its visibility if the answer states it.
    Content(Digest, Option<Visibility>),
    /// There is no object, and no sign that there was one.
    Absent,
    /// The object was deleted at this instant.
    Deleted(Timestamp),
    /// The object has expired, with a description.
    Expired(String),
    /// The object is damaged, with a description.
    Damaged(String),
    /// The object is private and not shown to this credential.
    Private,
}

impl Remote {
    /// Returns the state of the object under `key`, as the service reports it or from its content.
    pub(super) async fn found(&self, key: &ObjectKey, depth: Depth) -> Result<ObjectState, Failure> {
        Ok(self.read(key, depth).await?.0)
    }

    /// Returns the state of the object under `key`, and its content if `depth` asks for it.
    pub(super) async fn read(&self, key: &ObjectKey, depth: Depth) -> Result<(ObjectState, Bytes), Failure> {
        let target = format!("/v1{}", exact_path(key));
        let answer = match depth {
            Depth::Checksum => self.api.look(&target).await,
            Depth::Content => self.api.ask(Question::object(target.clone())).await,
        };
        let answer = match answer {
            Err(failure) if failure.kind == FailureKind::Damaged => {
                return Ok((ObjectState::Damaged(failure.message), Bytes::new()));
            }
            answer => answer?,
        };
        let found = match answer.status {
            StatusCode::OK if depth == Depth::Content => {
                ObjectState::Content(Digest::of(&answer.body), answer.visibility())
            }
            StatusCode::OK => {
                let digest = answer.digest().ok_or_else(|| answer.unexpected(&target))?;
                ObjectState::Content(digest, answer.visibility())
            }
            _ if answer.is_not_found() => ObjectState::Absent,
            StatusCode::FORBIDDEN => ObjectState::Private,
            StatusCode::GONE => {
                let problem = answer.problem();
                match problem.deleted() {
                    Some(at) => ObjectState::Deleted(at),
                    None if problem.slug() == ProblemKind::Expired.slug() => {
                        ObjectState::Expired(problem.detail)
                    }
                    None => return Err(answer.unexpected(&target)),
                }
            }
            _ => return Err(answer.unexpected(&target)),
        };
        Ok((found, answer.body))
    }

    pub(super) async fn verify_object(
        &self,
        object: &StoredObject,
        depth: Depth,
    ) -> Result<Option<Verdict>, Failure> {
        let Ok(key) = object.key.parse::<ObjectKey>() else {
            return Ok(Some(Verdict::Missing(format!("{} is no key of an object", object.key))));
        };
        Ok(match self.found(&key, depth).await? {
            ObjectState::Content(digest, readers) if digest == object.content => {
                Verdict::of_readers(object, readers)
            }
            ObjectState::Content(digest, _) => Some(match &key {
                ObjectKey::Record(id) => self.replaced(id, &object.content, &digest).await?,
                ObjectKey::Revision(..)
                | ObjectKey::Manifest(_)
                | ObjectKey::Front(_)
                | ObjectKey::Alias(_)
                | ObjectKey::Hold(..)
                | ObjectKey::Removed(..)
                | ObjectKey::Identity
                | ObjectKey::Media(_) => Verdict::Corrupted(format!(
                    "{key}: the content has the SHA-256 {digest}; {} was copied",
                    object.content
                )),
            }),
            ObjectState::Absent => Some(Verdict::Missing(format!("{key} is not there"))),
            ObjectState::Deleted(at) => Some(Verdict::Changed(format!("{key} was deleted on {at}"))),
            ObjectState::Expired(detail) => Some(Verdict::Changed(format!("{key}: {detail}"))),
            ObjectState::Damaged(detail) => Some(Verdict::Corrupted(format!("{key}: {detail}"))),
            ObjectState::Private => {
                return Err(failure(
                    FailureKind::AccessDenied,
                    format!("{key}: the credential may not read it"),
                ));
            }
        })
    }

    /// Returns the verdict on a record that differs from the copied one. A replacement leaves the earlier record under
    /// its revision.
    async fn replaced(&self, id: &ProofId, copied: &Digest, found: &Digest) -> Result<Verdict, Failure> {
        let target = format!("/v1{}", exact_path(&ObjectKey::Record(*id)));
        let answer = self.api.ask(Question::object(target.clone())).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.unexpected(&target));
        }
        let record = Record::parse(&answer.body)
            .map_err(|error| failure(FailureKind::Damaged, format!("{target}: {error}")))?;
        for revision in (record.first_revision..record.revision).rev() {
            let earlier = self.found(&ObjectKey::Revision(*id, revision), Depth::Checksum).await?;
            if matches!(earlier, ObjectState::Content(digest, _) if digest == *copied) {
                let detail = format!(
                    "{id} was replaced: it has the revision {} of {}",
                    record.revision, record.created
                );
                return Ok(Verdict::Changed(detail));
            }
        }
        if record.first_revision > 1 {
            return Ok(Verdict::Changed(format!("{id} was deleted and stored again on {}", record.created)));
        }
        Ok(Verdict::Corrupted(format!("{id}: the record has the SHA-256 {found}; {copied} was copied")))
    }
}
