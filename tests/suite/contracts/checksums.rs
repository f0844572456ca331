//! The checksum in the answer to a `HEAD`: that of the stored bytes, or none.

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use credlink_core::encoding::at_rest_again;
use credlink_core::hash::Digest;
use credlink_core::object::Attributes;
use credlink_ports::{Checksum, Checksummed, Condition};

use super::{over_every_store, stores};
use crate::buckets;
use crate::contracts::proof_id;

over_every_store! {
    { a_checksum_is_of_the_bytes_as_stored }
}

/// Writes gzip data, and returns them with the checksum reported for them.
async fn told(objects: &impl Checksummed) -> (Bytes, Option<Checksum>) {
    let key = credlink_core::object::ObjectKey::Record(proof_id("x"));
    assert_eq!(objects.head_with_checksum(&key).await.unwrap(), None, "nothing is there");
    let body = Bytes::from(at_rest_again(&[b'a'; 5_000], 1).bytes.into_owned());
    let attributes = Attributes { content_encoding: Some("gzip".to_owned()), ..Attributes::default() };
    objects.put(&key, body.clone(), &attributes, Condition::Absent).await.unwrap();
    let (head, checksum) = objects.head_with_checksum(&key).await.unwrap().unwrap();
    assert_eq!(Some(head), objects.head(&key).await.unwrap());
    (body, checksum)
}

async fn a_checksum_is_of_the_bytes_as_stored(objects: &impl Checksummed) {
    match told(objects).await {
        (body, Some(Checksum::Sha256(digest))) => assert_eq!(digest, Digest::of(&body)),
        (body, Some(Checksum::Crc64Nvme(crc))) => {
            assert_eq!(crc, crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &body));
        }
        (_, None) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_holds_what_an_upload_named() {
    let (body, checksum) = told(&buckets::s3().await).await;
    assert_eq!(checksum, Some(Checksum::Sha256(Digest::of(&body))));
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_holds_none_of_what_an_upload_did_not_name() {
    assert_eq!(told(&buckets::r2().await).await.1, None);
}
