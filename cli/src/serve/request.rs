//! One request: its body within bounds, and an answer whatever happens.
//!
//! A read ends with its connection. A change does so while its body arrives, with nothing done; after that it runs to its
//! end ([`changes`](super::changes)).

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use credlink_core::bounds::MAX_BODY_BYTES;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::http::reply::Body;
use credlink_core::http::route::Route;
use credlink_deployment::deployment::Deployment;
use credlink_metrics::prometheus::Prometheus;
use futures_util::FutureExt as _;
use http::header::{CONTENT_ENCODING, EXPECT, HOST, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::answer::{self, Answer};
use super::changes::Changes;
use super::metrics;
use super::seats::Seat;
use super::trust;
use super::upload::{Upload, unreadable};

/// Most headers of a request, as many as HTTP/1.1 is read with. Of HTTP/2 they are counted here.
const MAX_HEADERS: usize = 100;
/// Most that deflate saves: 1,032 bytes of content in one (zlib's technical notes).
const MOST_UNPACKED: usize = 1_032;

/// The state that answers requests. Clones share it.
#[derive(Clone)]
pub struct Served {
    /// The API.
    pub deployment: Arc<Deployment>,
    /// Whether every caller is the owner, as no credential is asked for.
    pub trusts: bool,
    /// The metrics.
    pub metrics: Prometheus,
    /// The changes that are under way.
    pub changes: Changes,
}

/// Answers a request that came in on `seat`.
pub async fn answer(
    served: &Served,
    seat: &Arc<Seat>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let _working = seat.progress().work();
    let (parts, body) = request.into_parts();
    let mut body = Upload::new(body, seat);
    let asked_first = parts.headers.contains_key(EXPECT);
    let response = respond(served, parts, &mut body).await;
    // The answer takes its room before anything is waited for.
    let sent = answer::send(seat, response);
    // A client that asked first (RFC 9110, section 10.1.1) does not send a body that nobody wants.
    if !asked_first {
        body.discard().await;
    }
    Ok(sent)
}

/// The answer itself. The head is gone with it: what comes after it may take long.
async fn respond(served: &Served, mut parts: Parts, body: &mut Upload) -> Response<Bytes> {
    if parts.headers.len() > MAX_HEADERS {
        too_many_headers()
    } else if let Err(refused) = check(served, &mut parts) {
        problem(&refused)
    } else if parts.uri.path() == metrics::PATH {
        guarded(&parts, pin!(metrics::answer(served, &parts))).await
    } else if parts.method.is_safe() {
        // No operation that is safe wants a body.
        let none = std::future::ready(Ok(Bytes::new()));
        guarded(&parts, pin!(served.deployment.handle(&parts, none))).await
    } else if let Err(refused) = body.admit() {
        problem(&refused)
    } else {
        change(served, parts, body).await
    }
}

/// Refuses a request by its head alone.
fn check(served: &Served, parts: &mut Parts) -> Result<(), Problem> {
    check_host(parts)?;
    if served.trusts { trust::check(parts) } else { Ok(()) }
}

/// Refuses a request of HTTP/1.1 without one `Host` (RFC 9112, section 3.2).
fn check_host(parts: &Parts) -> Result<(), Problem> {
    let hosts = parts.headers.get_all(HOST).iter().count();
    match (parts.version, hosts) {
        (Version::HTTP_11, 0) => Err(Problem::field("host", "a request of HTTP/1.1 has to have this header")),
        (_, 0 | 1) => Ok(()),
        _ => Err(Problem::field("host", "a request has this header once")),
    }
}

/// Answers what may change something. The service decides here, with the connection, whether the body is wanted; the
/// body is read here; and what comes after it is a task of its own.
async fn change(served: &Served, parts: Parts, body: &mut Upload) -> Response<Bytes> {
    // No operation wants the body of a DELETE.
    let is_bare = body.is_empty() || parts.method == Method::DELETE;
    let is_packed = parts.headers.contains_key(CONTENT_ENCODING);
    let (ask, asked) = oneshot::channel();
    let (give, given) = oneshot::channel();
    let arriving = async move {
        // Nobody listens where the body is there already.
        let _ = ask.send(());
        given.await.unwrap_or_else(|_| Err(unreadable("the connection broke")))
    };
    let deployment = Arc::clone(&served.deployment);
    let route = Route::parse(&parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default());
    let rewritten = route.map_or(0, |route| route.rewritten_bytes());
    let mut work = Box::pin(async move { guarded(&parts, pin!(deployment.handle(&parts, arriving))).await });
    let read = if is_bare {
        Ok((Bytes::new(), None))
    } else {
        tokio::select! {
            biased;
            answered = &mut work => return answered,
            // Without the sender the body is not wanted, and the answer is about to come.
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
    // The work is there to take it: it is not dropped before it is awaited.
    let _ = give.send(read);
    match room {
        Some(room) => {
            let work = async move {
                let answer = work.await;
                drop(held);
                answer
            };
            room.run(work).await.unwrap_or_else(|| problem(&stopping()))
        }
        // Nothing is done without a body, so this may end with the connection.
        None => work.await,
    }
}

/// The answer of `work`, also where it panics. The work is pinned where it is made: it is not copied into this.
async fn guarded(parts: &Parts, work: Pin<&mut impl Future<Output = Response<Bytes>>>) -> Response<Bytes> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        // What it said is in the log already, from the panic hook.
        tracing::error!(method = %parts.method, path = parts.uri.path(), "a request panicked");
        broken()
    })
}

/// The answer to a change that is not begun, or not finished, because the server is about to end.
fn stopping() -> Problem {
    let detail = "the server is stopping; the request may be sent again to the one that comes after it";
    let mut problem = Problem::new(Kind::Unavailable, detail);
    problem.headers.push((RETRY_AFTER, HeaderValue::from_static("5")));
    problem
}

/// The answer when there is none.
fn broken() -> Response<Bytes> {
    problem(&Problem::new(Kind::Internal, "the request could not be finished; the log has the reason"))
}

/// The answer to more than [`MAX_HEADERS`] (RFC 6585, section 5): the one that HTTP/1.1 gives before it comes here, and HTTP/2 to a
/// head that is too long.
fn too_many_headers() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    response
}

/// A problem as an answer.
pub fn problem(problem: &Problem) -> Response<Bytes> {
    let reply = problem.reply(None);
    let body = if let Body::Bytes(bytes) = reply.body { bytes } else { Bytes::new() };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_with_500() {
        let (parts, ()) = Request::builder().uri("/v1/proofs").body(()).unwrap().into_parts();
        let answered = guarded(&parts, pin!(async { panic!("on purpose") })).await;
        assert_eq!(answered.status(), 500);
        assert!(String::from_utf8_lossy(answered.body()).contains("the log has the reason"));
    }
}
