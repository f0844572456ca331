//! Sums that are counted anew, in as many calls as it takes.

use credlink_ports::Failure;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::totals::{Addition, Sums};
use super::{DynamoIndex, damaged};

/// Rows between two looks at the time.
const PAGE: usize = 1_000;

/// How far a recount got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recount {
    /// Rows counted so far.
    pub rows: u64,
    /// Where to go on with another call; `None`: the sums are set right.
    pub resume: Option<String>,
}

/// A recount under way.
#[derive(Serialize, Deserialize)]
struct Progress {
    after: Option<String>,
    rows: u64,
    before: Sums,
    counted: Sums,
}

impl DynamoIndex {
    /// Counts every row, and sets the sums right. For a schedule: it reads the whole table.
    ///
    /// It ends by `deadline` at the latest, with where to go on (`resume`). The new sums are exact but for what was
    /// committed while it ran and within ten seconds before; a later recount corrects that.
    ///
    /// # Errors
    /// DynamoDB failed, or `resume` is no text that a recount gave.
    pub async fn recount(&self, resume: Option<&str>, deadline: Instant) -> Result<Recount, Failure> {
        let mut progress = match resume {
            None => {
                self.flush().await?;
                let before = self.stored_sums().await?;
                Progress { after: None, rows: 0, before, counted: Sums::default() }
            }
            Some(text) => {
                let json = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
                let progress = json.and_then(|json| serde_json::from_slice(&json).ok());
                progress.ok_or_else(|| damaged("this is no recount to go on with".to_owned()))?
            }
        };
        loop {
            let (rows, next) = self.scan(progress.after.as_deref(), PAGE).await?;
            for row in rows {
                progress.rows += 1;
                progress.counted = progress.counted.plus(row.totals().into());
            }
            progress.after = next;
            if progress.after.is_none() {
                let correction = progress.counted.plus(progress.before.negated());
                if !correction.is_zero() {
                    self.add(&Addition::of(correction, 0)).await?;
                }
                return Ok(Recount { rows: progress.rows, resume: None });
            }
            if Instant::now() >= deadline {
                let json = serde_json::to_vec(&progress).map_err(|error| damaged(error.to_string()))?;
                return Ok(Recount { rows: progress.rows, resume: Some(BASE64URL_NOPAD.encode(&json)) });
            }
        }
    }
}
