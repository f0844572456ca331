//! A line to a remote provider: a proxy with a bandwidth and a delay, which a network has and the loopback interface
//! does not.
//!
//! Each direction is one line that all connections share. Bytes leave in the order of their arrival, no faster than the
//! bandwidth allows, and arrive after the delay. Waiting bytes wait in the socket of the sender, as they would in front
//! of a slow network.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::error::Error;
use crate::report;

/// Bits per second in each direction, as on an office's line.
pub const BITS: u64 = 100_000_000;
/// The delay from one end to the other: half of the round trip of 20 ms to a region on the same continent.
pub const DELAY: Duration = Duration::from_millis(10);

/// Number of bytes sent at a time: ten packets.
const CHUNK: usize = 14_600;
/// Number of chunks of one connection in flight: more than the bandwidth and the delay allow.
const UNDER_WAY: usize = 64;

/// One direction of the line.
#[derive(Default)]
struct Direction {
    /// The instant at which everything sent so far has left.
    free: Mutex<Option<Instant>>,
}

impl Direction {
    /// Occupies the line for this many bytes, and returns the instant at which they have left.
    fn take(&self, bytes: usize) -> Instant {
        let now = Instant::now();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = free.map_or(now, |free| free.max(now));
        let left = begins + Duration::from_nanos(bytes as u64 * 8 * 1_000_000_000 / BITS);
        *free = Some(left);
        left
    }
}

/// Forwards to `to` until the process is killed.
///
/// # Errors
/// Fails if the system does not allow it.
pub fn serve(to: SocketAddr) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::io("starting a runtime"))?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::io("listening"))?;
        let address = listener.local_addr().map_err(Error::io("listening"))?;
        report::line(&serde_json::json!({ "url": format!("http://{address}") }));
        let (up, down) = (Arc::new(Direction::default()), Arc::new(Direction::default()));
        loop {
            let (near, _) = listener.accept().await.map_err(Error::io("listening"))?;
            let (up, down) = (Arc::clone(&up), Arc::clone(&down));
            // The connection ends when either end disconnects.
            tokio::spawn(async move {
                // Establishing the connection takes one round trip.
                tokio::time::sleep(DELAY * 2).await;
                let far = TcpStream::connect(to).await?;
                near.set_nodelay(true)?;
                far.set_nodelay(true)?;
                let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
                tokio::try_join!(carry(from_near, to_far, &up), carry(from_far, to_near, &down)).map(|_| ())
            });
        }
    })
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: &Direction) -> io::Result<()> {
    let (send, mut arrive) = mpsc::channel::<(Instant, Bytes)>(UNDER_WAY);
    let sending = async move {
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = from.read(&mut chunk).await?;
            let bytes = Bytes::copy_from_slice(chunk.get(..length).unwrap_or_default());
            if length == 0 {
                return Ok(());
            }
            let left = line.take(length);
            sleep_until(left).await;
            if send.send((left + DELAY, bytes)).await.is_err() {
                return Ok(());
            }
        }
    };
    let arriving = async move {
        while let Some((at, bytes)) = arrive.recv().await {
            sleep_until(at).await;
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(sending, arriving).map(|_| ())
}
