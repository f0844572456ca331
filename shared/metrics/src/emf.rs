//! Metrics as CloudWatch reads them from a Lambda's log: lines of JSON in the Embedded Metric Format.
//!
//! A line holds the metrics of one set of dimensions: those of the function, and `provider` or `layer` if a metric has
//! that label. Other labels are left out, and their values are combined, since every combination of dimensions is a
//! metric of its own, and is billed.
//!
//! This crate has its own writer because the format allows 100 values for each metric in a line, and a recorder must
//! not drop the rest: one batch of 1,000 deletions makes thousands of calls, and p99 lies in those that would be lost.
//! They go to further lines. Values are written one by one, so that CloudWatch can compute percentiles over all
//! functions at once.

mod line;
mod recorder;
mod values;

use std::io::{self, Write};
use std::sync::Arc;

use credlink_core::time::Timestamp;

use recorder::Emf;
use values::{Named, Values};

use crate::catalogue::describe;

/// The maximum number of dimensions of a metric.
pub const MAX_DIMENSIONS: usize = 30;
/// The maximum number of values of a metric in a line.
pub const MAX_VALUES: usize = 100;
/// The maximum length of a namespace and of a dimension's value, in characters.
pub const MAX_CHARACTERS: usize = 250;

/// The reasons why metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum EmfError {
    /// The namespace cannot be used.
    #[error("the namespace of metrics has 1 to {MAX_CHARACTERS} characters; `{0}` is none")]
    Namespace(String),
    /// A dimension cannot be used.
    #[error(
        "a dimension of metrics has a name and a value of 1 to {MAX_CHARACTERS} characters; `{0}` has not"
    )]
    Dimension(String),
    /// There are too many dimensions.
    #[error("metrics have at most 28 dimensions of the function's own; these are {0}")]
    Dimensions(usize),
    /// Another recorder is installed already.
    #[error("metrics are collected by something else already")]
    Installed,
}

/// Writes the collected metrics. Clones share one collection.
#[derive(Debug, Clone)]
pub struct Flush(Arc<Emf>);

/// Collects the metrics of this process from now on, under `namespace` and with these dimensions: `Function` and its
/// name.
///
/// # Errors
/// Returns an error if CloudWatch does not accept the namespace or the dimensions, or if another recorder is installed
/// already.
pub fn install(namespace: &str, dimensions: &[(&str, &str)]) -> Result<Flush, EmfError> {
    let emf = Arc::new(Emf::new(namespace, dimensions)?);
    metrics::set_global_recorder(Arc::clone(&emf)).map_err(|_| EmfError::Installed)?;
    describe();
    Ok(Flush(emf))
}

impl Flush {
    /// Writes the metrics since the last flush, at the end of an invocation; no line if there are none. They are
    /// discarded even if the writer fails.
    ///
    /// # Errors
    /// Returns the writer's error.
    pub fn flush(&self, now: Timestamp, mut writer: impl Write) -> io::Result<()> {
        for (labels, mut values) in self.0.take() {
            while !values.is_empty() {
                let (now_told, later) = split(values);
                let line = line::line(self.0.namespace(), self.0.dimensions(), &labels, &now_told, now);
                serde_json::to_writer(&mut writer, &line)?;
                writer.write_all(b"\n")?;
                values = later;
            }
        }
        writer.flush()
    }
}

/// Splits values into those that fit into one line and those that are left for the next.
fn split(values: Vec<Named>) -> (Vec<Named>, Vec<Named>) {
    let mut later = Vec::new();
    let told = values.into_iter().map(|(name, values)| match values {
        Values::Many(mut all) if all.len() > MAX_VALUES => {
            later.push((name.clone(), Values::Many(all.split_off(MAX_VALUES))));
            (name, Values::Many(all))
        }
        values => (name, values),
    });
    (told.collect(), later)
}

#[cfg(test)]
mod tests;
