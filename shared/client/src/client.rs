//! One call, and its answer.

use std::io::Read;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use ureq::{Agent, Body, SendBody};

use crate::answer::Answer;
use crate::error::CallError;
use crate::policy::Policy;

/// An HTTP client. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client(Agent);

/// An answer whose body has not been read yet.
#[derive(Debug)]
pub struct Unread(Response<Body>);

impl Client {
    /// Returns a client with this policy.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self(policy.config().new_agent())
    }

    pub(crate) const fn over(agent: Agent) -> Self {
        Self(agent)
    }

    /// Sends a request, and returns the first answer, which may be a redirection.
    ///
    /// # Errors
    /// Returns an error if there is no answer. An answer of any status is not an error.
    pub fn send(&self, request: Request<Option<Bytes>>) -> Result<Unread, CallError> {
        self.follow(request, 0)
    }

    /// Sends a request, and follows at most `redirections` redirections, wherever they lead and without the
    /// `Authorization`; one more is an error. This is for servers that the user has named, and for requests that change
    /// nothing, because a redirected change becomes a `GET`.
    ///
    /// # Errors
    /// Returns an error if there is no answer, or if there are too many redirections.
    pub fn follow(&self, request: Request<Option<Bytes>>, redirections: u32) -> Result<Unread, CallError> {
        let (parts, body) = request.into_parts();
        // A method that usually has a body is sent with `Content-Length: 0` (RFC 9110, section 8.6). The library would send
        // an empty body in chunks.
        let has_body = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
        let answer = match body.or_else(|| has_body.then(Bytes::new)) {
            None => {
                let request = self.0.configure_request(Request::from_parts(parts, ()));
                self.0.run(request.max_redirects(redirections).build())
            }
            Some(body) => {
                let request = self.0.configure_request(Request::from_parts(parts, &*body));
                self.0.run(request.max_redirects(redirections).build())
            }
        };
        Ok(Unread(answer?))
    }

    /// Sends a request with a body that is read while it is sent, and returns the first answer. `Content-Length` has to say
    /// how long the body is. With `Expect: 100-continue` (RFC 9110, section 10.1.1), a server that refuses the request can
    /// say so before the body is sent.
    ///
    /// # Errors
    /// Returns an error if there is no answer, or if `body` cannot be read or ends too early. An answer of any status is not
    /// an error.
    pub fn send_from(&self, request: Request<()>, body: &mut dyn Read) -> Result<Unread, CallError> {
        let (parts, ()) = request.into_parts();
        let request = Request::from_parts(parts, SendBody::from_reader(body));
        Ok(Unread(self.0.run(request)?))
    }
}

impl Unread {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// Reads the body, which may have at most `limit` bytes.
    ///
    /// # Errors
    /// Returns an error if the body is longer, or is cut off.
    pub fn read(self, limit: u64) -> Result<Answer, CallError> {
        let (parts, body) = self.0.into_parts();
        let body = body.into_with_config().limit(limit).read_to_vec()?;
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.into() })
    }

    /// Returns the body as it arrives. It ends with an error if it is cut off, and may be of any length.
    #[must_use]
    pub fn into_reader(self) -> impl Read + Send {
        self.0.into_body().into_reader()
    }

    /// Reads and discards at most `limit` bytes of the body, so that the connection can be reused if that was all of
    /// it. A body that cannot be read to its end costs the connection, and nothing more.
    pub fn discard(mut self, limit: u64) {
        let _ = self.0.body_mut().with_config().limit(limit).read_to_vec();
    }
}
