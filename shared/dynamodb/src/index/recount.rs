//! A recount of the sums, in as many calls as necessary.

use credlink_ports::Failure;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::DynamoIndex;
use super::totals::{Addition, Sums};
use crate::failure::damaged;

/// The number of rows between two checks of the time.
const PAGE: usize = 1_000;

/// The progress of a recount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recount {
    /// Rows counted so far.
    pub rows: u64,
    /// The text with which another call continues, or `None` if the sums are corrected.
    pub resume: Option<String>,
}

/// The state of a recount between two calls.
#[derive(Serialize, Deserialize)]
struct Progress {
    after: Option<String>,
    rows: u64,
    before: Sums,
    counted: Sums,
}

impl DynamoIndex {
    /// Counts all rows, and corrects the sums. For a schedule, because it reads the whole table.
    ///
    /// Returns by `deadline` at the latest, with the text with which to continue (`resume`). The new sums are exact
    /// except for commits that were made during the recount or in the ten seconds before it; a later recount corrects
    /// those.
    ///
    /// # Errors
    /// DynamoDB failed, or `resume` is not a text that a recount returned.
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
                progress.counted = std::mem::take(&mut progress.counted).plus(&Sums::from(&row.totals()));
            }
            progress.after = next;
            if progress.after.is_none() {
                let correction = progress.counted.plus(&progress.before.negated());
                if !correction.is_zero() {
                    self.add(&Addition::of(&correction, 0)).await?;
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
