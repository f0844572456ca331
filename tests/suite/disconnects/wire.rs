//! Requests on connections of their own, sent whole or cut off.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// A request as sent over the wire.
#[derive(Debug, Clone)]
pub struct Ask {
    head: String,
    body: Vec<u8>,
}

/// The point at which a request is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The middle of its head.
    Head,
    /// The middle of its body, or the last byte of the head if there is no body.
    Body,
    /// The moment this many milliseconds after its last byte.
    After(u64),
}

/// The way in which a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `RST`: data in flight are discarded in both directions.
    Reset,
    /// `FIN`: an orderly close.
    Close,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    body: Vec<u8>,
}

impl Ask {
    /// A request without a body.
    pub fn of(method: &str, path: &str) -> Self {
        Self {
            head: format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"),
            body: Vec::new(),
        }
    }

    /// The same request with a body.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type).header("content-length", &self.body.len().to_string())
    }

    /// The same request with a header.
    pub fn header(&self, name: &str, value: &str) -> Self {
        Self { head: format!("{}{name}: {value}\r\n", self.head), body: self.body.clone() }
    }

    fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), b"\r\n", &self.body].concat()
    }

    /// Sends the request, and reads the answer.
    pub async fn whole(&self, address: &str) -> Answer {
        let asked = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(&self.bytes()).await?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.map(|_| bytes)
        };
        let bytes = timeout(Duration::from_secs(60), asked).await.expect("the server answers").unwrap();
        Answer::parse(&bytes)
    }

    /// Sends the request up to `point`, and disconnects. Returns `true` if no byte of an answer had arrived by then.
    pub async fn cut(&self, address: &str, point: Point, end: End) -> bool {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        if end == End::Reset {
            stream.set_zero_linger().unwrap();
        }
        let bytes = self.bytes();
        let head = self.head.len() + 2;
        let sent = match point {
            Point::Head => head / 2,
            Point::Body if self.body.is_empty() => head - 1,
            Point::Body => head + self.body.len() / 2,
            Point::After(_) => bytes.len(),
        };
        stream.write_all(&bytes[..sent]).await.unwrap();
        if let Point::After(milliseconds @ 1..) = point {
            sleep(Duration::from_millis(milliseconds)).await;
        }
        let mut answered = [0];
        let is_early =
            stream.try_read(&mut answered).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        drop(stream);
        is_early
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("the answer has a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    /// The value of a header, which is named in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {} {}", self.head, String::from_utf8_lossy(&self.body)))
    }
}
