//! Buckets of the real engines. Each has a client of its own, since a connection pool belongs to the runtime of one
//! test.

use std::time::Duration;

use credlink_aws::{Limits, http_client, plain_config};
use credlink_s3::{Checksums, Credentials, S3Objects, S3Quarantine, S3Settings};

use crate::engines::{ministack, r2, unique};

/// Timeouts longer than any pause of a machine that is building at the same time.
const PATIENT: Limits = Limits {
    connect: Duration::from_secs(60),
    attempt: Duration::from_secs(60),
    operation: Duration::from_secs(120),
    retries: 2,
};

/// An access key.
pub fn credentials(key: &str, secret: &str) -> Credentials {
    Credentials::new(key, secret, None, None, "tests")
}

/// S3Settings for an S3 bucket, which need not exist.
pub fn s3_settings(bucket: &str) -> S3Settings {
    S3Settings {
        credentials: Some(credentials(ministack::ACCESS_KEY, ministack::SECRET)),
        checksums: Checksums::WhenSupported,
        limits: PATIENT,
        ..S3Settings::s3(bucket, ministack::REGION).at(ministack::endpoint())
    }
}

/// S3Settings for an R2 bucket, which need not exist.
pub fn r2_settings(bucket: &str) -> S3Settings {
    let settings = S3Settings::r2(bucket, "account", credentials(r2::ACCESS_KEY, r2::SECRET));
    S3Settings { limits: PATIENT, ..settings.at(r2::endpoint()) }
}

/// A client with these settings.
pub fn open(settings: S3Settings) -> S3Objects {
    S3Objects::new(settings, &plain_config(http_client()))
}

/// A new S3 bucket.
pub async fn s3() -> S3Objects {
    let bucket = unique("bucket");
    make(&bucket).await;
    open(s3_settings(&bucket))
}

/// An R2 bucket that nothing has used yet.
pub async fn r2() -> S3Objects {
    open(r2_settings(&r2::bucket()))
}

/// The client of a quarantine with these settings.
pub fn quarantine(settings: S3Settings) -> S3Quarantine {
    S3Quarantine::new(settings, &plain_config(http_client()))
}

/// A quarantine in a new S3 bucket.
pub async fn s3_quarantine() -> S3Quarantine {
    let bucket = unique("bucket");
    make(&bucket).await;
    quarantine(s3_settings(&bucket))
}

/// A quarantine in an R2 bucket that nothing has used yet.
pub fn r2_quarantine() -> S3Quarantine {
    quarantine(r2_settings(&r2::bucket()))
}

/// Creates an S3 bucket.
pub async fn make(bucket: &str) {
    use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

    let place = BucketLocationConstraint::from(ministack::REGION);
    let place = CreateBucketConfiguration::builder().location_constraint(place).build();
    raw().create_bucket().bucket(bucket).create_bucket_configuration(place).send().await.unwrap();
}

/// The SDK's own S3 client, for operations that the adapter does not offer.
pub fn raw() -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(&plain_config(http_client()))
        .region(aws_sdk_s3::config::Region::new(ministack::REGION))
        .endpoint_url(ministack::endpoint())
        .force_path_style(true)
        .credentials_provider(credentials(ministack::ACCESS_KEY, ministack::SECRET));
    aws_sdk_s3::Client::from_conf(config.build())
}
