//! The requests of a load, and the answers to expect.

use std::ops::Range;

use bytes::Bytes;
use credlink_core::encoding::Coding;
use credlink_core::encoding::decode;
use credlink_core::hash::Digest;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, RANGE};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;

use crate::client::{Answer, Asked};
use crate::error::Error;
use crate::material::{MaterialKind, c2pa_manifest, json_manifest, manifest_id, proof_id};

/// One in this many reads is checked to the last byte. SHA-256 of 64 KB takes as long as a read, so more checks would
/// measure the client.
const SAMPLE: u64 = 64;

/// The part of a manifest that is read with `Range`: 4 KB, of which most are the thumbnail's last.
const PART: Range<usize> = 61_440..65_536;

/// A number of operations of one sort.
pub trait Work: Sync {
    /// The request of operation `number`.
    fn request(&self, number: u64) -> Asked;

    /// Checks the answer of operation `number`.
    ///
    /// # Errors
    /// Fails with a description of the fault.
    fn check(&self, number: u64, answer: &Answer) -> Result<(), String>;
}

/// Stores of new proofs, with bodies that are created before the clock starts.
#[derive(Debug)]
pub struct Stores {
    first: u64,
    bodies: Vec<Bytes>,
}

impl Stores {
    /// Stores of `count` proofs from number `first` on.
    #[must_use]
    pub fn new(kind: MaterialKind, first: u64, count: usize) -> Self {
        let numbers = first..first.saturating_add(count as u64);
        Self { first, bodies: numbers.map(|number| kind.body(number)).collect() }
    }
}

impl Work for Stores {
    fn request(&self, number: u64) -> Asked {
        let body =
            usize::try_from(number).ok().and_then(|at| self.bodies.get(at)).cloned().unwrap_or_default();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = Uri::from_static("/v1/proofs");
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request
    }

    fn check(&self, number: u64, answer: &Answer) -> Result<(), String> {
        status(answer, StatusCode::CREATED)?;
        let id = proof_id(self.first + number).to_string();
        let told = answer.body.windows(id.len()).any(|window| window == id.as_bytes());
        if told { Ok(()) } else { Err(format!("a store of {id} that is told of another proof")) }
    }
}

/// A read, and the answer that is known to be right.
#[derive(Debug, Clone)]
pub struct Item {
    uri: Uri,
    length: usize,
    sha256: Digest,
}

impl Item {
    /// A read of `path`, whose answer must be exactly `body`.
    ///
    /// # Errors
    /// Fails if `path` is not a path.
    pub fn new(path: &str, body: &[u8]) -> Result<Self, Error> {
        let uri = path.parse().map_err(|error| Error::wrong(path, error))?;
        Ok(Self { uri, length: body.len(), sha256: Digest::of(body) })
    }

    /// The length of the body.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }
}

/// Reads of some items, in turn.
#[derive(Debug)]
pub struct Reads {
    /// The items to read.
    pub items: Vec<Item>,
    /// The headers of each request.
    pub headers: HeaderMap,
    /// The status of each answer.
    pub status: StatusCode,
}

impl Reads {
    fn item(&self, number: u64) -> &Item {
        let count = self.items.len() as u64;
        &self.items[usize::try_from(number % count).unwrap_or(0)]
    }
}

impl Work for Reads {
    fn request(&self, number: u64) -> Asked {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = self.item(number).uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    fn check(&self, number: u64, answer: &Answer) -> Result<(), String> {
        status(answer, self.status)?;
        let item = self.item(number);
        if answer.body.len() != item.length {
            return Err(format!("{} has {} bytes, not {}", item.uri, answer.body.len(), item.length));
        }
        if number.is_multiple_of(SAMPLE) && Digest::of(&answer.body) != item.sha256 {
            return Err(format!("{} has other bytes than before", item.uri));
        }
        Ok(())
    }
}

/// The representation of a proof to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The record without a coding, for a client that does not accept gzip.
    Record,
    /// The record as stored.
    RecordGzip,
    /// The C2PA manifest, for a client that does not accept gzip.
    Manifest,
    /// The C2PA manifest, for a client that accepts gzip. It is the same.
    ManifestGzip,
    /// A part of the C2PA manifest.
    ManifestPart,
}

impl Wanted {
    /// The name of the representation in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record, 4 KB of JSON",
            Self::RecordGzip => "record, gzip accepted",
            Self::Manifest => "C2PA manifest, 66 KB",
            Self::ManifestGzip => "C2PA manifest, gzip accepted",
            Self::ManifestPart => "C2PA manifest, 4 KB of it",
        }
    }

    /// The path of the representation for proof `number`.
    #[must_use]
    pub fn path(self, number: u64) -> String {
        match self {
            Self::Record | Self::RecordGzip => format!("/proofs/{}", proof_id(number)),
            Self::Manifest | Self::ManifestGzip | Self::ManifestPart => {
                format!("/manifests/{}", manifest_id(number))
            }
        }
    }

    /// The headers of a request for the representation.
    #[must_use]
    pub fn headers(self) -> HeaderMap {
        let part = || HeaderValue::try_from(format!("bytes={}-{}", PART.start, PART.end - 1));
        HeaderMap::from_iter(match self {
            Self::Record | Self::Manifest => None,
            Self::RecordGzip | Self::ManifestGzip => {
                Some((ACCEPT_ENCODING, HeaderValue::from_static("gzip")))
            }
            Self::ManifestPart => part().ok().map(|part| (RANGE, part)),
        })
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Record | Self::RecordGzip | Self::Manifest | Self::ManifestGzip => StatusCode::OK,
            Self::ManifestPart => StatusCode::PARTIAL_CONTENT,
        }
    }

    /// The read of proof `number`, whose answer is `body` if that is what was stored.
    ///
    /// # Errors
    /// Fails if `body` is not what was stored.
    pub fn item(self, number: u64, answer: &Answer) -> Result<Item, Error> {
        let path = self.path(number);
        let wrong = |why: &dyn std::fmt::Display| Error::wrong(&path, why);
        status(answer, self.status()).map_err(|why| wrong(&why))?;
        let coding = (self == Self::RecordGzip).then_some(Coding::Gzip);
        let content = decode(&answer.body, coding, usize::MAX >> 1).map_err(|error| wrong(&error))?;
        let stored = match self {
            Self::Record | Self::RecordGzip => {
                let (manifest, id) = (json_manifest(number), proof_id(number).to_string());
                let text = String::from_utf8_lossy(&content);
                text.contains(&manifest) && text.contains(&id)
            }
            Self::Manifest | Self::ManifestGzip => *content == c2pa_manifest(number),
            Self::ManifestPart => c2pa_manifest(number).get(PART) == Some(&*content),
        };
        if stored { Item::new(&path, &answer.body) } else { Err(wrong(&"it is not what was stored")) }
    }
}

fn status(answer: &Answer, wanted: StatusCode) -> Result<(), String> {
    if answer.status == wanted {
        return Ok(());
    }
    let body: String = String::from_utf8_lossy(&answer.body).chars().take(500).collect();
    Err(format!("status {}, not {wanted}: {body}", answer.status))
}
