//! The port for long objects, which are read and written piece by piece.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::{Attributes, ObjectKey, StoredTag};
use futures_util::stream::Stream;

use crate::{Condition, Failure, Objects, Put};

/// The length of a piece of a long object, in bytes, except for the last one.
pub const PIECE_BYTES: u64 = 8 * 1_024 * 1_024;

/// The bytes of a long object, piece by piece.
pub struct Pieces(Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send + Sync>>);

impl Pieces {
    /// Creates pieces from any stream.
    pub fn new(stream: impl Stream<Item = Result<Bytes, Failure>> + Send + Sync + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pieces(..)")
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

/// A write of a long object.
#[derive(Debug)]
pub struct LongWrite {
    /// The number of bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: Digest,
    /// The bytes.
    pub pieces: Pieces,
    /// The attributes.
    pub attributes: Attributes,
    /// The condition.
    pub condition: Condition,
}

/// Objects of any length, of which a few pieces are in memory at a time.
///
/// The guarantees of [`Objects`] hold. In particular, a write is whole or absent: if a piece is a failure, or if the bytes
/// end early, nothing is written.
pub trait LongObjects: Objects {
    /// Returns the bytes in `range` of the object under `key` as long as it has this tag, or `None` if there is another
    /// object by now, or none. The range lies within the object.
    fn get_piece(
        &self,
        key: &ObjectKey,
        tag: &StoredTag,
        range: Range<u64>,
    ) -> impl Future<Output = Result<Option<Bytes>, Failure>>;

    /// Writes a long object, in the way of [`Objects::put`].
    fn put_pieces(&self, key: &ObjectKey, write: LongWrite) -> impl Future<Output = Result<Put, Failure>>;
}
