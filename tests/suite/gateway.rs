//! A server that is not CredLink and answers every request with 404 and a document of its own, like a gateway or a
//! wrong address.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// The document of every answer.
const DOCUMENT: &str = r#"{"message":"Not Found"}"#;

/// Listens on `address` until the tests end, and returns the actual address.
pub fn listen(address: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // A client that disconnects is not answered.
            thread::spawn(move || answer(connection).ok());
        }
    });
    address
}

/// Listens on a free port, and returns the URL with which its paths begin.
pub fn start() -> String {
    format!("http://{}", listen(SocketAddr::from(([127, 0, 0, 1], 0))))
}

fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    let mut request = BufReader::new(connection.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    request.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        request.read_line(&mut line)?;
        match line.trim_end().to_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    std::io::copy(&mut request.take(length), &mut std::io::sink())?;
    let body = if first.starts_with("HEAD") { "" } else { DOCUMENT };
    write!(
        connection,
        "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        DOCUMENT.len()
    )
}
