//! An SQS queue.
//!
//! Every call is one request. The SDK retries transient failures, so a message may be sent twice, which the port
//! allows. The number of deliveries before a message goes to the dead-letter queue is a setting of the queue itself
//! (`RedrivePolicy`), and so is the time for which messages are kept (`MessageRetentionPeriod`, 14 days at most).

pub mod redrive;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{Builder, Config};
use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName};
use credlink_core::message::Message;
use credlink_ports::{Delivery, Failure, Queue};

use crate::{Error, ErrorKind, Limits};

/// The name by which operators know this queue.
const NAME: &str = "sqs";

/// The message attribute with the ID of the request that sent the message. It can be seen without reading the message's
/// text.
pub const REQUEST_ID: &str = "request_id";

/// The maximum number of messages in one call.
const MAX_RECEIVED: usize = 10;
/// The longest delay, in seconds.
const MAX_DELAY_SECONDS: u32 = 900;
/// The longest time for which a message can be hidden, in seconds: twelve hours.
const MAX_HIDDEN_SECONDS: u32 = 43_200;

/// The attributes that count messages: waiting, being processed, delayed.
const COUNTS: [QueueAttributeName; 3] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    QueueAttributeName::ApproximateNumberOfMessagesDelayed,
];

/// The settings of an [`SqsQueue`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqsSettings {
    /// The queue's URL, such as `https://sqs.eu-central-1.amazonaws.com/123456789012/credlink-work`.
    pub queue_url: String,
    /// The endpoint of SQS, if it is not the region's, such as `http://127.0.0.1:4566`.
    pub endpoint: Option<String>,
    /// The time limits of calls.
    pub limits: Limits,
}

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
    limits: Limits,
}

impl SqsQueue {
    /// Creates a client of the queue that `settings` name, with the region and the credentials of `config`. Nothing is
    /// sent.
    #[must_use]
    pub fn new(config: &SdkConfig, settings: SqsSettings) -> Self {
        let SqsSettings { queue_url, endpoint, limits } = settings;
        let mut config = Builder::from(config).retry_config(limits.retry()).timeout_config(limits.timeouts());
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        Self { client: Client::from_conf(config.build()), url: queue_url, limits }
    }

    /// Returns the client, for inspection by tests.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the queue's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the configuration of a call, with timeouts within the deadline of the current request.
    fn timed(&self) -> Builder {
        Config::builder().timeout_config(self.limits.timeouts())
    }

    /// Checks that the queue can be used. For the start of a program.
    ///
    /// # Errors
    /// The problem, and how to fix it.
    pub async fn check(&self) -> Result<(), Error> {
        let url = &self.url;
        self.counted().await.map(drop).map_err(|error| {
            let region = self.client.config().region().map_or("no region", |region| region.as_ref());
            let advice = match error.kind {
                ErrorKind::NotFound => format!(
                    "there is no queue {url} in the region {region}: deploy the template that makes it, or correct the \
                     queue's URL or STORAGE_REGION"
                ),
                ErrorKind::AccessDenied if denied(&error) => format!(
                    "the credentials may not use the queue {url}: allow them sqs:GetQueueAttributes, sqs:SendMessage, \
                     sqs:ReceiveMessage and sqs:DeleteMessage on it"
                ),
                ErrorKind::AccessDenied => format!(
                    "the credentials are refused or missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile \
                     or a role (region {region})"
                ),
                ErrorKind::TimedOut | ErrorKind::Unavailable => {
                    format!("SQS does not answer in the region {region}: check the network and STORAGE_REGION")
                }
                ErrorKind::Refused => format!("SQS refuses {url}: is it the URL of a queue?"),
                _ => return error,
            };
            let message = format!("{advice} ({})", error.message);
            Error { message, ..error }
        })
    }

    /// Returns the approximate number of waiting, processed and delayed messages together.
    async fn counted(&self) -> Result<u64, Error> {
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let request = request.set_attribute_names(Some(COUNTS.into()));
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        let attributes =
            answer.map_err(|error| Error::classify(NAME, &error))?.attributes.unwrap_or_default();
        COUNTS.iter().try_fold(0_u64, |sum, name| {
            let count = attributes.get(name).map_or(Some(0), |count| count.parse::<u64>().ok());
            let odd = || Error::new(NAME, ErrorKind::Unavailable, format!("{name} is no number"));
            Ok(sum.saturating_add(count.ok_or_else(odd)?))
        })
    }
}

/// Returns `true` if a known caller was refused, as opposed to an unknown access key.
fn denied(error: &Error) -> bool {
    error.code.as_deref().is_some_and(|code| code.starts_with("AccessDenied"))
}

impl Queue for SqsQueue {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn send(&self, message: &Message, delay_seconds: u32) -> Result<(), Failure> {
        let mut request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(message.to_string())
            .delay_seconds(clamped(delay_seconds, MAX_DELAY_SECONDS));
        // SQS refuses an empty attribute.
        if !message.request_id.is_empty() {
            let id = MessageAttributeValue::builder().data_type("String").string_value(&message.request_id);
            let id = id.build().map_err(|error| Error::new(NAME, ErrorKind::Refused, error.to_string()))?;
            request = request.message_attributes(REQUEST_ID, id);
        }
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        answer.map_err(|error| Error::classify(NAME, &error))?;
        Ok(())
    }

    async fn receive(&self, most: usize, hidden_seconds: u32) -> Result<Vec<Delivery>, Failure> {
        let most = u32::try_from(most.clamp(1, MAX_RECEIVED)).unwrap_or(1);
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(clamped(most, most))
            .visibility_timeout(clamped(hidden_seconds, MAX_HIDDEN_SECONDS))
            .wait_time_seconds(0)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
        let messages = answer.map_err(|error| Error::classify(NAME, &error))?.messages.unwrap_or_default();
        let count = &MessageSystemAttributeName::ApproximateReceiveCount;
        let deliveries = messages.into_iter().map(|message| {
            let attempts = message.attributes.as_ref().and_then(|attributes| attributes.get(count));
            let attempts = attempts.and_then(|attempts| attempts.parse().ok()).unwrap_or(1);
            let unnamed = || Error::new(NAME, ErrorKind::Unavailable, "a message without a receipt handle");
            let receipt = message.receipt_handle.ok_or_else(unnamed)?;
            Ok(Delivery { receipt, text: message.body.unwrap_or_default(), attempts })
        });
        deliveries.collect()
    }

    async fn settle(&self, receipt: &str) -> Result<(), Failure> {
        let request = self.client.delete_message().queue_url(&self.url).receipt_handle(receipt);
        match Box::pin(request.customize().config_override(self.timed()).send()).await {
            Ok(_) => Ok(()),
            // The receipt is no longer valid. If the message is still there, it will be delivered again.
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_receipt_handle_is_invalid()) =>
            {
                Ok(())
            }
            Err(error) => Err(Error::classify(NAME, &error).into()),
        }
    }

    async fn depth(&self) -> Result<u64, Failure> {
        Ok(self.counted().await?)
    }
}

/// Returns a number in the SDK's type, limited to `most`.
fn clamped(number: u32, most: u32) -> i32 {
    i32::try_from(number.min(most)).unwrap_or(i32::MAX)
}
