//! A client that has nothing but a signed address.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use credlink_ports::SignedPut;

/// An HTTP client, which keeps its connections.
#[derive(Clone, Debug)]
pub struct Client(ureq::Agent);

impl Client {
    pub fn new() -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self(config.build().new_agent())
    }

    /// Sends a body to an address, and returns the status.
    pub async fn put(&self, to: &SignedPut, body: Vec<u8>) -> u16 {
        self.put_with(to, &[], body).await
    }

    /// Sends a body with the headers of its address, except for those in `others`, which have other values, or are left
    /// out if they are empty. The length is that of the body: a browser says no other.
    pub async fn put_with(
        &self,
        to: &SignedPut,
        others: &[(&'static str, &'static str)],
        body: Vec<u8>,
    ) -> u16 {
        let mut request = http::Request::put(&to.url);
        for (name, value) in &to.headers {
            let value = match others.iter().find(|(other, _)| other == name) {
                Some((_, "")) => continue,
                Some((_, other)) => *other,
                None => value.as_str(),
            };
            if *name != "content-length" {
                request = request.header(*name, value);
            }
        }
        let (agent, request) = (self.0.clone(), request.body(body).unwrap());
        let run = move || {
            let mut answer = agent.run(request).unwrap();
            // The connection is used again only once the answer is read.
            answer.body_mut().read_to_vec().unwrap();
            answer.status().as_u16()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }
}

/// Returns `true` for the statuses with which a provider refuses bytes that it will never take.
pub fn is_refused(status: u16) -> bool {
    matches!(status, 400 | 403 | 404 | 409 | 412)
}

/// Sends the head of a request and the first bytes of its body, and then closes the connection.
pub async fn break_off(to: &SignedPut, sent: &[u8]) {
    raw(to, sent.to_vec()).await;
}

/// Sends a whole request, and `more` bytes after its end.
pub async fn pour(to: &SignedPut, body: &[u8], more: &[u8]) {
    raw(to, [body, more].concat()).await;
}

async fn raw(to: &SignedPut, bytes: Vec<u8>) {
    let url: http::Uri = to.url.parse().unwrap();
    let authority = url.authority().unwrap().to_string();
    let target = url.path_and_query().unwrap().to_string();
    let headers: String = to.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("PUT {target} HTTP/1.1\r\nhost: {authority}\r\n{headers}\r\n");
    let run = move || {
        let mut stream = TcpStream::connect(authority).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // The server may have answered and closed the connection.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        // Its answer, or the end of the connection, says that it has noticed.
        let _ = stream.read_to_end(&mut Vec::new());
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}
