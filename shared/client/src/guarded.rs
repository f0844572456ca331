//! Redirections of a server that is not trusted.
//!
//! This process follows such redirections with its own access to the network. So only the objects that the caller names
//! are read elsewhere, without the credential, never over HTTP from HTTPS, and from a server on the internet only on
//! the internet: not on this machine, and not on a private network (OWASP, "Server-Side Request Forgery Prevention").

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::LOCATION;
use http::uri::Scheme;
use http::{Request, Uri};

use crate::client::{Client, Unread};
use crate::error::CallError;
use crate::network::{public_agent, watching_agent};
use crate::policy::Policy;

/// A client of one server, which may be on a private network or on the internet. Clones share their connections.
#[derive(Clone, Debug)]
pub struct GuardedClient {
    server: Client,
    /// The client for redirections of a server on a private network.
    within: Client,
    /// The client for redirections of a server on the internet; `None` if a proxy decides what can be reached.
    elsewhere: Option<Client>,
    /// `true` once the server was found at a public address.
    is_public: Arc<AtomicBool>,
}

impl GuardedClient {
    /// Returns a client with this policy.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let config = policy.config();
        let has_proxy = config.proxy().is_some();
        let is_public = Arc::new(AtomicBool::new(false));
        let elsewhere = (!has_proxy).then(|| Client::over(public_agent(config.clone())));
        let within = Client::over(config.clone().new_agent());
        let server =
            if has_proxy { within.clone() } else { Client::over(watching_agent(config, &is_public)) };
        Self { server, within, elsewhere, is_public }
    }

    /// Sends a request to the server, and returns its answer, which may be a redirection.
    ///
    /// # Errors
    /// Returns an error if there is no answer. An answer of any status is not an error.
    pub fn send(&self, request: Request<Option<Bytes>>) -> Result<Unread, CallError> {
        self.server.send(request)
    }

    /// Sends a request to the server, and follows redirections, the first of which drops the credential. A redirection
    /// that may not be followed, or exceeds the limit, is the answer.
    ///
    /// # Errors
    /// Returns an error if there is no answer, or if a server on the internet leads to a private network.
    pub fn follow(&self, request: Request<Option<Bytes>>, redirections: usize) -> Result<Unread, CallError> {
        let mut from = request.uri().clone();
        let mut answer = self.server.send(request)?;
        for _ in 0..redirections {
            let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let next = location.filter(|_| answer.status().is_redirection()).and_then(|to| next(&from, to));
            let Some(to) = next else { break };
            let client = match &self.elsewhere {
                Some(public) if self.is_public.load(Ordering::Relaxed) => public,
                _ => &self.within,
            };
            answer = client.send(Request::get(&to).body(None)?)?;
            from = to;
        }
        Ok(answer)
    }
}

/// Returns the address that an answer at `from` leads to, or `None` if it may not be followed.
fn next(from: &Uri, location: &str) -> Option<Uri> {
    let to: Uri = if location.starts_with('/') && !location.starts_with("//") {
        format!("{}://{}{location}", from.scheme()?, from.authority()?).parse().ok()?
    } else {
        location.parse().ok()?
    };
    let is_downgrade = from.scheme() == Some(&Scheme::HTTPS) && to.scheme() != Some(&Scheme::HTTPS);
    let is_http = [Scheme::HTTP, Scheme::HTTPS].iter().any(|scheme| to.scheme() == Some(scheme));
    (is_http && !is_downgrade && to.host().is_some()).then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_keeps_its_protection() {
        let from = |text: &str| text.parse::<Uri>().unwrap();
        let told = |base: &str, location: &str| next(&from(base), location).map(|to| to.to_string());
        assert_eq!(told("https://a.example/x", "/y?z"), Some("https://a.example/y?z".to_owned()));
        assert_eq!(told("https://a.example/x", "https://b.example/"), Some("https://b.example/".to_owned()));
        assert_eq!(told("http://a.example/x", "https://b.example/"), Some("https://b.example/".to_owned()));
        for refused in ["http://b.example/", "//b.example/", "file:///etc/passwd", "gopher://b.example/", "y"]
        {
            assert_eq!(told("https://a.example/x", refused), None, "{refused}");
        }
    }
}
