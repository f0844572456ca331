//! One request: its body within bounds, and an answer whatever happens.

use std::convert::Infallible;
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
use http::header::EXPECT;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::metrics;

/// How long the next piece of a body may take.
const PIECE: Duration = Duration::from_secs(20);
/// How long a whole body may take: 13 MB over a line of 0.5 Mbit/s.
const WHOLE: Duration = Duration::from_secs(240);
/// How long the rest of a body may take that nobody wants.
const UNWANTED: Duration = Duration::from_secs(5);

/// What answers requests. Clones are the same.
#[derive(Clone)]
pub struct Served {
    /// The API.
    pub deployment: Arc<Deployment>,
    /// What is counted.
    pub metrics: Prometheus,
}

/// Answers a request.
pub async fn answer(
    served: &Served,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut body = Upload { frames: Limited::new(body, MAX_BODY_BYTES), has_failed: false };
    let work = async {
        if parts.uri.path() == metrics::PATH {
            metrics::answer(served, &parts).await
        } else {
            served.deployment.service().handle(&parts, body.read()).await
        }
    };
    let handled = AssertUnwindSafe(work).catch_unwind().await;
    let response = handled.unwrap_or_else(|_| {
        // What it said is in the log already, from the panic hook.
        tracing::error!(method = %parts.method, path = parts.uri.path(), "a request panicked");
        broken()
    });
    // A client that asked first (RFC 9110, section 10.1.1) does not send a body that nobody wants.
    if !parts.headers.contains_key(EXPECT) {
        body.discard().await;
    }
    Ok(response.map(Full::new))
}

/// A body on its way in.
struct Upload {
    frames: Limited<Incoming>,
    /// Whether it was too long, too slow, or cut off: nothing more is read of it.
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
        let unreadable =
            |why: &str| Problem::new(Kind::InvalidRequest, format!("the body did not arrive: {why}"));
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
