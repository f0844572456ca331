//! Hand-written clients that send exactly what a test specifies.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Bytes that the system buffers for a client that does not read. It is small because the memory that is measured is
/// the server's.
const RECEIVE_BUFFER_BYTES: u32 = 4_096;

/// Connects as soon as the system allows it.
pub async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES).unwrap();
    socket.connect(address).await.unwrap()
}

/// Connects from another address of this machine, 127.0.0.`client`, as another client.
pub async fn connect_from(client: u8, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, client], 0))).unwrap();
    socket.connect(address).await.unwrap()
}

/// Opens this many connections, and sends the same bytes on each, as far as they are accepted within a moment.
pub async fn connect_and_send(address: SocketAddr, connections: usize, sent: &[u8]) -> Vec<TcpStream> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut stream = connect(address).await;
        // The connection may be refused, or not read to the end.
        let _ = timeout(Duration::from_millis(20), stream.write_all(sent)).await;
        open.push(stream);
    }
    open
}

/// An HTTP/1.1 GET.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// The first bytes of an HTTP/2 client that accepts no bytes of any answer: its window is empty (RFC 9113, section
/// 6.5.2).
pub fn http2_preface() -> Vec<u8> {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let setting = [INITIAL_WINDOW_SIZE.to_be_bytes().as_slice(), &0_u32.to_be_bytes()].concat();
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &setting)].concat()
}

/// The first bytes of an HTTP/2 client that reads its answers.
pub fn http2_preface_to_read() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &[])].concat()
}

/// An HTTP/2 request without a body (RFC 9113, section 6.2).
pub fn http2_get(stream: u32, path: &str) -> Vec<u8> {
    http2_get_with_headers(stream, path, &[])
}

/// The same request with this many further headers, each of them three bytes in a table of the receiver (RFC 7541,
/// section 6.2.2).
pub fn http2_get_with(headers: u16, stream: u32, path: &str) -> Vec<u8> {
    let name = |header: u16| {
        let [a, b] = [header / 26, header % 26].map(|digit| char::from(b'a' + u8::try_from(digit).unwrap()));
        format!("x{a}{b}")
    };
    let headers: Vec<_> = (0..headers).map(|header| (name(header), String::new())).collect();
    http2_get_with_headers(stream, path, &headers)
}

/// The same request with further headers.
pub fn http2_get_with_headers(stream: u32, path: &str, headers: &[(String, String)]) -> Vec<u8> {
    // The static table (RFC 7541, appendix A) has `GET` at 2 and `http` at 6.
    let mut block = [&[0x82, 0x86], literal(1, "localhost").as_slice(), &literal(4, path)].concat();
    for (name, value) in headers {
        block.extend([&[0], string(name).as_slice(), &string(value)].concat());
    }
    http2_head(stream, &block)
}

/// The longest frame that a server accepts unless it has announced another limit (RFC 9113, section 6.5.2).
const MAX_FRAME_BYTES: usize = 16_384;

/// The frames of a head without a body: HEADERS, and CONTINUATION for the rest (RFC 9113, section 6.10).
fn http2_head(stream: u32, block: &[u8]) -> Vec<u8> {
    const END_STREAM: u8 = 0x1;
    const END_HEADERS: u8 = 0x4;
    let last = block.len().div_ceil(MAX_FRAME_BYTES) - 1;
    let frames = block.chunks(MAX_FRAME_BYTES).enumerate().map(|(at, piece)| {
        let (kind, flags) = if at == 0 { (1, END_STREAM) } else { (9, 0) };
        frame(kind, if at == last { flags | END_HEADERS } else { flags }, stream, piece)
    });
    frames.collect::<Vec<_>>().concat()
}

/// The head of a POST with a body of `length` bytes, and `sent` of those bytes in a frame.
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

/// A piece of a body other than the last.
pub fn http2_data(stream: u32, data: &[u8]) -> Vec<u8> {
    frame(0, 0, stream, data)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header without indexing, whose name is from the static table (RFC 7541, section 6.2.2).
fn literal(name: u8, value: &str) -> Vec<u8> {
    let mut bytes = if name < 15 { vec![name] } else { vec![15, name - 15] };
    bytes.extend(string(value));
    bytes
}

/// A string without Huffman coding (RFC 7541, sections 5.1 and 5.2).
fn string(text: &str) -> Vec<u8> {
    const PREFIX: usize = 127;
    let mut bytes = vec![u8::try_from(text.len().min(PREFIX)).unwrap()];
    if let Some(mut rest) = text.len().checked_sub(PREFIX) {
        while rest >= 128 {
            bytes.push(u8::try_from(rest % 128).unwrap() | 0x80);
            rest /= 128;
        }
        bytes.push(u8::try_from(rest).unwrap());
    }
    bytes.extend(text.as_bytes());
    bytes
}

/// The type of a frame with the head of an answer.
pub const HEADERS: u8 = 1;
/// The type of the first frame that a server sends.
pub const SETTINGS: u8 = 4;
/// The type of a frame that ends a connection.
pub const GOAWAY: u8 = 7;

/// The payload of the next frame of type `wanted`, or `None` if the connection ended before, in whatever way.
pub async fn http2_next(stream: &mut TcpStream, wanted: u8) -> Option<Vec<u8>> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, ..] = head;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap()];
        stream.read_exact(&mut payload).await.ok()?;
        if kind == wanted {
            return Some(payload);
        }
    }
}

/// The status of an answer whose head is the first one on its connection.
pub fn http2_status(head: &[u8]) -> u16 {
    // The static table (RFC 7541, appendix A) has these three. Any other status is sent in Huffman code.
    match head {
        [0x88, ..] => 200,
        [0x8c, ..] => 400,
        [0x8d, ..] => 404,
        [0x48, 0x83, 0x69, 0x90, 0xff, ..] => 431,
        _ => panic!("a status that no case expects: {head:02x?}"),
    }
}
