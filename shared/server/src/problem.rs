//! A problem document as an answer.

use bytes::Bytes;
use credlink_core::http::problem::Problem;
use credlink_core::http::reply::Body;
use http::Response;

/// Returns the answer that reports a problem.
pub fn answer(problem: &Problem) -> Response<Bytes> {
    let reply = problem.reply(None);
    let body = if let Body::Bytes(bytes) = reply.body { bytes } else { Bytes::new() };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}
