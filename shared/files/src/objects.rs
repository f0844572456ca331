//! The objects of files: their bytes, which never change, and their records.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::bounds::MAX_CLOCK_LAG_SECONDS;
use credlink_core::cache_policy::CachePolicy;
use credlink_core::file::FileId;
use credlink_core::file_record::FileRecord;
use credlink_core::hash::Digest;
use credlink_core::object::{Attributes, Facts, MediaKey, ObjectKey, StoredTag, Verified};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

use credlink_ports::{Cache as _, Condition, Failure, FailureKind, Objects as _, Ports, Put, Replicas as _};
use credlink_service::Service;
use credlink_service::error::Error;

use crate::rows;

/// The most attempts of a write that other writers keep winning.
pub(crate) const ATTEMPTS: usize = 32;

/// The most records that one request reads at the same time.
pub(crate) const READS_AT_ONCE: usize = 16;

/// The owner and the readers of immutable bytes, which are in their attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks<'a> {
    /// The tenant.
    pub(crate) tenant: &'a Tenant,
    /// The visibility.
    pub(crate) visibility: Visibility,
    /// The policy of caches.
    pub(crate) cache: CachePolicy,
}

/// The treatment of intact bytes that are already stored and differ from those that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherBytes {
    /// They are kept: the key tells how such bytes are made, which another version of an encoder does in another way.
    AreKept,
    /// They are replaced: the key follows from the content, so that they are wrong.
    AreReplaced,
}

/// The stored form of immutable bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredBytes {
    /// SHA-256.
    pub(crate) sha256: Digest,
    /// Number of bytes.
    pub(crate) length: u64,
}

/// Writes bytes that never change, if nothing is stored under their key. Otherwise the stored bytes are read. Intact ones are
/// treated as `others` says. Damaged ones are replaced, because the right bytes are at hand now and may not be again.
///
/// Files that share bytes share their marks, which are those of the first file. Nothing is decided by them: an answer follows
/// the record of the file that is read.
pub(crate) async fn put_bytes<P: Ports>(
    service: &Service<P>,
    key: MediaKey,
    body: Bytes,
    marks: Marks<'_>,
    others: OtherBytes,
) -> Result<StoredBytes, Failure> {
    let key = ObjectKey::Media(key);
    let facts = Facts::of(&body, marks.tenant.clone(), marks.visibility, service.now());
    let cache_control = Some(marks.cache.header().to_owned());
    let attributes = Attributes { cache_control, ..facts.attributes(&key, BTreeMap::new()) };
    let mut condition = Condition::Absent;
    for _ in 0..ATTEMPTS {
        let replaces = condition != Condition::Absent;
        let put = service.ports().objects().put(&key, body.clone(), &attributes, condition).await;
        // After a failure too, since the write may have happened.
        if replaces {
            service.ports().cache().invalidate(&key).await;
        } else {
            service.ports().cache().forget_absence(&key).await;
        }
        if let Put::Stored(_) = put? {
            return Ok(StoredBytes { sha256: facts.sha256, length: facts.length });
        }
        condition = Condition::Absent;
        let Some(head) = service.ports().objects().head(&key).await? else { continue };
        match service.current(&key).await {
            Ok(None) => {}
            Ok(Some(current)) => {
                let found = current.verified.facts();
                if others == OtherBytes::AreKept || found.sha256 == facts.sha256 {
                    service.ports().objects().confirm(&key, found).await?;
                    return Ok(StoredBytes { sha256: found.sha256, length: found.length });
                }
                tracing::error!(%key, "other bytes are stored than the key says; they are replaced");
                condition = Condition::Matches(head.tag);
            }
            Err(failure) if failure.kind == FailureKind::Damaged => {
                tracing::error!(reason = %failure, "stored bytes are damaged; they are replaced");
                condition = Condition::Matches(head.tag);
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(contended(service, &key))
}

/// Returns the undamaged bytes under a key, if there are any, and makes sure that they stay.
pub(crate) async fn standing_bytes<P: Ports>(
    service: &Service<P>,
    key: &MediaKey,
) -> Result<Option<StoredBytes>, Failure> {
    let key = ObjectKey::Media(key.clone());
    match service.current(&key).await {
        Ok(None) => Ok(None),
        Ok(Some(current)) => {
            let found = current.verified.facts();
            service.ports().objects().confirm(&key, found).await?;
            Ok(Some(StoredBytes { sha256: found.sha256, length: found.length }))
        }
        // The next write replaces them.
        Err(failure) if failure.kind == FailureKind::Damaged => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A record as it is stored now.
pub(crate) struct CurrentRecord {
    /// The tag, for a compare-and-swap.
    pub(crate) tag: StoredTag,
    /// SHA-256 of the record's bytes.
    pub(crate) sha256: Digest,
    /// The record.
    pub(crate) record: FileRecord,
}

/// Reads a record without the cache. Returns `None` if there is none, or a tombstone in its place.
pub(crate) async fn current_record<P: Ports>(
    service: &Service<P>,
    id: &FileId,
) -> Result<Option<CurrentRecord>, Failure> {
    let key = ObjectKey::Media(MediaKey::File(*id));
    let Some(head) = service.ports().objects().head(&key).await? else { return Ok(None) };
    let Some(current) = service.current(&key).await? else { return Ok(None) };
    if current.verified.facts().tombstone {
        return Ok(None);
    }
    let record = parse(service, &key, &current.verified)?;
    // If the record was replaced between the two reads, the tag does not match it, and the swap is lost.
    Ok(Some(CurrentRecord { tag: head.tag, sha256: current.verified.facts().sha256, record }))
}

/// Reads an object through the cache.
pub(crate) async fn cached<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
) -> Result<Option<Arc<Verified>>, Failure> {
    let load = async { Ok(service.current(key).await?.map(|current| current.verified)) };
    service.ports().cache().get_or_load(key, load).await
}

/// Parses a record from its object.
pub(crate) fn parse<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    verified: &Verified,
) -> Result<FileRecord, Failure> {
    let record = FileRecord::parse(&verified.content()).map_err(|error| damaged(service, key, &error))?;
    if record.key() == *key {
        return Ok(record);
    }
    Err(damaged(service, key, &format!("its key holds the record of the file {}", record.id)))
}

/// Writes a record, and returns its digest, or `None` if the condition does not hold.
pub(crate) async fn put_record<P: Ports>(
    service: &Service<P>,
    record: &FileRecord,
    condition: Condition,
) -> Result<Option<Digest>, Failure> {
    let key = record.key();
    let bytes = record.to_bytes();
    let sha256 = Digest::of(&bytes);
    let (body, attributes) = record.stored(&bytes, sha256, service.now());
    let put = service.ports().objects().put(&key, body, &attributes, condition).await;
    // After a failure too, since the write may have happened.
    service.ports().cache().invalidate(&key).await;
    Ok(matches!(put?, Put::Stored(_)).then_some(sha256))
}

/// Removes the record of a file that was never committed, if a finaliser has written one until `until`. Such a record has
/// revision 1. A later revision belongs to a file that has lost its row, and is kept, as is a damaged record.
///
/// # Errors
/// Fails if there is such a record and the guard forbids to remove it, or if a provider or the index fails.
pub(crate) async fn remove_uncommitted<P: Ports>(
    service: &Service<P>,
    id: &FileId,
    until: Timestamp,
) -> Result<(), Error> {
    if rows::file(service, id).await?.is_some() {
        return Ok(());
    }
    let record = match current_record(service, id).await {
        Ok(Some(current)) => current.record,
        Ok(None) => return Ok(()),
        Err(failure) if failure.kind == FailureKind::Damaged => {
            tracing::warn!(file = %id, reason = %failure, "a record without a row is left as it is");
            return Ok(());
        }
        Err(failure) => return Err(failure.into()),
    };
    if record.revision > 1 || record.created > until.plus_seconds(MAX_CLOCK_LAG_SECONDS) {
        return Ok(());
    }
    service.may_collect().await?;
    let key = ObjectKey::Media(MediaKey::File(*id));
    let deleted = service.ports().objects().delete(&key).await;
    service.ports().cache().invalidate(&key).await;
    Ok(deleted?)
}

/// Returns the name by which operators know the store of objects.
pub(crate) fn provider<P: Ports>(service: &Service<P>) -> &'static str {
    service.ports().objects().name()
}

/// Returns the failure of an object that is damaged.
pub(crate) fn damaged<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    why: &dyn std::fmt::Display,
) -> Failure {
    let provider = service.ports().objects().name();
    Failure { provider, kind: FailureKind::Damaged, message: format!("{key}: {why}") }
}

/// Returns the failure of a write that other writers have kept winning.
pub(crate) fn contended<P: Ports>(service: &Service<P>, key: &ObjectKey) -> Failure {
    let provider = service.ports().objects().name();
    let message = format!("{key}: other requests kept replacing it");
    Failure { provider, kind: FailureKind::Unavailable, message }
}
