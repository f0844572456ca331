//! One bucket with two readers: the Worker, and the API's service over our adapter of the same bucket.
//!
//! [`Ground::ask`] compares their answers, so that no test of the edge can forget to.

use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_cache::MemoryCache;
use credlink_core::http::request_id::REQUEST_ID;
use credlink_metrics::counters::Counters;
use credlink_ports::Parts;
use credlink_ports::doubles::MemoryIndex;
use credlink_ports::migration::jobs::NoJobs;
use credlink_runtime::clock::SystemClock;
use credlink_s3::S3Objects;
use credlink_service::router::MARK;
use credlink_service::{Service, ServiceSettings};
use http::header::{AGE, CONTENT_LENGTH, DATE, HOST};
use http::{HeaderName, Method, Request, Response, StatusCode};

use super::seeds::{LINK_KEYS, Seed};
use crate::engines::edge::Edge;
use crate::http::ask::with;
use crate::world::tokens;

/// The header `Cache-Status` (RFC 9211).
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Headers that only the edge sends, and the one that a server adds to each answer.
const OF_THE_EDGE: [HeaderName; 3] = [AGE, CACHE_STATUS, DATE];

/// A Worker and a service over one bucket.
pub struct Ground {
    pub edge: Edge,
    service: Service<Parts<S3Objects, MemoryIndex, MemoryCache, SystemClock, Counters, Gate>>,
}

impl Ground {
    /// A ground over an empty bucket, which trusts no caller.
    pub async fn new() -> Self {
        // Callers without a credential are admitted as anonymous.
        Self::behind(Gate::of(Some(tokens::all()), None)).await
    }

    /// A ground over an empty bucket, with a service that trusts every caller.
    pub async fn trusting() -> Self {
        Self::behind(Gate::of(None, None)).await
    }

    async fn behind(authenticator: Gate) -> Self {
        let edge = Edge::with([("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())]).await;
        let parts = Parts {
            objects: edge.objects(),
            index: MemoryIndex::new(),
            cache: MemoryCache::new(),
            clock: SystemClock,
            events: Counters::default(),
            authenticator,
            jobs: NoJobs,
        };
        let settings = ServiceSettings {
            public_url: edge.url().to_owned(),
            link_keys: Some(LINK_KEYS.parse().unwrap()),
            ..ServiceSettings::default()
        };
        Self { edge, service: Service::new(parts, settings).unguarded() }
    }

    /// A ground over a bucket that holds these objects.
    pub async fn holding(seeds: &[Seed]) -> Self {
        let ground = Self::new().await;
        for seed in seeds {
            seed.put(&ground.edge).await;
        }
        ground
    }

    /// The answer of the service, with the headers that its host would add.
    pub async fn api(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let mut response = self.service.handle(&parts, async { Ok(body) }).await;
        // Only the API marks its answers as its own.
        assert!(response.headers_mut().remove(MARK).is_some());
        let has_body = parts.method != Method::HEAD
            && ![StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&response.status());
        if has_body {
            // RFC 9112, section 6.2.
            let length = response.body().len();
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        response
    }

    /// Returns the Worker's answer, and asserts that the service's is the same. Each `domain` has its own cache, so the
    /// first request for an object there finds it in no cache.
    pub async fn ask(&self, domain: &str, request: Request<Bytes>) -> Response<Bytes> {
        let named = with(request, REQUEST_ID, "of-a-test");
        let answered = self.edge.send(with(named.clone(), HOST, domain)).await;
        let expected = self.api(named.clone()).await;
        assert_eq!(
            shown(&answered),
            shown(&expected),
            "{domain}: the Worker's answer (left) is not the API's to {} {} {:?}",
            named.method(),
            named.uri(),
            named.headers(),
        );
        answered
    }
}

/// An answer as text that a person can compare, without the headers that the edge may add.
fn shown(response: &Response<Bytes>) -> String {
    // The edge has no callers that may be told more than others, so every script may read its answers about a request.
    let is_of_request = [400, 405, 414].contains(&response.status().as_u16());
    let is_left_out = |name: &HeaderName| {
        OF_THE_EDGE.contains(name) || is_of_request && name.as_str().starts_with("access-control-")
    };
    let headers = response.headers().iter().filter(|(name, _)| !is_left_out(name));
    let mut lines: Vec<String> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    lines.sort();
    format!("{}\n{}\n{:?}", response.status(), lines.join("\n"), response.body())
}
