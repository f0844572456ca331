//! The backing services of the edge, R2 and the Cache API as workerd calls them, in memory and in a process of their
//! own.
//!
//! workerd turns a call of its R2 binding into a request with the header `cf-r2-request` (JSON), and a call of the
//! Cache API into GET, PUT or PURGE of the entry's URL; miniflare's `workers/r2` and `workers/cache` are the reference
//! for both. Only the operations of the measured paths are supported: `get` of R2 without conditions or ranges, and
//! cache entries that never expire.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::edge::objects::{Stored, all};
use crate::error::Error;
use crate::report;

/// A host whose entries are never kept, so that every read goes to R2.
pub const COLD: &str = "cold.example.com";
/// A host whose entries are kept.
pub const WARM: &str = "warm.example.com";

const R2_REQUEST: &str = "cf-r2-request";
const R2_METADATA_SIZE: HeaderName = HeaderName::from_static("cf-r2-metadata-size");
const R2_ERROR: HeaderName = HeaderName::from_static("cf-r2-error");
const CACHE_STATUS: HeaderName = HeaderName::from_static("cf-cache-status");

/// The answer of R2 for an object that does not exist.
const NO_SUCH_KEY: &str = r#"{"message":"The specified key does not exist.","version":1,"v4code":10007}"#;

struct Backing {
    /// Answers to `get`: metadata and bytes, with the length of the metadata.
    objects: HashMap<String, (usize, Bytes)>,
    /// Entries of the Cache API, by host and path.
    entries: Mutex<HashMap<String, (HeaderMap, Bytes)>>,
}

/// Serves until the process is killed.
///
/// # Errors
/// Fails if the system does not allow it, or if an object cannot be created.
pub fn serve() -> Result<(), Error> {
    let objects = all()?.iter().map(|object| (object.key.clone(), got(object))).collect();
    let backing = Arc::new(Backing { objects, entries: Mutex::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::io("starting a runtime"))?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::io("listening"))?;
        let address = listener.local_addr().map_err(Error::io("listening"))?;
        report::line(&json!({ "url": format!("http://{address}") }));
        loop {
            let (stream, _) = listener.accept().await.map_err(Error::io("listening"))?;
            stream.set_nodelay(true).map_err(Error::io("listening"))?;
            let backing = Arc::clone(&backing);
            let service = service_fn(move |request| {
                let backing = Arc::clone(&backing);
                async move { Ok::<_, Infallible>(backing.answer(request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // The connection ends when its client disconnects.
            tokio::spawn(connection);
        }
    })
}

/// The answer to `get` of an object, and the length of its metadata.
fn got(Stored { key, body, attributes, .. }: &Stored) -> (usize, Bytes) {
    let fields: Vec<Value> = attributes.metadata.iter().map(|(k, v)| json!({ "k": k, "v": v })).collect();
    let metadata = json!({
        "name": key,
        "version": "0123456789abcdef0123456789abcdef",
        "size": body.len(),
        "etag": "0123456789abcdef0123456789abcdef",
        "uploaded": 1_795_262_400_000_u64,
        "httpFields": {
            "contentType": attributes.content_type,
            "contentEncoding": attributes.content_encoding,
            "cacheControl": attributes.cache_control,
        },
        "customFields": fields,
        "range": { "offset": 0, "length": body.len() },
        "checksums": { "0": "0123456789abcdef0123456789abcdef" },
    });
    let metadata = metadata.to_string();
    (metadata.len(), [metadata.as_bytes(), body].concat().into())
}

impl Backing {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return empty(StatusCode::BAD_REQUEST) };
        if let Some(asked) = head.headers.get(R2_REQUEST) {
            return self.r2(asked.as_bytes());
        }
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let key = format!("{host}{}", head.uri);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        match head.method.as_str() {
            "GET" => entries.get(&key).map_or_else(missed, |(headers, body)| {
                let mut answer = Response::new(Full::new(body.clone()));
                *answer.headers_mut() = headers.clone();
                answer
            }),
            "PUT" if host == COLD => empty(StatusCode::NO_CONTENT),
            "PUT" => match entry(&body.to_bytes()) {
                Some(entry) => {
                    entries.insert(key, entry);
                    empty(StatusCode::NO_CONTENT)
                }
                None => empty(StatusCode::BAD_REQUEST),
            },
            "PURGE" if entries.remove(&key).is_some() => empty(StatusCode::OK),
            "PURGE" => empty(StatusCode::NOT_FOUND),
            _ => empty(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    fn r2(&self, asked: &[u8]) -> Response<Full<Bytes>> {
        let asked: Value = serde_json::from_slice(asked).unwrap_or_default();
        let object = asked["object"].as_str().and_then(|key| self.objects.get(key));
        match (asked["method"].as_str(), object) {
            (Some("get"), Some((metadata, body))) => {
                let mut answer = Response::new(Full::new(body.clone()));
                answer.headers_mut().insert(R2_METADATA_SIZE, (*metadata).into());
                answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                answer
            }
            (Some("get"), None) => {
                let mut answer = empty(StatusCode::NOT_FOUND);
                answer.headers_mut().insert(R2_ERROR, HeaderValue::from_static(NO_SUCH_KEY));
                answer
            }
            _ => empty(StatusCode::NOT_IMPLEMENTED),
        }
    }
}

/// Reads what the Cache API puts: a response in the form of HTTP/1.1, in the body of the request.
fn entry(put: &Bytes) -> Option<(HeaderMap, Bytes)> {
    let end = put.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&put[..end]).ok()?;
    let fields = head.split("\r\n").skip(1).map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.parse::<HeaderName>().ok()?, value.trim().parse::<HeaderValue>().ok()?))
    });
    let mut headers = fields.collect::<Option<HeaderMap>>()?;
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CACHE_STATUS, HeaderValue::from_static("HIT"));
    Some((headers, put.slice(end + 4..)))
}

fn missed() -> Response<Full<Bytes>> {
    let mut answer = empty(StatusCode::GATEWAY_TIMEOUT);
    answer.headers_mut().insert(CACHE_STATUS, HeaderValue::from_static("MISS"));
    answer
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_what_was_put() {
        let put =
            Bytes::from_static(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nx-checked: 7\r\n\r\na\r\n\r\nb");
        let (headers, body) = entry(&put).unwrap();
        assert_eq!(
            (&headers["content-type"], &headers["x-checked"]),
            (&"a/b".parse().unwrap(), &"7".parse().unwrap())
        );
        assert_eq!(body, "a\r\n\r\nb");
        assert!(entry(&Bytes::from_static(b"HTTP/1.1 200 OK\r\n")).is_none());
    }

    #[test]
    fn r2_tells_metadata_from_bytes() {
        let object = &all().unwrap()[0];
        let (metadata, answer) = got(object);
        let told: Value = serde_json::from_slice(&answer[..metadata]).unwrap();
        assert_eq!((told["name"].as_str(), &answer[metadata..]), (Some(&*object.key), &*object.body));
    }
}
