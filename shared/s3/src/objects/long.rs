//! Long objects: read by ranges, and written by one request whose body passes through.
//!
//! A multipart upload would take its condition with the request that completes it, which R2 does not document. One
//! request has it for both, and takes up to 5 GB. Its body cannot be sent twice, so nothing retries it here.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use credlink_aws::{Error, ErrorKind};
use credlink_core::object::{ObjectKey, StoredTag};
use credlink_ports::{Condition, Failure, LongObjects, LongWrite, Pieces, Put};
use futures_util::stream::Stream as _;
use http_body::{Body, Frame, SizeHint};

use super::S3Objects;
use crate::attributes::{Headers, tag};

/// The body of a request: the pieces, and the number of bytes that are still to come.
struct Passing {
    pieces: Pieces,
    left: u64,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let next = Pin::new(&mut self.pieces).poll_next(context);
        next.map_ok(|bytes| {
            self.left = self.left.saturating_sub(bytes.len() as u64);
            Frame::data(bytes)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl S3Objects {
    async fn put_passing(&self, key: &str, write: LongWrite) -> Result<Put, Error> {
        let LongWrite { size, sha256, pieces, attributes, condition } = write;
        let config = self.config_for(usize::try_from(size).unwrap_or(usize::MAX));
        let put = self
            .put_request(key, Headers::of(&attributes, None), Some(&condition), || sha256)
            .set_content_length(i64::try_from(size).ok())
            .body(ByteStream::new(SdkBody::from_body_1_x(Passing { pieces, left: size })));
        let put = Box::pin(put.customize().config_override(config).send()).await;
        match put.map_err(|error| self.error(&error)) {
            Ok(stored) => Ok(Put::Stored(tag(stored.e_tag()))),
            Err(error) if error.kind == ErrorKind::PreconditionFailed => Ok(Put::Lost),
            // There is no object whose tag could match.
            Err(error)
                if matches!(condition, Condition::Matches(_))
                    && error.code.as_deref() == Some("NoSuchKey") =>
            {
                Ok(Put::Lost)
            }
            Err(error) => Err(error),
        }
    }
}

impl LongObjects for S3Objects {
    async fn get_piece(
        &self,
        key: &ObjectKey,
        tag: &StoredTag,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, Failure> {
        Ok(self.read_range(&key.to_string(), Some(tag), &range).await?)
    }

    async fn put_pieces(&self, key: &ObjectKey, write: LongWrite) -> Result<Put, Failure> {
        Ok(self.put_passing(&key.to_string(), write).await?)
    }
}
