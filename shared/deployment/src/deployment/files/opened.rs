//! The places whose objects are opened, so that long originals are sent piece by piece: folders, and buckets.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use credlink_core::bounds::MAX_ANSWER_PIECE_BYTES;
use credlink_core::hash::Hashing;
use credlink_core::object::{Facts, Head, ObjectKey, StoredTag};
use credlink_disk::folder::Folder;
use credlink_ports::{
    Failure, FailureKind, LongObjects, OpenObjects, OpenedContent, Opening, PIECE_BYTES, PieceSums,
};
use credlink_runtime::checked_contents::{CheckedContents, CheckedObject};
use credlink_s3::S3Objects;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Semaphore;

use super::super::AnyObjects;
use crate::provider::Provider;

/// The bytes that are requested of a bucket at a time, while an object is checked and while it is sent.
const REQUEST_BYTES: u64 = 262_144;

/// The number of requests to a bucket that check objects at the same time.
const CHECKS: usize = 8;

/// The length of a piece of an answer. A request has whole pieces.
const ANSWER_BYTES: u64 = MAX_ANSWER_PIECE_BYTES as u64;

/// The places of a deployment, the primary first. A copy that is missing or damaged is made up for by another one. Folders
/// come before buckets, which cost two requests for each 256 KiB.
#[derive(Debug)]
pub(super) struct Opened {
    folders: Vec<Folder>,
    buckets: Vec<(S3Objects, Checks)>,
}

/// The checks of a bucket's objects: the contents that were found undamaged, and the turns of the requests that check others.
#[derive(Debug)]
struct Checks {
    contents: Arc<CheckedContents>,
    turns: Semaphore,
}

impl Default for Checks {
    fn default() -> Self {
        Self { contents: Arc::default(), turns: Semaphore::new(CHECKS) }
    }
}

fn with_checks(bucket: S3Objects) -> (S3Objects, Checks) {
    (bucket, Checks::default())
}

impl Opened {
    /// Returns the places of these providers.
    pub(super) fn of(objects: &AnyObjects) -> Self {
        let (mut folders, mut buckets) = (Vec::new(), Vec::new());
        for place in objects.each() {
            match place {
                Provider::Folder(folder) => folders.push(folder.clone()),
                // Cloned by the iterator: without the feature `aws`, a bucket has no values, and no line may follow one.
                Provider::Bucket(bucket) => buckets.extend(iter::once(bucket).cloned().map(with_checks)),
            }
        }
        Self { folders, buckets }
    }

    /// Opens an object in the first place that has it undamaged.
    ///
    /// # Errors
    /// Fails if all places are folders, and one of them fails while no other has the object.
    async fn first(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<OpenedContent>, Failure> {
        let mut failed = None;
        let mut found = |opened: Result<Option<OpenedContent>, Failure>| {
            opened.unwrap_or_else(|failure| {
                tracing::error!(reason = %failure, "a copy cannot be read");
                failed = Some(failure);
                None
            })
        };
        for folder in &self.folders {
            if let Some(content) = found(begun(folder.open(key, range.clone()).await).await) {
                return Ok(Some(content));
            }
        }
        for (bucket, checks) in &self.buckets {
            let opened = open_by_requests(bucket, checks, key, range.clone()).await;
            if let Some(content) = found(begun(opened).await) {
                return Ok(Some(content));
            }
        }
        match failed {
            // What is short enough is read as a whole, from whichever provider has it.
            Some(failure) if self.buckets.is_empty() => Err(failure),
            _ => Ok(None),
        }
    }
}

/// Reads the first piece of what was opened, which may be damaged since it was checked.
async fn begun(opened: Result<Option<OpenedContent>, Failure>) -> Result<Option<OpenedContent>, Failure> {
    match opened? {
        Some(content) => content.begun().await.map(Some),
        None => Ok(None),
    }
}

impl OpenObjects for Opened {
    fn open<'a>(&'a self, key: &'a ObjectKey, range: Range<u64>) -> Opening<'a> {
        Box::pin(self.first(key, range))
    }
}

/// A bucket whose requests may be made on another thread than that which opened the object.
trait Bucket: LongObjects + Clone + Send + 'static {
    /// Returns the same as [`LongObjects::get_piece`].
    fn requested(self, key: ObjectKey, tag: StoredTag, range: Range<u64>) -> Requested;
}

/// The future of requested bytes.
type Requested = BoxFuture<'static, Result<Option<Bytes>, Failure>>;

impl Bucket for S3Objects {
    fn requested(self, key: ObjectKey, tag: StoredTag, range: Range<u64>) -> Requested {
        Box::pin(async move { self.get_piece(&key, &tag, range).await })
    }
}

/// Opens an object of a bucket: reads all its bytes once to check them, unless its content is known already, and those of `range`
/// once more to send them, each time of the object with the same tag. Returns `None` for an object that fits into one piece,
/// which is read as a whole, and if there is none.
async fn open_by_requests<B: Bucket>(
    objects: &B,
    checks: &Checks,
    key: &ObjectKey,
    range: Range<u64>,
) -> Result<Option<OpenedContent>, Failure> {
    let head = objects.head(key).await?.filter(|head| head.size > PIECE_BYTES);
    let Some(Head { size, tag, attributes, .. }) = head else { return Ok(None) };
    let damaged = |why: &dyn std::fmt::Display| Failure {
        provider: objects.name(),
        kind: FailureKind::Damaged,
        message: format!("reading {key}: {why}"),
    };
    let sha256 = Facts::read(&attributes).map_err(|error| damaged(&error))?.sha256;
    let object = (key.to_string(), sha256);
    let check = async {
        let (mut hashing, mut sums, mut at) = (Hashing::default(), PieceSums::default(), 0);
        while at < size {
            let end = size.min(at + REQUEST_BYTES);
            // The semaphore is never closed. Its order is that of the requests.
            let turn = checks.turns.acquire().await;
            let piece = objects.get_piece(key, &tag, at..end).await?;
            drop(turn);
            let piece = piece.ok_or_else(|| damaged(&"it was replaced while it was checked"))?;
            hashing.add(&piece);
            sums.add(&piece);
            at = end;
        }
        match hashing.digest() == sha256 {
            true => Ok(sums),
            false => Err(damaged(&"its bytes do not have the digest that they were written with")),
        }
    };
    let sums = checks.contents.sums(&object, check).await?;
    let range = range.start..range.end.min(size);
    let length = range.end.saturating_sub(range.start);
    let at = range.start / ANSWER_BYTES * ANSWER_BYTES;
    let (objects, key, contents) = (objects.clone(), key.clone(), Arc::clone(&checks.contents));
    let sending =
        Sending { objects, key, tag, size, object, sums, contents, range, at, received: Bytes::new() };
    let pieces = stream::try_unfold(sending, |mut sending| async move {
        Ok(sending.next().await?.map(|piece| (piece, sending)))
    });
    Ok(Some(OpenedContent { sha256, length, pieces: pieces.boxed() }))
}

/// A range of an object's bytes that is being sent.
struct Sending<B> {
    objects: B,
    key: ObjectKey,
    tag: StoredTag,
    /// Number of bytes of the object.
    size: u64,
    object: CheckedObject,
    sums: Arc<PieceSums>,
    contents: Arc<CheckedContents>,
    range: Range<u64>,
    /// The position of the next piece, of which the range may be a part.
    at: u64,
    /// The bytes from there on that were received.
    received: Bytes,
}

impl<B: Bucket> Sending<B> {
    /// Returns what is in the range of the next piece, or `None` at the end of the range. After a failure, the object is checked
    /// anew when it is opened.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let piece = self.piece().await;
        if piece.is_err() {
            self.contents.forget(&self.object);
        }
        piece
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.at >= self.range.end {
            return Ok(None);
        }
        if self.received.is_empty() {
            let end = self.size.min(self.at + REQUEST_BYTES);
            let (key, tag) = (self.key.clone(), self.tag.clone());
            let received = self.objects.clone().requested(key, tag, self.at..end).await?;
            self.received = received
                .ok_or_else(|| self.failed(FailureKind::Unavailable, &"it was replaced while it was read"))?;
        }
        let length = self.received.len().min(MAX_ANSWER_PIECE_BYTES);
        let piece = self.received.split_to(length);
        let part = self.sums.part(self.at, &piece, &self.range);
        self.at += ANSWER_BYTES;
        part.map(Some).map_err(|changed| self.failed(FailureKind::Damaged, &changed))
    }

    fn failed(&self, kind: FailureKind, why: &dyn std::fmt::Display) -> Failure {
        Failure { provider: self.objects.name(), kind, message: format!("reading {}: {why}", self.key) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use credlink_core::access::Visibility;
    use credlink_core::hash::Digest;
    use credlink_core::tenant::Tenant;
    use credlink_core::time::Timestamp;
    use credlink_ports::doubles::MemoryObjects;
    use credlink_ports::{Condition, Objects as _};
    use futures_util::TryStreamExt as _;

    use super::*;

    impl Bucket for MemoryObjects {
        fn requested(self, key: ObjectKey, tag: StoredTag, range: Range<u64>) -> Requested {
            Box::pin(async move { self.get_piece(&key, &tag, range).await })
        }
    }

    /// Writes bytes with the attributes of `content`.
    async fn put(objects: &MemoryObjects, key: &ObjectKey, bytes: Bytes, content: &[u8]) {
        let facts =
            Facts::of(content, Tenant::default(), Visibility::Public, Timestamp::from_milliseconds(0));
        let attributes = facts.attributes(key, BTreeMap::new());
        objects.put(key, bytes, &attributes, Condition::Absent).await.unwrap();
    }

    #[tokio::test]
    async fn a_long_object_is_checked_and_sent_by_requests() {
        let (objects, key) = (MemoryObjects::new(), ObjectKey::Front("urn:c2pa:x".parse().unwrap()));
        let checks = &Checks::default();
        let length = usize::try_from(PIECE_BYTES).unwrap() + 300_000;
        let body: Bytes = (0..length).map(|at| (at / 251) as u8 ^ (at % 251) as u8).collect();
        assert!(open_by_requests(&objects, checks, &key, 0..10).await.unwrap().is_none());
        put(&objects, &key, body.clone(), &body).await;
        for range in [0..body.len() as u64, 8_388_000..8_389_000, 5..5, 8_600_000..u64::MAX] {
            let content = open_by_requests(&objects, checks, &key, range.clone()).await.unwrap().unwrap();
            let end = range.end.min(body.len() as u64);
            assert_eq!((content.sha256, content.length), (Digest::of(&body), end - range.start));
            let sent: Vec<Bytes> = content.pieces.try_collect().await.unwrap();
            assert!(sent.iter().all(|piece| piece.len() <= MAX_ANSWER_PIECE_BYTES), "{range:?}");
            assert!(sent.concat() == body[range.start as usize..end as usize], "{range:?}");
        }
        // Other bytes under the same key are not mixed with those that were checked.
        let content = open_by_requests(&objects, checks, &key, 0..length as u64).await.unwrap().unwrap();
        objects.delete(&key).await.unwrap();
        let other = Bytes::from(vec![7; length]);
        put(&objects, &key, other.clone(), &other).await;
        assert!(content.pieces.try_collect::<Vec<Bytes>>().await.is_err());
        // Of a content that is known, only what is sent shows the damage. From then on, a copy that is damaged is none, so that
        // another place is asked.
        objects.delete(&key).await.unwrap();
        put(&objects, &key, body.clone(), &body).await;
        assert!(open_by_requests(&objects, checks, &key, 0..5).await.unwrap().is_some());
        objects.delete(&key).await.unwrap();
        put(&objects, &key, other, &body).await;
        let content = open_by_requests(&objects, checks, &key, 0..5).await.unwrap().unwrap();
        assert!(content.pieces.try_collect::<Vec<Bytes>>().await.is_err());
        for _ in 0..2 {
            let damaged = open_by_requests(&objects, checks, &key, 0..5).await.unwrap_err();
            assert_eq!(damaged.kind, FailureKind::Damaged, "{damaged}");
        }
        // A short one is left to others.
        objects.delete(&key).await.unwrap();
        put(&objects, &key, Bytes::from_static(b"short"), b"short").await;
        assert!(open_by_requests(&objects, checks, &key, 0..5).await.unwrap().is_none());
    }
}
