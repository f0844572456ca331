//! `GET /metrics`: the counters, for Prometheus. This route belongs to the server, and is not part of the API.

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

/// The path of the metrics.
const PATH: &str = "/metrics";

/// The methods that the path accepts.
const METHODS: &str = "GET, HEAD";

/// Returns `true` if a request is for the metrics.
pub fn is_asked(request: &Parts) -> bool {
    request.uri.path() == PATH
}

/// Returns the answer to a method that is not accepted.
pub fn refuse(request: &Parts) -> Option<Response<Bytes>> {
    let is_taken = matches!(request.method, Method::GET | Method::HEAD);
    let refused = || problem::answer(&Problem::method_not_allowed(request.method.as_str(), METHODS));
    (!is_taken).then(refused)
}

/// Answers with the metrics, which are sums over all tenants, if the caller may see those.
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
