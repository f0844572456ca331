//! Reads that are answered from a legacy record, with exactly the record that its import creates.

use std::sync::Arc;

use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::http::problem::ProblemKind;
use credlink_core::http::route::Form;
use credlink_core::legacy::LegacyId;
use credlink_core::object::{ObjectKey, Verified};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ProofRow, State};
use credlink_core::rules::alias::{alias_absent, alias_reply, private_alias_reply};
use credlink_core::rules::retrieve::Lookup;
use credlink_core::rules::store::Draft;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;

use credlink_ports::{Event, Events as _, Failure, Ports};
use credlink_service::Service;
use credlink_service::error::Error;
use credlink_service::handler::{Answer, Call, Source};
use credlink_service::request_body::RequestBody;
use credlink_service::retrieve;

use crate::hybrid::Hybrid;
use crate::legacy_store::{FoundRecord, LegacyQuery, LegacyStore};

impl<L: LegacyStore> Hybrid<L> {
    /// Answers a lookup from the service, or else from the legacy store.
    pub(crate) async fn read<P: Ports>(
        &self,
        service: &Service<P>,
        lookup: &Lookup<'_>,
    ) -> Result<Answer, Error> {
        match retrieve::find(service, lookup).await {
            Ok(None) => self.read_record(service, lookup).await,
            found => retrieve::answer(service, lookup, found).await,
        }
    }

    /// Answers a lookup from the legacy store.
    pub(crate) async fn read_record<P: Ports>(
        &self,
        service: &Service<P>,
        lookup: &Lookup<'_>,
    ) -> Result<Answer, Error> {
        let found = self.find_record(service, lookup.key).await.map_err(Error::Failure);
        retrieve::answer(service, lookup, found).await
    }

    async fn find_record<P: Ports>(
        &self,
        service: &Service<P>,
        key: &ObjectKey,
    ) -> Result<Option<Arc<Verified>>, Failure> {
        let ObjectKey::Record(id) = key else { return Ok(None) };
        let Some(found) = self.locate(service, id).await? else { return Ok(None) };
        self.object_of(service, &found).await.map(Some)
    }

    /// Answers a read by a legacy ID that has no alias here.
    ///
    /// # Errors
    /// No record has this ID, or the caller may not read it (404); or a failure.
    pub(crate) async fn read_by_legacy_id<P: Ports, B: RequestBody>(
        &self,
        service: &Service<P>,
        call: Call<'_, B>,
        id: &LegacyId,
    ) -> Result<Answer, Error> {
        let found = self.legacy.find(&LegacyQuery::Legacy(id.clone())).await?;
        let found = found.ok_or_else(|| alias_absent(id))?;
        let verified = self.object_of(service, &found).await?;
        let proof = found.draft.id();
        // If the proof cannot be found by its proof ID, a redirect to that ID would fail.
        let leads = self.legacy.finds_every_proof() || self.is_located(service, &found).await;
        let key = ObjectKey::Record(proof);
        match call.lookup(service, &key, Form::Content, None).respond(verified.facts()) {
            // A record that the caller may not read is absent under this ID too.
            Err(problem) if problem.kind == ProblemKind::NotFound => Err(alias_absent(id).into()),
            _ if leads && verified.facts().visibility == Visibility::Private => {
                Ok(private_alias_reply(&proof).into())
            }
            _ if leads => Ok(alias_reply(&proof).into()),
            reply => Ok(Answer { reply: reply?, source: Source::Object(verified) }),
        }
    }

    /// Returns the object for a legacy record: the one that is stored here by now, or else the one that its import
    /// creates, which is then requested.
    async fn object_of<P: Ports>(
        &self,
        service: &Service<P>,
        found: &FoundRecord,
    ) -> Result<Arc<Verified>, Failure> {
        let key = ObjectKey::Record(found.draft.id());
        if self.legacy.is_cloud_storage_off() {
            if let Some((row, at)) = deleted(service, &found.draft.id()).await {
                let (body, attributes) = Tombstone::new(at, row.revision).object(&key, &row.tenant);
                return service.as_stored(&key, at, (body.into(), attributes)).map(Arc::new);
            }
        } else {
            // Bypasses the cache, which may not yet know that the proof was imported and deleted again (guarantee 8).
            if let Some(current) = service.current(&key).await? {
                return Ok(Arc::new(current.verified));
            }
            let expires = found.draft.origin.as_ref().map(|origin| origin.expires);
            if expires.is_some_and(|expires| expires > service.now()) {
                self.legacy.request_import(found);
            }
        }
        service.ports().events().record(Event::LegacyHit);
        imported(service, &key, &found.draft).map(Arc::new)
    }
}

/// Returns the object that the import of a legacy record creates.
fn imported<P: Ports>(service: &Service<P>, key: &ObjectKey, draft: &Draft) -> Result<Verified, Failure> {
    let record = draft.record(1, service.now());
    let bytes = record.to_bytes();
    service.as_stored(key, record.created, record.stored(&bytes, Digest::of(&bytes), key))
}

/// Returns the row of a proof that was deleted here, and the time of the deletion, while the cloud storage is off
/// (guarantee 8). An index that does not answer must not prevent reads from the legacy store: its outage may be the
/// reason why the cloud storage was switched off.
pub(crate) async fn deleted<P: Ports>(service: &Service<P>, id: &ProofId) -> Option<(ProofRow, Timestamp)> {
    let row = service.proof_row(id).await.unwrap_or_else(|failure| {
        tracing::warn!(proof = %id, %failure, "whether it was deleted is not known; the legacy store answers");
        None
    })?;
    match row.state {
        State::Deleting(at) | State::Deleted(at) => Some((row, at)),
        State::Live => None,
    }
}
