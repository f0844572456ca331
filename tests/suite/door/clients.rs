//! Clients by hand: what they send, and no more.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// What the system buffers for a client that does not read: little, as the memory that is looked at is the server's.
const RECEIVE_BUFFER_BYTES: u32 = 4_096;

/// Connects as soon as the system lets it.
pub async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES).unwrap();
    socket.connect(address).await.unwrap()
}

/// Connects from another address of this machine, as another client: 127.0.0.`client`.
pub async fn connect_from(client: u8, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, client], 0))).unwrap();
    socket.connect(address).await.unwrap()
}

/// Connects so many times, and sends the same each time, as far as it is taken within a moment.
pub async fn connect_and_send(address: SocketAddr, connections: usize, sent: &[u8]) -> Vec<TcpStream> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut stream = connect(address).await;
        // It may be refused, or not read to the end.
        let _ = timeout(Duration::from_millis(20), stream.write_all(sent)).await;
        open.push(stream);
    }
    open
}

/// A GET of HTTP/1.1.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// What a client of HTTP/2 sends that takes no bytes of any answer: its window is empty (RFC 9113, section 6.5.2).
pub fn http2_preface() -> Vec<u8> {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let setting = [INITIAL_WINDOW_SIZE.to_be_bytes().as_slice(), &0_u32.to_be_bytes()].concat();
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &setting)].concat()
}

/// A request of HTTP/2 without a body (RFC 9113, section 6.2).
pub fn http2_get(stream: u32, path: &str) -> Vec<u8> {
    // The static table (RFC 7541, appendix A) has `GET` at 2 and `http` at 6.
    let headers = [&[0x82, 0x86], literal(1, "localhost").as_slice(), &literal(4, path)].concat();
    const END_STREAM_AND_HEADERS: u8 = 0x5;
    frame(1, END_STREAM_AND_HEADERS, stream, &headers)
}

/// The same with so many headers more, each of them three bytes in a table of the receiver (RFC 7541, section 6.2.2).
pub fn http2_get_with(headers: u16, stream: u32, path: &str) -> Vec<u8> {
    let mut block = [&[0x82, 0x86], literal(1, "localhost").as_slice(), &literal(4, path)].concat();
    for header in 0..headers {
        let [a, b] = [header / 26, header % 26].map(|digit| b'a' + u8::try_from(digit).unwrap());
        block.extend([0, 3, b'x', a, b, 0]);
    }
    const END_STREAM_AND_HEADERS: u8 = 0x5;
    frame(1, END_STREAM_AND_HEADERS, stream, &block)
}

/// The head of a POST with a body of `length` bytes, and so many bytes of it in a frame.
pub fn http2_post(stream: u32, path: &str, length: usize, sent: usize) -> Vec<u8> {
    // The static table has `POST` at 3, `content-length` at 28 and `content-type` at 31.
    let headers = [
        &[0x83, 0x86],
        literal(1, "localhost").as_slice(),
        &literal(4, path),
        &literal(28, &length.to_string()),
        &literal(31, "application/json"),
    ]
    .concat();
    const END_HEADERS: u8 = 0x4;
    let mut bytes = frame(1, END_HEADERS, stream, &headers);
    bytes.extend(frame(0, 0, stream, &vec![b' '; sent]));
    bytes
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header without indexing, with a name of the static table (RFC 7541, section 6.2.2).
fn literal(name: u8, value: &str) -> Vec<u8> {
    let mut bytes = if name < 15 { vec![name] } else { vec![15, name - 15] };
    let length = u8::try_from(value.len()).unwrap();
    assert!(length < 127, "longer values need another form");
    bytes.push(length);
    bytes.extend(value.as_bytes());
    bytes
}
