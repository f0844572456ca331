//! The preface of a connection, whose first bytes show which version of HTTP its client speaks.

use std::io::{Cursor, Error, ErrorKind, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, join};
use tokio::net::TcpStream;

use crate::admission::Slot;

/// The bytes with which every HTTP/2 connection begins (RFC 9113, section 3.4), as far as they distinguish it from
/// other versions.
const PREFACE: &[u8] = b"PRI * HTTP/2";

/// The first bytes of a connection.
pub struct Preface(Vec<u8>);

impl Preface {
    /// Waits for the first bytes of a connection, for as many as it takes to tell the versions apart.
    ///
    /// # Errors
    /// The connection broke, or ended before that.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Self> {
        let mut bytes = Vec::with_capacity(PREFACE.len());
        let mut rest = stream.take(PREFACE.len() as u64);
        while bytes.len() < PREFACE.len() && PREFACE.starts_with(&bytes) {
            if rest.read_buf(&mut bytes).await? == 0 {
                return Err(Error::from(ErrorKind::UnexpectedEof));
            }
        }
        Ok(Self(bytes))
    }

    /// Returns `true` if this is the preface of HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.0 == PREFACE
    }

    /// Returns the whole connection: these bytes again, and everything after them. In HTTP/1.1, the bytes that arrive
    /// between two requests are the beginning of a head.
    pub fn and_rest(
        self,
        stream: TcpStream,
        slot: &Arc<Slot>,
    ) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        let (read, write) = stream.into_split();
        let slot = (!self.is_http2()).then(|| Arc::clone(slot));
        join(Heard { read: Cursor::new(self.0).chain(read), slot }, write)
    }
}

/// The bytes that a client sends. Their arrival is recorded in its slot.
struct Heard<R> {
    read: R,
    slot: Option<Arc<Slot>>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Heard<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.read).poll_read(context, buffer);
        if buffer.filled().len() > before
            && let Some(slot) = &self.slot
        {
            slot.progress().head_begins();
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;

    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::time::sleep;

    use super::*;

    async fn begun_with(sent: &[u8]) -> Result<bool> {
        let (mut client, mut server) = duplex(64);
        client.write_all(sent).await?;
        drop(client);
        Preface::read(&mut server).await.map(|preface| preface.is_http2())
    }

    #[tokio::test]
    async fn the_first_bytes_tell_the_versions_apart() {
        assert!(begun_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap());
        for other in
            [&b"GET / HTTP/1.1\r\n\r\n"[..], b"P", b"PRI * HTTP/1.1\r\n", b"PRINT / HTTP/1.1\r\n", b"x"]
        {
            let is_http2 = begun_with(other).await;
            assert!(matches!(is_http2, Ok(false) | Err(_)), "{}", String::from_utf8_lossy(other));
        }
        assert!(begun_with(b"").await.is_err() && begun_with(b"PRI * HT").await.is_err());
    }

    /// An incomplete preface is looked at once for each piece that arrives, and not in between.
    #[tokio::test]
    async fn a_part_of_the_preface_is_not_asked_after() {
        let (mut client, mut server) = duplex(64);
        let pieces = PREFACE.chunks(4);
        let most = 1 + pieces.len();
        tokio::spawn(async move {
            for piece in pieces {
                client.write_all(piece).await.unwrap();
                sleep(Duration::from_millis(200)).await;
            }
        });
        let mut looks = 0;
        let mut preface = pin!(Preface::read(&mut server));
        let counted = poll_fn(|context| {
            looks += 1;
            preface.as_mut().poll(context)
        });
        assert!(counted.await.unwrap().is_http2());
        assert!(looks <= most, "it was looked at {looks} times");
    }
}
