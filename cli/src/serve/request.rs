//! One request: its body within bounds, and an answer whatever happens.
//!
//! A read ends with its connection. A change does so while its body arrives, with nothing done; after that it runs to its
//! end ([`changes`](super::changes)).

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use credlink_adapters::deployment::Deployment;
use credlink_adapters::prometheus::Prometheus;
use credlink_core::bounds::MAX_BODY_BYTES;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::http::reply::Body;
use futures_util::FutureExt as _;
use http::header::{EXPECT, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::changes::Changes;
use super::metrics;

/// Longest time for the next piece of a body to arrive.
const PIECE: Duration = Duration::from_secs(20);
/// Longest time for a whole body: 13 MB over a line of 0.5 Mbit/s.
const WHOLE: Duration = Duration::from_secs(240);
/// Longest time for the rest of a body that nobody wants.
const UNWANTED: Duration = Duration::from_secs(5);

/// The state that answers requests. Clones share it.
#[derive(Clone)]
pub struct Served {
    /// The API.
    pub deployment: Arc<Deployment>,
    /// The metrics.
    pub metrics: Prometheus,
    /// The changes that are under way.
    pub changes: Changes,
}

/// Answers a request.
pub async fn answer(
    served: &Served,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut body = Upload { frames: Limited::new(body, MAX_BODY_BYTES), has_failed: false };
    let asked_first = parts.headers.contains_key(EXPECT);
    let response = if parts.uri.path() == metrics::PATH {
        guarded(&parts, metrics::answer(served, &parts)).await
    } else if parts.method.is_safe() {
        guarded(&parts, served.deployment.service().handle(&parts, body.read())).await
    } else {
        change(served, parts, &mut body).await
    };
    // A client that asked first (RFC 9110, section 10.1.1) does not send a body that nobody wants.
    if !asked_first {
        body.discard().await;
    }
    Ok(response.map(Full::new))
}

/// Answers what may change something. The service decides here, with the connection, whether the body is wanted; the
/// body is read here; and what comes after it is a task of its own.
async fn change(served: &Served, parts: Parts, body: &mut Upload) -> Response<Bytes> {
    // No operation wants the body of a DELETE.
    let is_bare = body.frames.is_end_stream() || parts.method == Method::DELETE;
    let (ask, asked) = oneshot::channel();
    let (give, given) = oneshot::channel();
    let arriving = async move {
        // Nobody listens where the body is there already.
        let _ = ask.send(());
        given.await.unwrap_or_else(|_| Err(unreadable("the connection broke")))
    };
    let deployment = Arc::clone(&served.deployment);
    let mut work =
        Box::pin(async move { guarded(&parts, deployment.service().handle(&parts, arriving)).await });
    let read = if is_bare {
        Ok(Bytes::new())
    } else {
        tokio::select! {
            biased;
            answered = &mut work => return answered,
            // Without the sender the body is not wanted, and the answer is about to come.
            wanted = asked => if wanted.is_err() { return work.await },
        }
        body.read().await
    };
    let room = match &read {
        Ok(bytes) => served.changes.room_for(bytes.len()).await,
        Err(_) => None,
    };
    let read = if room.is_none() && read.is_ok() { Err(stopping()) } else { read };
    // The work is there to take it: it is not dropped before it is awaited.
    let _ = give.send(read);
    match room {
        Some(room) => room.run(work).await.unwrap_or_else(|| problem(&stopping())),
        // Nothing is done without a body, so this may end with the connection.
        None => work.await,
    }
}

/// The answer of `work`, also where it panics.
async fn guarded(parts: &Parts, work: impl Future<Output = Response<Bytes>>) -> Response<Bytes> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        // What it said is in the log already, from the panic hook.
        tracing::error!(method = %parts.method, path = parts.uri.path(), "a request panicked");
        broken()
    })
}

/// A body on its way in.
struct Upload {
    frames: Limited<Incoming>,
    /// `true` if it was too long, too slow, or cut off: nothing more is read of it.
    has_failed: bool,
}

impl Upload {
    /// Reads the body to its end.
    async fn read(&mut self) -> Result<Bytes, Problem> {
        let mut whole = BytesMut::new();
        let deadline = Instant::now() + WHOLE;
        while let Some(piece) = self.next(deadline).await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Reads what nobody wanted and throws it away: a client that is still sending when the connection is closed may
    /// see a broken connection instead of the answer.
    async fn discard(&mut self) {
        let deadline = Instant::now() + UNWANTED;
        while !self.has_failed && matches!(self.next(deadline).await, Ok(Some(_))) {}
    }

    /// The next piece, or `None` at the end.
    async fn next(&mut self, deadline: Instant) -> Result<Option<Bytes>, Problem> {
        let next = self.piece(deadline).await;
        self.has_failed |= next.is_err();
        next
    }

    async fn piece(&mut self, deadline: Instant) -> Result<Option<Bytes>, Problem> {
        loop {
            let frame = timeout_at(deadline.min(Instant::now() + PIECE), self.frames.frame()).await;
            match frame.map_err(|_| unreadable("its sender is too slow, or has stopped"))? {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    // What is no data is trailers, and nothing here needs any.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) if error.is::<LengthLimitError>() => {
                    return Err(Problem::too_large("a request body", MAX_BODY_BYTES));
                }
                Some(Err(_)) => return Err(unreadable("the connection broke")),
            }
        }
    }
}

fn unreadable(why: &str) -> Problem {
    Problem::new(Kind::InvalidRequest, format!("the body did not arrive: {why}"))
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
        let answered = guarded(&parts, async { panic!("on purpose") }).await;
        assert_eq!(answered.status(), 500);
        assert!(String::from_utf8_lossy(answered.body()).contains("the log has the reason"));
    }
}
