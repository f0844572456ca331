//! Transfers: whole objects, streams, ranges, and multipart uploads.

use std::ops;
use std::pin::Pin;
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use bytes::{Bytes, BytesMut};
use credlink_aws::{Error, ErrorKind};
use credlink_core::object::{Attributes, Head, Object, ObjectKey, StoredTag};
use credlink_ports::Checksum;
use credlink_runtime::deadline::at_most;
use credlink_runtime::in_flight::{SHORT_BYTES, Share};
use credlink_runtime::pace::expect;
use futures_util::stream::{self, Stream, TryStreamExt as _};
use tokio::time::timeout;

use super::uploads::Upload;
use super::{S3Objects, SLOWEST_TRANSFER};
use crate::attributes::{Said, etag};
use crate::checksum::checksum;
use crate::operations::{Body, Download, Range, Uploaded};

/// The size of a part. A larger object is uploaded in parts of this size, the last of which may be smaller. R2 requires
/// equal parts, and S3 at least 5 MB each.
const PART_BYTES: usize = 8 * 1_024 * 1_024;
/// The maximum number of parts of one upload (S3, "Amazon S3 multipart upload limits").
const MAX_PARTS: u64 = 10_000;
/// The number of parts that are sent concurrently, and therefore held in memory.
const PARALLEL_PARTS: usize = 3;
/// Returns the range as a header says it (RFC 9110, section 14.2).
fn header(range: Range) -> String {
    match range {
        Range::Bounded(first, last) => format!("bytes={first}-{last}"),
        Range::From(first) => format!("bytes={first}-"),
        Range::Last(count) => format!("bytes=-{count}"),
    }
}

fn head(output: &GetObjectOutput) -> Head {
    // For a range, `bytes 0-9/1000` names the size of the whole object.
    let whole = output.content_range().and_then(|range| range.rsplit_once('/')?.1.parse().ok());
    let length = output.content_length().and_then(|length| u64::try_from(length).ok());
    Said {
        content_type: output.content_type(),
        content_encoding: output.content_encoding(),
        cache_control: output.cache_control(),
        metadata: output.metadata(),
        size: whole.or(length).unwrap_or(0),
        tag: output.e_tag(),
        modified: output.last_modified(),
    }
    .head()
}

impl S3Objects {
    /// Reads the whole object. If the body breaks off, it is fetched again, as often as the limits say.
    pub(super) async fn read(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        let (most, key) = (key.max_bytes(), &*key.to_string());
        let mut left = self.limits().retries;
        // Released once the object is read.
        let mut share: Option<Share> = None;
        loop {
            let Some(Download { head, body }) = self.download(key, None).await? else { return Ok(None) };
            if head.size > most {
                let what = format!("{key} has {} bytes, and {most} are the most", head.size);
                return Err(Error::new(self.kind().name(), ErrorKind::Damaged, what));
            }
            expect(head.size);
            let length = usize::try_from(head.size).unwrap_or(usize::MAX);
            if length > SHORT_BYTES && share.is_none() {
                share = self.0.in_flight.share_at_once(length);
                if share.is_none() {
                    // An answer that is not read for a while would be cut off, so it is requested again once there is
                    // room.
                    drop(body);
                    share = Some(self.room_for(key, length).await?);
                    continue;
                }
            }
            match self.receive(key, body, length).await {
                Ok(body) => return Ok(Some(Object { head, body })),
                Err(error) if left == 0 || !comes_again(&error) => return Err(error),
                Err(_) => left -= 1,
            }
        }
    }

    /// Reads a range, of the object with this tag if there is one; `None` if there is no such object. If the bytes break
    /// off, they are fetched again, as often as the limits say.
    pub(crate) async fn read_range(
        &self,
        key: &str,
        tag: Option<&StoredTag>,
        range: &ops::Range<u64>,
    ) -> Result<Option<Bytes>, Error> {
        let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
            return Ok(self.describe(key).await?.map(|_| Bytes::new()));
        };
        let size = range.end - range.start;
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        // Released once the bytes are read.
        let _share = self.room_for(key, length).await?;
        let mut left = self.limits().retries;
        loop {
            let asked = Range::Bounded(range.start, last);
            let Some(download) = self.download_if(key, Some(asked), tag).await? else { return Ok(None) };
            let what = format!("the range of {key} from {}", range.start);
            match self.receive(&what, download.body, length).await {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(error) if left == 0 || !comes_again(&error) => return Err(error),
                Err(_) => left -= 1,
            }
        }
    }

    /// Receives a body of `length` bytes, which is `what`, within the time that so many bytes may take.
    async fn receive(&self, what: &str, body: Body, length: usize) -> Result<Bytes, Error> {
        let name = self.kind().name();
        let time = Duration::from_secs(length as u64 / SLOWEST_TRANSFER);
        let limit = at_most(self.limits().operation.saturating_add(time));
        let received = timeout(limit, collect(body, length)).await;
        let bytes = received.map_err(|_| {
            Error::new(name, ErrorKind::TimedOut, format!("the bytes of {what} did not come in time"))
        })??;
        if bytes.len() == length {
            return Ok(bytes);
        }
        let what = format!("{what} has {length} bytes, and {} came", bytes.len());
        Err(Error::new(name, ErrorKind::Unavailable, what))
    }

    /// Waits for room in memory for `length` bytes.
    pub(crate) async fn room_for(&self, key: &str, length: usize) -> Result<Share, Error> {
        let limit = at_most(self.limits().operation) / 2;
        self.0.in_flight.share(length, Some(limit)).await.ok_or_else(|| {
            let what =
                format!("{key} waited in vain for room in memory beside other long objects that are read");
            Error::new(self.kind().name(), ErrorKind::Throttled, what)
        })
    }

    /// Returns the object under `key`, or a range of it, as a stream, or `None` if there is no object.
    ///
    /// # Errors
    /// The provider failed, or refused a range that is outside the object.
    pub async fn download(&self, key: &str, range: Option<Range>) -> Result<Option<Download>, Error> {
        self.download_if(key, range, None).await
    }

    /// Returns the object as [`Self::download`] does, or `None` if it does not have this tag.
    async fn download_if(
        &self,
        key: &str,
        range: Option<Range>,
        tag: Option<&StoredTag>,
    ) -> Result<Option<Download>, Error> {
        let get = self.client().get_object().bucket(self.bucket()).key(key);
        let get = get.set_range(range.map(header)).set_if_match(tag.map(etag));
        let output = match Box::pin(get.customize().config_override(self.config()).send()).await {
            Ok(output) => output,
            Err(error) => {
                return match self.error(&error) {
                    Error { kind: ErrorKind::PreconditionFailed, .. } => Ok(None),
                    error => Self::absent(error),
                };
            }
        };
        let head = head(&output);
        let name = self.kind().name();
        let body = stream::try_unfold(output.body, move |mut body| async move {
            match body.next().await {
                None => Ok(None),
                Some(Ok(bytes)) => Ok(Some((bytes, body))),
                Some(Err(error)) => Err(broken(name, &error)),
            }
        });
        Ok(Some(Download { head, body: Body::new(body) }))
    }

    /// Returns the head of the object under `key`, or `None` if there is none.
    ///
    /// # Errors
    /// The provider failed.
    pub async fn describe(&self, key: &str) -> Result<Option<Head>, Error> {
        Ok(self.describe_with(key, None).await?.map(|(head, _)| head))
    }

    /// Returns the head of the object, and the checksum of all its stored bytes if the provider holds one.
    pub(super) async fn describe_with_checksum(
        &self,
        key: &str,
    ) -> Result<Option<(Head, Option<Checksum>)>, Error> {
        self.describe_with(key, Some(ChecksumMode::Enabled)).await
    }

    async fn describe_with(
        &self,
        key: &str,
        mode: Option<ChecksumMode>,
    ) -> Result<Option<(Head, Option<Checksum>)>, Error> {
        for last in [false, true] {
            let head = self.client().head_object().bucket(self.bucket()).key(key);
            let head = head.set_checksum_mode(mode.clone());
            let error = match Box::pin(head.customize().config_override(self.config()).send()).await {
                Ok(output) => {
                    let said = Said {
                        content_type: output.content_type(),
                        content_encoding: output.content_encoding(),
                        cache_control: output.cache_control(),
                        metadata: output.metadata(),
                        size: output.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
                        tag: output.e_tag(),
                        modified: output.last_modified(),
                    };
                    return Ok(Some((said.head(), checksum(&output))));
                }
                Err(error) => self.error(&error),
            };
            if error.kind != ErrorKind::NotFound {
                return Err(error);
            }
            // The answer has no body, so a missing object looks the same as a missing bucket.
            if last || !self.has_first_byte(key).await? {
                break;
            }
        }
        Ok(None)
    }

    /// Returns `true` if there is an object under `key`.
    ///
    /// # Errors
    /// The provider failed.
    pub async fn exists(&self, key: &str) -> Result<bool, Error> {
        Ok(self.describe(key).await?.is_some())
    }

    /// Returns `true` if the object exists, by a call whose answer names what is missing.
    async fn has_first_byte(&self, key: &str) -> Result<bool, Error> {
        let get = self.client().get_object().bucket(self.bucket()).key(key).range("bytes=0-0");
        match Box::pin(get.customize().config_override(self.config()).send()).await {
            Ok(_) => Ok(true),
            // An empty object has no first byte.
            Err(SdkError::ServiceError(service)) if service.raw().status().as_u16() == 416 => Ok(true),
            Err(error) => Ok(Self::absent::<()>(self.error(&error))?.is_some()),
        }
    }

    /// Writes a stream under `key`, and overwrites any object there. At most four parts of 8 MB are in memory. If
    /// `length` is more than 10,000 such parts hold, parts are larger. An upload that fails or is dropped is aborted.
    ///
    /// # Errors
    /// The provider failed, the stream failed, or it has more bytes than 10,000 parts hold.
    pub async fn upload(
        &self,
        key: &str,
        attributes: &Attributes,
        length: Option<u64>,
        body: impl Stream<Item = Result<Bytes, Error>> + Send,
    ) -> Result<Uploaded, Error> {
        let part = part_bytes(length);
        let mut body = std::pin::pin!(body);
        let mut rest = BytesMut::new();
        let first = next_part(&mut body, &mut rest, part).await?;
        if first.len() < part || (rest.is_empty() && fill(&mut body, &mut rest).await?.is_none()) {
            let size = first.len() as u64;
            self.put_over(key, first, attributes).await?;
            return Ok(Uploaded { size, parts: 1 });
        }
        let upload = Upload::begin(self, key, attributes).await?;
        let done = self.send_parts(&upload, first, rest, &mut body, part).await;
        match done {
            Ok((parts, size)) => {
                let count = parts.len();
                upload.complete(parts).await?;
                Ok(Uploaded { size, parts: count })
            }
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }

    async fn send_parts<S>(
        &self,
        upload: &Upload,
        first: Bytes,
        rest: BytesMut,
        body: &mut Pin<&mut S>,
        part: usize,
    ) -> Result<(Vec<aws_sdk_s3::types::CompletedPart>, u64), Error>
    where
        S: Stream<Item = Result<Bytes, Error>> + Send,
    {
        let state = (Some(first), rest, body);
        let parts = stream::try_unfold(state, |(first, mut rest, body)| async move {
            let bytes = match first {
                Some(first) => first,
                None => next_part(body, &mut rest, part).await?,
            };
            Ok(if bytes.is_empty() { None } else { Some((bytes, (None, rest, body))) })
        });
        let mut size = 0;
        let mut number = 0;
        let numbered = parts.map_ok(|bytes| {
            number += 1;
            size += bytes.len() as u64;
            upload.part(number, bytes)
        });
        let done: Vec<_> = numbered.try_buffered(PARALLEL_PARTS).try_collect().await?;
        Ok((done, size))
    }
}

/// Returns the size of parts: 8 MB, or the smallest number of whole MB with which 10,000 parts are enough.
fn part_bytes(length: Option<u64>) -> usize {
    let megabyte = 1_024 * 1_024;
    let least = length.unwrap_or(0).div_ceil(MAX_PARTS).next_multiple_of(megabyte);
    usize::try_from(least).unwrap_or(usize::MAX).max(PART_BYTES)
}

/// Appends the next bytes of the stream.
async fn fill<S>(body: &mut Pin<&mut S>, rest: &mut BytesMut) -> Result<Option<()>, Error>
where
    S: Stream<Item = Result<Bytes, Error>>,
{
    while let Some(bytes) = body.try_next().await? {
        if !bytes.is_empty() {
            rest.extend_from_slice(&bytes);
            return Ok(Some(()));
        }
    }
    Ok(None)
}

/// Returns the next `part` bytes of the stream, or the rest of it.
async fn next_part<S>(body: &mut Pin<&mut S>, rest: &mut BytesMut, part: usize) -> Result<Bytes, Error>
where
    S: Stream<Item = Result<Bytes, Error>>,
{
    while rest.len() < part && fill(body, rest).await?.is_some() {}
    Ok(rest.split_to(part.min(rest.len())).freeze())
}

/// Returns `true` if bytes that broke off may come when they are requested once more.
fn comes_again(error: &Error) -> bool {
    !matches!(error.kind, ErrorKind::Damaged | ErrorKind::TimedOut)
}

/// Reads a body to its end, or until it has more than `length` bytes.
async fn collect(mut body: Body, length: usize) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::with_capacity(length);
    while let Some(piece) = body.try_next().await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > length {
            break;
        }
    }
    Ok(bytes.freeze())
}

fn broken(provider: &'static str, error: &aws_smithy_types::byte_stream::error::Error) -> Error {
    let text = aws_smithy_types::error::display::DisplayErrorContext(error).to_string();
    let kind = if text.contains("checksum") { ErrorKind::Damaged } else { ErrorKind::Unavailable };
    Error::new(provider, kind, format!("the bytes broke off: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_equal_and_no_more_than_allowed() {
        assert_eq!(part_bytes(None), PART_BYTES);
        assert_eq!(part_bytes(Some(1)), PART_BYTES);
        let most = 5 * 1_024_u64.pow(4);
        let part = part_bytes(Some(most)) as u64;
        assert!(most.div_ceil(part) <= MAX_PARTS && part.is_multiple_of(1_024 * 1_024));
    }
}
