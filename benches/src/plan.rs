//! How much to measure, and where: what the options say.

use std::path::PathBuf;

use crate::report::Printer;

/// How the benchmarks are run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The release binary of `credlink`.
    pub server: PathBuf,
    /// The folder of the tools that `tests/run tools` installs.
    pub tools: PathBuf,
    /// Where data is written: a folder of a real disk.
    pub folder: PathBuf,
    /// Rounds that are counted.
    pub rounds: usize,
    /// About how long one measurement of one round takes, in seconds.
    pub seconds: f64,
    /// Proofs in the large index.
    pub proofs: u64,
    /// Objects in the large folder.
    pub objects: u64,
    /// Where tables go.
    pub printer: Printer,
}

impl Plan {
    /// So many operations that they take about the planned time at this rate.
    #[must_use]
    pub fn operations(&self, per_second: f64, connections: usize) -> usize {
        // Every connection gets enough that its first and its last operation do not matter. The bound is on memory:
        // bodies are made before the clock starts.
        let wanted = (per_second * self.seconds).clamp(0.0, 400_000.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was clamped")]
        let wanted = wanted as usize;
        wanted.max(connections * 8).max(200)
    }
}
