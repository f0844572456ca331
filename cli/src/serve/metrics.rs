//! `GET /metrics`: what was counted, for Prometheus. It is the server's own, and no part of the API.

use bytes::Bytes;
use credlink_core::access::Scope;
use credlink_core::http::problem::Problem;
use credlink_metrics::prometheus::CONTENT_TYPE;
use credlink_service::error::Error;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderValue, Method, Response};

use super::request::{Served, problem};

/// Where it is.
pub const PATH: &str = "/metrics";

/// The methods that it takes.
const METHODS: &str = "GET, HEAD";

/// Answers with the metrics, which are sums over all tenants, to who may see those.
pub async fn answer(served: &Served, request: &Parts) -> Response<Bytes> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return problem(&Problem::method_not_allowed(request.method.as_str(), METHODS));
    }
    if let Err(error) = served.deployment.service().authorize(request, Some(Scope::Operator)).await {
        if let Error::Failure(failure) = &error {
            tracing::error!(route = "metrics", reason = %failure);
        }
        return problem(&error.problem());
    }
    let mut response = Response::new(Bytes::from(served.metrics.render()));
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
