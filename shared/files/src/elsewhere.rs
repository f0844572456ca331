//! The place to which readers are sent for the bytes of files, by a program that sends none itself: the answers of a Lambda
//! function have at most 6 MB, and cost more than those of a bucket.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use credlink_core::cache_policy::CachePolicy;
use credlink_core::file::{MediaName, MediaPath};
use credlink_core::http::reply::{Body, Reply};
use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::rules::delivery::Delivery;
use http::header::{CACHE_CONTROL, LOCATION, VARY};
use http::{HeaderMap, StatusCode, Uri};

use credlink_ports::Failure;

/// The future of an address.
pub type Addressing<'a> = Pin<Box<dyn Future<Output = Result<Address, Failure>> + Send + 'a>>;

/// A place that has the bytes of files.
pub trait Elsewhere: Debug + Send + Sync {
    /// Returns the address at which a reader gets the bytes that are wanted. It was decided before that the reader may have
    /// them.
    ///
    /// # Errors
    /// Fails if there is no address at the moment.
    fn address<'a>(&'a self, wanted: &'a Wanted) -> Addressing<'a>;
}

/// A part of a file that a reader may have.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The path, with the extension of the format that was chosen for the reader.
    pub path: MediaPath,
    /// The key of the object with the bytes.
    pub key: ObjectKey,
    /// `true` if everybody may have it, and keep it.
    pub is_public: bool,
    /// `true` if the request was made to the API's own path (`/v1/media/…`). The edge asks there for bytes that it lacks, so
    /// such a request is not redirected to the edge.
    pub is_for_the_edge: bool,
    /// `true` if the primary is known not to answer at the moment.
    pub primary_is_out: bool,
    /// `true` if the reader wants to save it rather than to show it.
    pub is_download: bool,
    /// The headers that the answer would have here.
    pub headers: HeaderMap,
}

/// An address to which a reader is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The URL.
    pub url: String,
    /// `true` if it is the same for every reader, and stays the same. Otherwise it is a credential.
    pub is_lasting: bool,
}

impl Wanted {
    /// Returns the part that a reader wants who asked for `path` with the request target `asked`, and would get `reply` here.
    /// The reader shows the part, and the primary answers, unless the caller says otherwise.
    pub(crate) fn of(path: &MediaPath, asked: &Uri, delivery: &Delivery, reply: &Reply) -> Self {
        let mut path = path.clone();
        if let (MediaName::Rendition(_, format), ObjectKey::Media(MediaKey::Rendition(_, name))) =
            (&mut path.name, &delivery.key)
        {
            *format = Some(name.format);
        }
        let is_public = delivery.cache != CachePolicy::Nothing;
        let is_for_the_edge = asked.path().starts_with("/v1/");
        let (key, headers) = (delivery.key.clone(), reply.headers.clone());
        Self { path, key, is_public, is_for_the_edge, primary_is_out: false, is_download: false, headers }
    }
}

impl Address {
    /// Returns the redirect to this address. The reader repeats method and range there. Conditions were decided here.
    pub(crate) fn reply(&self, varies: bool) -> Reply {
        // A redirect may be cached for as long as the record of a file.
        let caching = if self.is_lasting { "public, max-age=60" } else { "private, no-store" };
        let reply =
            Reply { status: StatusCode::TEMPORARY_REDIRECT, headers: HeaderMap::new(), body: Body::Empty };
        let reply = reply.with(LOCATION, &self.url).with(CACHE_CONTROL, caching);
        if varies { reply.with(VARY, "accept") } else { reply }
    }
}
