//! Changes next to a legacy store: a proof is imported before it is changed, and the legacy IDs of the records belong
//! to the tenant of the legacy store.

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::http::problem::ProblemKind;
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::alias::AliasBody;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;

use credlink_ports::Ports;
use credlink_service::Service;
use credlink_service::aliases::{is_unknown, of_another_tenant};
use credlink_service::error::Error;
use credlink_service::import::{import, may_import, unknown_legacy_id};

use crate::hybrid::Hybrid;
use crate::legacy_store::{LegacyQuery, LegacyStore};

impl<L: LegacyStore> Hybrid<L> {
    /// Imports a proof that is to be changed or deleted. A change to a record that exists only in the legacy store
    /// would have no effect.
    ///
    /// # Errors
    /// The errors of [`import`], or a failure of the legacy store.
    pub(crate) async fn import_before_change<P: Ports>(
        &self,
        service: &Service<P>,
        id: &ProofId,
    ) -> Result<(), Error> {
        if service.proof_row(id).await?.is_some() {
            return Ok(());
        }
        let Some(found) = self.locate(service, id).await? else { return Ok(()) };
        match import(service, &found.draft).await {
            Ok(_) => Ok(()),
            // There is nothing left to change.
            Err(Error::Problem(problem))
                if matches!(problem.kind, ProblemKind::Expired | ProblemKind::Deleted) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Refuses an import with a legacy ID that a record of the legacy store has, unless both belong to the same tenant.
    ///
    /// # Errors
    /// The caller may not import (403), the ID is another tenant's (409), or a failure.
    pub(crate) async fn check_origin<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        draft: &Draft,
    ) -> Result<(), Error> {
        if draft.origin.is_none() || draft.tenant == *self.legacy.tenant() {
            return Ok(());
        }
        may_import(caller)?;
        match unknown_legacy_id(service, draft).await? {
            Some(id) => self.check_legacy_id(id, &draft.tenant).await,
            None => Ok(()),
        }
    }

    /// Refuses a body that binds a legacy ID to a proof of the caller if a record of the legacy store has that ID,
    /// unless both belong to the same tenant. An invalid body, and a decision of an operator, are left to the service.
    ///
    /// # Errors
    /// The errors of [`is_unknown`], an ID of another tenant (409), or a failure of the legacy store.
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
        if is_unknown(service, id, &proof, &caller.tenant).await? {
            self.check_legacy_id(id, &caller.tenant).await?;
        }
        Ok(())
    }

    /// Refuses a legacy ID of which the service knows nothing, if a record of the legacy store has it and `tenant` does
    /// not own the legacy store's proofs.
    ///
    /// # Errors
    /// The ID is another tenant's (409), or the legacy store cannot tell.
    pub async fn check_legacy_id(&self, id: &LegacyId, tenant: &Tenant) -> Result<(), Error> {
        if tenant == self.legacy.tenant() {
            return Ok(());
        }
        match self.legacy.find(&LegacyQuery::Legacy(id.clone())).await? {
            Some(_) => Err(of_another_tenant(id).into()),
            None => Ok(()),
        }
    }
}
