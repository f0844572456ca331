//! Buckets of the real engines, each with a client of its own: a pool of connections belongs to one test's runtime.

use std::time::Duration;

use credlink_aws::s3::{Checksums, Credentials, S3Objects, Settings};
use credlink_aws::{Limits, http_client, plain_config};

use crate::engines::{ministack, r2, unique};

/// Longer than any pause of a machine that builds at the same time.
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

/// Settings for a bucket of S3, which may not be there.
pub fn s3_settings(bucket: &str) -> Settings {
    Settings {
        credentials: Some(credentials(ministack::ACCESS_KEY, ministack::SECRET)),
        checksums: Checksums::WhenSupported,
        limits: PATIENT,
        ..Settings::s3(bucket, ministack::REGION).at(ministack::endpoint())
    }
}

/// Settings for a bucket of R2, which may not be there.
pub fn r2_settings(bucket: &str) -> Settings {
    let settings = Settings::r2(bucket, "account", credentials(r2::ACCESS_KEY, r2::SECRET));
    Settings { limits: PATIENT, ..settings.at(r2::endpoint()) }
}

/// A client with these settings.
pub fn open(settings: Settings) -> S3Objects {
    S3Objects::new(settings, &plain_config(http_client()))
}

/// A new bucket of S3.
pub async fn s3() -> S3Objects {
    let bucket = unique("bucket");
    make(&bucket).await;
    open(s3_settings(&bucket))
}

/// A bucket of R2 that nobody has used.
pub async fn r2() -> S3Objects {
    open(r2_settings(&r2::bucket()))
}

/// Makes a bucket of S3.
pub async fn make(bucket: &str) {
    use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

    let place = BucketLocationConstraint::from(ministack::REGION);
    let place = CreateBucketConfiguration::builder().location_constraint(place).build();
    raw().create_bucket().bucket(bucket).create_bucket_configuration(place).send().await.unwrap();
}

/// The SDK's own client of S3, for what the adapter does not do.
pub fn raw() -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(&plain_config(http_client()))
        .region(aws_sdk_s3::config::Region::new(ministack::REGION))
        .endpoint_url(ministack::endpoint())
        .force_path_style(true)
        .credentials_provider(credentials(ministack::ACCESS_KEY, ministack::SECRET));
    aws_sdk_s3::Client::from_conf(config.build())
}
