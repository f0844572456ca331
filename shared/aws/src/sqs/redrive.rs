//! Moves the messages of a dead-letter queue back to their queue.
//!
//! SQS can do this itself (`StartMessageMoveTask`). If the service cannot, each message is sent first and deleted
//! afterwards, so one may exist twice, and none is lost.

use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use credlink_ports::Failure;
use serde::Deserialize;

use super::{NAME, SqsQueue, clamped};
use crate::{Error, ErrorKind, RedrivePolicy, Redriven};

/// The interval at which a task is checked.
const LOOK: Duration = Duration::from_secs(2);
/// The number of messages that are received at once.
const BATCH: u32 = 10;
/// The time for which a message that is being moved is hidden from others, in seconds.
const HIDDEN_SECONDS: u32 = 120;
/// The time to wait for messages in an empty queue, in seconds. A receive without waiting misses some.
const WAIT_SECONDS: u32 = 2;
/// The number of consecutive empty answers after which the queue counts as empty.
const EMPTY_ANSWERS: u32 = 2;

impl SqsQueue {
    /// Returns the queue's redrive policy, or `None` if it has no dead-letter queue.
    ///
    /// # Errors
    /// SQS failed, or its answer cannot be read.
    pub async fn redrive_policy(&self) -> Result<Option<RedrivePolicy>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Policy {
            dead_letter_target_arn: String,
            max_receive_count: Count,
        }
        // Some services write the number as a text.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Count {
            Number(u32),
            Text(String),
        }
        let Some(text) = self.attribute(&self.url, QueueAttributeName::RedrivePolicy).await? else {
            return Ok(None);
        };
        let odd = |why: &dyn std::fmt::Display| {
            Error::new(NAME, ErrorKind::Unavailable, format!("the queue's redrive policy: {why}"))
        };
        let policy: Policy = serde_json::from_str(&text).map_err(|error| odd(&error))?;
        let max_receives = match policy.max_receive_count {
            Count::Number(number) => number,
            Count::Text(text) => text.parse().map_err(|_| odd(&format!("`{text}` is no number")))?,
        };
        Ok(Some(RedrivePolicy { dead_letter_arn: policy.dead_letter_target_arn, max_receives }))
    }

    /// Moves the messages of a dead-letter queue back into this queue: from the queue at the URL `dead`, or from the
    /// one that this queue's redrive policy names. `progress` is called with the progress so far.
    ///
    /// # Errors
    /// There is no dead-letter queue, or SQS failed. Messages that are already moved stay moved.
    pub async fn redrive(
        &self,
        dead: Option<&str>,
        mut progress: impl FnMut(Redriven),
    ) -> Result<Redriven, Failure> {
        let dead = match dead {
            Some(url) => url.to_owned(),
            None => self.dead_letter_url().await?,
        };
        if dead == self.url {
            let message = format!("{dead} is the queue itself, and not its dead-letter queue");
            return Err(Error::new(NAME, ErrorKind::Refused, message).into());
        }
        match self.move_by_task(&dead, &mut progress).await {
            Err(error) if is_unsupported(&error) => {
                tracing::info!(reason = %error, "the queue moves no messages itself");
                self.redrive_one_by_one(&dead, progress).await
            }
            moved => Ok(moved?),
        }
    }

    /// Moves the messages of the queue at `dead` back into this queue, one by one.
    ///
    /// # Errors
    /// SQS failed. Messages that are already moved stay moved, and none of the others is lost.
    pub async fn redrive_one_by_one(
        &self,
        dead: &str,
        mut progress: impl FnMut(Redriven),
    ) -> Result<Redriven, Failure> {
        let mut redriven = Redriven::default();
        let mut empty = 0;
        while empty < EMPTY_ANSWERS {
            let request = self
                .client
                .receive_message()
                .queue_url(dead)
                .max_number_of_messages(clamped(BATCH, BATCH))
                .visibility_timeout(clamped(HIDDEN_SECONDS, HIDDEN_SECONDS))
                .wait_time_seconds(clamped(WAIT_SECONDS, WAIT_SECONDS))
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All);
            let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
            let messages =
                answer.map_err(|error| Error::classify(NAME, &error))?.messages.unwrap_or_default();
            empty = if messages.is_empty() { empty + 1 } else { 0 };
            for message in messages {
                self.move_message(dead, message).await?;
                redriven.moved += 1;
            }
            progress(redriven);
        }
        Ok(redriven)
    }

    /// Sends a message of the dead-letter queue to this queue, and then deletes it there.
    async fn move_message(&self, dead: &str, message: Message) -> Result<(), Error> {
        let request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(message.body.unwrap_or_default())
            .set_message_attributes(message.message_attributes);
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        answer.map_err(|error| Error::classify(NAME, &error))?;
        let request = self.client.delete_message().queue_url(dead).set_receipt_handle(message.receipt_handle);
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        answer.map_err(|error| Error::classify(NAME, &error))?;
        Ok(())
    }

    /// Starts a task of SQS that moves the messages, and waits until it has ended.
    async fn move_by_task(&self, dead: &str, progress: &mut impl FnMut(Redriven)) -> Result<Redriven, Error> {
        let (from, to) = (self.arn(dead).await?, self.arn(&self.url).await?);
        let request = self.client.start_message_move_task().source_arn(&from).destination_arn(to);
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        let task = answer.map_err(|error| Error::classify(NAME, &error))?.task_handle;
        loop {
            let request = self.client.list_message_move_tasks().source_arn(&from).max_results(10);
            let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
            let tasks = answer.map_err(|error| Error::classify(NAME, &error))?.results.unwrap_or_default();
            // The newest task comes first, and one that has ended has no handle.
            let is_this = |handle: Option<&str>| handle.is_none() || handle == task.as_deref();
            let Some(found) = tasks.into_iter().find(|found| is_this(found.task_handle())) else {
                return Err(Error::new(
                    NAME,
                    ErrorKind::Unavailable,
                    "it does not know its own task any more",
                ));
            };
            let moved = u64::try_from(found.approximate_number_of_messages_moved()).unwrap_or_default();
            let all = found.approximate_number_of_messages_to_move().unwrap_or_default();
            let left = u64::try_from(all).unwrap_or_default().saturating_sub(moved);
            let redriven = Redriven { moved, left };
            progress(redriven);
            match found.status() {
                Some("RUNNING" | "CANCELLING") => tokio::time::sleep(LOOK).await,
                Some("COMPLETED") => return Ok(redriven),
                other => {
                    let why = found.failure_reason().or(other).unwrap_or("no reason").to_owned();
                    let message = format!("{moved} messages were moved, then it ended: {why}");
                    return Err(Error::new(NAME, ErrorKind::Unavailable, message));
                }
            }
        }
    }

    async fn dead_letter_url(&self) -> Result<String, Error> {
        let policy = self.redrive_policy().await?.ok_or_else(|| {
            let message = format!("the queue {} has no redrive policy: name its dead-letter queue", self.url);
            Error::new(NAME, ErrorKind::Refused, message)
        })?;
        // arn:aws:sqs:REGION:ACCOUNT:NAME
        let mut parts = policy.dead_letter_arn.rsplit(':');
        let (name, account) = (parts.next().unwrap_or_default(), parts.next());
        let request = self
            .client
            .get_queue_url()
            .queue_name(name)
            .set_queue_owner_aws_account_id(account.map(str::to_owned));
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        let url = answer.map_err(|error| Error::classify(NAME, &error))?.queue_url;
        url.ok_or_else(|| Error::new(NAME, ErrorKind::Unavailable, "it named no URL"))
    }

    async fn arn(&self, url: &str) -> Result<String, Error> {
        let arn = self.attribute(url, QueueAttributeName::QueueArn).await?;
        arn.ok_or_else(|| Error::new(NAME, ErrorKind::Unavailable, format!("{url} has no ARN")))
    }

    async fn attribute(&self, url: &str, name: QueueAttributeName) -> Result<Option<String>, Error> {
        let request = self.client.get_queue_attributes().queue_url(url).attribute_names(name.clone());
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        let attributes = answer.map_err(|error| Error::classify(NAME, &error))?.attributes;
        Ok(attributes.unwrap_or_default().remove(&name).filter(|text| !text.is_empty()))
    }
}

/// Returns `true` if the service lacks this operation. SQS has had it since 2023; others may not.
fn is_unsupported(error: &Error) -> bool {
    matches!(
        error.code.as_deref(),
        Some(
            "InvalidAction"
                | "UnknownOperationException"
                | "UnsupportedOperation"
                | "AWS.SimpleQueueService.UnsupportedOperation"
                | "NotImplemented"
        )
    ) || error.status == Some(501)
}
