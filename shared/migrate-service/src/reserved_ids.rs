//! Legacy IDs that belong to somebody although the destination knows nothing of them yet.

use std::future::{Future, ready};

use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;

use credlink_ports::Ports;
use credlink_service::error::Error;
use credlink_service::service::Service;

/// The legacy IDs that are reserved for a tenant: those of the records of a legacy store beside which the destination
/// is served. They belong to the tenant of the legacy store before their records are imported.
pub trait ReservedIds {
    /// Refuses an ID of which the destination knows nothing, if it is reserved for a tenant other than `tenant`.
    ///
    /// # Errors
    /// The ID is another tenant's, or a failure.
    fn check(&self, id: &LegacyId, tenant: &Tenant) -> impl Future<Output = Result<(), Error>>;
}

impl<T: ReservedIds> ReservedIds for &T {
    fn check(&self, id: &LegacyId, tenant: &Tenant) -> impl Future<Output = Result<(), Error>> {
        (**self).check(id, tenant)
    }
}

/// No reserved IDs, at a destination that is served beside no legacy store.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoReservedIds;

impl ReservedIds for NoReservedIds {
    fn check(&self, _: &LegacyId, _: &Tenant) -> impl Future<Output = Result<(), Error>> {
        ready(Ok(()))
    }
}

/// Checks an ID that is about to be bound to a proof of `tenant`. An ID that the destination knows has an owner there,
/// and a proof ID is never bound: both are left to the use case that binds it.
///
/// # Errors
/// The errors of [`ReservedIds::check`], or a failure of the index.
pub(super) async fn check_reserved<P: Ports>(
    service: &Service<P>,
    reserved: &impl ReservedIds,
    id: &LegacyId,
    tenant: &Tenant,
) -> Result<(), Error> {
    if id.as_str().parse::<ProofId>().is_ok() || service.alias_row(id).await?.is_some() {
        return Ok(());
    }
    reserved.check(id, tenant).await
}
