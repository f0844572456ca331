//! Queues the migration of legacy records for the function behind the queue, on behalf of functions that are frozen
//! after their answer.

use std::sync::{Arc, Once};

use credlink_core::bounds::MAX_MESSAGE_ITEMS;
use credlink_hybrid::FoundRecord;
use credlink_migrate::requested::Messages;
use credlink_ports::migration::jobs::AllowedRequest;

use credlink_runtime::clock::SystemClock;

use super::LegacySettings;
use crate::deployment::jobs::QueuedJobs;

/// Sends messages to the queue of a job.
#[derive(Debug)]
pub(super) struct Queueing {
    messages: Messages,
    request: AllowedRequest,
    jobs: QueuedJobs,
    /// The reason why nothing can be queued, if there is one.
    obstacle: Option<String>,
    told: Once,
}

impl Queueing {
    pub(super) fn new(settings: &LegacySettings, jobs: QueuedJobs) -> Self {
        let from = settings.location.to_string();
        let obstacle = if settings.bucket.is_none() {
            Some(format!("a queued job reads from a bucket, not from {from}"))
        } else if from == jobs.location() {
            Some(format!("{from} is where proofs are taken over to"))
        } else {
            let reach = jobs.ledger(&settings.job).and_then(|_| jobs.queue().map(drop));
            reach.err().map(|error| error.to_string())
        };
        let request = AllowedRequest {
            name: settings.job.clone(),
            from,
            tenant: settings.tenant.clone(),
            keep_tenants: false,
            from_tenant: None,
            batch_size: u32::try_from(MAX_MESSAGE_ITEMS).unwrap_or(u32::MAX),
            request_id: String::new(),
        };
        let messages = Messages::new(request.clone(), jobs.location().to_owned());
        Self { messages, request, jobs, obstacle, told: Once::new() }
    }

    /// Queues the migration of a proof, in the background of the answer.
    pub(super) fn begin(self: &Arc<Self>, found: &FoundRecord) {
        if let Some(reason) = &self.obstacle {
            self.told.call_once(|| {
                tracing::warn!(reason, "legacy records are answered with, and nothing of them is migrated");
            });
            return;
        }
        if self.messages.begin(found.draft.id(), &found.item, &SystemClock) {
            let queueing = Arc::clone(self);
            // Nothing waits for this task: if the process is frozen before it is done, it continues with the next
            // event.
            drop(tokio::spawn(async move { queueing.send().await }));
        }
    }

    async fn send(&self) {
        if let (Ok(ledger), Ok(queue)) = (self.jobs.ledger(&self.request.name), self.jobs.queue()) {
            let sent = Box::pin(self.messages.send(&ledger, queue, &SystemClock)).await;
            tracing::debug!(sent, job = %self.request.name, "legacy records that were read are queued");
        }
    }
}
