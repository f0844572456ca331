//! One request: its body within its bounds, and an answer in every case.
//!
//! A read ends with its connection. A change does so while its body arrives, and nothing is done. After that it runs to
//! its end ([`changes`](super::changes)).

use std::convert::Infallible;
use std::future::ready;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use credlink_core::bounds::MAX_BODY_BYTES;
use credlink_core::http::problem::{Problem, ProblemKind};
use futures_util::FutureExt as _;
use http::header::{CONTENT_ENCODING, EXPECT, HOST, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::admission::Slot;
use crate::changes::Changes;
use crate::handler::{BodyFuture, Handler};
use crate::problem;
use crate::request_body::{RequestBody, unreadable};
use crate::response_body::{self, AnswerRoom, ResponseBody};

/// Maximum number of headers of a request. The HTTP/1.1 parser has the same limit; the headers of HTTP/2 are counted
/// here.
const MAX_HEADERS: usize = 100;
/// Maximum compression of deflate: 1,032 bytes of content in one (zlib's technical notes).
const MOST_UNPACKED: usize = 1_032;

/// The state of the server that requests need. Clones share it.
#[derive(Clone)]
pub struct Served {
    /// The handler of all requests.
    pub handler: Arc<dyn Handler>,
    /// The changes that are under way.
    pub changes: Changes,
}

/// Answers a request that arrived on `slot`.
pub async fn answer(
    served: &Served,
    slot: &Arc<Slot>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let _working = slot.progress().work();
    let (mut parts, body) = request.into_parts();
    let room = AnswerRoom::new(slot);
    parts.extensions.insert(room.clone());
    let streamed = served.handler.receives(&parts);
    let mut body = RequestBody::new(body, slot, streamed.unwrap_or(MAX_BODY_BYTES));
    let asked_first = parts.headers.contains_key(EXPECT);
    let response = respond(served, parts, &mut body, streamed.is_some()).await;
    // The answer takes its room before anything is waited for.
    let sent = response_body::send(&room, response);
    // A client that asked first (RFC 9110, section 10.1.1) does not send a body that nobody wants.
    if !asked_first {
        body.discard().await;
    }
    Ok(sent)
}

/// Returns the answer itself. The head is dropped at the end of this call, because what follows may take long.
async fn respond(
    served: &Served,
    mut parts: Parts,
    body: &mut RequestBody,
    is_streamed: bool,
) -> Response<Bytes> {
    if parts.headers.len() > MAX_HEADERS {
        too_many_headers()
    } else if let Err(refused) = check_host(&parts) {
        problem::answer(&refused)
    } else if let Some(refused) = served.handler.refuse(&mut parts) {
        refused
    } else if parts.method.is_safe() {
        // No safe operation needs a body.
        guarded(&*served.handler, &parts, ready(Ok(Bytes::new())).boxed()).await
    } else if let Err(refused) = body.admit() {
        problem::answer(&refused)
    } else if is_streamed {
        let mut pieces = body.pieces();
        let answer = AssertUnwindSafe(served.handler.receive(&parts, &mut pieces));
        answer.catch_unwind().await.unwrap_or_else(|_| panicked(&parts))
    } else {
        change(served, parts, body).await
    }
}

/// Refuses an HTTP/1.1 request without exactly one `Host` (RFC 9112, section 3.2).
fn check_host(parts: &Parts) -> Result<(), Problem> {
    let hosts = parts.headers.get_all(HOST).iter().count();
    match (parts.version, hosts) {
        (Version::HTTP_11, 0) => Err(Problem::field("host", "a request of HTTP/1.1 has to have this header")),
        (_, 0 | 1) => Ok(()),
        _ => Err(Problem::field("host", "a request has this header once")),
    }
}

/// Answers a request that may change something. Until the body is read, everything ends with the connection: the
/// handler decides whether it wants the body, and the body is read here. After that, the change is a task of its own.
async fn change(served: &Served, parts: Parts, body: &mut RequestBody) -> Response<Bytes> {
    // No operation needs the body of a `DELETE`.
    let is_bare = body.is_empty() || parts.method == Method::DELETE;
    let is_packed = parts.headers.contains_key(CONTENT_ENCODING);
    let (ask, asked) = oneshot::channel();
    let (give, given) = oneshot::channel();
    let arriving = async move {
        // Nobody listens if the body is already there.
        let _ = ask.send(());
        given.await.unwrap_or_else(|_| Err(unreadable("the connection broke")))
    };
    let handler = Arc::clone(&served.handler);
    let rewritten = handler.rewritten_bytes(&parts);
    let mut work = Box::pin(async move { guarded(&*handler, &parts, arriving.boxed()).await });
    let read = if is_bare {
        Ok((Bytes::new(), None))
    } else {
        tokio::select! {
            biased;
            answered = &mut work => return answered,
            // If the sender was dropped, the body is not wanted, and the answer is about to come.
            wanted = asked => if wanted.is_err() { return work.await },
        }
        body.read().await.map(|(bytes, held)| (bytes, Some(held)))
    };
    let room = match &read {
        Ok((bytes, _)) if is_packed => {
            let unpacked = bytes.len().saturating_mul(MOST_UNPACKED).min(MAX_BODY_BYTES);
            served.changes.room_for(unpacked + rewritten).await
        }
        Ok((bytes, _)) => served.changes.room_for(bytes.len() + rewritten).await,
        Err(_) => None,
    };
    let (read, held) = match read {
        Ok(_) if room.is_none() => (Err(stopping()), None),
        Ok((bytes, held)) => (Ok(bytes), held),
        Err(problem) => (Err(problem), None),
    };
    // The receiver is there, because the work is not dropped before it is awaited.
    let _ = give.send(read);
    match room {
        Some(room) => {
            let work = async move {
                let answer = work.await;
                drop(held);
                answer
            };
            room.run(work).await.unwrap_or_else(|| problem::answer(&stopping()))
        }
        // Nothing is done without a body, so this may end with the connection.
        None => work.await,
    }
}

/// Returns the answer of the handler, and an answer of its own if the handler panics.
async fn guarded(handler: &dyn Handler, parts: &Parts, body: BodyFuture) -> Response<Bytes> {
    let work = AssertUnwindSafe(async { handler.handle(parts, body).await });
    work.catch_unwind().await.unwrap_or_else(|_| panicked(parts))
}

/// Returns the answer to a request whose handler panicked.
fn panicked(parts: &Parts) -> Response<Bytes> {
    // The panic hook has already logged the message.
    tracing::error!(method = %parts.method, path = parts.uri.path(), "a request panicked");
    broken()
}

/// Returns the problem of a change that is not begun or not finished, because the server is about to end.
fn stopping() -> Problem {
    let detail = "the server is stopping; the request may be sent again to the one that comes after it";
    let mut problem = Problem::new(ProblemKind::Unavailable, detail);
    problem.headers.push((RETRY_AFTER, HeaderValue::from_static("5")));
    problem
}

/// Returns the answer to a request whose handler gave none.
fn broken() -> Response<Bytes> {
    problem::answer(&Problem::new(
        ProblemKind::Internal,
        "the request could not be finished; the log has the reason",
    ))
}

/// Returns the answer to more than [`MAX_HEADERS`] (RFC 6585, section 5). It is the one that the HTTP/1.1 parser gives,
/// and that HTTP/2 gives to a head that is too long.
fn too_many_headers() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    response
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::handler::Pieces;

    struct Panics;

    impl Handler for Panics {
        fn refuse(&self, _: &mut Parts) -> Option<Response<Bytes>> {
            None
        }

        fn rewritten_bytes(&self, _: &Parts) -> usize {
            0
        }

        fn receives(&self, _: &Parts) -> Option<usize> {
            None
        }

        fn receive<'a>(&'a self, _: &'a Parts, _: &'a mut dyn Pieces) -> BoxFuture<'a, Response<Bytes>> {
            async { panic!("on purpose") }.boxed()
        }

        fn handle<'a>(&'a self, _: &'a Parts, _: BodyFuture) -> BoxFuture<'a, Response<Bytes>> {
            async { panic!("on purpose") }.boxed()
        }
    }

    #[tokio::test]
    async fn a_panic_is_answered_with_500() {
        let (parts, ()) = Request::builder().uri("/v1/proofs").body(()).unwrap().into_parts();
        let answered = guarded(&Panics, &parts, ready(Ok(Bytes::new())).boxed()).await;
        assert_eq!(answered.status(), 500);
        assert!(String::from_utf8_lossy(answered.body()).contains("the log has the reason"));
    }
}
