//! An origin: the service in this process behind a socket, which counts its requests, and can be made to wait or to
//! give other answers.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use credlink_core::media_type::STORED_TYPE;
use credlink_core::object::ATTRIBUTES_HEADER;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::seeds::{Seed, now, until};
use crate::world::{Ground, World};

/// Returns the answer to give in place of the service's own, if any.
type Instead = Arc<dyn Fn(&Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync>;

/// A request that the origin received.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An origin, which lives as long as the runtime of its test.
#[derive(Clone)]
pub struct Origin {
    url: String,
    world: World,
    shared: Arc<Shared>,
}

struct Shared {
    asked: Mutex<Vec<Asked>>,
    instead: Mutex<Option<Instead>>,
    held: watch::Sender<bool>,
}

impl Origin {
    /// An origin with a service that allows every caller everything.
    pub async fn start() -> Self {
        Self::of(World::on(Ground::Memory)).await
    }

    /// An origin with this service, at the real time.
    pub async fn of(world: World) -> Self {
        world.clock().set(now());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, instead) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { asked, instead, held: watch::Sender::new(false) });
        let origin = Self { url, world, shared };
        let answering = origin.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let origin = answering.clone();
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let origin = origin.clone();
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        let answer = origin.answer(Request::from_parts(parts, body)).await;
                        Ok::<_, hyper::Error>(answer.map(Full::new))
                    }
                });
                let server = hyper::server::conn::http1::Builder::new();
                // A client that disconnects midway is ignored.
                tokio::spawn(async move { server.serve_connection(TokioIo::new(stream), service).await });
            }
        });
        origin
    }

    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let asked = Asked {
            method: request.method().to_string(),
            target,
            headers: request.headers().clone(),
            body: request.body().clone(),
        };
        self.shared.asked.lock().unwrap().push(asked);
        let instead = self.shared.instead.lock().unwrap().clone();
        let answer = match instead.and_then(|instead| instead(&request)) {
            Some(answer) => answer,
            None => self.world.answer(request).await,
        };
        // The answer is computed before the wait, so it reflects nothing that happens during the wait.
        let _ = self.shared.held.subscribe().wait_for(|held| !held).await;
        answer
    }

    /// The URL with which the origin's paths begin, without `/v1`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The service behind the origin.
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// Holds answers back after they were computed, or lets them go again.
    pub fn hold(&self, held: bool) {
        self.shared.held.send_replace(held);
    }

    /// From now on, gives this answer if it is `Some`, and the service's own otherwise.
    pub fn answer_with(
        &self,
        instead: impl Fn(&Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync + 'static,
    ) {
        *self.shared.instead.lock().unwrap() = Some(Arc::new(instead));
    }

    /// Returns the requests since this was last called.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.shared.asked.lock().unwrap())
    }

    /// The number of requests since [`Self::asked`] was last called.
    pub fn count(&self) -> usize {
        self.shared.asked.lock().unwrap().len()
    }

    /// Waits until the origin has received this many requests.
    pub async fn wait_for(&self, count: usize) {
        until("the origin is asked", async || self.count() >= count).await;
    }
}

/// The object in the stored form, as the API serves it to a client that mirrors the store.
pub fn stored_form(seed: &Seed) -> Response<Bytes> {
    let attributes = serde_json::to_string(&seed.attributes()).unwrap();
    let response =
        Response::builder().header(CONTENT_TYPE, STORED_TYPE).header(ATTRIBUTES_HEADER, attributes);
    response.body(seed.stored()).unwrap()
}
