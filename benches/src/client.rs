//! An HTTP/1.1 client that keeps its connections open: hyper, one connection a value.

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

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, as it came over the wire.
    pub body: Bytes,
}

/// One open connection.
#[derive(Debug)]
pub struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    /// Connects. To be called within a tokio runtime, which drives the connection.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn open(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await.map_err(Error::io("connecting"))?;
        stream.set_nodelay(true).map_err(Error::io("connecting"))?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| Error::wrong("connecting", error))?;
        // What goes wrong with the connection, the request under way is told.
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Sends a request and reads the whole answer. A request that names no host gets one.
    ///
    /// # Errors
    /// The connection broke.
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
/// This is no path.
pub fn get(path: &str) -> Result<Asked, Error> {
    Request::get(path).body(Full::default()).map_err(|error| Error::wrong("a request", error))
}

/// Asks once, on a connection and a runtime of its own.
///
/// # Errors
/// Nobody listens there, or the connection broke.
pub fn once(address: SocketAddr, request: Asked) -> Result<Answer, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("starting a runtime"))?;
    runtime.block_on(async { Connection::open(address).await?.ask(request).await })
}
