//! Uploads: announcing them, addresses of their parts, their progress and their end.

use super::Route;
use super::operation::Operation;
use super::path::{Endpoint, Given, Path};
use super::segment::upload_id;
use crate::access::Scope;
use crate::bounds::MAX_PARTS;
use crate::file::UploadId;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::query::Query;
use crate::link::Signature;

/// An operation on uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uploads {
    /// `POST /v1/uploads`.
    Announce,
    /// `POST /v1/uploads/sign`: an address for a client that asks for each request, as Uppy does.
    Sign,
    /// `GET /v1/uploads/{id}`.
    Show(UploadId),
    /// `DELETE /v1/uploads/{id}`.
    Abort(UploadId),
    /// `POST /v1/uploads/{id}/parts`: the addresses of parts.
    AddressParts(UploadId),
    /// `POST /v1/uploads/{id}/complete`.
    Complete(UploadId),
    /// `PUT /v1/uploads/{id}/bytes`: the bytes, where the server keeps them itself.
    Receive {
        /// The upload.
        id: UploadId,
        /// The number of the part, or `None` for the whole file.
        part: Option<u32>,
        /// The signature of the address, which is the sender's only credential.
        signature: Signature,
    },
}

const ANNOUNCE: Operation = Operation::needing(Scope::MediaWrite, "announce_upload");
const SIGN: Operation = Operation::needing(Scope::MediaWrite, "sign_upload");
const SHOW: Operation = Operation::needing(Scope::MediaWrite, "show_upload");
const ABORT: Operation = Operation::needing(Scope::MediaWrite, "abort_upload");
const ADDRESS_PARTS: Operation = Operation::needing(Scope::MediaWrite, "address_parts");
const COMPLETE: Operation = Operation::needing(Scope::MediaWrite, "complete_upload");
const RECEIVE: Operation = Operation::open("receive_bytes");

pub(super) const OPERATIONS: &[Operation] = &[ANNOUNCE, SIGN, SHOW, ABORT, ADDRESS_PARTS, COMPLETE, RECEIVE];

pub(super) const PATHS: &[Path] = &[
    Path {
        segments: &["uploads"],
        allow: "POST, OPTIONS",
        endpoints: &[Endpoint::post(ANNOUNCE, |_| Ok(Route::Uploads(Uploads::Announce)))],
    },
    Path {
        segments: &["uploads", "sign"],
        allow: "POST, OPTIONS",
        endpoints: &[Endpoint::post(SIGN, |_| Ok(Route::Uploads(Uploads::Sign)))],
    },
    Path {
        segments: &["uploads", "*"],
        allow: "GET, HEAD, DELETE, OPTIONS",
        endpoints: &[
            Endpoint::get(SHOW, |Given { ids: [id, ..], .. }| {
                Ok(Route::Uploads(Uploads::Show(upload_id(id)?)))
            }),
            Endpoint::delete(ABORT, |Given { ids: [id, ..], .. }| {
                Ok(Route::Uploads(Uploads::Abort(upload_id(id)?)))
            }),
        ],
    },
    Path {
        segments: &["uploads", "*", "parts"],
        allow: "POST, OPTIONS",
        endpoints: &[Endpoint::post(ADDRESS_PARTS, |Given { ids: [id, ..], .. }| {
            Ok(Route::Uploads(Uploads::AddressParts(upload_id(id)?)))
        })],
    },
    Path {
        segments: &["uploads", "*", "complete"],
        allow: "POST, OPTIONS",
        endpoints: &[Endpoint::post(COMPLETE, |Given { ids: [id, ..], .. }| {
            Ok(Route::Uploads(Uploads::Complete(upload_id(id)?)))
        })],
    },
    Path {
        segments: &["uploads", "*", "bytes"],
        allow: "PUT, OPTIONS",
        endpoints: &[Endpoint::put(RECEIVE, receive)],
    },
];

impl Uploads {
    pub(super) const fn operation(&self) -> Operation {
        match self {
            Self::Announce => ANNOUNCE,
            Self::Sign => SIGN,
            Self::Show(_) => SHOW,
            Self::Abort(_) => ABORT,
            Self::AddressParts(_) => ADDRESS_PARTS,
            Self::Complete(_) => COMPLETE,
            Self::Receive { .. } => RECEIVE,
        }
    }
}

fn receive(Given { ids: [id, ..], query }: Given<'_>) -> Result<Route, Problem> {
    let query = Query::parse(query)?;
    query.only(&["part", "expires", "key", "life", "signature"])?;
    let part = query.number("part", 1, MAX_PARTS.into())?.and_then(|part| u32::try_from(part).ok());
    let signature = Signature::read(&query)?.ok_or_else(|| {
        let detail = "bytes are sent to an address that `POST /v1/uploads` or `POST /v1/uploads/{id}/parts` answers with";
        Problem::new(ProblemKind::InvalidLink, detail)
    })?;
    Ok(Route::Uploads(Uploads::Receive { id: upload_id(id)?, part, signature }))
}
