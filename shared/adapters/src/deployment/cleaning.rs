//! Cleanup of a deployment, which remembers how far stores that were cut off were looked for.

use credlink_core::time::Timestamp;
use credlink_service::cleanup::{Interrupted, Limits, Position, Report, cleanup};

use super::Deployment;

/// The bookmark of the instant until which every store that was begun was looked at.
const INTENTS: &str = "intents";

impl Deployment {
    /// Does [`cleanup`], from where the last run of whichever process ended with what stores had noted.
    ///
    /// # Errors
    /// As [`cleanup`].
    pub async fn clean_up(&self, limits: Limits, position: Option<Position>) -> Result<Report, Interrupted> {
        let limits = Limits { intents_since: self.intents_since().await, ..limits };
        let done = cleanup(self.service(), limits, position).await;
        let until = match &done {
            Ok(report) => report.intents_until,
            Err(interrupted) => interrupted.report.intents_until,
        };
        if let Some(until) = until
            && let Err(failure) = self.rows().keep_bookmark(INTENTS, Some(&until.to_string())).await
        {
            tracing::debug!(%failure, "what stores had noted is looked at once more");
        }
        done
    }

    /// `None`, where it is not known: then all that is kept is looked at, which costs time and nothing else.
    async fn intents_since(&self) -> Option<Timestamp> {
        let kept = self.rows().bookmark(INTENTS).await.unwrap_or_else(|failure| {
            tracing::debug!(%failure, "all that stores had noted is looked at");
            None
        });
        kept.and_then(|text| text.parse().ok())
    }
}
