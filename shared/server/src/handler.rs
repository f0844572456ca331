//! The handler of requests, the only thing that the server knows about the application.

use bytes::Bytes;
use credlink_core::http::problem::Problem;
use futures_util::future::BoxFuture;
use http::Response;
use http::request::Parts;

/// The body of a request. It is read only when this is awaited.
pub type BodyFuture = BoxFuture<'static, Result<Bytes, Problem>>;

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

    /// Answers a request. An answer that is a part of a longer content has [`PartOf`] among its extensions.
    fn handle<'a>(&'a self, head: &'a Parts, body: BodyFuture) -> BoxFuture<'a, Response<Bytes>>;
}

/// The whole content that the body of an answer is a part of. All of it is in memory for as long as the part is.
#[derive(Clone, Debug)]
pub struct PartOf(pub Bytes);
