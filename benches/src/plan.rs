//! The extent and the places of the measurements, from the options.

use std::path::PathBuf;

use crate::report::Printer;

/// The settings of all benchmarks.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The binary of `credlink`, built with the profile `dist`.
    pub server: PathBuf,
    /// The folder into which `tests/run tools` installs.
    pub tools: PathBuf,
    /// The folder for data, on a real disk.
    pub folder: PathBuf,
    /// Number of counted rounds.
    pub rounds: usize,
    /// Approximate duration of one measurement in one round, in seconds.
    pub seconds: f64,
    /// Number of proofs in the large index.
    pub proofs: u64,
    /// Number of objects in the large folder.
    pub objects: u64,
    /// The printer of the tables.
    pub printer: Printer,
}

impl Plan {
    /// The number of operations that take about the planned time at this rate.
    #[must_use]
    pub fn operations(&self, per_second: f64, connections: usize) -> usize {
        // Every connection gets enough operations that its first and its last do not matter. The bound limits memory,
        // because bodies are created before the clock starts.
        let wanted = (per_second * self.seconds).clamp(0.0, 400_000.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was clamped")]
        let wanted = wanted as usize;
        wanted.max(connections * 8).max(200)
    }
}
