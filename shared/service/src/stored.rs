//! The result of a store or a replacement, and the write of its record.

use bytes::Bytes;
use credlink_core::encoding::Coding;
use credlink_core::hash::Digest;
use credlink_core::object::ObjectKey;
use credlink_core::record::Record;
use credlink_core::row::ProofRow;

use credlink_ports::{Condition, Failure, ObjectWrite, Objects as _, Ports, Put};

use crate::service::Service;

/// The result of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The proof as it is in the index.
    pub row: ProofRow,
    /// `true` if the proof was already there.
    pub deduplicated: bool,
    /// `true` if the proof has the manifest and the signature that were to be stored (guarantee 3).
    pub identical: bool,
    /// The bytes of the record, if this call stored them.
    pub body: Option<StoredBody>,
}

/// Bytes in their stored form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBody {
    /// The bytes.
    pub bytes: Bytes,
    /// The content coding of the bytes.
    pub coding: Option<Coding>,
}

/// Writes a record with these bytes and their SHA-256 under its key, if `condition` holds.
pub(crate) async fn put_record<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    record: &Record,
    (bytes, sha256): (&[u8], Digest),
    condition: Condition,
) -> Result<Option<StoredBody>, Failure> {
    let (write, body) = record_write(key, record, (bytes, sha256), condition);
    let put = service.ports.objects().put(key, write.body, &write.attributes, write.condition).await;
    // After a failure too, since the write may have happened.
    service.recorded(key, record.revision, record.first_revision).await;
    Ok(matches!(put?, Put::Stored(_)).then_some(body))
}

/// Returns the write of a record with these bytes and their SHA-256, and the bytes in their stored form.
pub(crate) fn record_write(
    key: &ObjectKey,
    record: &Record,
    (bytes, sha256): (&[u8], Digest),
    condition: Condition,
) -> (ObjectWrite, StoredBody) {
    let (bytes, attributes) = record.stored(bytes, sha256, key);
    let coding = attributes.content_encoding.as_ref().map(|_| Coding::Gzip);
    let write = ObjectWrite { key: key.clone(), body: bytes.clone(), attributes, condition };
    (write, StoredBody { bytes, coding })
}
