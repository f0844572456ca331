//! A TCP proxy in front of an engine, which injects faults and records every HTTP request that it receives.
//!
//! It uses threads and no runtime, so that tests of any runtime can use it. It reads HTTP/1.1 (RFC 9112) as far as
//! necessary: the heads of requests and responses, and the length of their bodies (`Content-Length` or chunked).

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Interval at which a waiting thread checks that the proxy still exists.
const LOOK: Duration = Duration::from_millis(20);

/// The fault that the proxy injects into connections and requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault: everything passes.
    Pass,
    /// Nothing listens: new connections are refused, and open ones are reset.
    Refuse,
    /// Connections are accepted and requests are read, but nothing is ever answered.
    Hang,
    /// Responses pass up to this many bytes, and then the connection is reset.
    ResetAfter(usize),
    /// Every request is answered with this status, and does not reach the engine.
    Answer(u16),
    /// Each response is delayed by this much, and then sent in pieces of 16 bytes, a millisecond apart.
    Slow(Duration),
    /// The response to a change is delayed by this much; everything else passes.
    SlowWrites(Duration),
    /// One write a second passes for each path. A further one is answered as by R2 (the limit of writes to one key,
    /// error 10058), and does not reach the engine.
    OneWriteASecond,
    /// The next request for a change (neither `GET` nor `HEAD`) takes effect, but its answer is not sent: the
    /// connection is reset. Everything passes afterwards.
    DropNextAnswer,
    /// In the listings of S3, objects and uploads whose keys contain this word appear to be from the year 2020.
    Ages(&'static str),
}

/// R2's answer to a second write of one key within a second (Cloudflare, R2 error codes, 10058).
const TOO_MANY_REQUESTS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>TooManyRequests</Code>\
    <Message>Reduce your concurrent request rate for the same object.</Message></Error>";

/// A request that the proxy received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The header `x-amz-target`: the operation of DynamoDB and SQS, e.g. `DynamoDB_20120810.GetItem`.
    pub target: Option<String>,
}

/// A proxy on a port of its own. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    /// The listener, or `None` while nothing listens.
    listening: Mutex<Option<Listening>>,
}

#[derive(Debug)]
struct Listening {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Shared {
    engine: SocketAddr,
    fault: Mutex<Fault>,
    seen: Mutex<Vec<Seen>>,
    /// Time of the last write to each path that [`Fault::OneWriteASecond`] let pass.
    written: Mutex<HashMap<String, Instant>>,
    connections: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A proxy in front of `engine`.
    pub fn to(engine: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            engine,
            fault: Mutex::new(Fault::Pass),
            seen: Mutex::default(),
            written: Mutex::default(),
            connections: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let listening = Mutex::new(Some(listen(listener, shared.clone())));
        Self { shared, port, listening }
    }

    /// The URL of the proxy.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Changes the fault for all connections, from the next request on. A fault that ends connections also ends the
    /// open ones.
    pub fn set(&self, fault: Fault) {
        *self.shared.fault.lock().expect("no thread panicked") = fault;
        let mut listening = self.listening.lock().expect("no thread panicked");
        if fault == Fault::Refuse {
            if let Some(listening) = listening.take() {
                listening.end();
            }
            self.shared.reset_all();
        } else if listening.is_none() {
            let listener = rebind(self.port);
            *listening = Some(listen(listener, self.shared.clone()));
        }
    }

    /// Returns the requests received since the last call, answered or not, in the order of their arrival.
    pub fn requests(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.shared.seen.lock().expect("no thread panicked"))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Ok(mut listening) = self.listening.lock()
            && let Some(listening) = listening.take()
        {
            listening.end();
        }
        self.shared.reset_all();
    }
}

impl Listening {
    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = self.thread.join();
    }
}

/// Binds the same port again. Reset connections leave nothing behind that would hold the port, but another process may
/// have it for a moment.
fn rebind(port: u16) -> TcpListener {
    for _ in 0..500 {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener;
        }
        std::thread::sleep(LOOK);
    }
    panic!("port {port} was taken meanwhile")
}

fn listen(listener: TcpListener, shared: Arc<Shared>) -> Listening {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    listener.set_nonblocking(true).expect("a listener can be asked");
    let thread = std::thread::spawn(move || {
        while !stopped.load(Ordering::SeqCst) {
            match listener.accept() {
                Ok((client, _)) => {
                    let shared = shared.clone();
                    if let Ok(kept) = client.try_clone() {
                        shared.connections.lock().expect("no thread panicked").push(kept);
                    }
                    std::thread::spawn(move || {
                        // A client that disconnects ends only its own connection.
                        let _ = client.set_nonblocking(false).and_then(|()| serve(&client, &shared));
                        shared.forget(&client);
                    });
                }
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    });
    Listening { thread, stop }
}

impl Shared {
    fn fault(&self) -> Fault {
        *self.fault.lock().expect("no thread panicked")
    }

    /// Returns `true` if a write to this path comes too soon after the last one.
    fn is_too_soon(&self, path: &str) -> bool {
        let path = path.split('?').next().unwrap_or_default().to_owned();
        let mut written = self.written.lock().expect("no thread panicked");
        let now = Instant::now();
        if written.get(&path).is_some_and(|last| now.duration_since(*last) < Duration::from_secs(1)) {
            return true;
        }
        written.insert(path, now);
        false
    }

    /// Drops the second handle of a connection that has ended.
    fn forget(&self, client: &TcpStream) {
        let Ok(peer) = client.peer_addr() else { return };
        let mut connections = self.connections.lock().expect("no thread panicked");
        connections.retain(|kept| kept.peer_addr().is_ok_and(|known| known != peer));
    }

    fn reset_all(&self) {
        for connection in std::mem::take(&mut *self.connections.lock().expect("no thread panicked")) {
            reset(&connection);
        }
    }
}

/// Ends a connection by RST: with a linger of zero, closing its last handle resets it. Its thread, which may be waiting
/// for a request, is told that none will come, and closes the connection.
fn reset(connection: &TcpStream) {
    if let Ok(handle) = connection.try_clone() {
        let _ = tokio::net::TcpSocket::from_std_stream(handle).set_zero_linger();
    }
    let _ = connection.shutdown(Shutdown::Read);
}

/// A head and the body that follows, as received.
struct Message {
    first: String,
    headers: Vec<(String, String)>,
    bytes: Vec<u8>,
}

impl Message {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn serve(client: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut requests = BufReader::new(client);
    // Connected on the first request that passes, so that an engine that is down ends the connection only then.
    let mut engine: Option<BufReader<TcpStream>> = None;
    while let Some(request) = read_message(&mut requests, client, None)? {
        let mut words = request.first.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let target = request.header("x-amz-target").map(str::to_owned);
        let seen = Seen { method: method.to_owned(), path: path.to_owned(), target };
        shared.seen.lock().expect("no thread panicked").push(seen);
        let fault = shared.fault();
        let is_write = method != "GET" && method != "HEAD";
        match fault {
            Fault::Refuse => return Ok(()),
            Fault::Hang => {
                // Until the client or the proxy goes away.
                let mut client = client;
                let _ = io::copy(&mut client, &mut io::sink());
                return Ok(());
            }
            Fault::Answer(status) => {
                let answer = format!("HTTP/1.1 {status} Injected\r\ncontent-length: 0\r\n\r\n");
                (&*client).write_all(answer.as_bytes())?;
                continue;
            }
            Fault::OneWriteASecond if is_write && shared.is_too_soon(path) => {
                let length = TOO_MANY_REQUESTS.len();
                let head = "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/xml";
                let answer = format!("{head}\r\ncontent-length: {length}\r\n\r\n{TOO_MANY_REQUESTS}");
                (&*client).write_all(answer.as_bytes())?;
                continue;
            }
            Fault::Pass
            | Fault::ResetAfter(_)
            | Fault::Slow(_)
            | Fault::SlowWrites(_)
            | Fault::OneWriteASecond
            | Fault::DropNextAnswer
            | Fault::Ages(_) => {}
        }
        let engine = match &mut engine {
            Some(engine) => engine,
            none => none.insert(BufReader::new(TcpStream::connect(shared.engine)?)),
        };
        engine.get_ref().write_all(&request.bytes)?;
        let response = read_message(engine, client, Some(method))?;
        let Some(mut response) = response else { return Ok(()) };
        let mut client = client;
        match fault {
            Fault::ResetAfter(bytes) => {
                client.write_all(&response.bytes[..bytes.min(response.bytes.len())])?;
                client.flush()?;
                reset(client);
                return Ok(());
            }
            Fault::DropNextAnswer if is_write => {
                *shared.fault.lock().expect("no thread panicked") = Fault::Pass;
                reset(client);
                return Ok(());
            }
            Fault::Slow(delay) => {
                std::thread::sleep(delay);
                for piece in response.bytes.chunks(16) {
                    client.write_all(piece)?;
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            Fault::SlowWrites(delay) if is_write => {
                std::thread::sleep(delay);
                client.write_all(&response.bytes)?;
            }
            Fault::Ages(word) if method == "GET" => {
                age(&mut response.bytes, word);
                client.write_all(&response.bytes)?;
            }
            _ => client.write_all(&response.bytes)?,
        }
        if response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            return Ok(());
        }
    }
    Ok(())
}

/// Replaces the year in the first date after each key that contains `word`. All years have the same length.
fn age(bytes: &mut [u8], word: &str) {
    let find = |bytes: &[u8], from: usize, what: &str| {
        bytes[from..].windows(what.len()).position(|window| window == what.as_bytes()).map(|at| from + at)
    };
    let mut from = 0;
    while let Some(key) = find(bytes, from, "<Key>") {
        from = find(bytes, key, "</Key>").unwrap_or(bytes.len());
        if find(&bytes[..from], key, word).is_none() {
            continue;
        }
        let dates = ["<LastModified>", "<Initiated>"];
        let dates = dates.iter().filter_map(|date| Some(find(bytes, from, date)? + date.len()));
        if let Some(year) = dates.min().and_then(|date| bytes.get_mut(date..date + 4)) {
            year.copy_from_slice(b"2020");
        }
    }
}

/// Reads a request, or the response to a request with the method `answers`. Returns `None` if the connection ended
/// before it. The proxy itself tells a client that expects a `100 Continue` to go on, so the engine gets head and body
/// at once.
fn read_message(
    input: &mut impl BufRead,
    client: &TcpStream,
    answers: Option<&str>,
) -> io::Result<Option<Message>> {
    loop {
        let mut bytes = Vec::new();
        let mut lines = Vec::new();
        loop {
            let start = bytes.len();
            if input.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(None);
            }
            let line = String::from_utf8_lossy(&bytes[start..]).trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let first = if lines.is_empty() { String::new() } else { lines.remove(0) };
        let headers = lines.iter().filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        let mut message = Message { first, headers, bytes };
        let status = message.first.split_whitespace().nth(1).and_then(|status| status.parse::<u16>().ok());
        // An interim response (RFC 9110, section 15.2), which the final one follows.
        if answers.is_some() && status.is_some_and(|status| status < 200) {
            continue;
        }
        if answers.is_none() && message.header("expect").is_some() {
            let mut client = client;
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let is_bodiless =
            answers == Some("HEAD") || status.is_some_and(|status| status == 204 || status == 304);
        if answers.is_none() || !is_bodiless {
            read_body(input, &mut message, answers.is_some())?;
        }
        return Ok(Some(message));
    }
}

fn read_body(input: &mut impl BufRead, message: &mut Message, is_response: bool) -> io::Result<()> {
    let chunked = message.header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
    let length = message.header("content-length").and_then(|value| value.parse::<u64>().ok());
    if chunked {
        loop {
            let start = message.bytes.len();
            input.read_until(b'\n', &mut message.bytes)?;
            let line = String::from_utf8_lossy(&message.bytes[start..]).into_owned();
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16).map_err(io::Error::other)?;
            if size == 0 {
                // Trailers, and the empty line.
                while input.read_until(b'\n', &mut message.bytes)? > 2 {}
                return Ok(());
            }
            input.take(size + 2).read_to_end(&mut message.bytes)?;
        }
    }
    match length {
        Some(length) => input.take(length).read_to_end(&mut message.bytes).map(drop),
        // A response of unknown length ends with its connection.
        None if is_response => input.read_to_end(&mut message.bytes).map(drop),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
