//! The handler of the server's requests: the API of a deployment, and the server's own `/metrics`.

use std::sync::Arc;

use bytes::Bytes;
use credlink_core::http::route::Route;
use credlink_deployment::deployment::Deployment;
use credlink_metrics::prometheus::Prometheus;
use credlink_server::handler::{BodyFuture, Handler, PartOf};
use credlink_server::problem;
use credlink_service::router;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Response;
use http::request::Parts;

use super::{local_only, metrics};

/// The handler of the requests to `credlink serve`.
pub struct Api {
    /// The deployment whose API is served.
    pub deployment: Arc<Deployment>,
    /// `true` if every caller is the owner, because no credential is asked for.
    pub trusts: bool,
    /// The metrics.
    pub metrics: Prometheus,
}

impl Handler for Api {
    fn refuse(&self, head: &mut Parts) -> Option<Response<Bytes>> {
        let checked = if self.trusts { local_only::check(head) } else { Ok(()) };
        match checked {
            Err(refused) => Some(problem::answer(&refused)),
            Ok(()) if metrics::is_asked(head) => metrics::refuse(head),
            Ok(()) => None,
        }
    }

    fn rewritten_bytes(&self, head: &Parts) -> usize {
        let route = Route::parse(&head.method, head.uri.path(), head.uri.query().unwrap_or_default());
        route.map_or(0, |route| route.rewritten_bytes())
    }

    fn handle<'a>(&'a self, head: &'a Parts, body: BodyFuture) -> BoxFuture<'a, Response<Bytes>> {
        if metrics::is_asked(head) {
            return metrics::answer(&self.deployment, &self.metrics, head).boxed();
        }
        async move { with_whole(self.deployment.handle(head, body).await) }.boxed()
    }
}

/// Tells the server which content an answer is a part of.
fn with_whole(mut response: Response<Bytes>) -> Response<Bytes> {
    if let Some(router::PartOf(whole)) = response.extensions_mut().remove() {
        response.extensions_mut().insert(PartOf(whole));
    }
    response
}
