//! A cache that keeps nothing, for a service that must read from its provider each time.

use std::sync::Arc;

use credlink_core::object::{ObjectKey, Verified};
use credlink_ports::{Cache, CacheStats, Failure};

/// A cache that keeps nothing: every read loads.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

impl Cache for NoCache {
    async fn get_or_load<L>(&self, _: &ObjectKey, load: L) -> Result<Option<Arc<Verified>>, Failure>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>,
    {
        Ok(load.await?.map(Arc::new))
    }

    async fn invalidate(&self, _: &ObjectKey) {}

    fn stats(&self) -> CacheStats {
        CacheStats::default()
    }
}
