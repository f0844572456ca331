//! The storage class and the encryption that each write requests.

use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use bytes::Bytes;
use credlink_core::object::{Attributes, ObjectKey};
use credlink_ports::{Condition, Objects as _};
use credlink_s3::{Body, Encryption, S3Settings};

use crate::buckets;
use crate::engines::unique;

#[tokio::test]
async fn class_and_encryption_are_asked_for_with_each_write() {
    let bucket = unique("kept");
    buckets::make(&bucket).await;
    let settings = S3Settings {
        storage_class: Some(StorageClass::StandardIa),
        encryption: Encryption::Aes256,
        ..buckets::s3_settings(&bucket)
    };
    let objects = buckets::open(settings);
    let key: ObjectKey = "manifests/urn%3Ac2pa%3Akept".parse().unwrap();
    let body = Bytes::from_static(b"kept");
    objects.put(&key, body, &Attributes::default(), Condition::Absent).await.unwrap();
    // Uploaded in parts, since it has more than 8 MB.
    let large = Body::whole(vec![7; 9_000_000].into());
    objects.upload("large", &Attributes::default(), Some(9_000_000), large).await.unwrap();
    for key in [key.to_string().as_str(), "large"] {
        let head = buckets::raw().head_object().bucket(&bucket).key(key).send().await.unwrap();
        assert_eq!(head.storage_class, Some(StorageClass::StandardIa), "{key}");
        assert_eq!(head.server_side_encryption, Some(ServerSideEncryption::Aes256), "{key}");
    }
}
