//! The legacy IDs of the records of a legacy store, which migrations leave to its tenant.

use std::sync::Arc;

use credlink_core::legacy::LegacyId;
use credlink_core::tenant::Tenant;
use credlink_hybrid::{Hybrid, LegacyStore as _};
use credlink_migrate_service::ReservedIds;
use credlink_service::error::Error;
use tokio::sync::OnceCell;

use super::LegacySource;

/// The legacy IDs of the store that a deployment is served beside, if there is one. Clones share one store.
#[derive(Clone, Debug)]
pub struct LegacyIds {
    hybrid: Option<Hybrid<LegacySource>>,
    completed: Arc<OnceCell<()>>,
}

impl LegacyIds {
    /// Returns the IDs of this legacy store.
    pub(crate) fn of(hybrid: Option<Hybrid<LegacySource>>) -> Self {
        Self { hybrid, completed: Arc::default() }
    }
}

impl ReservedIds for LegacyIds {
    async fn check(&self, id: &LegacyId, tenant: &Tenant) -> Result<(), Error> {
        let Some(hybrid) = self.hybrid.as_ref().filter(|hybrid| hybrid.legacy().tenant() != tenant) else {
            return Ok(());
        };
        // A server walks in the background. Here nobody else does, and a catalogue with gaps cannot tell.
        self.completed.get_or_try_init(|| hybrid.legacy().complete()).await?;
        hybrid.check_legacy_id(id, tenant).await
    }
}
