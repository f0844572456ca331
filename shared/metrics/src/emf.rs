//! Metrics as CloudWatch reads them out of a Lambda's log: lines of JSON in the Embedded Metric Format.
//!
//! A line holds the metrics of one set of dimensions: those of the function, and `provider` or `layer` where a metric
//! has that label. Other labels are left out, and their values are told together: every combination of dimensions is
//! a metric of its own, and is paid for.
//!
//! It is written here because a recorder that keeps to the format's 100 values a metric must not drop the rest: one
//! batch of 1,000 deletions makes thousands of calls, and p99 lies in those that would be lost. They go to further
//! lines. Values are told one by one, so that CloudWatch can compute percentiles over all functions at once.

mod line;
mod recorder;
mod values;

use std::io::{self, Write};
use std::sync::Arc;

use credlink_core::time::Timestamp;

use recorder::Emf;
use values::{Named, Values};

use crate::catalogue::describe;

/// Most dimensions of a metric.
pub const MAX_DIMENSIONS: usize = 30;
/// Most values of a metric in a line.
pub const MAX_VALUES: usize = 100;
/// Longest namespace and longest value of a dimension, in characters.
pub const MAX_CHARACTERS: usize = 250;

/// Metrics could not be set up.
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
    /// There are too many.
    #[error("metrics have at most 28 dimensions of the function's own; these are {0}")]
    Dimensions(usize),
    /// Something else collects metrics.
    #[error("metrics are collected by something else already")]
    Installed,
}

/// Writes what was counted. Clones are the same.
#[derive(Debug, Clone)]
pub struct Flush(Arc<Emf>);

/// Collects the metrics of this process from now on, under `namespace` and with these dimensions: `Function` and its
/// name.
///
/// # Errors
/// A namespace or dimensions that CloudWatch does not take, or something else collects metrics already.
pub fn install(namespace: &str, dimensions: &[(&str, &str)]) -> Result<Flush, EmfError> {
    let emf = Arc::new(Emf::new(namespace, dimensions)?);
    metrics::set_global_recorder(Arc::clone(&emf)).map_err(|_| EmfError::Installed)?;
    describe();
    Ok(Flush(emf))
}

impl Flush {
    /// Writes what was counted since the last flush, at the end of an invocation: no line where nothing was. What was
    /// counted is forgotten, also where the writer fails.
    ///
    /// # Errors
    /// The writer's.
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

/// What fits into one line, and what is left for the next.
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
