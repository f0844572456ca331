//! Faulty configurations, as operators read about them. No such fault is taken for an absence.

use std::time::Duration;

use credlink_aws::Limits;
use credlink_core::object::{Attributes, ObjectKey, StoredTag};
use credlink_ports::{Condition, FailureKind, Objects as _};
use credlink_s3::{S3Objects, S3Settings};

use crate::buckets::{self, credentials, open, r2_settings, s3_settings};
use crate::engines::{free_port, ministack, r2};

fn key() -> ObjectKey {
    "manifests/urn%3Ax".parse().unwrap()
}

/// The report of `check`, with the ports of the engines removed.
async fn said(objects: &S3Objects) -> String {
    let error = objects.check().await.unwrap_err();
    let text = format!("{}\n{error}", error.message);
    let mut filtered = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("127.0.0.1:") {
        let port = at + "127.0.0.1:".len();
        filtered.push_str(&rest[..port]);
        filtered.push_str("PORT");
        rest = rest[port..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    filtered + rest
}

fn hasty(settings: S3Settings) -> S3Settings {
    let soon = Duration::from_secs(2);
    S3Settings { limits: Limits { connect: soon, attempt: soon, operation: soon, retries: 0 }, ..settings }
}

#[tokio::test]
async fn what_is_wrong_is_said_in_words() {
    buckets::s3().await.check().await.unwrap();
    buckets::r2().await.check().await.unwrap();
    let s3 = s3_settings("missing-bucket");
    insta::assert_snapshot!("s3_missing_bucket", said(&open(s3.clone())).await);
    let stranger = Some(credentials("AKIASTRANGER", "x"));
    let bucket = buckets::s3().await.settings().bucket.clone();
    let settings = S3Settings { credentials: stranger.clone(), ..s3_settings(&bucket) };
    insta::assert_snapshot!("s3_unknown_key", said(&open(settings)).await.replace(&bucket, "BUCKET"));
    let settings = S3Settings { region: "us-west-2".into(), ..s3_settings(&bucket) };
    insta::assert_snapshot!("s3_wrong_region", said(&open(settings)).await.replace(&bucket, "BUCKET"));
    let nobody = format!("http://127.0.0.1:{}", free_port());
    insta::assert_snapshot!("s3_out_of_reach", said(&open(hasty(s3.at(nobody)))).await);

    insta::assert_snapshot!("r2_missing_bucket", said(&open(r2_settings("missing-bucket"))).await);
    let settings = S3Settings { credentials: stranger, ..r2_settings(&r2::bucket()) };
    insta::assert_snapshot!("r2_unknown_key", said(&open(settings)).await);
    let settings =
        S3Settings { credentials: Some(credentials(r2::ACCESS_KEY, "wrong")), ..r2_settings("bucket-0") };
    insta::assert_snapshot!("r2_wrong_secret", said(&open(settings)).await);
}

#[tokio::test]
async fn a_missing_bucket_is_a_failure_and_not_absence() {
    for settings in [s3_settings("missing-bucket"), r2_settings("missing-bucket")] {
        let objects = open(settings);
        assert_eq!(objects.get(&key()).await.unwrap_err().kind, FailureKind::Unavailable);
        assert_eq!(objects.head(&key()).await.unwrap_err().kind, FailureKind::Unavailable);
        assert_eq!(objects.list("", None, 1).await.unwrap_err().kind, FailureKind::Unavailable);
        assert_eq!(objects.delete(&key()).await.unwrap_err().kind, FailureKind::Unavailable);
        for condition in [Condition::Absent, Condition::Matches(StoredTag("x".into()))] {
            let put = objects.put(&key(), "x".into(), &Attributes::default(), condition).await;
            assert_eq!(put.unwrap_err().kind, FailureKind::Unavailable);
        }
    }
}

#[tokio::test]
async fn a_refused_key_is_a_failure_and_not_absence() {
    let stranger = Some(credentials("AKIASTRANGER", "x"));
    let bucket = buckets::s3().await.settings().bucket.clone();
    let s3 = S3Settings { credentials: stranger.clone(), ..s3_settings(&bucket) };
    let r2 = S3Settings { credentials: stranger, ..r2_settings(&r2::bucket()) };
    for settings in [s3, r2] {
        let objects = open(settings);
        assert_eq!(objects.get(&key()).await.unwrap_err().kind, FailureKind::AccessDenied);
        assert_eq!(objects.head(&key()).await.unwrap_err().kind, FailureKind::AccessDenied);
    }
}

#[tokio::test]
async fn health_says_how_it_is_and_what_was_last() {
    let objects = buckets::s3().await;
    let health = objects.health().await;
    assert_eq!((health.error, health.last_error), (None, None));
    assert!(health.latency > Duration::ZERO);
    objects.head(&key()).await.unwrap();
    assert_eq!(objects.health().await.last_error, None, "absence is no error");
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let dead = open(hasty(s3_settings(&objects.settings().bucket).at(nobody)));
    let health = dead.health().await;
    assert!(health.error.is_some() && health.last_error == health.error);
    assert_eq!(ministack::REGION, objects.settings().region);
}
