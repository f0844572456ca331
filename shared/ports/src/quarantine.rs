//! The port for the quarantine: the place to which clients send bytes directly, and that no reader reaches.

use std::future::Future;
use std::ops::Range;

use bytes::Bytes;
use credlink_core::row::UploadRow;
use credlink_core::rules::upload::{Found, Part};
use credlink_core::time::Timestamp;

use crate::Failure;

/// A request with which a client sends bytes, a `PUT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPut {
    /// The URL.
    pub url: String,
    /// The headers that the client has to send exactly like this, by their names in lower case. A browser sets
    /// `content-length` itself, from the body.
    pub headers: Vec<(&'static str, String)>,
    /// The time at which the request is refused. It may be earlier than asked for, where a credential ends earlier.
    pub expires: Timestamp,
}

/// The bytes of uploads, from the first that arrives until they are published or removed.
///
/// * **Exact.** A signed request writes exactly as many bytes as it was signed for, and none if something is already in
///   their place. A part may be sent again; the last whole one counts.
/// * **Whole.** Bytes are found once all of a request are durable. What breaks off leaves nothing that is found.
/// * **Apart.** Nothing that is read by [`Objects`](crate::Objects) is in quarantine.
pub trait Quarantine {
    /// Returns the name by which operators know the place.
    fn name(&self) -> &'static str;

    /// Returns the request that sends all bytes of `upload` at once, valid until `until` at the latest.
    fn sign_put(
        &self,
        upload: &UploadRow,
        until: Timestamp,
    ) -> impl Future<Output = Result<SignedPut, Failure>>;

    /// Begins a multipart upload, and returns the provider's ID for it. Two calls begin two: whoever loses the race to
    /// note the ID aborts his own ([`abort`](Self::abort)).
    fn begin(&self, upload: &UploadRow) -> impl Future<Output = Result<String, Failure>>;

    /// Returns the request that sends one part of `upload`, which has a multipart upload.
    fn sign_part(
        &self,
        upload: &UploadRow,
        part: &Part,
        until: Timestamp,
    ) -> impl Future<Output = Result<SignedPut, Failure>>;

    /// Returns what has arrived: the whole, or else the parts of its multipart upload.
    fn found(&self, upload: &UploadRow) -> impl Future<Output = Result<Found, Failure>>;

    /// Joins the parts, all of which have arrived. If they are joined already, nothing is done.
    fn join(&self, upload: &UploadRow) -> impl Future<Output = Result<(), Failure>>;

    /// Returns the bytes in `range` of the whole, or `None` if it is not there. The range lies within it.
    fn read(
        &self,
        upload: &UploadRow,
        range: Range<u64>,
    ) -> impl Future<Output = Result<Option<Bytes>, Failure>>;

    /// Aborts a multipart upload that was begun for `upload` and is not, or no longer, its own. If there is none, that
    /// is not a failure.
    fn abort(&self, upload: &UploadRow, multipart: &str) -> impl Future<Output = Result<(), Failure>>;

    /// Removes everything that has arrived for `upload`, and aborts its multipart upload. If there is nothing, that is
    /// not a failure.
    fn remove(&self, upload: &UploadRow) -> impl Future<Output = Result<(), Failure>>;
}
