//! Refusals: a client that finds no place is told to come again, in its own version of HTTP.

use std::io::Result;
use std::time::Duration;

use credlink_core::http::problem::Problem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::preface::Preface;
use crate::problem;

/// Maximum time for a refusal.
const GOODBYE: Duration = Duration::from_secs(1);
/// Seconds after which the client shall come again.
const AGAIN_SECONDS: u32 = 5;
/// The reason of a refusal.
const WHAT: &str = "as many connections are open as the server takes, in all or from this address";

/// The frame of HTTP/2 with which a server begins, without any settings (RFC 9113, section 6.5).
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// The type of a frame that ends a connection (RFC 9113, section 6.8).
const GOAWAY: u8 = 7;
/// The error code of that frame: the client asks for more than it may have (RFC 9113, section 7).
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// Tells a client that there is no slot for it, and closes the connection.
pub async fn refuse(mut stream: TcpStream) {
    let refused = async {
        let preface = Preface::read(&mut stream).await?;
        answer(&mut stream, &preface).await
    };
    let _ = timeout(GOODBYE, refused).await;
}

/// Tells a client whose first bytes were read that there is no place for it, and closes the connection.
pub async fn refuse_begun(mut stream: TcpStream, preface: &Preface) {
    let _ = timeout(GOODBYE, answer(&mut stream, preface)).await;
}

async fn answer(stream: &mut TcpStream, preface: &Preface) -> Result<()> {
    let sent = if preface.is_http2() { http2() } else { http1() };
    stream.write_all(&sent).await?;
    stream.shutdown().await?;
    // The rest of the request is read, so that closing does not reset the connection before the answer has arrived.
    let mut unwanted = vec![0; 8_192];
    while stream.read(&mut unwanted).await? > 0 {}
    Ok(())
}

/// Returns an HTTP/1.1 answer to any request.
fn http1() -> Vec<u8> {
    let refused = problem::answer(&Problem::busy(WHAT, AGAIN_SECONDS));
    let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", refused.status());
    for (name, value) in refused.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", refused.body().len()));
    [head.as_bytes(), refused.body()].concat()
}

/// Returns a GOAWAY of HTTP/2. No stream was processed, so each request may be sent again.
fn http2() -> Vec<u8> {
    const LAST_STREAM: [u8; 4] = [0; 4];
    let payload = [&LAST_STREAM, &ENHANCE_YOUR_CALM.to_be_bytes()[..], WHAT.as_bytes()].concat();
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    [&SETTINGS[..], &length, &[GOAWAY, 0, 0, 0, 0, 0], &payload].concat()
}
