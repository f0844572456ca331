//! Memory for long objects that are being read.
//!
//! An object is in memory before it is known whether the caller may have it and will receive it. Without a bound, many
//! readers of large manifests would take all the memory there is. Short objects are read without a bound.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The maximum length of an object that is read without a share, in bytes as stored.
pub const SHORT_BYTES: usize = 65_536;

/// The memory for all long objects that one provider reads at the same time, in KiB: four of the longest, or six
/// hundred that are just too long to be short.
const ROOM_KIBIBYTES: u32 = 40_960;

/// The memory of one provider.
#[derive(Debug)]
pub struct InFlight(Arc<Semaphore>);

/// A share of the memory, given back when it is dropped.
pub type Share = OwnedSemaphorePermit;

impl Default for InFlight {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM_KIBIBYTES as usize)))
    }
}

impl InFlight {
    /// Returns a share of this many bytes, if it is available at once.
    pub fn share_at_once(&self, bytes: usize) -> Option<Share> {
        Arc::clone(&self.0).try_acquire_many_owned(kibibytes(bytes)).ok()
    }

    /// Returns a share of this many bytes, in the order of requests, or `None` if there is none within `limit`.
    pub async fn share(&self, bytes: usize, limit: Option<Duration>) -> Option<Share> {
        let share = Arc::clone(&self.0).acquire_many_owned(kibibytes(bytes));
        match limit {
            None => share.await.ok(),
            Some(limit) => timeout(limit, share).await.ok()?.ok(),
        }
    }
}

/// Returns the share of this many bytes in KiB: no more than all of the memory, so that each object gets its turn.
fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX).min(ROOM_KIBIBYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn room_comes_back() {
        let soon = Some(Duration::from_secs(1));
        let room = InFlight::default();
        let most = room.share(usize::MAX, None).await.unwrap();
        assert!(room.share_at_once(1).is_none());
        assert!(room.share(1, soon).await.is_none());
        drop(most);
        let shares: Vec<_> = (0..4).map(|_| room.share_at_once(10 * 1_024 * 1_024)).collect();
        assert!(shares.iter().all(Option::is_some));
        assert!(room.share(1, soon).await.is_none());
        drop(shares);
        assert!(room.share(1, soon).await.is_some());
    }
}
