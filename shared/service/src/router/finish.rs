//! From a reply to a response: the bytes of its body, and the headers that every response has.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use credlink_core::http::cors;
use credlink_core::http::reply::Body;
use credlink_core::http::request_id::REQUEST_ID;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderValue, Method, Response};

use super::entry::Entry;
use super::{Fronted, MARK, PartOf, Streamed};
use crate::handler::{Answer, Source};

/// The version of the API.
const VERSION: HeaderValue = HeaderValue::from_static("1");

/// Ranges of at most this many bytes are copied, so that they do not keep the whole object in memory.
const COPIED_BYTES: usize = 65_536;

/// Turns an answer into a response, with the stored bytes that its reply describes and the headers that every response
/// has.
pub(super) fn finish(answer: Answer, request: &Parts, entry: &mut Entry) -> Response<Bytes> {
    let Answer { reply, source } = answer;
    let (mut part_of, mut streamed) = (None, None);
    let mut length = None;
    let bytes = match (reply.body, source) {
        (Body::Bytes(bytes), _) => bytes,
        (Body::Stored { decode, range }, Source::Object(object)) => {
            let whole = if decode { object.content() } else { object.stored().clone() };
            match range {
                None => whole,
                // The range was limited to the recorded length, which `Verified` has checked.
                Some(range) => {
                    let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(whole.len());
                    let part = whole.slice(position(range.start)..position(range.end));
                    if part.len() <= COPIED_BYTES {
                        Bytes::copy_from_slice(&part)
                    } else {
                        part_of = Some(PartOf(whole));
                        part
                    }
                }
            }
        }
        (Body::Stored { .. }, Source::Opened(content)) => {
            length = Some(content.length);
            streamed = Some(Streamed(Arc::new(Mutex::new(Some(content)))));
            Bytes::new()
        }
        (Body::Empty | Body::Stored { .. }, _) => Bytes::new(),
    };
    entry.bytes = length.unwrap_or(bytes.len() as u64);
    let mut response = Response::new(bytes);
    if let Some(whole) = part_of {
        response.extensions_mut().insert(whole);
    }
    if let Some(streamed) = streamed {
        response.extensions_mut().insert(streamed);
    }
    if let Some(manifest) = entry.fronted.take() {
        response.extensions_mut().insert(Fronted(manifest));
    }
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    let headers = response.headers_mut();
    cors::without_guessing(headers);
    headers.insert(MARK, VERSION);
    if entry.is_open {
        cors::open(headers);
    }
    if let Ok(id) = HeaderValue::from_str(&entry.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if request.method == Method::HEAD {
        // An answer to HEAD has the headers of the answer to GET, and no body (RFC 9110, section 9.3.2).
        let length = response.body().len();
        if length > 0 {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
            *response.body_mut() = Bytes::new();
        }
    }
    response
}
