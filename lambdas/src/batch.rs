//! A batch of SQS messages, each of which succeeds or fails on its own (`ReportBatchItemFailures`).
//!
//! A failed message is delivered again after its visibility timeout, and goes to the dead-letter queue in the end. A
//! message that CredLink cannot parse counts as failed too, so that nothing in the queue is silently dropped.

use std::future::Future;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use credlink_core::message::Message;
use credlink_deployment::work::WorkError;
use credlink_ports::request::within_request;
use futures_util::StreamExt as _;
use futures_util::stream::iter;

/// Number of messages that are processed at once; each waits for providers most of the time.
const AT_ONCE: usize = 4;

/// Processes a batch: `work` receives each message and the number of times it was delivered.
pub async fn answer<W, F>(batch: SqsEvent, work: W) -> SqsBatchResponse
where
    W: Fn(Message, u32) -> F,
    F: Future<Output = Result<(), WorkError>>,
{
    let work = &work;
    let failed = iter(batch.records)
        .map(|record| async move {
            let id = record.message_id.clone().unwrap_or_default();
            let attempts = record.attributes.get("ApproximateReceiveCount");
            let attempts = attempts.and_then(|attempts| attempts.parse().ok()).unwrap_or(1);
            match one(&record, attempts, work).await {
                Ok(()) => None,
                Err(error) => {
                    tracing::error!(
                        message_id = id,
                        attempts,
                        reason = %error,
                        "a message failed; it will be handed out again"
                    );
                    Some(id)
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(|failed| async { failed });
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed
        .map(|id| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failure
        })
        .collect()
        .await;
    response
}

async fn one<W, F>(record: &SqsMessage, attempts: u32, work: &W) -> Result<(), WorkError>
where
    W: Fn(Message, u32) -> F,
    F: Future<Output = Result<(), WorkError>>,
{
    let text = record.body.as_deref().unwrap_or_default();
    let message: Message = text.parse()?;
    within_request(message.request_id.as_str().into(), work(message, attempts)).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn batch(bodies: &[&str]) -> SqsEvent {
        let record = |(number, body): (usize, &&str)| {
            json!({
                "messageId": format!("m{number}"), "receiptHandle": "r", "body": body,
                "attributes": {"ApproximateReceiveCount": "2"}, "messageAttributes": {},
                "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-central-1:0:q", "awsRegion": "eu-central-1",
            })
        };
        let records: Vec<_> = bodies.iter().enumerate().map(record).collect();
        serde_json::from_value(json!({"Records": records})).unwrap()
    }

    #[tokio::test]
    async fn each_message_fails_for_itself() {
        let good = r#"{"version":1,"request_id":"r","work":"replicate","to":"fallback","keys":["manifests/urn%3Ac2pa%3Ax"]}"#;
        let refused = good.replace("fallback", "primary");
        let event = batch(&[good, "poison", &refused, good, ""]);
        let answered = answer(event, async |message: Message, attempts| {
            assert_eq!(attempts, 2);
            if message.to_string().contains("primary") { Err(WorkError::NoFallback) } else { Ok(()) }
        })
        .await;
        let mut failed: Vec<_> =
            answered.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        failed.sort();
        assert_eq!(failed, ["m1", "m2", "m4"]);
    }

    #[tokio::test]
    async fn a_batch_without_failures_says_so() {
        let answered = answer(batch(&[]), async |_, _| Ok(())).await;
        assert_eq!(serde_json::to_value(&answered).unwrap(), json!({"batchItemFailures": []}));
    }
}
