//! The owner of what is stored, where its bytes cannot be read: whom a failure may be told (guarantee 13).

use credlink_core::access::Visibility;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;

use credlink_ports::{Failure, FailureKind, Objects as _, Ports};

use crate::error::Error;
use crate::service::Service;

/// The tenant that owns a record or a manifest, and who may read it: as its attributes say, or else its row. `None` where
/// neither is there, or says so.
///
/// # Errors
/// The attributes cannot be read, and the index does not answer.
async fn owner<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
) -> Result<Option<(Tenant, Visibility)>, Failure> {
    // It is damaged, and so may be what is said of it; the row is asked then.
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

/// Returns `true` if what is damaged under `key` may not be told of to whom `hides` hides it. Where nobody can say whose it is,
/// the tenant `default` alone is told.
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

/// Returns `true` if `error` says that a proof is damaged that is private to another tenant than this one, which may not be told.
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
