//! The handler of requests, the only thing that the server knows about the application.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use credlink_core::http::problem::Problem;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::Response;
use http::request::Parts;

pub use crate::response_body::AnswerRoom;

/// The body of a request. It is read only when this is awaited.
pub type BodyFuture = BoxFuture<'static, Result<Bytes, Problem>>;

/// The body of a request that is taken piece by piece as it arrives, and never held as a whole.
pub trait Pieces: Send {
    /// Returns the next piece, or `None` at the end.
    ///
    /// # Errors
    /// The body is too long, its sender too slow, or the connection broke.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, Problem>>;
}

/// A handler of requests.
///
/// The future of a safe method is dropped with its connection. That of any other method runs to its end once the body
/// was read, even if the connection is gone.
pub trait Handler: Send + Sync {
    /// Returns the answer to a request that is refused by its head alone, before anything is done for it. The handler
    /// may leave its findings about the request among the extensions of the head.
    fn refuse(&self, head: &mut Parts) -> Option<Response<Bytes>>;

    /// Returns the bytes of memory that a change may take besides its body.
    fn rewritten_bytes(&self, head: &Parts) -> usize;

    /// Returns the maximum length of the body of a request that is answered by [`receive`](Self::receive), or `None` if
    /// it is answered by [`handle`](Self::handle).
    fn receives(&self, head: &Parts) -> Option<usize>;

    /// Answers a request whose body it takes piece by piece. The future is dropped with the connection: what has to run
    /// to its end once the body was read is a task of its own.
    fn receive<'a>(&'a self, head: &'a Parts, body: &'a mut dyn Pieces) -> BoxFuture<'a, Response<Bytes>>;

    /// Answers a request. The head has an [`AnswerRoom`] among its extensions. An answer that is a part of a longer content
    /// has [`PartOf`] among its extensions, and one that is sent piece by piece has [`Streamed`].
    fn handle<'a>(&'a self, head: &'a Parts, body: BodyFuture) -> BoxFuture<'a, Response<Bytes>>;
}

/// The body of an answer that is sent piece by piece, as an extension of the answer, whose own body is empty. Clones share
/// it, and the first one that is sent has it.
#[derive(Clone)]
pub struct Streamed {
    pieces: Arc<Mutex<Option<AnswerPieces>>>,
    length: u64,
}

/// The pieces of an answer, each no longer than [`MAX_ANSWER_PIECE_BYTES`](credlink_core::bounds::MAX_ANSWER_PIECE_BYTES).
/// One is taken when the one before was written.
pub type AnswerPieces = BoxStream<'static, Result<Bytes, Box<dyn Error + Send + Sync>>>;

impl Streamed {
    /// Creates the body of these pieces, which have so many bytes together. If there are fewer, or if one of them is an
    /// error, the connection is broken off.
    #[must_use]
    pub fn new(pieces: AnswerPieces, length: u64) -> Self {
        Self { pieces: Arc::new(Mutex::new(Some(pieces))), length }
    }

    pub(crate) fn take(&self) -> Option<(AnswerPieces, u64)> {
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner).take();
        pieces.map(|pieces| (pieces, self.length))
    }
}

/// The whole content that the body of an answer is a part of. All of it is in memory for as long as the part is.
#[derive(Clone, Debug)]
pub struct PartOf(pub Bytes);
