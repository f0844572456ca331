//! The handler of requests, which the server knows nothing else of.

use bytes::Bytes;
use credlink_core::http::problem::Problem;
use futures_util::future::BoxFuture;
use http::Response;
use http::request::Parts;

/// The body of a request. It is read when this is awaited, and not at all if it is not.
pub type BodyFuture = BoxFuture<'static, Result<Bytes, Problem>>;

/// Answers requests.
///
/// The future of a safe method is dropped with its connection. That of another method runs to its end once the body was read,
/// whatever becomes of the connection.
pub trait Handler: Send + Sync {
    /// Returns the answer to a request that is refused by its head alone, before anything is done for it. What the handler finds
    /// out of the request may be left among the extensions of the head.
    fn refuse(&self, head: &mut Parts) -> Option<Response<Bytes>>;

    /// Returns the bytes of memory that a change may take beside its body.
    fn rewritten_bytes(&self, head: &Parts) -> usize;

    /// Answers a request. An answer that is a part of a longer content has [`PartOf`] among its extensions.
    fn handle<'a>(&'a self, head: &'a Parts, body: BodyFuture) -> BoxFuture<'a, Response<Bytes>>;
}

/// The content that the body of an answer is a part of: all of it is in memory as long as the part is.
#[derive(Clone, Debug)]
pub struct PartOf(pub Bytes);
