//! Access counts that add no write to a read: reads are summed in memory, and written in batches.

pub(crate) mod log;

use credlink_ports::{Failure, Index as _, Ports};

use crate::service::Service;

/// Most counts in one call to the index.
const FLUSH_BATCH: usize = 1_000;

impl<P: Ports> Service<P> {
    /// Writes the counts of all reads so far to the index. The caller must call it every few seconds, and before the
    /// process ends.
    ///
    /// # Errors
    /// The index failed; the counts are kept until the next call.
    pub async fn flush_reads(&self) -> Result<(), Failure> {
        let reads: Vec<_> = self.reads.take().into_iter().collect();
        for (done, batch) in reads.chunks(FLUSH_BATCH).enumerate() {
            if let Err(failure) = self.ports.index().count_reads(batch).await {
                self.reads.put_back(&reads[done * FLUSH_BATCH..]);
                return Err(failure);
            }
        }
        Ok(())
    }
}
