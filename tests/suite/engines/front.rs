//! A proxy that gives an API below a path of another server a host of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use http::{Request, Response, StatusCode, Uri};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// The destination of requests: a server's address, and the prefix of their path.
type Target = Arc<OnceLock<(String, String)>>;

/// The proxy. It runs until it is dropped.
#[derive(Debug)]
pub struct Front {
    url: String,
    target: Target,
    _stop: oneshot::Sender<()>,
}

impl Front {
    /// Listens on a free port of the loopback interface, and answers 502 until [`lead_to`](Self::lead_to) is called.
    pub fn listen() -> Self {
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        let address = listener.local_addr().expect("it is bound");
        let target = Target::default();
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&target);
        // A runtime of its own: that of a test ends with the test, and several tests use this proxy.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(async {
                tokio::select! {
                    () = accept(listener, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { url: format!("http://{address}"), target, _stop: stop }
    }

    /// The URL of the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends every request from now on to `address` (`127.0.0.1:4566`), with `prefix` in front of its path.
    pub fn lead_to(&self, address: &str, prefix: &str) {
        let known = self.target.set((address.to_owned(), prefix.to_owned()));
        known.expect("it leads to one place for good");
    }
}

async fn accept(listener: std::net::TcpListener, target: Target) {
    let listener = TcpListener::from_std(listener).expect("it is a listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let target = Arc::clone(&target);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let target = Arc::clone(&target);
                async move { Ok::<_, std::convert::Infallible>(answer(request, &target).await) }
            });
            let server = hyper::server::conn::http1::Builder::new();
            // A client that disconnects midway is ignored.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Answer = Response<Either<Incoming, Full<Bytes>>>;

async fn answer(request: Request<Incoming>, target: &OnceLock<(String, String)>) -> Answer {
    let forwarded = match target.get() {
        Some((address, prefix)) => forward(request, address, prefix).await,
        None => Err("nothing is behind this proxy yet".into()),
    };
    forwarded.map(|response| response.map(Either::Left)).unwrap_or_else(|error| {
        let mut response = Response::new(Either::Right(Full::from(error.to_string())));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    })
}

async fn forward(
    mut request: Request<Incoming>,
    address: &str,
    prefix: &str,
) -> Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = format!("{prefix}{path}").parse::<Uri>()?;
    let address: SocketAddr = address.parse()?;
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}
