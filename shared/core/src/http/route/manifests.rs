//! C2PA manifests by themselves: storing, listing and deleting them, changing who may read them, and deciding which
//! tenant's a plain address serves.

use super::Route;
use super::operation::Operation;
use super::parameter::{page, switch};
use super::path::{Endpoint, Given, Path};
use super::reads;
use super::segment::{manifest_id, manifest_key};
use crate::access::{Scope, Visibility};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::manifest_id::ManifestId;
use crate::manifest_key::ManifestKey;
use crate::tenant::Tenant;

/// An operation on manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifests {
    /// `GET /v1/manifests`.
    List {
        /// The cursor of an earlier page.
        after: Option<String>,
        /// The most manifests on the page.
        limit: usize,
    },
    /// `POST /v1/manifests`.
    Store {
        /// The visibility that the manifest is stored with.
        visibility: Visibility,
        /// The tenant that shall own the manifest, if the request names one.
        tenant: Option<Tenant>,
        /// `true` if the manifest is copied from another store.
        imported: bool,
    },
    /// `DELETE /v1/manifests/{id}`, `DELETE /v1/tenants/{tenant}/manifests/{id}`.
    Delete {
        /// The manifest's ID.
        id: ManifestId,
        /// The tenant that the path names, or `None` for the caller's.
        tenant: Option<Tenant>,
        /// `true` if the manifest is to be deleted only if nobody but an import has stored it.
        imported: bool,
    },
    /// `PUT /v1/manifests/{id}/front`.
    DecideFront(ManifestId),
    /// `PUT /v1/manifests/{id}/visibility`, `PUT /v1/tenants/{tenant}/manifests/{id}/visibility`.
    ChangeVisibility {
        /// The manifest's ID.
        id: ManifestId,
        /// The tenant that the path names, or `None` for the caller's.
        tenant: Option<Tenant>,
    },
}

const LIST: Operation = Operation::needing(Scope::Admin, "list_manifests");
const STORE: Operation = Operation::needing(Scope::Store, "store_manifest");
const DELETE: Operation = Operation::needing(Scope::Delete, "delete_manifest");
// No tenant may say which tenant's manifest an address serves.
const DECIDE_FRONT: Operation = Operation::needing(Scope::Operator, "decide_front");
const CHANGE_VISIBILITY: Operation = Operation::needing(Scope::Store, "change_visibility");

pub(super) const OPERATIONS: &[Operation] = &[LIST, STORE, DELETE, DECIDE_FRONT, CHANGE_VISIBILITY];

pub(super) const PATHS: &[Path] = &[
    Path {
        segments: &["manifests"],
        allow: "GET, HEAD, POST, OPTIONS",
        endpoints: &[
            Endpoint::get(LIST, |Given { query, .. }| {
                let (after, limit) = page(query)?;
                Ok(Route::Manifests(Manifests::List { after, limit }))
            }),
            Endpoint::post(STORE, store),
        ],
    },
    Path {
        segments: &["manifests", "*"],
        allow: "GET, HEAD, DELETE, OPTIONS",
        endpoints: &[
            reads::PLAIN_MANIFEST,
            Endpoint::delete(DELETE, |Given { ids: [id, ..], query }| {
                let imported = only_imported(query)?;
                Ok(Route::Manifests(Manifests::Delete { id: manifest_id(id)?, tenant: None, imported }))
            }),
        ],
    },
    Path {
        segments: &["manifests", "*", "front"],
        allow: "GET, HEAD, PUT, OPTIONS",
        endpoints: &[
            reads::FRONT,
            Endpoint::put(DECIDE_FRONT, |Given { ids: [id, ..], .. }| {
                Ok(Route::Manifests(Manifests::DecideFront(manifest_id(id)?)))
            }),
        ],
    },
    Path {
        segments: &["manifests", "*", "visibility"],
        allow: "PUT, OPTIONS",
        endpoints: &[Endpoint::put(CHANGE_VISIBILITY, |Given { ids: [id, ..], .. }| {
            Ok(Route::Manifests(Manifests::ChangeVisibility { id: manifest_id(id)?, tenant: None }))
        })],
    },
    Path {
        segments: &["tenants", "*", "manifests", "*", "visibility"],
        allow: "PUT, OPTIONS",
        endpoints: &[Endpoint::put(CHANGE_VISIBILITY, |Given { ids: [tenant, id, _], .. }| {
            let ManifestKey { id, tenant } = manifest_key(tenant, id)?;
            Ok(Route::Manifests(Manifests::ChangeVisibility { id, tenant: Some(tenant) }))
        })],
    },
    Path {
        segments: &["tenants", "*", "manifests", "*"],
        allow: "GET, HEAD, DELETE, OPTIONS",
        endpoints: &[
            reads::TENANT_MANIFEST,
            Endpoint::delete(DELETE, |Given { ids: [tenant, id, _], query }| {
                let ManifestKey { id, tenant } = manifest_key(tenant, id)?;
                let imported = only_imported(query)?;
                Ok(Route::Manifests(Manifests::Delete { id, tenant: Some(tenant), imported }))
            }),
        ],
    },
];

impl Manifests {
    pub(super) const fn operation(&self) -> Operation {
        match self {
            Self::List { .. } => LIST,
            Self::Store { .. } => STORE,
            Self::Delete { .. } => DELETE,
            Self::DecideFront(_) => DECIDE_FRONT,
            Self::ChangeVisibility { .. } => CHANGE_VISIBILITY,
        }
    }
}

fn store(Given { query, .. }: Given<'_>) -> Result<Route, Problem> {
    let query = Query::parse(query)?;
    query.only(&["tenant", "visibility", "imported"])?;
    let tenant = query.get("tenant").map(str::parse).transpose();
    let tenant = tenant.map_err(|error| Problem::field("tenant", error))?;
    let imported = switch(&query, "imported")?;
    // A manifest is public unless the request says otherwise.
    let visibility = query.get("visibility").map_or(Ok(Visibility::Public), str::parse);
    let visibility = visibility.map_err(|error| Problem::field("visibility", error))?;
    Ok(Route::Manifests(Manifests::Store { visibility, tenant, imported }))
}

/// Returns `true` if a manifest is to be deleted only if nobody but an import has stored it. A mistyped parameter is
/// refused, since it must not delete more.
fn only_imported(query: &str) -> Result<bool, Problem> {
    let query = Query::parse(query)?;
    query.only(&["imported"])?;
    switch(&query, "imported")
}
