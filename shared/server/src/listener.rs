//! The socket that listens.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Bytes that the system may buffer for a connection in each direction. By itself, it would take up to 4 MB, even for a
/// client that does not read. With this limit, 2,048 connections take 512 MB in all, as Linux doubles it. 128 KiB in
/// each round trip are 1.3 MB/s over 100 ms.
const SYSTEM_BUFFER_BYTES: u32 = 131_072;
/// Maximum number of connections that the system holds until they are accepted.
const BACKLOG: u32 = 1_024;

/// Listens on `address`.
///
/// # Errors
/// The system does not give the server the address.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that is restarted need not wait until the connections of its predecessor are forgotten.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit the buffer sizes of the socket that listens.
    socket.set_send_buffer_size(SYSTEM_BUFFER_BYTES)?;
    socket.set_recv_buffer_size(SYSTEM_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
