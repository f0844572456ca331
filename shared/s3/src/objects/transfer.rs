//! Transfers: whole objects, streams, ranges, and multipart uploads.

use std::pin::Pin;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use bytes::{Bytes, BytesMut};
use credlink_aws::{Error, ErrorKind};
use credlink_core::bounds::{MAX_C2PA_MANIFEST_BYTES, MAX_RECORD_BYTES};
use credlink_core::object::{Attributes, Head, Object};
use credlink_ports::Checksum;
use credlink_runtime::deadline::at_most;
use credlink_runtime::in_flight::{SHORT_BYTES, Share};
use futures_util::stream::{self, Stream, TryStreamExt as _};
use tokio::time::timeout;

use super::S3Objects;
use super::uploads::Upload;
use crate::attributes::Said;
use crate::checksum::checksum;
use crate::operations::{Body, Download, Range, Uploaded};

/// The size of a part. A larger object is uploaded in parts of this size, the last of which may be smaller. R2 requires
/// equal parts, and S3 at least 5 MB each.
const PART_BYTES: usize = 8 * 1_024 * 1_024;
/// The maximum number of parts of one upload (S3, "Amazon S3 multipart upload limits").
const MAX_PARTS: u64 = 10_000;
/// The number of parts that are sent concurrently, and therefore held in memory.
const PARALLEL_PARTS: usize = 3;
/// The size of the largest object that is read as a whole, which is larger than any of CredLink's.
const MAX_WHOLE_BYTES: u64 =
    if MAX_C2PA_MANIFEST_BYTES > MAX_RECORD_BYTES { MAX_C2PA_MANIFEST_BYTES } else { MAX_RECORD_BYTES }
        as u64
        + 65_536;

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
    pub(super) async fn read(&self, key: &str) -> Result<Option<Object>, Error> {
        let mut left = self.limits().retries;
        // Released once the object is read.
        let mut share: Option<Share> = None;
        loop {
            let Some(Download { head, body }) = self.download(key, None).await? else { return Ok(None) };
            if head.size > MAX_WHOLE_BYTES {
                let what = format!("{key} has {} bytes, more than any object of CredLink", head.size);
                return Err(Error::new(self.kind().name(), ErrorKind::Damaged, what));
            }
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
            let whole = collect(body, head.size);
            let error = match timeout(at_most(self.limits().operation), whole).await {
                Ok(Ok(body)) if body.len() as u64 == head.size => return Ok(Some(Object { head, body })),
                Ok(Ok(body)) => {
                    let what = format!("{key} has {} bytes, and {} came", head.size, body.len());
                    Error::new(self.kind().name(), ErrorKind::Unavailable, what)
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    let what = format!("the bytes of {key} did not come in time");
                    return Err(Error::new(self.kind().name(), ErrorKind::TimedOut, what));
                }
            };
            if left == 0 || error.kind == ErrorKind::Damaged {
                return Err(error);
            }
            left -= 1;
        }
    }

    async fn room_for(&self, key: &str, length: usize) -> Result<Share, Error> {
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
        let get = self.client().get_object().bucket(self.bucket()).key(key);
        let get = get.set_range(range.map(header)).customize().config_override(self.config());
        let output = match Box::pin(get.send()).await {
            Ok(output) => output,
            Err(error) => return Self::absent(self.error(&error)),
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

async fn collect(mut body: Body, size: u64) -> Result<Bytes, Error> {
    let mut whole = BytesMut::with_capacity(usize::try_from(size.min(MAX_WHOLE_BYTES)).unwrap_or(0));
    while let Some(bytes) = body.try_next().await? {
        whole.extend_from_slice(&bytes);
        if whole.len() as u64 > MAX_WHOLE_BYTES {
            break;
        }
    }
    Ok(whole.freeze())
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
