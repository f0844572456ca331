//! Problem documents (RFC 9457), the only form of error that clients see. [`Received`] is such a document as a client
//! reads it.

mod received;

use std::collections::BTreeMap;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::reply::{Body, Reply};
use crate::time::Timestamp;

pub use received::Received;

/// The media type `application/problem+json`.
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// Declares the kinds of problem: name, status, slug and title in one place.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident, $status:ident, $slug:literal, $title:literal;)+) => {
        /// The kind of a problem. Its slug ends the stable `type` URI.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemKind { $($(#[$doc])* $name,)+ }

        impl ProblemKind {
            /// All kinds, in the order of their status.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the status of this kind.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// Returns the last part of this kind's `type`.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)+ }
            }

            /// Returns the title of this kind.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

kinds! {
    /// The request cannot be read.
    InvalidRequest, BAD_REQUEST, "invalid-request", "The request cannot be read";
    /// A field, parameter, header or part of the path is not valid.
    InvalidField, BAD_REQUEST, "invalid-field", "A part of the request is invalid";
    /// The manifest cannot be read.
    InvalidManifest, BAD_REQUEST, "invalid-manifest", "The manifest cannot be read";
    /// The credential is missing or not accepted.
    Unauthenticated, UNAUTHORIZED, "unauthenticated", "A valid credential is needed";
    /// The credential does not allow this.
    InsufficientScope, FORBIDDEN, "insufficient-scope", "The credential does not allow this";
    /// The source of a migration is not on the operator's list.
    SourceNotListed, FORBIDDEN, "source-not-listed", "The operator has not listed this source";
    /// The object belongs to another tenant.
    OtherTenant, FORBIDDEN, "other-tenant", "This belongs to another tenant";
    /// The file belongs to another owner of the tenant.
    OtherOwner, FORBIDDEN, "other-owner", "This belongs to another owner";
    /// The signed link was tampered with, or has expired.
    InvalidLink, FORBIDDEN, "invalid-link", "The signed link is not valid";
    /// The server asks for no credential, and the request does not come from its own machine.
    NotThisMachine, FORBIDDEN, "not-this-machine", "Only this machine may ask for this";
    /// Nothing is there, and nothing is known to have been.
    NotFound, NOT_FOUND, "not-found", "There is nothing here";
    /// The path does not exist.
    NoSuchRoute, NOT_FOUND, "no-such-route", "There is no such path";
    /// The path exists, but does not take this method.
    MethodNotAllowed, METHOD_NOT_ALLOWED, "method-not-allowed", "This path does not allow this method";
    /// Other content is stored under the manifest ID (guarantee 6).
    ManifestConflict, CONFLICT, "manifest-conflict", "This manifest id has another content already";
    /// The legacy ID leads to another proof, or is another tenant's.
    AliasConflict, CONFLICT, "alias-conflict", "This legacy id is taken";
    /// The manifest cannot be deleted by itself, because proofs refer to it.
    ManifestHeld, CONFLICT, "manifest-held", "Proofs hold this manifest";
    /// The manifest is stored with another visibility.
    VisibilityConflict, CONFLICT, "visibility-conflict", "This manifest is stored with another visibility";
    /// The proof has no room for further revisions.
    TooManyRevisions, CONFLICT, "too-many-revisions", "The proof has as many revisions as it may have";
    /// The job moves something other than what is asked for, or has not ended.
    JobConflict, CONFLICT, "job-conflict", "The job does not allow this";
    /// The list of an entity has as many files as the collection allows.
    ListFull, CONFLICT, "list-full", "The list is full";
    /// The file cannot be in this list, or is not.
    ListConflict, CONFLICT, "list-conflict", "The list does not allow this";
    /// Bytes of the upload are missing.
    UploadIncomplete, CONFLICT, "upload-incomplete", "Bytes of the upload are missing";
    /// The upload has ended, or goes on by itself.
    UploadConflict, CONFLICT, "upload-conflict", "The upload does not allow this";
    /// Other requests keep changing the same thing.
    Contended, CONFLICT, "contended", "Others are changing the same proof";
    /// The object was deleted.
    Deleted, GONE, "deleted", "This was deleted";
    /// The object has expired.
    Expired, GONE, "expired", "This has expired";
    /// The client speaks another version of a protocol.
    UnsupportedVersion, PRECONDITION_FAILED, "unsupported-version", "This version of the protocol is not supported";
    /// `If-Match` does not hold.
    PreconditionFailed, PRECONDITION_FAILED, "precondition-failed", "It has changed since";
    /// The request has more bytes than the bound.
    TooLarge, PAYLOAD_TOO_LARGE, "too-large", "The request is too large";
    /// The request target is longer than the bound.
    TargetTooLong, URI_TOO_LONG, "target-too-long", "The path and query are too long";
    /// The content type or content coding is not accepted here.
    UnsupportedMediaType, UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "This content is not accepted here";
    /// The range lies beyond the end.
    RangeNotSatisfiable, RANGE_NOT_SATISFIABLE, "range-not-satisfiable", "The range lies beyond the end";
    /// The server does not answer for the host that the request names.
    Misdirected, MISDIRECTED_REQUEST, "misdirected", "This server does not answer for that host";
    /// The manifest binds another file.
    BindingMismatch, UNPROCESSABLE_ENTITY, "binding-mismatch", "The manifest belongs to another file";
    /// Another request is sending bytes of the upload.
    UploadLocked, LOCKED, "upload-locked", "Another request is sending this upload";
    /// `If-Match` is missing.
    PreconditionRequired, PRECONDITION_REQUIRED, "precondition-required", "An If-Match header is needed";
    /// The client asks for more than its share.
    TooManyRequests, TOO_MANY_REQUESTS, "too-many-requests", "This client asks too often";
    /// The service failed.
    Internal, INTERNAL_SERVER_ERROR, "internal", "Something went wrong here";
    /// Something that this request needs is not configured here.
    NotConfigured, NOT_IMPLEMENTED, "not-configured", "This is not set up here";
    /// The object at a provider is not what was stored. It is never served.
    Damaged, BAD_GATEWAY, "damaged", "The stored content is damaged";
    /// A provider is out of reach.
    Unavailable, SERVICE_UNAVAILABLE, "unavailable", "The store is out of reach for the moment";
    /// There is no room for more requests at the moment.
    Busy, SERVICE_UNAVAILABLE, "busy", "There is no room for this at the moment";
    /// Index, store and clock do not fit together, and an operator must look.
    Stopped, SERVICE_UNAVAILABLE, "stopped", "This is stopped until an operator intervenes";
    /// The tenant or the owner has no room left in its quota.
    QuotaExceeded, INSUFFICIENT_STORAGE, "quota-exceeded", "The quota has no room for this";
}

/// The part of `type` before the slug. It is a URN: it identifies the kind, and does not promise a page.
pub const TYPE_PREFIX: &str = "urn:credlink:problem:";

/// The member of a [`ProblemKind::Deleted`] that holds the instant of the deletion, as RFC 3339 writes it.
pub const DELETED_MEMBER: &str = "deleted";

/// A problem: the answer to a client that does not get what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The kind.
    pub kind: ProblemKind,
    /// The fault in this request and what is allowed, in words.
    pub detail: String,
    /// The field, parameter, header or path segment that is wrong.
    pub field: Option<String>,
    /// Further members.
    pub members: BTreeMap<&'static str, Value>,
    /// Headers that accompany the document.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// The JSON document that is sent.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Document<'a> {
    /// The kind of problem: `urn:credlink:problem:` and its slug. Stable.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem, in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The fault in this request, and what is allowed.
    detail: &'a str,
    /// The part of the request that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// The ID of the request, as it appears in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// Further members, by kind.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    members: &'a BTreeMap<&'static str, Value>,
}

impl Problem {
    /// Returns a problem of this kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), field: None, members: BTreeMap::new(), headers: Vec::new() }
    }

    /// Returns the problem of a field, parameter, header or path segment that is not valid.
    pub fn field(field: &str, detail: impl std::fmt::Display) -> Self {
        Self::new(ProblemKind::InvalidField, format!("`{field}`: {detail}")).at(field)
    }

    /// Returns the problem with the part of the request that is wrong.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// Returns the problem with a further member.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.insert(name, value.into());
        self
    }

    /// Adds a `Retry-After` of so many seconds (RFC 9110, section 10.2.3).
    #[must_use]
    pub fn again_in(self, seconds: u32) -> Self {
        self.header(RETRY_AFTER, &seconds.to_string())
    }

    fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    /// Returns the problem of a path without this method (RFC 9110, section 15.5.6: `Allow` is required).
    #[must_use]
    pub fn method_not_allowed(method: &str, allow: &'static str) -> Self {
        Self::new(
            ProblemKind::MethodNotAllowed,
            format!("{method} is not allowed here; this path allows {allow}"),
        )
        .header(ALLOW, allow)
    }

    /// Returns the problem of a missing or bad credential (RFC 6750, section 3).
    #[must_use]
    pub fn unauthenticated(error: Option<&str>) -> Self {
        let (detail, challenge) = match error {
            None => ("this needs an `Authorization: Bearer` header", "Bearer realm=\"credlink\"".to_owned()),
            Some(error) => (error, "Bearer realm=\"credlink\", error=\"invalid_token\"".to_owned()),
        };
        Self::new(ProblemKind::Unauthenticated, detail)
            .at("authorization")
            .header(WWW_AUTHENTICATE, &challenge)
    }

    /// Returns the problem of a credential without `scope` (RFC 6750, section 3.1).
    #[must_use]
    pub fn insufficient_scope(scope: crate::access::Scope) -> Self {
        Self::new(ProblemKind::InsufficientScope, format!("this needs the scope `{scope}`"))
            .with("scope", scope.to_string())
            .header(WWW_AUTHENTICATE, &format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""))
    }

    /// Returns the problem of an object that was deleted at this instant.
    #[must_use]
    pub fn deleted(at: Timestamp) -> Self {
        Self::new(ProblemKind::Deleted, format!("this was deleted on {at}"))
            .with(DELETED_MEMBER, at.to_string())
    }

    /// Returns the problem of a request with more bytes than the bound.
    #[must_use]
    pub fn too_large(what: &str, limit: usize) -> Self {
        Self::new(ProblemKind::TooLarge, format!("{what} may have {limit} bytes; this has more"))
            .with("limit", limit)
    }

    /// Returns the problem of a range beyond the end (RFC 9110, section 15.5.17: `Content-Range` gives the length).
    #[must_use]
    pub fn range_not_satisfiable(length: u64) -> Self {
        Self::new(ProblemKind::RangeNotSatisfiable, format!("`range`: the content has {length} bytes"))
            .at("range")
            .header(CONTENT_RANGE, &format!("bytes */{length}"))
    }

    /// Returns the problem of a provider that is out of reach. The client shall try again after `seconds`.
    #[must_use]
    pub fn unavailable(seconds: u32) -> Self {
        Self::new(ProblemKind::Unavailable, format!("nothing is lost; try again in {seconds} s"))
            .again_in(seconds)
    }

    /// Returns the problem of a service with no room for more requests. The client shall try again after `seconds`.
    #[must_use]
    pub fn busy(what: &str, seconds: u32) -> Self {
        let detail = format!("{what}; nothing was done; try again in {seconds} s");
        Self::new(ProblemKind::Busy, detail).again_in(seconds)
    }

    /// Returns the problem of a service with no room for another answer. The client shall try again after 2 s, by which time some
    /// answers have been read.
    #[must_use]
    pub fn no_room_for_answer() -> Self {
        let what = "the answers that are being read take all the room that there is for this connection, for its \
                    address, or in all";
        Self::busy(what, 2)
    }

    /// Returns the problem of a client that has used up its share for a while.
    #[must_use]
    pub fn too_many_requests(seconds: u32) -> Self {
        let detail = format!(
            "this address has sent too many requests that the cache could not answer; try again in \
             {seconds} s"
        );
        Self::new(ProblemKind::TooManyRequests, detail).again_in(seconds)
    }

    /// Returns the problem of an act that is refused until an operator has looked, for the reason that `detail` gives.
    #[must_use]
    pub fn stopped(detail: impl Into<String>, seconds: u32) -> Self {
        Self::new(ProblemKind::Stopped, detail).again_in(seconds)
    }

    /// Returns the problem of a store without space, which the operator must add or clients free by deleting.
    #[must_use]
    pub fn out_of_space(seconds: u32) -> Self {
        let detail = format!(
            "the storage is out of space: nothing can be stored until space is freed; reads continue, and so do \
             deletions while the space reserved for them lasts; nothing is lost; try again in {seconds} s"
        );
        Self::new(ProblemKind::Unavailable, detail).again_in(seconds)
    }

    /// Returns the problem of stored content that is not what was written (guarantee 4).
    #[must_use]
    pub fn damaged() -> Self {
        Self::new(
            ProblemKind::Damaged,
            "what is stored here is damaged or was lost, and is not served; the operator finds it in the log under the \
             request id",
        )
    }

    /// Returns the problem with an `ETag` header.
    #[must_use]
    pub fn etag(self, tag: &str) -> Self {
        self.header(http::header::ETAG, tag)
    }

    /// Returns the answer. Problems are never cached: a proof that is absent now may be there in a moment.
    #[must_use]
    pub fn reply(&self, request_id: Option<&str>) -> Reply {
        let status = self.kind.status();
        let document = Document {
            kind: format!("{TYPE_PREFIX}{}", self.kind.slug()),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: &self.detail,
            field: self.field.as_deref(),
            request_id,
            members: &self.members,
        };
        let mut headers: HeaderMap = self.headers.iter().cloned().collect();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let body = serde_json::to_vec(&document).unwrap_or_default();
        Reply { status, headers, body: Body::Bytes(body.into()) }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_stable() {
        let table: Vec<_> = ProblemKind::ALL
            .iter()
            .map(|kind| format!("{} {}", kind.status().as_u16(), kind.slug()))
            .collect();
        insta::assert_snapshot!("kinds", table.join("\n"));
    }

    #[test]
    fn a_problem_names_the_field_and_what_is_allowed() {
        let problem = Problem::field("limit", "a number from 1 to 1000").with("given", "x");
        let Body::Bytes(body) = problem.reply(Some("r-1")).body else { panic!("a body") };
        insta::assert_snapshot!("document", String::from_utf8_lossy(&body));
    }
}
