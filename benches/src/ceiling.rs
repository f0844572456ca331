//! The ceiling of this client: a hyper server that only answers, on the same machine and in the same way.
//!
//! It bears the same cost of the client, the loopback interface and HTTP itself. If a service is slower than this, the
//! difference is its own work.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::error::Error;
use crate::material::noise;
use crate::report;

/// A body of this length in bytes.
#[must_use]
pub fn body(length: usize) -> Vec<u8> {
    noise(length as u64, length)
}

/// Serves bodies of these lengths until the process is killed.
///
/// # Errors
/// Fails if the system does not allow it.
pub fn serve(lengths: &[usize]) -> Result<(), Error> {
    let bodies: Vec<_> =
        lengths.iter().map(|length| (format!("/{length}"), Bytes::from(body(*length)))).collect();
    let bodies: &'static [(String, Bytes)] = bodies.leak();
    let runtime = tokio::runtime::Runtime::new().map_err(Error::io("starting a runtime"))?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::io("listening"))?;
        let address = listener.local_addr().map_err(Error::io("listening"))?;
        report::line(&serde_json::json!({ "url": format!("http://{address}") }));
        loop {
            let (stream, _) = listener.accept().await.map_err(Error::io("listening"))?;
            stream.set_nodelay(true).map_err(Error::io("listening"))?;
            let answer = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let found = bodies.iter().find(|(path, _)| path == request.uri().path());
                let mut response =
                    Response::new(Full::new(found.map(|(_, body)| body.clone()).unwrap_or_default()));
                if found.is_none() {
                    *response.status_mut() = StatusCode::NOT_FOUND;
                }
                async { Ok::<_, Infallible>(response) }
            });
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
            // The connection ends when its client disconnects.
            tokio::spawn(connection);
        }
    })
}
