//! An HTTP/1.1 client that keeps its connections open, based on hyper, with one connection per value.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::error::Error;

/// A request as this client sends it.
pub type Asked = Request<Full<Bytes>>;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, as received.
    pub body: Bytes,
}

/// An open connection.
#[derive(Debug)]
pub struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    /// Connects. The caller must be within a tokio runtime, which drives the connection.
    ///
    /// # Errors
    /// Fails if nothing listens at this address.
    pub async fn open(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await.map_err(Error::io("connecting"))?;
        stream.set_nodelay(true).map_err(Error::io("connecting"))?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| Error::wrong("connecting", error))?;
        // A failure of the connection is reported to the request in flight.
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Sends a request and reads the whole answer. Adds a host to a request that names none.
    ///
    /// # Errors
    /// Fails if the connection breaks.
    pub async fn ask(&mut self, mut request: Asked) -> Result<Answer, Error> {
        request.headers_mut().entry(HOST).or_insert(HeaderValue::from_static("127.0.0.1"));
        let broke = |error| Error::wrong("a request", error);
        self.0.ready().await.map_err(broke)?;
        let (head, body) = self.0.send_request(request).await.map_err(broke)?.into_parts();
        let body = body.collect().await.map_err(broke)?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// A GET without a body.
///
/// # Errors
/// Fails if `path` is not a path.
pub fn get(path: &str) -> Result<Asked, Error> {
    Request::get(path).body(Full::default()).map_err(|error| Error::wrong("a request", error))
}

/// Sends one request, on its own connection and runtime.
///
/// # Errors
/// Fails if nothing listens at this address, or if the connection breaks.
pub fn once(address: SocketAddr, request: Asked) -> Result<Answer, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("starting a runtime"))?;
    runtime.block_on(async { Connection::open(address).await?.ask(request).await })
}
