//! The owner of what is stored, where its bytes cannot be read: whom a failure may be told (guarantee 13).

use credlink_core::access::Visibility;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;

use crate::error::Error;
use crate::ports::{FailureKind, Objects as _, Ports};
use crate::service::Service;

/// The tenant that owns a record or a manifest, and who may read it: as its attributes say, or else its row. `None` where
/// neither can be read.
pub(crate) async fn owner<P: Ports>(service: &Service<P>, key: &ObjectKey) -> Option<(Tenant, Visibility)> {
    let head = service.ports.objects().head(key).await.ok().flatten();
    if let Some(facts) = head.and_then(|head| Facts::read(&head.attributes).ok()) {
        return Some((facts.tenant, facts.visibility));
    }
    match key {
        ObjectKey::Record(id) | ObjectKey::Revision(id, _) => {
            let row = service.proof_row(id).await.ok().flatten()?;
            Some((row.tenant, row.visibility))
        }
        ObjectKey::Manifest(key) => {
            let row = service.manifest_row(key).await.ok().flatten()?;
            Some((row.tenant, row.visibility))
        }
        _ => None,
    }
}

/// Returns `true` if `error` says that a proof is damaged that is another tenant's own, so that this one may not be told.
pub(crate) async fn is_hidden<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    tenant: &Tenant,
    error: &Error,
) -> bool {
    matches!(error, Error::Failure(failure) if failure.kind == FailureKind::Damaged)
        && owner(service, &ObjectKey::Record(*id))
            .await
            .is_some_and(|(owner, visibility)| owner != *tenant && visibility == Visibility::Private)
}
