//! Files: finding, showing, changing and deleting them, and links to their bytes.

use super::Route;
use super::operation::Operation;
use super::parameter::{page, page_of, switch};
use super::path::{Endpoint, Given, Path, READ_ONLY};
use super::segment::{file_id, media_name};
use crate::access::Scope;
use crate::bounds::{DEFAULT_LINK_SECONDS, MAX_LINK_SECONDS};
use crate::file::{CollectionName, EntityRef, FileId, MediaName, OwnerId, ProfileName};
use crate::http::problem::Problem;
use crate::http::query::Query;

/// An operation on files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// `GET /v1/files`.
    Find {
        /// The entity in whose lists the files are.
        entity: Option<EntityRef>,
        /// The owner of the files.
        owner: Option<OwnerId>,
        /// The collection of the files.
        collection: Option<CollectionName>,
        /// The cursor of an earlier page.
        after: Option<String>,
        /// The most files on the page.
        limit: usize,
    },
    /// `POST /v1/files/batch-delete`.
    BatchDelete,
    /// `GET /v1/files/{id}`.
    Show(FileId),
    /// `PATCH /v1/files/{id}`.
    Change(FileId),
    /// `DELETE /v1/files/{id}`.
    Delete(FileId),
    /// `POST /v1/files/{id}/renditions`: makes the renditions that the present profiles ask for.
    Render {
        /// The file.
        id: FileId,
        /// `true` if nothing is made for a file that has them.
        only_missing: bool,
        /// The profile whose renditions are made, or `None` for those of all.
        profile: Option<ProfileName>,
    },
    /// `GET /v1/files/{id}/audit`: who read a private file.
    Audit {
        /// The file.
        id: FileId,
        /// The cursor of an earlier page.
        after: Option<String>,
        /// The most entries on the page.
        limit: usize,
    },
    /// `GET /v1/files/{id}/url`.
    SignLink {
        /// The file.
        id: FileId,
        /// The part that the link opens.
        name: MediaName,
        /// The lifetime of the link, in seconds.
        expires_in: u64,
        /// `true` if the link asks the browser to save the file.
        download: bool,
    },
}

const FIND: Operation = Operation::needing(Scope::MediaWrite, "find_files");
const BATCH_DELETE: Operation = Operation::needing(Scope::MediaWrite, "batch_delete_files");
// The record says whether the file is public.
const SHOW: Operation = Operation::public_read("show_file");
const CHANGE: Operation = Operation::needing(Scope::MediaWrite, "change_file");
const DELETE: Operation = Operation::needing(Scope::MediaWrite, "delete_file");
// An owner could have the same picture made again and again.
const RENDER: Operation = Operation::needing(Scope::MediaAdmin, "render_file");
// Owners see who read their files.
const AUDIT: Operation = Operation::needing(Scope::MediaWrite, "audit_file");
const SIGN_LINK: Operation = Operation::needing(Scope::MediaWrite, "sign_file_link");

pub(super) const OPERATIONS: &[Operation] =
    &[FIND, BATCH_DELETE, SHOW, CHANGE, DELETE, RENDER, AUDIT, SIGN_LINK];

pub(super) const PATHS: &[Path] = &[
    Path { segments: &["files"], allow: READ_ONLY, endpoints: &[Endpoint::get(FIND, find)] },
    Path {
        segments: &["files", "batch-delete"],
        allow: "POST, OPTIONS",
        endpoints: &[Endpoint::post(BATCH_DELETE, |_| Ok(Route::Files(Files::BatchDelete)))],
    },
    Path {
        segments: &["files", "*"],
        allow: "GET, HEAD, PATCH, DELETE, OPTIONS",
        endpoints: &[
            Endpoint::get(SHOW, |Given { ids: [id, ..], .. }| Ok(Route::Files(Files::Show(file_id(id)?)))),
            Endpoint::patch(CHANGE, |Given { ids: [id, ..], .. }| {
                Ok(Route::Files(Files::Change(file_id(id)?)))
            }),
            Endpoint::delete(DELETE, |Given { ids: [id, ..], .. }| {
                Ok(Route::Files(Files::Delete(file_id(id)?)))
            }),
        ],
    },
    Path {
        segments: &["files", "*", "renditions"],
        allow: "POST, OPTIONS",
        endpoints: &[Endpoint::post(RENDER, render)],
    },
    Path {
        segments: &["files", "*", "audit"],
        allow: READ_ONLY,
        endpoints: &[Endpoint::get(AUDIT, |Given { ids: [id, ..], query }| {
            let (after, limit) = page(query)?;
            Ok(Route::Files(Files::Audit { id: file_id(id)?, after, limit }))
        })],
    },
    Path {
        segments: &["files", "*", "url"],
        allow: READ_ONLY,
        endpoints: &[Endpoint::get(SIGN_LINK, sign_link)],
    },
];

impl Files {
    pub(super) const fn operation(&self) -> Operation {
        match self {
            Self::Find { .. } => FIND,
            Self::BatchDelete => BATCH_DELETE,
            Self::Show(_) => SHOW,
            Self::Change(_) => CHANGE,
            Self::Delete(_) => DELETE,
            Self::Render { .. } => RENDER,
            Self::Audit { .. } => AUDIT,
            Self::SignLink { .. } => SIGN_LINK,
        }
    }
}

fn find(Given { query, .. }: Given<'_>) -> Result<Route, Problem> {
    let query = Query::parse(query)?;
    query.only(&["entity", "owner", "collection", "after", "limit"])?;
    let (after, limit) = page_of(&query)?;
    Ok(Route::Files(Files::Find {
        entity: named(&query, "entity")?,
        owner: named(&query, "owner")?,
        collection: named(&query, "collection")?,
        after,
        limit,
    }))
}

fn named<T: std::str::FromStr<Err: std::fmt::Display>>(
    query: &Query<'_>,
    name: &str,
) -> Result<Option<T>, Problem> {
    query.get(name).map(|text| text.parse().map_err(|error| Problem::field(name, error))).transpose()
}

fn render(Given { ids: [id, ..], query }: Given<'_>) -> Result<Route, Problem> {
    let query = Query::parse(query)?;
    query.only(&["only_missing", "profile"])?;
    Ok(Route::Files(Files::Render {
        id: file_id(id)?,
        only_missing: switch(&query, "only_missing")?,
        profile: named(&query, "profile")?,
    }))
}

fn sign_link(Given { ids: [id, ..], query }: Given<'_>) -> Result<Route, Problem> {
    let query = Query::parse(query)?;
    query.only(&["name", "expires_in", "download"])?;
    let expires_in = query.number("expires_in", 1, MAX_LINK_SECONDS)?;
    Ok(Route::Files(Files::SignLink {
        id: file_id(id)?,
        name: query.get("name").map_or(Ok(MediaName::Original), media_name)?,
        expires_in: expires_in.unwrap_or(DEFAULT_LINK_SECONDS),
        download: switch(&query, "download")?,
    }))
}
