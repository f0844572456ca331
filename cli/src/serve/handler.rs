//! The handler of the server's requests: the API of a deployment, and the server's own `/metrics`.

use std::sync::Arc;

use bytes::Bytes;
use credlink_core::http::route::Route;
use credlink_deployment::deployment::Deployment;
use credlink_metrics::prometheus::Prometheus;
use credlink_server::handler::{self, BodyFuture, Handler, PartOf, Pieces, Streamed};
use credlink_server::problem;
use credlink_service::handler::Source;
use credlink_service::router::{self, TakeRoom};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use http::Response;
use http::request::Parts;

use super::origins::Origins;
use super::{local_only, metrics, reception, tus};

/// The handler of the requests to `credlink serve`.
pub struct Api {
    /// The deployment whose API is served.
    pub deployment: Arc<Deployment>,
    /// `true` if every caller is the owner, because no credential is asked for.
    pub trusts_everyone: bool,
    /// The origins whose pages may use the API.
    pub origins: Origins,
    /// The metrics.
    pub metrics: Prometheus,
}

impl Handler for Api {
    fn refuse(&self, head: &mut Parts) -> Option<Response<Bytes>> {
        // The operator trusts the pages of a listed origin as programs of this machine.
        let page = self.origins.of(&head.headers);
        let checked = if self.trusts_everyone { local_only::check(head, page.is_some()) } else { Ok(()) };
        if let Some(room) = head.extensions.remove::<handler::AnswerRoom>() {
            head.extensions.insert(router::AnswerRoom(Arc::new(Room(room))));
        }
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

    fn receives(&self, head: &Parts) -> Option<usize> {
        reception::longest(&self.deployment, head).or_else(|| tus::longest(&self.deployment, head))
    }

    fn receive<'a>(&'a self, head: &'a Parts, body: &'a mut dyn Pieces) -> BoxFuture<'a, Response<Bytes>> {
        async move {
            let mut response = if tus::is_asked(&self.deployment, head) {
                tus::receive(&self.deployment, head, body).await
            } else {
                reception::receive(&self.deployment, head, body).await
            };
            self.origins.share(head, &mut response);
            response
        }
        .boxed()
    }

    fn handle<'a>(&'a self, head: &'a Parts, body: BodyFuture) -> BoxFuture<'a, Response<Bytes>> {
        if metrics::is_asked(head) {
            return metrics::answer(&self.deployment, &self.metrics, head).boxed();
        }
        async move {
            let mut response = if tus::is_asked(&self.deployment, head) {
                tus::answer(&self.deployment, head).await
            } else {
                with_extensions(self.deployment.handle(head, body).await)
            };
            self.origins.share(head, &mut response);
            response
        }
        .boxed()
    }
}

/// The room for an answer, as an operation takes it.
struct Room(handler::AnswerRoom);

impl TakeRoom for Room {
    fn take(&self, source: &Source) -> bool {
        match source {
            Source::Reply => true,
            Source::Object(object) => self.0.take_content(object.stored().clone()),
            Source::Opened(content) => self.0.take_piece(content.length),
        }
    }
}

/// Tells the server which content an answer is a part of, or from where its pieces come.
fn with_extensions(mut response: Response<Bytes>) -> Response<Bytes> {
    if let Some(content) = response.extensions_mut().remove::<router::Streamed>().and_then(|body| body.take())
    {
        let pieces = content.pieces.map_err(Into::into).boxed();
        response.extensions_mut().insert(Streamed::new(pieces, content.length));
    }
    if let Some(router::PartOf(whole)) = response.extensions_mut().remove() {
        response.extensions_mut().insert(PartOf(whole));
    }
    response
}
