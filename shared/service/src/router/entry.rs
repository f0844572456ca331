//! The log line and the events of one request.

use std::sync::Arc;

use bytes::Bytes;
use credlink_core::manifest_key::ManifestKey;
use http::Response;
use http::request::Parts;

use credlink_ports::{Event, Events as _, Failure, Ports};

use crate::service::Service;

/// The data that is collected about one request, for the log and for the headers of its answer.
pub(super) struct Entry {
    pub(super) request_id: Arc<str>,
    pub(super) route: &'static str,
    pub(super) bytes: u64,
    /// `true` if scripts of other sites may read the answer.
    pub(super) is_open: bool,
    /// The manifest that a plain address has answered with.
    pub(super) fronted: Option<ManifestKey>,
    pub(super) failure: Option<Failure>,
}

impl<P: Ports> Service<P> {
    /// Logs one line for each request, and failures of the service in full.
    pub(super) fn note(&self, request: &Parts, response: &Response<Bytes>, entry: &Entry, elapsed: u64) {
        let status = response.status().as_u16();
        let (request_id, route, method) = (&*entry.request_id, entry.route, request.method.as_str());
        #[expect(clippy::cast_precision_loss, reason = "a duration needs no more than 52 bits")]
        let latency_ms = elapsed as f64 / 1_000.0;
        if let Some(failure) = &entry.failure {
            let (provider, kind) = (failure.provider, failure.kind.to_string());
            tracing::error!(
                request_id,
                method,
                route,
                status,
                latency_ms,
                provider,
                kind,
                reason = failure.message
            );
        } else {
            tracing::info!(request_id, method, route, status, bytes = entry.bytes, latency_ms, "request");
        }
        let events = self.ports.events();
        events.record(Event::Answered { route, microseconds: elapsed });
        if status >= 500 {
            events.record(Event::Failed);
        } else if response.status().is_success() && entry.route.starts_with("read_") {
            events.record(Event::Retrieved { bytes: entry.bytes });
        }
    }
}
