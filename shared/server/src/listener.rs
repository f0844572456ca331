//! The socket that listens.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// What the system may buffer of a connection in each direction, in bytes. It would take up to 4 MB by itself, and a client
/// that does not read would have that too; with this, 2,048 of them have 512 MB in all, as Linux doubles it. 128 KiB for
/// each round trip are 1.3 MB/s over 100 ms.
const SYSTEM_BUFFER_BYTES: u32 = 131_072;
/// Most connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1_024;

/// Listens on `address`.
///
/// # Errors
/// The system does not give it.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that is started again need not wait until the connections of the one before it are forgotten.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // Connections that are accepted have the sizes of the socket that listens.
    socket.set_send_buffer_size(SYSTEM_BUFFER_BYTES)?;
    socket.set_recv_buffer_size(SYSTEM_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
