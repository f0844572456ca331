//! A batch of SQS messages, each of which succeeds or fails on its own (`ReportBatchItemFailures`).
//!
//! A failed message is delivered again after its visibility timeout, and goes to the dead-letter queue in the end. A
//! message that CredLink cannot parse counts as failed too, so that nothing in the queue is silently dropped.

use std::future::Future;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use credlink_core::file::UploadId;
use credlink_core::message::{Arrivals, Message};
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
    each(batch, AT_ONCE, async |text, attempts| {
        let message: Message = text.parse()?;
        within_request(message.request_id.as_str().into(), work(message, attempts)).await
    })
    .await
}

/// Processes a batch of the queue of uploads, one message after the other, because each upload is in memory whole. A message
/// fails if no file was made of one of its uploads.
pub async fn arrivals<W, F>(batch: SqsEvent, finalise: W) -> SqsBatchResponse
where
    W: Fn(UploadId) -> F,
    F: Future<Output = Result<(), WorkError>>,
{
    let finalise = &finalise;
    each(batch, 1, async |text, _| {
        let arrivals: Arrivals = text.parse()?;
        let id = arrivals.request_id.as_str().into();
        let work = async {
            for upload in arrivals.uploads {
                finalise(upload).await?;
            }
            Ok(())
        };
        within_request(id, work).await
    })
    .await
}

/// Processes each message of a batch, several at once: `work` receives its text and the number of times it was delivered.
async fn each<W>(batch: SqsEvent, at_once: usize, work: W) -> SqsBatchResponse
where
    W: AsyncFn(String, u32) -> Result<(), WorkError>,
{
    let work = &work;
    let failed = iter(batch.records)
        .map(|record| async move {
            let id = record.message_id.clone().unwrap_or_default();
            let attempts = record.attributes.get("ApproximateReceiveCount");
            let attempts = attempts.and_then(|attempts| attempts.parse().ok()).unwrap_or(1);
            match work(record.body.unwrap_or_default(), attempts).await {
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
        .buffer_unordered(at_once)
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
    async fn each_upload_is_finalised_and_what_fails_comes_again() {
        let (one, two) = ("a4dqobyha4dqobyha4dqobyha4dqobyh", "b4dqobyha4dqobyha4dqobyha4dqobyh");
        let message = format!(r#"{{"version":1,"request_id":"r","work":"finalise","upload":"{one}"}}"#);
        let record = |id| json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"object": {"key": format!("uploads/default/{id}")}}});
        let event = json!({"Records": [record(one), record(two), record(one)]}).to_string();
        let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#;
        let done = std::cell::RefCell::new(Vec::new());
        let batch = batch(&[&message, "poison", &event, test, &message]);
        let answered = arrivals(batch, async |upload: UploadId| {
            done.borrow_mut().push(upload.to_string());
            if upload.to_string() == two { Err(WorkError::NoFinaliser) } else { Ok(()) }
        })
        .await;
        let failed: Vec<_> =
            answered.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        assert_eq!(failed, ["m1", "m2"]);
        assert_eq!(*done.borrow(), [one, one, two, one]);
    }

    #[tokio::test]
    async fn a_batch_without_failures_says_so() {
        let answered = answer(batch(&[]), async |_, _| Ok(())).await;
        assert_eq!(serde_json::to_value(&answered).unwrap(), json!({"batchItemFailures": []}));
    }
}
