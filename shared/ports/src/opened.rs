//! The port for the content of a long object, which is read piece by piece and never held as a whole.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::ObjectKey;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use crate::Failure;

/// The future of an opening.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Option<OpenedContent>, Failure>> + Send + 'a>>;

/// A provider whose objects can be opened, so that their content is sent without being held.
///
/// * **Checked.** All bytes of the content were read and have the digest that is returned, before the first of them is given out
///   (guarantee 4). What was checked before need not be read as a whole
///   again: each piece is then compared with what was checked ([`PieceSums`](crate::PieceSums)).
/// * **Fixed.** The pieces are of the bytes that were checked. If these can no longer be had, because the object was replaced,
///   deleted or damaged meanwhile, the pieces end with a failure. A folder still has what was replaced or deleted.
/// * **Bounded.** A few pieces of an object are in memory at a time, however long it is, and no piece is longer than
///   [`MAX_ANSWER_PIECE_BYTES`](credlink_core::bounds::MAX_ANSWER_PIECE_BYTES).
pub trait OpenObjects: fmt::Debug + Send + Sync {
    /// Opens the object under `key` and checks it. The pieces are those of `range` of its bytes as stored, or of as much
    /// of the range as lies within them. Returns `None` if there is no such object.
    ///
    /// # Errors
    /// The object is damaged, or the provider failed.
    fn open<'a>(&'a self, key: &'a ObjectKey, range: Range<u64>) -> Opening<'a>;
}

/// The checked content of an open object.
pub struct OpenedContent {
    /// SHA-256 of all its bytes.
    pub sha256: Digest,
    /// Number of bytes in `pieces` together.
    pub length: u64,
    /// The bytes. They end early only with a failure.
    pub pieces: BoxStream<'static, Result<Bytes, Failure>>,
}

impl OpenedContent {
    /// Reads the first piece, so that a failure to read it is known before anything is given out.
    ///
    /// # Errors
    /// Fails if the first piece cannot be read, or is not the one that was checked.
    pub async fn begun(mut self) -> Result<Self, Failure> {
        let first = self.pieces.try_next().await?;
        let pieces = stream::iter(first.map(Ok)).chain(self.pieces).boxed();
        Ok(Self { pieces, ..self })
    }
}

impl fmt::Debug for OpenedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sha256, length, .. } = self;
        f.debug_struct("OpenedContent")
            .field("sha256", sha256)
            .field("length", length)
            .finish_non_exhaustive()
    }
}
