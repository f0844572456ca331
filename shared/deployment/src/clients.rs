//! The clients of S3, R2, DynamoDB and SQS, which a program has with the feature `aws`. Without it, none can be made, and
//! whoever asks for one is told how to build a program that has them.

use credlink_aws::sqs::SqsQueue;
use credlink_aws::{Limits, SdkConfig};
#[cfg(feature = "aws")]
use credlink_s3::S3Quarantine;
use credlink_s3::{S3Objects, S3Settings};

use crate::dynamodb::DynamoIndex;

/// A reason why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// An S3 bucket has no region.
    #[error(
        "STORAGE_REGION is not set, and neither is AWS_REGION nor a region in the profile; it has to be the bucket's \
             region, such as eu-central-1"
    )]
    NoRegion,
    /// The program is built without the clients.
    #[error(
        "{0} needs the clients of AWS, and this program is built without them: build it with `--features aws`"
    )]
    NotBuiltIn(String),
}

/// Creates the client of a bucket. `aws` has the region, if the settings have none.
///
/// # Errors
/// Returns an error if there is no region, or if the program is built without the clients.
#[cfg(feature = "aws")]
pub fn bucket(mut settings: S3Settings, aws: &SdkConfig) -> Result<S3Objects, ClientError> {
    if settings.region.is_empty() {
        settings.region = aws.region().ok_or(ClientError::NoRegion)?.to_string();
    }
    Ok(S3Objects::new(settings, aws))
}

/// Creates the quarantine in the bucket of `objects`.
#[cfg(feature = "aws")]
#[must_use]
pub fn quarantine(objects: &S3Objects, aws: &SdkConfig) -> S3Quarantine {
    S3Quarantine::new(objects.settings().clone(), aws)
}

/// Creates the index in a table. `endpoint` is the address of DynamoDB, if it differs from the one in `aws`.
///
/// # Errors
/// Returns an error if the program is built without the clients.
#[cfg(feature = "aws")]
pub fn table(
    table: String,
    endpoint: Option<String>,
    limits: Limits,
    aws: &SdkConfig,
) -> Result<DynamoIndex, ClientError> {
    let settings = credlink_dynamodb::DynamoSettings { table, endpoint, limits };
    Ok(DynamoIndex::new(aws, settings))
}

/// Creates the client of a queue. `endpoint` is the address of SQS, if it differs from the one in `aws`.
///
/// # Errors
/// Returns an error if the program is built without the clients.
#[cfg(feature = "aws")]
pub fn queue(
    queue_url: String,
    endpoint: Option<String>,
    limits: Limits,
    aws: &SdkConfig,
) -> Result<SqsQueue, ClientError> {
    let settings = credlink_aws::sqs::SqsSettings { queue_url, endpoint, limits };
    Ok(SqsQueue::new(aws, settings))
}

/// Refuses to create the client of a bucket.
///
/// # Errors
/// Always returns an error.
#[cfg(not(feature = "aws"))]
pub fn bucket(settings: S3Settings, _: &SdkConfig) -> Result<S3Objects, ClientError> {
    let name = settings.kind.name().to_uppercase();
    Err(ClientError::NotBuiltIn(format!("the bucket {} of {name}", settings.bucket)))
}

/// Refuses to create the index in a table.
///
/// # Errors
/// Always returns an error.
#[cfg(not(feature = "aws"))]
pub fn table(table: String, _: Option<String>, _: Limits, _: &SdkConfig) -> Result<DynamoIndex, ClientError> {
    Err(ClientError::NotBuiltIn(format!("the table {table}, which CREDLINK_TABLE names,")))
}

/// Refuses to create the client of a queue.
///
/// # Errors
/// Always returns an error.
#[cfg(not(feature = "aws"))]
pub fn queue(
    queue_url: String,
    _: Option<String>,
    _: Limits,
    _: &SdkConfig,
) -> Result<SqsQueue, ClientError> {
    Err(ClientError::NotBuiltIn(format!("the queue {queue_url}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_in_is_refused_with_the_feature_that_has_it() {
        let error = ClientError::NotBuiltIn("the bucket b of S3".to_owned());
        assert_eq!(
            error.to_string(),
            "the bucket b of S3 needs the clients of AWS, and this program is built without them: build it with \
             `--features aws`"
        );
    }
}
