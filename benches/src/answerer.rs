//! The ceiling of clients of S3 and DynamoDB: a server that keeps objects in a map and lists them, and answers every
//! DynamoDB call with `{}`, except for the row of the store, without which nothing is stored.
//!
//! It is not an engine: it checks no signature, evaluates no condition of a table, and syncs nothing. It answers within
//! some tens of microseconds, so that the work of a client shows; beside a real engine's milliseconds it does not.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::error::Error;
use crate::report;

/// The path that returns the number of objects requested by GET.
pub const GETS: &str = "/-/gets";

/// The answer of S3 for an object that does not exist.
const NO_SUCH_KEY: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>NoSuchKey</Code>\
                           <Message>The specified key does not exist.</Message></Error>";
/// The answer of S3 to a write whose condition fails.
const PRECONDITION_FAILED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>PreconditionFailed</Code>\
                                   <Message>There is an object.</Message></Error>";

/// The key of the store's row, as written in a call.
const ROW: &str = "\"STORE\"";

/// Headers of a PUT that a later GET returns, besides `x-amz-meta-`.
const KEPT: [&str; 6] = [
    "content-type",
    "content-encoding",
    "cache-control",
    "x-amz-checksum-sha256",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc64nvme",
];

#[derive(Default)]
struct Objects {
    objects: Mutex<BTreeMap<String, (HeaderMap, Bytes)>>,
    gets: AtomicU64,
    /// The row of the store, as a DynamoDB item.
    row: Mutex<Option<Value>>,
}

/// Serves until the process is killed.
///
/// # Errors
/// Fails if the system does not allow it.
pub fn serve() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::io("starting a runtime"))?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::io("listening"))?;
        let address = listener.local_addr().map_err(Error::io("listening"))?;
        report::line(&serde_json::json!({ "url": format!("http://{address}") }));
        let objects = Arc::new(Objects::default());
        loop {
            let (stream, _) = listener.accept().await.map_err(Error::io("listening"))?;
            stream.set_nodelay(true).map_err(Error::io("listening"))?;
            let objects = Arc::clone(&objects);
            let service = service_fn(move |request| {
                let objects = Arc::clone(&objects);
                async move { Ok::<_, Infallible>(objects.answer(request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // The connection ends when its client disconnects.
            tokio::spawn(connection);
        }
    })
}

impl Objects {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return plain(StatusCode::BAD_REQUEST, ""),
        };
        let path = head.uri.path();
        let lock = || self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        match head.method {
            // Only DynamoDB uses POST here.
            Method::POST => {
                let mut answer = plain(StatusCode::OK, &self.row(&body).unwrap_or_else(|| "{}".to_owned()));
                let json = HeaderValue::from_static("application/x-amz-json-1.0");
                answer.headers_mut().insert(http::header::CONTENT_TYPE, json);
                answer
            }
            // A bucket is created, of which nothing needs to be kept.
            Method::PUT if is_bucket(path) => plain(StatusCode::OK, ""),
            Method::PUT => {
                let mut objects = lock();
                if head.headers.contains_key(http::header::IF_NONE_MATCH) && objects.contains_key(path) {
                    return plain(StatusCode::PRECONDITION_FAILED, PRECONDITION_FAILED);
                }
                // Computed as S3 does, because clients check what they sent against it.
                let etag = format!("\"{}\"", HEXLOWER.encode(&Md5::digest(&body)));
                let etag = HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"0\""));
                objects.insert(path.to_owned(), (kept(&head.headers, &etag), body));
                let mut answer = plain(StatusCode::OK, "");
                answer.headers_mut().insert(http::header::ETAG, etag);
                answer
            }
            _ if is_bucket(path) => listing(&lock(), path, head.uri.query().unwrap_or_default()),
            _ if path == GETS => plain(StatusCode::OK, &self.gets.load(Ordering::Relaxed).to_string()),
            _ => {
                self.gets.fetch_add(1, Ordering::Relaxed);
                let Some((headers, body)) = lock().get(path).cloned() else {
                    return plain(StatusCode::NOT_FOUND, NO_SUCH_KEY);
                };
                let mut answer = Response::new(Full::new(body));
                *answer.headers_mut() = headers;
                answer
            }
        }
    }
}

impl Objects {
    /// Answers a call about the row of the store, which is kept when written and returned when read.
    fn row(&self, body: &[u8]) -> Option<String> {
        if !body.windows(ROW.len()).any(|part| part == ROW.as_bytes()) {
            return None;
        }
        let call: Value = serde_json::from_slice(body).ok()?;
        let is_about_it = |call: &&Value| call["Key"]["pk"]["S"] == "STORE";
        let written = call["TransactItems"].as_array().into_iter().flatten().map(|item| &item["Update"]);
        let call = std::iter::once(&call).chain(written).find(is_about_it)?;
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(names) = call["ExpressionAttributeNames"].as_object() else {
            return row.as_ref().map(|row| json!({ "Item": row }).to_string());
        };
        // The first row stays: a process that created another one looks again, and sees the first.
        let is_first =
            call["ConditionExpression"].as_str().is_some_and(|condition| condition.contains("not_exists"));
        if is_first && row.is_some() {
            return None;
        }
        let mut item = call["Key"].clone();
        for (placeholder, name) in names {
            let value = &call["ExpressionAttributeValues"][placeholder.replace('#', ":")];
            if let (Some(name), false) = (name.as_str(), value.is_null()) {
                item[name] = value.clone();
            }
        }
        *row = Some(item);
        None
    }
}

fn is_bucket(path: &str) -> bool {
    !path.trim_matches('/').contains('/')
}

/// A page of `ListObjects` or `ListObjectsV2`, with unescaped keys: no key that is copied here has a character that XML
/// escapes.
fn listing(
    objects: &BTreeMap<String, (HeaderMap, Bytes)>,
    bucket: &str,
    query: &str,
) -> Response<Full<Bytes>> {
    let asked: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
    let text = |name: &str| asked.get(name).map(AsRef::as_ref).unwrap_or_default();
    let (prefix, delimiter) = (text("prefix"), text("delimiter"));
    let limit = text("max-keys").parse().unwrap_or(1_000).min(1_000);
    let root = format!("{}/", bucket.trim_end_matches('/'));
    let (mut contents, mut folders, mut count, mut next) = (String::new(), String::new(), 0, None);
    let mut last = format!("{root}{prefix}");
    let mut from = Bound::Included(last.clone());
    if let Some(token) = asked.get("continuation-token").or_else(|| asked.get("marker")) {
        last = format!("{root}{token}");
        from = Bound::Excluded(last.clone());
    }
    while let Some((path, (headers, body))) = objects.range((from, Bound::Unbounded)).next() {
        let Some(key) = path.strip_prefix(&root).filter(|key| key.starts_with(prefix)) else { break };
        if count == limit {
            next = last.strip_prefix(&root);
            break;
        }
        count += 1;
        let folder = key.get(prefix.len()..).and_then(|rest| rest.split_once(delimiter));
        last = match folder.filter(|_| !delimiter.is_empty()) {
            Some((name, _)) => {
                let folder = format!("{prefix}{name}{delimiter}");
                let _ = write!(folders, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>");
                format!("{root}{folder}\u{10ffff}")
            }
            None => {
                let etag = headers.get(http::header::ETAG).and_then(|etag| etag.to_str().ok());
                let _ = write!(
                    contents,
                    "<Contents><Key>{key}</Key><LastModified>2026-11-21T12:00:00.000Z</LastModified><ETag>{}</ETag>\
                     <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                    etag.unwrap_or_default().replace('"', "&quot;"),
                    body.len()
                );
                path.clone()
            }
        };
        from = Bound::Excluded(last.clone());
    }
    let token = next.map(|key| {
        format!("<NextContinuationToken>{key}</NextContinuationToken><NextMarker>{key}</NextMarker>")
    });
    let mut answer = plain(
        StatusCode::OK,
        &format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Prefix>{prefix}</Prefix><KeyCount>{count}</KeyCount>\
             <MaxKeys>{limit}</MaxKeys><IsTruncated>{}</IsTruncated>{}{contents}{folders}</ListBucketResult>",
            token.is_some(),
            token.unwrap_or_default()
        ),
    );
    answer.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    answer
}

fn kept(headers: &HeaderMap, etag: &HeaderValue) -> HeaderMap {
    let is_kept = |name: &HeaderName| {
        name.as_str().starts_with("x-amz-meta-") || KEPT.iter().any(|kept| name.as_str() == *kept)
    };
    let kept = headers.iter().filter(|(name, _)| is_kept(name));
    let mut kept: HeaderMap = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    kept.insert(http::header::ETAG, etag.clone());
    let modified = HeaderValue::from_static("Sat, 21 Nov 2026 12:00:00 GMT");
    kept.insert(http::header::LAST_MODIFIED, modified);
    kept
}

fn plain(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *answer.status_mut() = status;
    answer
}
