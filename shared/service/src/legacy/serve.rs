//! Requests that a legacy source has a say in.

use std::sync::Arc;

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::http::route::Form;
use credlink_core::legacy::LegacyId;
use credlink_core::object::{Attributes, Head, Object, ObjectKey, StoredTag, Verified};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ProofRow, Row, State};
use credlink_core::rules::alias::alias_absent;
use credlink_core::rules::store::Draft;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;

use credlink_ports::{Event, Events as _, Failure, Ports};

use super::{Found, Legacy, Wanted};
use crate::error::Error;
use crate::service::Service;
use crate::take_over::take_over;

/// Seconds after which to look whether the cloud storage is on again.
const OFF_SECONDS: u32 = 60;

/// The refusal of what needs the cloud storage while that is off.
pub(crate) fn off(what: &str) -> Problem {
    let mut problem = Problem::unavailable(OFF_SECONDS);
    problem.detail = format!(
        "{what} while the cloud storage is switched off: the legacy store answers reads of proofs and takes new ones alone, \
         until CREDLINK_CLOUD_STORAGE is `on` again"
    );
    problem
}

/// What a legacy id leads to that has no alias.
pub(crate) struct Unnamed {
    /// The proof.
    pub(crate) proof: ProofId,
    /// Its record.
    pub(crate) verified: Arc<Verified>,
    /// Whether it can be read by its own id.
    pub(crate) leads: bool,
}

impl<P: Ports> Service<P> {
    /// The legacy source, while the cloud storage is off.
    pub(crate) fn alone(&self) -> Option<&dyn Legacy> {
        self.legacy.as_deref().filter(|legacy| legacy.is_alone())
    }

    /// What the legacy source has of the object that a lookup misses.
    pub(crate) async fn instead(&self, key: &ObjectKey) -> Result<Option<Arc<Verified>>, Failure> {
        let (Some(legacy), ObjectKey::Record(id)) = (self.legacy.as_deref(), key) else { return Ok(None) };
        let Some(found) = self.legacy_record(legacy, id).await? else { return Ok(None) };
        self.found(legacy, &found).await.map(Some)
    }

    /// What is answered with, of a legacy record: what stands here by now, or what its migration makes of it, which begins.
    async fn found(&self, legacy: &dyn Legacy, found: &Found) -> Result<Arc<Verified>, Failure> {
        let key = ObjectKey::Record(found.draft.id());
        if legacy.is_alone() {
            if let Some((row, at)) = self.buried(&found.draft.id()).await {
                let (body, attributes) = Tombstone::new(at, row.revision).object(&key, &row.tenant);
                return self.as_read(&key, at, (body.into(), attributes)).map(Arc::new);
            }
        } else {
            // Past the cache, which may not know yet that it was taken over, and deleted again (guarantee 8).
            if let Some(current) = self.current(&key).await? {
                return Ok(Arc::new(current.verified));
            }
            let expires = found.draft.origin.as_ref().map(|origin| origin.expires);
            if expires.is_some_and(|expires| expires > self.now()) {
                legacy.begin(found);
            }
        }
        self.ports.events().record(Event::LegacyHit);
        self.migrated(&key, &found.draft).map(Arc::new)
    }

    /// The object that the migration of a legacy record makes.
    fn migrated(&self, key: &ObjectKey, draft: &Draft) -> Result<Verified, Failure> {
        let record = draft.record(1, self.now());
        let bytes = record.to_bytes();
        self.as_read(key, record.created, record.stored(&bytes, Digest::of(&bytes), key))
    }

    /// An object as a provider would hold it.
    pub(crate) fn as_read(
        &self,
        key: &ObjectKey,
        modified: Timestamp,
        (body, attributes): (Bytes, Attributes),
    ) -> Result<Verified, Failure> {
        let head = Head { tag: StoredTag(String::new()), size: body.len() as u64, modified, attributes };
        Verified::check(Object { head, body }).map_err(|damage| self.damaged(key, &damage))
    }

    /// The marker that the row of a deleted proof stands for.
    pub(crate) async fn buried_record(&self, id: &ProofId) -> Result<Option<Verified>, Failure> {
        let row = self.proof_row(id).await?.map(Row::Proof);
        let Some((marker, tenant)) = row.as_ref().and_then(Tombstone::of) else { return Ok(None) };
        let key = ObjectKey::Record(*id);
        let (body, attributes) = marker.object(&key, &tenant);
        self.as_read(&key, marker.deleted, (body.into(), attributes)).map(Some)
    }

    /// The row of a proof that was deleted here, and when, for an answer while the cloud storage is off (guarantee 8). An
    /// index that does not answer keeps nobody from reading the legacy store: it may be what the switch was thrown for.
    pub(crate) async fn buried(&self, id: &ProofId) -> Option<(ProofRow, Timestamp)> {
        let row = self.proof_row(id).await.unwrap_or_else(|failure| {
            tracing::warn!(proof = %id, %failure, "whether it was deleted is not known; the legacy store answers");
            None
        })?;
        match row.state {
            State::Deleting(at) | State::Deleted(at) => Some((row, at)),
            State::Live => None,
        }
    }

    /// Takes a proof over that is to be changed or deleted: a change of what stands nowhere but in the legacy source would
    /// be none.
    ///
    /// # Errors
    /// As [`take_over`], or a failure of the legacy source.
    pub(crate) async fn bring(&self, id: &ProofId) -> Result<(), Error> {
        let Some(legacy) = self.legacy.as_deref() else { return Ok(()) };
        if self.proof_row(id).await?.is_some() {
            return Ok(());
        }
        let Some(found) = self.legacy_record(legacy, id).await? else { return Ok(()) };
        match take_over(self, &found.draft).await {
            Ok(_) => Ok(()),
            // There is nothing to change any more.
            Err(Error::Problem(problem)) if matches!(problem.kind, Kind::Expired | Kind::Deleted) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What a legacy id leads to that has no alias.
    ///
    /// # Errors
    /// Nothing has this id (404), or a failure.
    pub(crate) async fn unnamed(&self, id: &LegacyId) -> Result<Unnamed, Error> {
        let Some(legacy) = self.legacy.as_deref() else { return Err(alias_absent(id).into()) };
        let found = legacy.find(&Wanted::Legacy(id.clone())).await?;
        let found = found.ok_or_else(|| alias_absent(id))?;
        let verified = self.found(legacy, &found).await?;
        let proof = found.draft.id();
        // Where the proof is not found by its proof id, it cannot be sent for.
        let leads = legacy.knows_proofs() || self.is_kept(&found).await;
        Ok(Unnamed { proof, verified, leads })
    }

    /// Refuses to read while the cloud storage is off what the legacy source does not have.
    pub(crate) fn check_readable(&self, key: &ObjectKey, form: Form) -> Result<(), Problem> {
        match (self.alone(), key, form) {
            (None, ..) | (Some(_), ObjectKey::Record(_), Form::Content) => Ok(()),
            (Some(_), ObjectKey::Record(_), Form::Stored) => Err(off("no copies are handed out")),
            (Some(_), ObjectKey::Revision(..), _) => Err(off("earlier records cannot be read")),
            (Some(_), ObjectKey::Manifest(_) | ObjectKey::Front(_), _) => {
                Err(off("manifests cannot be read by themselves"))
            }
            // No path leads to one of the others.
            (
                Some(_),
                ObjectKey::Alias(_) | ObjectKey::Hold(..) | ObjectKey::Removed(..) | ObjectKey::Identity,
                _,
            ) => Err(off("this cannot be read")),
        }
    }
}
