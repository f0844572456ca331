//! Holds: objects which record that a manifest was stored for itself, so that this is not lost with the index.

use credlink_core::manifest_key::ManifestKey;
use credlink_core::note::HoldNote;
use credlink_core::object::ObjectKey;

use credlink_ports::{Condition, Failure, Objects as _, Ports, Put};

use crate::service::Service;

/// Writes the hold of a manifest in `generation`, unless it exists. Returns `true` if it was written.
pub async fn write_hold<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    generation: u32,
) -> Result<bool, Failure> {
    let key = ObjectKey::Hold(manifest.clone(), generation);
    let (body, attributes) =
        HoldNote::new(manifest.id.clone(), manifest.tenant.clone()).object(generation, service.now());
    let put = service.ports.objects().put(&key, body.into(), &attributes, Condition::Absent).await?;
    Ok(matches!(put, Put::Stored(_)))
}

/// Removes the hold of a manifest in `generation`. A later life of the manifest never has this generation, so a late
/// removal does no harm.
pub async fn drop_hold<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    generation: u32,
) -> Result<(), Failure> {
    service.ports.objects().delete(&ObjectKey::Hold(manifest.clone(), generation)).await
}
