//! The requests to the edge, and the answers to expect.

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::ObjectKey;
use http::header::{ACCEPT_ENCODING, HOST, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;

use crate::client::{Answer, Asked};
use crate::edge::backing::{COLD, WARM};
use crate::edge::objects::{COUNT, Stored};
use crate::error::Error;
use crate::work::Work;

/// One in this many answers is checked to the last byte.
const SAMPLE: u64 = 64;

/// Requests of one sort, each for another object.
#[derive(Debug)]
pub struct Case {
    /// The name of the case in tables.
    pub name: &'static str,
    /// Set if the answer must come from the cache.
    pub hit: bool,
    method: Method,
    status: StatusCode,
    asks: Vec<Ask>,
}

#[derive(Debug)]
struct Ask {
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    sha256: Digest,
}

/// The way in which an object is requested.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Options,
    Gzip,
    Identity,
    Unchanged,
}

/// All cases over these objects.
///
/// # Errors
/// Fails if the key of an object is invalid.
pub fn all(objects: &[Stored]) -> Result<Vec<Case>, Error> {
    let count = usize::try_from(COUNT).unwrap_or(usize::MAX);
    let [records, small, large] = [0, 1, 2].map(|kind| &objects[kind * count..(kind + 1) * count]);
    [
        ("`OPTIONS`", WARM, How::Options, records),
        ("manifest of 4 KB, from R2", COLD, How::Identity, small),
        ("record of 4 KB, from R2, gzip accepted", COLD, How::Gzip, records),
        ("manifest of 4 KB, a hit", WARM, How::Identity, small),
        ("record of 4 KB, a hit, gzip accepted", WARM, How::Gzip, records),
        ("record of 4 KB, a hit, gunzip", WARM, How::Identity, records),
        ("record of 4 KB, a hit, 304", WARM, How::Unchanged, records),
        ("manifest of 1 MB, a hit", WARM, How::Identity, large),
        ("manifest of 1 MB, from R2", COLD, How::Identity, large),
    ]
    .into_iter()
    .map(|(name, host, how, objects)| {
        let asks = objects.iter().map(|object| ask(host, how, object)).collect::<Result<_, Error>>()?;
        let (method, status) = match how {
            How::Options => (Method::OPTIONS, StatusCode::NO_CONTENT),
            How::Gzip | How::Identity => (Method::GET, StatusCode::OK),
            How::Unchanged => (Method::GET, StatusCode::NOT_MODIFIED),
        };
        Ok(Case { name, hit: host == WARM && how != How::Options, method, status, asks })
    })
    .collect()
}

fn ask(host: &'static str, how: How, object: &Stored) -> Result<Ask, Error> {
    let key: ObjectKey = object.key.parse().map_err(|error| Error::wrong("a key", error))?;
    let path = credlink_core::link::path(&key);
    let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
    let body = match how {
        How::Options | How::Unchanged => Bytes::new(),
        How::Gzip => object.body.clone(),
        How::Identity => object.content.clone(),
    };
    if how == How::Gzip {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if how == How::Unchanged {
        let tag = format!("\"{}\"", Digest::of(&object.content));
        headers.insert(IF_NONE_MATCH, tag.try_into().map_err(|error| Error::wrong("a tag", error))?);
    }
    let uri = path.parse().map_err(|error| Error::wrong(&path, error))?;
    Ok(Ask { uri, headers, sha256: Digest::of(&body), body })
}

impl Case {
    /// The number of different requests.
    #[must_use]
    pub const fn variety(&self) -> u64 {
        self.asks.len() as u64
    }

    /// The approximate length of a body, in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.asks.first().map_or(0, |ask| ask.body.len())
    }

    fn ask(&self, number: u64) -> &Ask {
        &self.asks[usize::try_from(number % self.variety()).unwrap_or(0)]
    }

    fn wrong(&self, number: u64, answer: &Answer, is_right: impl FnOnce(&Ask) -> bool) -> Result<(), String> {
        let ask = self.ask(number);
        if answer.status == self.status && answer.body.len() == ask.body.len() && is_right(ask) {
            return Ok(());
        }
        let (status, length) = (answer.status, answer.body.len());
        Err(format!("{}: {} was answered with {status} and {length} bytes", self.name, ask.uri))
    }

    /// Checks an answer to the last byte.
    ///
    /// # Errors
    /// Fails with a description of the fault.
    pub fn check_all(&self, number: u64, answer: &Answer) -> Result<(), String> {
        self.wrong(number, answer, |ask| answer.body == ask.body)
    }
}

impl Work for Case {
    fn request(&self, number: u64) -> Asked {
        let ask = self.ask(number);
        let mut request = Request::new(Full::default());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = ask.uri.clone();
        *request.headers_mut() = ask.headers.clone();
        request
    }

    fn check(&self, number: u64, answer: &Answer) -> Result<(), String> {
        let is_sample = number.is_multiple_of(SAMPLE);
        self.wrong(number, answer, |ask| !is_sample || Digest::of(&answer.body) == ask.sha256)
    }
}
