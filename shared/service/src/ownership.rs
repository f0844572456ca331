//! The owner of a stored object whose bytes cannot be read, which decides who may be told of the failure (guarantee
//! 13).

use credlink_core::access::Visibility;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;

use credlink_ports::{Failure, FailureKind, Objects as _, Ports};

use crate::error::Error;
use crate::service::Service;

/// Returns the tenant that owns a record or a manifest, and its visibility, from its attributes or else from its row.
/// Returns `None` if neither says so.
///
/// # Errors
/// The attributes cannot be read, and the index does not answer.
async fn owner<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
) -> Result<Option<(Tenant, Visibility)>, Failure> {
    // The object is damaged, and its attributes may be too; then the row is asked.
    if let Ok(Some(head)) = service.ports.objects().head(key).await
        && let Ok(facts) = Facts::read(&head.attributes)
    {
        return Ok(Some((facts.tenant, facts.visibility)));
    }
    Ok(match key {
        ObjectKey::Record(id) | ObjectKey::Revision(id, _) => {
            service.proof_row(id).await?.map(|row| (row.tenant, row.visibility))
        }
        ObjectKey::Manifest(key) => service.manifest_row(key).await?.map(|row| (row.tenant, row.visibility)),
        _ => None,
    })
}

/// Returns `true` if the damage under `key` must not be reported because `hides` hides the object from the caller. If
/// the owner cannot be determined, only the tenant `default` is told.
pub(crate) async fn is_hidden_by<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    damage: &Failure,
    hides: impl Fn(&Tenant, Visibility) -> bool,
) -> bool {
    let is_hidden = match owner(service, key).await {
        Ok(owner) => {
            let (tenant, visibility) = owner.unwrap_or((Tenant::default(), Visibility::Private));
            hides(&tenant, visibility)
        }
        Err(failure) => {
            tracing::error!(%failure, "an object is damaged, and its owner could not be determined");
            true
        }
    };
    if is_hidden {
        tracing::error!(failure = %damage, "an object is damaged, which is concealed from this caller");
    }
    is_hidden
}

/// Returns `true` if `error` reports damage to a private proof of a tenant other than `tenant`, who must not be told of
/// it.
pub(crate) async fn is_hidden<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    tenant: &Tenant,
    error: &Error,
) -> bool {
    let Error::Failure(damage @ Failure { kind: FailureKind::Damaged, .. }) = error else { return false };
    let hides = |owner: &Tenant, visibility| owner != tenant && visibility == Visibility::Private;
    is_hidden_by(service, &ObjectKey::Record(*id), damage, hides).await
}
