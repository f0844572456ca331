//! One request: its body within bounds, and an answer whatever happens.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use credlink_adapters::local::Local;
use credlink_core::bounds::MAX_BODY_BYTES;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::http::reply::Body;
use credlink_service::Service;
use futures_util::FutureExt as _;
use http::header::EXPECT;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

/// How long the next piece of a body may take.
const PIECE: Duration = Duration::from_secs(20);
/// How long a whole body may take: 13 MB over a line of 0.5 Mbit/s.
const WHOLE: Duration = Duration::from_secs(240);

/// Answers a request.
pub async fn answer(
    service: &Service<Local>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut body = Limited::new(body, MAX_BODY_BYTES);
    let handled = AssertUnwindSafe(service.handle(&parts, read(&mut body))).catch_unwind().await;
    let response = handled.unwrap_or_else(|_| {
        // What it said is in the log already, from the panic hook.
        tracing::error!(method = %parts.method, path = parts.uri.path(), "a request panicked");
        broken()
    });
    // A body that nobody wanted is read to its end and thrown away: a client that is still sending would see a broken
    // connection instead of the answer. One that asked first (RFC 9110, section 10.1.1) does not send it at all.
    if !parts.headers.contains_key(EXPECT) {
        let _ = drain(&mut body).await;
    }
    Ok(response.map(Full::new))
}

/// Reads a body.
async fn read(body: &mut Limited<Incoming>) -> Result<Bytes, Problem> {
    let mut whole = BytesMut::new();
    let deadline = Instant::now() + WHOLE;
    while let Some(piece) = next(body, deadline).await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

async fn drain(body: &mut Limited<Incoming>) -> Result<(), Problem> {
    let deadline = Instant::now() + PIECE;
    while next(body, deadline).await?.is_some() {}
    Ok(())
}

/// The next piece of a body, or `None` at its end.
async fn next(body: &mut Limited<Incoming>, deadline: Instant) -> Result<Option<Bytes>, Problem> {
    let unreadable =
        |why: &str| Problem::new(Kind::InvalidRequest, format!("the body did not arrive: {why}"));
    loop {
        let frame = timeout_at(deadline.min(Instant::now() + PIECE), body.frame()).await;
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

/// The answer when there is none.
fn broken() -> Response<Bytes> {
    let reply =
        Problem::new(Kind::Internal, "the request could not be finished; the log has the reason").reply(None);
    let body = if let Body::Bytes(bytes) = reply.body { bytes } else { Bytes::new() };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}
