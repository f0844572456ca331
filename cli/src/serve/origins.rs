//! The pages of other origins that may use the API: those that the operator lists, and for a signed address all.

use bytes::Bytes;
use credlink_core::http::cors::{self, Origin};
use http::request::Parts;
use http::{HeaderMap, Response};

/// The origins that the operator lists.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<Origin>);

impl Origins {
    /// Creates the list.
    pub fn new(origins: Vec<Origin>) -> Self {
        Self(origins)
    }

    /// Returns the origin of the page that made a request, if it is listed.
    pub fn of(&self, headers: &HeaderMap) -> Option<&Origin> {
        self.0.iter().find(|origin| origin.made(headers))
    }

    /// Lets a page read the answer to its request, if it may.
    pub fn share(&self, head: &Parts, response: &mut Response<Bytes>) {
        match self.of(&head.headers) {
            Some(origin) => cors::open_to(origin, response.headers_mut()),
            None if is_address(head.uri.path()) => cors::open_address(response.headers_mut()),
            None => {}
        }
    }
}

/// Returns `true` if requests to a path have a signature as their only credential: they send the bytes of an upload.
fn is_address(path: &str) -> bool {
    path.strip_prefix("/v1/uploads/").is_some_and(|rest| rest.ends_with("/bytes"))
}
