//! SQS queues by ministack, one for each test.

use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sqs::config::Credentials;
use credlink_aws::sqs::{SqsQueue, SqsSettings};
use credlink_aws::{Limits, http_client, sdk_config};

use super::ministack::{ACCESS_KEY, REGION, SECRET, endpoint};
use super::unique;

/// A client of the queue at `url`, which need not exist.
pub async fn queue_at(url: &str, endpoint: &str, access_key: &str) -> SqsQueue {
    let second = Duration::from_secs;
    let limits = Limits { connect: second(20), attempt: second(60), operation: second(120), retries: 2 };
    let credentials = Credentials::new(access_key, SECRET, None, None, "test");
    let config = sdk_config(http_client(), Some(REGION), &limits).await.into_builder();
    let config = config.credentials_provider(SharedCredentialsProvider::new(credentials)).build();
    let settings = SqsSettings { queue_url: url.to_owned(), endpoint: Some(endpoint.to_owned()), limits };
    SqsQueue::new(&config, settings)
}

/// An empty queue.
pub async fn queue() -> SqsQueue {
    let asked = queue_at("http://127.0.0.1", endpoint(), ACCESS_KEY).await;
    let made = asked.client().create_queue().queue_name(unique("queue")).send().await.unwrap();
    queue_at(made.queue_url().unwrap(), endpoint(), ACCESS_KEY).await
}
