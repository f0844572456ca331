//! The types of operations on objects: streams, ranges, listings, sums, signed URLs. A folder has them in common with a bucket.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use credlink_aws::Error;
use credlink_core::object::Head;
use credlink_ports::Listed;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};

/// A range of an object's bytes (RFC 9110, section 14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The bytes from the first position to the last, both included and counted from 0.
    Bounded(u64, u64),
    /// All bytes from this position on.
    From(u64),
    /// This number of bytes at the end.
    Last(u64),
}

/// A stream of an object's bytes.
pub struct Body(BoxStream<'static, Result<Bytes, Error>>);

impl Body {
    /// Creates a body from any stream.
    pub fn new(stream: impl Stream<Item = Result<Bytes, Error>> + Send + 'static) -> Self {
        Self(stream.boxed())
    }

    /// Creates a body from bytes in memory.
    pub fn whole(bytes: Bytes) -> Self {
        Self::new(stream::once(std::future::ready(Ok(bytes))))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Body(..)")
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

/// An object, or a range of it, whose bytes are still to be read.
#[derive(Debug)]
pub struct Download {
    /// The head of the object. Its `size` is that of the whole object, even for a range.
    pub head: Head,
    /// The requested bytes, as stored.
    pub body: Body,
}

/// The outcome of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// The number of bytes that were stored.
    pub size: u64,
    /// The number of parts that were sent; 1 if it was not a multipart upload.
    pub parts: usize,
}

/// A signed URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedUrl {
    /// The HTTP method for which the URL is valid.
    pub method: String,
    /// The URL. It is a secret until it expires.
    pub url: String,
    /// The headers that the request must have with exactly these values, because they are signed.
    pub headers: BTreeMap<String, String>,
}

/// Headers of an answer that a signed URL asks for, in place of those that the object was stored with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswerHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
}

/// An entry of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An object.
    Object(Listed),
    /// All keys that begin with this text, which ends with the first `/` after the requested prefix.
    Prefix(String),
}

/// The outcome of many deletions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deletion {
    /// The number of keys that no longer have an object. It includes keys that never had one, because S3 does not tell
    /// them apart.
    pub deleted: u64,
    /// The keys that may still have an object, each with the reason.
    pub failed: Vec<(String, String)>,
}

/// The number and size of objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// The number of objects.
    pub objects: u64,
    /// The sum of their stored sizes, in bytes.
    pub bytes: u64,
}

impl Entry {
    /// Returns the object's key, or the prefix.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Object(object) => &object.key,
            Self::Prefix(prefix) => prefix,
        }
    }
}
