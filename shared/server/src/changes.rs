//! Changes, each of which runs to its end once its body is read, even if its connection is gone.
//!
//! hyper drops the future of a request together with its connection. A read loses nothing by that. A change that ended
//! between two of its steps would leave behind what a crash leaves, so it is a task of its own from its first step on,
//! and the connection merely waits for its answer. Clients that break off connections could start any number of such
//! tasks, so each takes room, of which there is a fixed amount.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::admission::MAX_CONNECTIONS;
use crate::memory::WORKED_ON_BYTES;

/// Units of room: one change for each possible connection, or as many as the bodies that are processed at once
/// ([`WORKED_ON_BYTES`]) allow. A change that finds no room waits together with its connection.
const UNITS: usize = MAX_CONNECTIONS;
/// Bytes of bodies that one unit of room stands for.
const UNIT_BYTES: usize = WORKED_ON_BYTES / UNITS;

/// The changes of a server. Clones share them.
#[derive(Clone)]
pub struct Changes {
    room: Arc<Semaphore>,
    under_way: Arc<watch::Sender<usize>>,
}

/// Room for one change, which is held until the change has ended.
pub struct Room {
    _units: OwnedSemaphorePermit,
    under_way: Arc<watch::Sender<usize>>,
}

impl Changes {
    /// Creates the state of a server without changes, with all the room.
    pub fn new() -> Self {
        Self { room: Arc::new(Semaphore::new(UNITS)), under_way: Arc::new(watch::Sender::new(0)) }
    }

    /// Waits for room for a change with a body of so many bytes. Returns `None` if the server is stopping, and begins
    /// no more changes.
    pub async fn room_for(&self, body_bytes: usize) -> Option<Room> {
        let units = u32::try_from(body_bytes.div_ceil(UNIT_BYTES).clamp(1, UNITS)).unwrap_or(u32::MAX);
        let units = Arc::clone(&self.room).acquire_many_owned(units).await.ok()?;
        self.under_way.send_modify(|count| *count += 1);
        Some(Room { _units: units, under_way: Arc::clone(&self.under_way) })
    }

    /// Lets no more changes begin.
    pub fn close(&self) {
        self.room.close();
    }

    /// Returns the number of changes that are under way.
    pub fn under_way(&self) -> usize {
        *self.under_way.borrow()
    }

    /// Waits until no change is under way.
    pub async fn ended(&self) {
        // The sender lives as long as `self`, so this ends only with the last change.
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Room {
    /// Runs `work` to its end, even if this future is dropped. Returns `None` if the server ended first.
    pub async fn run<T: Send + 'static>(self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let task = tokio::spawn(async move {
            let answer = work.await;
            drop(self);
            answer
        });
        task.await.ok()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.under_way.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_change_that_nobody_waits_for_ends_and_gives_its_room_back() {
        let changes = Changes::new();
        let (go, gone) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let room = changes.room_for(0).await.unwrap();
        let waiting = room.run(async move {
            let _ = gone.await;
            let _ = done.send(());
        });
        // The future is polled once, as a connection does, and then dropped with it.
        assert!(waiting.now_or_never().is_none());
        assert_eq!(changes.under_way(), 1);
        assert!(changes.ended().now_or_never().is_none(), "an orderly end waits for it");
        go.send(()).unwrap();
        is_done.await.unwrap();
        timeout(Duration::from_secs(10), changes.ended()).await.unwrap();
        assert_eq!(changes.room.available_permits(), UNITS);
    }

    #[tokio::test]
    async fn room_is_taken_by_the_bytes_of_a_body_and_waited_for() {
        let changes = Changes::new();
        let large = changes.room_for(UNIT_BYTES * (UNITS - 1)).await.unwrap();
        let small = changes.room_for(0).await.unwrap();
        assert!(changes.room_for(1).now_or_never().is_none());
        drop(small);
        assert!(changes.room_for(UNIT_BYTES).now_or_never().is_some());
        drop(large);
        assert!(changes.room_for(usize::MAX).now_or_never().is_some(), "nothing needs more than there is");
        changes.close();
        assert!(changes.room_for(0).await.is_none());
    }

    #[tokio::test]
    async fn a_change_that_panics_gives_its_room_back() {
        let changes = Changes::new();
        let room = changes.room_for(0).await.unwrap();
        assert!(room.run(async { panic!("on purpose") }).await.is_none_or(|(): ()| false));
        assert_eq!(changes.under_way(), 0);
    }
}
