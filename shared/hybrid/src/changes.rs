//! Changes beside a legacy store: what is to be changed is imported first, and the ids of its records are its tenant's.

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::http::problem::Kind;
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::alias::AliasBody;
use credlink_core::rules::store::Draft;

use credlink_ports::Ports;
use credlink_service::Service;
use credlink_service::error::Error;
use credlink_service::handler::steps;

use crate::handler::Hybrid;
use crate::legacy_store::{LegacyQuery, LegacyStore};

impl<L: LegacyStore> Hybrid<L> {
    /// Imports a proof that is to be changed or deleted: a change of what stands nowhere but in the legacy store would be none.
    ///
    /// # Errors
    /// As [`steps::import`], or a failure of the legacy store.
    pub(crate) async fn import_before_change<P: Ports>(
        &self,
        service: &Service<P>,
        id: &ProofId,
    ) -> Result<(), Error> {
        if service.proof_row(id).await?.is_some() {
            return Ok(());
        }
        let Some(found) = self.locate(service, id).await? else { return Ok(()) };
        match steps::import(service, &found.draft).await {
            Ok(_) => Ok(()),
            // There is nothing to change any more.
            Err(Error::Problem(problem)) if matches!(problem.kind, Kind::Expired | Kind::Deleted) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Refuses an import that brings a legacy id along which a record of the legacy store has, unless both are the same tenant's.
    ///
    /// # Errors
    /// 403 where the caller may not import, 409 where the id is another tenant's; or a failure.
    pub(crate) async fn check_origin<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        draft: &Draft,
    ) -> Result<(), Error> {
        if draft.origin.is_none() || draft.tenant == *self.legacy.tenant() {
            return Ok(());
        }
        steps::may_import(caller)?;
        match steps::unknown_legacy_id(service, draft).await? {
            Some(id) => self.refuse_legacy_id(id).await,
            None => Ok(()),
        }
    }

    /// Refuses a body that lets a legacy id lead to a proof of the caller, where a record of the legacy store has that id, unless
    /// both are the same tenant's. A body that is no good, and the word of an operator, are left to the service.
    ///
    /// # Errors
    /// As [`steps::is_unknown`], 409 where the id is another tenant's, or a failure of the legacy store.
    pub(crate) async fn check_name<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &LegacyId,
        body: &Bytes,
    ) -> Result<(), Error> {
        if caller.tenant == *self.legacy.tenant() {
            return Ok(());
        }
        let Ok(AliasBody { proof, reassign: false }) = AliasBody::parse(body) else { return Ok(()) };
        if steps::is_unknown(service, id, &proof, &caller.tenant).await? {
            self.refuse_legacy_id(id).await?;
        }
        Ok(())
    }

    /// Refuses a legacy id that nothing is known of here, and that a record of the legacy store has: it is the id of the tenant
    /// whose proofs those become.
    ///
    /// # Errors
    /// It is another tenant's (409), or the legacy store cannot say.
    async fn refuse_legacy_id(&self, id: &LegacyId) -> Result<(), Error> {
        match self.legacy.find(&LegacyQuery::Legacy(id.clone())).await? {
            Some(_) => Err(steps::of_another_tenant(id).into()),
            None => Ok(()),
        }
    }
}
