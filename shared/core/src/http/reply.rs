//! The parts of an answer.

use std::ops::Range;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::media_type::JSON_TYPE;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers, without a `Content-Length` that follows from the body.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// The body of an answer. A stored object is described, not held: the edge streams it past the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// No body.
    Empty,
    /// These bytes.
    Bytes(Bytes),
    /// The object that was asked for.
    Stored {
        /// `true` if the content coding must be removed.
        decode: bool,
        /// The range of bytes to send, after decoding, or `None` for all of them.
        range: Option<Range<u64>>,
    },
}

impl Reply {
    /// Returns an answer without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Body::Empty }
    }

    /// Returns a JSON answer that is made for this request, and is not cached.
    #[must_use]
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        let mut reply = Self { status, headers: HeaderMap::new(), body: Body::Bytes(body.into()) };
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_TYPE));
        reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply
    }

    /// Returns the answer with a header. A value that no header can have is left out.
    #[must_use]
    pub fn with(mut self, name: http::HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}
