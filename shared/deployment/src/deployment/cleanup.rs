//! The cleanup of a deployment, which remembers how far it has examined intents.

use credlink_core::time::Timestamp;
use credlink_service::cleanup::{Interrupted, Limits, Position, Report, cleanup};

use super::Deployment;

/// The name of the bookmark: the instant from which intents are examined.
const INTENTS: &str = "intents";

impl Deployment {
    /// Runs [`cleanup`], starting at the intents where the last run of any process ended.
    ///
    /// # Errors
    /// Fails as [`cleanup`] does.
    pub async fn clean_up(&self, limits: Limits, position: Option<Position>) -> Result<Report, Interrupted> {
        let limits = Limits { intents_from: self.intents_from().await, ..limits };
        let done = cleanup(self.service(), limits, position).await;
        let next = match &done {
            Ok(report) => report.intents_from,
            Err(interrupted) => interrupted.report.intents_from,
        };
        if let Some(next) = next
            && let Err(failure) = self.rows().keep_bookmark(INTENTS, Some(&next.to_string())).await
        {
            tracing::debug!(%failure, "the same intents are looked at once more");
        }
        done
    }

    /// Returns the instant from which to examine intents, or `None` if it is unknown. Then all intents are examined,
    /// which costs nothing but time.
    async fn intents_from(&self) -> Option<Timestamp> {
        let kept = self.rows().bookmark(INTENTS).await.unwrap_or_else(|failure| {
            tracing::debug!(%failure, "all intents are looked at");
            None
        });
        kept.and_then(|text| text.parse().ok())
    }
}
