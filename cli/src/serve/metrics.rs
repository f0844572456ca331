//! `GET /metrics`: what was counted, for Prometheus. It is the server's own, and no part of the API.

use bytes::Bytes;
use credlink_core::access::Scope;
use credlink_core::http::problem::Problem;
use credlink_deployment::deployment::Deployment;
use credlink_metrics::prometheus::{CONTENT_TYPE, Prometheus};
use credlink_server::problem;
use credlink_service::error::Error;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderValue, Method, Response};

/// Where it is.
const PATH: &str = "/metrics";

/// The methods that it takes.
const METHODS: &str = "GET, HEAD";

/// Returns `true` if a request asks for them.
pub fn is_asked(request: &Parts) -> bool {
    request.uri.path() == PATH
}

/// Returns the answer to a method that is not taken.
pub fn refuse(request: &Parts) -> Option<Response<Bytes>> {
    let is_taken = matches!(request.method, Method::GET | Method::HEAD);
    let refused = || problem::answer(&Problem::method_not_allowed(request.method.as_str(), METHODS));
    (!is_taken).then(refused)
}

/// Answers with the metrics, which are sums over all tenants, to who may see those.
pub async fn answer(deployment: &Deployment, metrics: &Prometheus, request: &Parts) -> Response<Bytes> {
    if let Err(error) = deployment.service().authorize(request, Some(Scope::Operator)).await {
        if let Error::Failure(failure) = &error {
            tracing::error!(route = "metrics", reason = %failure);
        }
        return problem::answer(&error.problem());
    }
    let mut response = Response::new(Bytes::from(metrics.render()));
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
