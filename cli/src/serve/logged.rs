//! The log line and the headers of a request whose body the router does not see.

use std::time::Instant;

use bytes::Bytes;
use credlink_core::http::request_id::{self, REQUEST_ID};
use credlink_deployment::deployment::Deployment;
use credlink_ports::{Clock as _, Ports as _};
use credlink_server::problem;
use credlink_service::error::Error;
use credlink_service::router::MARK;
use http::request::Parts;
use http::{HeaderValue, Response};

/// A request that is being answered, and is logged with its answer.
pub struct LoggedRequest {
    began: Instant,
    request_id: String,
    route: &'static str,
}

impl LoggedRequest {
    /// Begins to answer a request.
    pub fn begin(deployment: &Deployment, head: &Parts, route: &'static str) -> Self {
        let given = request_id::given(&head.headers).map(ToOwned::to_owned);
        let request_id = given.unwrap_or_else(|| deployment.service().ports().clock().request_id());
        Self { began: Instant::now(), request_id, route }
    }

    /// Returns the answer, with the headers that every answer of the API has, and logs it. `received` bytes of the body were
    /// read.
    pub fn end(
        self,
        head: &Parts,
        answered: Result<Response<Bytes>, Error>,
        received: u64,
    ) -> Response<Bytes> {
        let Self { began, request_id, route } = self;
        let mut response = answered.unwrap_or_else(|error| {
            if let Error::Failure(failure) = &error {
                tracing::error!(request_id, route, reason = %failure);
            }
            problem::answer(&error.problem())
        });
        let (method, status) = (head.method.as_str(), response.status().as_u16());
        let latency_ms = began.elapsed().as_secs_f64() * 1_000.0;
        tracing::info!(request_id, method, route, status, received, latency_ms, "request");
        response.headers_mut().insert(MARK, HeaderValue::from_static("1"));
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
}
