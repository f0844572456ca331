//! Cleanup of a deployment, which remembers how far it has looked at intents.

use credlink_core::time::Timestamp;
use credlink_service::cleanup::{Interrupted, Limits, Position, Report, cleanup};

use super::Deployment;

/// The bookmark of the instant from which on intents are looked at.
const INTENTS: &str = "intents";

impl Deployment {
    /// Does [`cleanup`], from where the last run of whichever process ended with intents.
    ///
    /// # Errors
    /// As [`cleanup`].
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

    /// `None`, where it is not known: then all that is kept is looked at, which costs time and nothing else.
    async fn intents_from(&self) -> Option<Timestamp> {
        let kept = self.rows().bookmark(INTENTS).await.unwrap_or_else(|failure| {
            tracing::debug!(%failure, "all intents are looked at");
            None
        });
        kept.and_then(|text| text.parse().ok())
    }
}
