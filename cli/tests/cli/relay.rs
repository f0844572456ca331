//! A relay between the program and a server. It notes the requests, and can answer in the server's place, break connections
//! and hold requests back.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The treatment of a request.
pub enum Act {
    /// The request goes to the server, and the answer back.
    Pass,
    /// The client gets this answer: a status, headers and a body.
    Answer(String),
    /// The connection is closed after this many bytes of the body.
    Cut(usize),
    /// The request is never answered, while the relay lives.
    Hold,
}

type Decide = dyn Fn(&str) -> Act + Send + Sync;

struct Shared {
    server: Mutex<String>,
    requests: Mutex<Vec<String>>,
    decide: Mutex<Box<Decide>>,
    held: Mutex<Vec<TcpStream>>,
}

/// A relay on a port of its own.
pub struct Relay {
    shared: Arc<Shared>,
    url: String,
}

impl Relay {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            server: Mutex::default(),
            requests: Mutex::default(),
            decide: Mutex::new(Box::new(|_| Act::Pass)),
            held: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = Arc::clone(&accepting);
                // A connection that breaks is what some tests want.
                std::thread::spawn(move || drop(shared.relay(connection)));
            }
        });
        Self { shared, url }
    }

    /// The URL of the relay.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Names the server behind the relay.
    pub fn leads_to(&self, url: &str) {
        *self.shared.server.lock().unwrap() = url.trim_start_matches("http://").to_owned();
    }

    /// Decides what happens to each request from now on, by its first line.
    pub fn decides(&self, decide: impl Fn(&str) -> Act + Send + Sync + 'static) {
        *self.shared.decide.lock().unwrap() = Box::new(decide);
    }

    /// Lets all requests pass from now on, and forgets those that were noted.
    pub fn passes(&self) {
        self.decides(|_| Act::Pass);
        self.shared.requests.lock().unwrap().clear();
    }

    /// The first lines of the requests that came and contain `part`.
    pub fn requests(&self, part: &str) -> Vec<String> {
        let requests = self.shared.requests.lock().unwrap();
        requests.iter().filter(|request| request.contains(part)).cloned().collect()
    }
}

impl Shared {
    fn relay(&self, mut client: TcpStream) -> std::io::Result<()> {
        let (head, mut body) = read_head(&mut client)?;
        let first = head.lines().next().unwrap_or_default().to_owned();
        let named = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let length: usize =
            named("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
        assert!(named("transfer-encoding").is_none(), "the length of a body is always known: {head}");
        self.requests.lock().unwrap().push(first.clone());
        let act = (self.decide.lock().unwrap())(&first);
        if let Act::Answer(answer) = &act {
            // A client that asked first sends no body.
            if named("expect").is_none() {
                read_to(&mut client, &mut body, length)?;
            }
            return write!(client, "HTTP/1.1 {answer}");
        }
        if named("expect").is_some() {
            write!(client, "HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        match act {
            Act::Hold => {
                self.held.lock().unwrap().push(client);
                return Ok(());
            }
            Act::Cut(bytes) => {
                read_to(&mut client, &mut body, bytes.min(length))?;
                return client.shutdown(Shutdown::Both);
            }
            Act::Pass | Act::Answer(_) => {}
        }
        let mut server = TcpStream::connect(&*self.server.lock().unwrap())?;
        for line in head.lines().filter(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default();
            if !["expect", "connection"].iter().any(|hop| name.eq_ignore_ascii_case(hop)) {
                write!(server, "{line}\r\n")?;
            }
        }
        write!(server, "connection: close\r\n\r\n")?;
        server.write_all(&body)?;
        let mut left = (length - body.len()) as u64;
        let mut piece = [0; 65_536];
        while left > 0 {
            let read = client.read(&mut piece)?;
            if read == 0 {
                return Ok(());
            }
            server.write_all(&piece[..read])?;
            left -= read as u64;
        }
        std::io::copy(&mut server, &mut client)?;
        Ok(())
    }
}

/// Reads the head of a request, and the beginning of its body.
fn read_head(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 8_192]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
        match client.read(&mut piece)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// Reads a body until it has `length` bytes.
fn read_to(client: &mut TcpStream, body: &mut Vec<u8>, length: usize) -> std::io::Result<()> {
    let mut piece = [0; 65_536];
    while body.len() < length {
        match client.read(&mut piece)? {
            0 => break,
            read => body.extend_from_slice(&piece[..read]),
        }
    }
    Ok(())
}
